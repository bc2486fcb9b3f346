"""What a comment leaves out, in words and exact numbers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from review.blocks import Block, Rank
from review.budget import Shown
from review.markdown import counted

_Phrase = tuple[Rank, str, tuple[str, str], int]
"""What it is about, words before the number, the noun (one, many), the number."""


def left_out(blocks: Sequence[Block], shown: Sequence[Shown]) -> list[str]:
    """What is not even listed, and the details that are missing of what is listed, over all stacks."""
    missing: list[_Phrase] = []
    for block, each in zip(blocks, shown, strict=True):
        details = [entry for entry in block.entries[each.detailed : each.listed] if entry.has_details]
        unlisted = block.entries[each.listed :]
        missing.append(
            (block.rank, "all but the number of ", block.nouns, sum(entry.weight for entry in unlisted))
        )
        missing.append(
            (block.rank, f"the {block.details} of ", block.nouns, sum(entry.weight for entry in details))
        )
    return _phrases(missing)


def most_left_out(blocks: Sequence[Block]) -> list[str]:
    """At least as long as whatever `left_out` says of the blocks."""
    missing: list[_Phrase] = []
    for block in blocks:
        weight = sum(entry.weight for entry in block.entries)
        missing.append((block.rank, "all but the number of ", block.nouns, weight))
        missing.append((block.rank, f"the {block.details} of ", block.nouns, weight))
    return _phrases(missing)


def _phrases(missing: Iterable[_Phrase]) -> list[str]:
    counts: defaultdict[tuple[Rank, str, tuple[str, str]], int] = defaultdict(int)
    for rank, words, nouns, count in missing:
        counts[rank, words, nouns] += count
    return [
        f"{words}{counted(count, *nouns)}" for (_, words, nouns), count in sorted(counts.items()) if count
    ]
