"""Renders a review as Markdown within a budget of bytes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from review.rendering import head
from review.rendering.blocks import Block, blocks_of, left_out, most_left_out, other_drift
from review.rendering.budget import Shown, fit, prefix, size
from review.rendering.cost import cost_section
from review.rendering.effects import recovery_section, rollout_section
from review.rendering.markdown import code, counted, fence, number
from review.rendering.points import ignored, marker_of, points
from review.rendering.wording import SYMBOLS
from review.verdicts import Review, StackReview

BUDGETS: Final = {"github": 60_000, "gitlab": 1_000_000, "azure-devops": 150_000}
"""Bytes of a comment by where it is posted. That is all that differs: all render the Markdown alike.

GitHub takes 65,536 characters, GitLab a million (GitLab's documentation, "Notes API"), Azure DevOps 150,000,
which its API says only when it refuses more.
"""
COMMENT_BUDGET: Final = BUDGETS["github"]
SUMMARY_BUDGET: Final = 1_000_000
"""Bytes of a job summary. GitHub takes 1 MiB of one step.
Source: GitHub's documentation, "Workflow commands", section "Adding a job summary"."""

_PARTS: Final = {
    "what runs": rollout_section,
    "how to go back": recovery_section,
    "the cost": cost_section,
}
"""The sections between the points and the stacks, each of a bounded size, by what is said of one left out."""


@dataclass(frozen=True, slots=True)
class _Section:
    """A stack and the blocks of its section."""

    review: StackReview
    blocks: tuple[Block, ...]
    line: str


def render(review: Review, budget: int = COMMENT_BUDGET) -> str:
    """Renders verdict, table, points and stacks, in at most `budget` bytes of UTF-8.

    What does not fit is left out in two stages. First of the groups: the differences of what is not
    destroyed, the safest first, then the lists of these groups, then the same of what is destroyed; counts
    per type stay. If that is not enough, the groups, what runs and the cost go, and of the points the values,
    the further addresses and then the last ones. The text tells exactly what was left out. The result is the
    same for the same review and budget, and more budget never shows fewer points.
    """
    sections = _sections(review)
    blocks = [block for each in sections for block in each.blocks]
    everything = [Shown(len(block.entries), len(block.entries)) for block in blocks]
    beginning = _head(review)
    text = beginning + _body(review, sections, everything)
    if size(text) <= budget:
        return text
    return _fewer_entries(review, sections, blocks, beginning, budget) or _fewer_points(
        review, len(sections), budget
    )


@lru_cache(maxsize=1)
def _sections(review: Review) -> list[_Section]:
    """Renders what stands below the head; once for all budgets, as it takes longest."""
    found = []
    for each in review.stacks:
        blocks = tuple(blocks_of(each.stack, review.rules.table))
        line = other_drift(each.stack.plan) if each.stack.plan else ""
        if blocks or line:
            found.append(_Section(each, blocks, line))
    return found


def _fewer_entries(
    review: Review, sections: list[_Section], blocks: list[Block], beginning: str, budget: int
) -> str:
    """Renders the head, counts per type and as much of the groups as fits; empty if counts do not fit."""
    nothing = [Shown(0, 0)] * len(blocks)
    bare = beginning + _body(review, sections, nothing)
    room = budget - size(bare) - size(_foot(budget, most_left_out(blocks)))
    if room < 0:
        return ""
    order = sorted(range(len(blocks)), key=lambda index: blocks[index].rank)
    shown = list(nothing)
    fitting = fit([(blocks[index].rank.tier, blocks[index].entries) for index in order], room)
    for index, each in zip(order, fitting, strict=True):
        shown[index] = each
    body = _body(review, sections, shown)
    return beginning + body + _foot(budget, left_out(blocks, shown))


def _fewer_points(review: Review, sections: int, budget: int) -> str:
    """Renders the table's first rows and as many points as fit, each with its share of the room."""
    found = points(review)
    groups = [f"the groups of {counted(sections, 'stack')}"] if sections else []
    groups += [name for name, part in _PARTS.items() if part(review)]
    parts = {
        "the values of the points": found,
        "what rules ignore": ignored(review),
        "what was not judged": head.unjudged(review),
        "the SHA-256 of the plans": review.plans,
    }
    groups += [", ".join(words for words, there in parts.items() if there)]

    def text(flags: list[str], addresses: int, others: int) -> str:
        counts = (
            (addresses, "address", "addresses"),
            (others, "flag", "flags"),
            (max(0, len(head.table(review).rows) - head.MOST), "stack", "stacks"),
        )
        told = ", ".join(counted(*each) for each in counts if each[0])
        left = [*groups, f"{told} (the verdict file lists them all)"] if told else groups
        return _head(review, flags) + _foot(budget, left)

    addresses = [each.places for each in found]
    others = [len(each.flags) for each in found]
    room = budget - size(text([], sum(addresses), sum(others))) - len("### Look at these first\n\n\n")
    if room < 0:
        # A budget that nobody sets.
        verdict = f"{review.marker.line()}\n## {SYMBOLS[review.verdict]} {review.verdict.words}\n"
        return verdict.encode()[: max(budget, 0)].decode(errors="ignore")
    digits = len(f"{len(found)}. \n")
    short = [("", 0)] * len(found)
    left = room
    # What points with few addresses do not need is for those with many.
    for done, place in enumerate(sorted(range(len(found)), key=addresses.__getitem__)):
        short[place] = found[place].shortened(left // (len(found) - done) - digits)
        left -= size(short[place][0]) + digits
    count = prefix((size(each) + digits for each, _ in short), room)
    hidden = sum(each.places - shown for each, (_, shown) in zip(found[:count], short, strict=False))
    return text([each for each, _ in short[:count]], hidden, sum(others[count:]))


def _head(review: Review, short: list[str] | None = None) -> str:
    """Renders the head with all points in full, or without all that can go, with these points."""
    found = points(review)
    told = [each.text() for each in found] if short is None else short
    return _paragraphs([*_opening(review, len(found), short is None), *_listed(review, told, short is None)])


def _opening(review: Review, count: int, in_full: bool) -> Iterator[str]:
    """Yields the verdict with what it means, and a table of the stacks."""
    environments = "".join(f" · {each}" for each in [", ".join(head.environments(review))] if each)
    marker = marker_of(review) if in_full else review.marker
    yield (
        f"{marker.line()}\n## {SYMBOLS[review.verdict]} {review.verdict.words}{environments}\n\n"
        f"{head.sentence(review, count)}"
    )
    yield head.since_sentence(review)
    if in_full and review.rules.text.strip():
        yield fence(review.rules.text.strip()).rstrip("\n")
    yield " · ".join(head.facts(review))
    table = head.table(review)
    if table.rows:
        sides = " | ".join("---:" if column in table.numeric else "---" for column in table.columns)
        rows = table.rows if in_full else table.rows[: head.MOST]
        yield "\n".join(
            [f"| {' | '.join(table.columns)} |", f"| {sides} |", *(f"| {' | '.join(row)} |" for row in rows)]
        )


def _listed(review: Review, told: list[str], in_full: bool) -> Iterator[str]:
    """Yields the points, and folded what is ignored or not judged and the hashes."""
    if told:
        yield "### Look at these first"
        yield "\n".join(f"{place}. {each}" for place, each in enumerate(told, 1))
    if in_full:
        count = sum(len(each.ignored) for each in review.stacks)
        yield _fold(f"Ignored by rule ({number(count)})", ignored(review))
        unjudged = "Not judged: the table does not say what a change of these attributes means"
        yield _fold(unjudged, [f"{kind}: {', '.join(paths)}" for kind, paths in head.unjudged(review)])
        yield _fold("SHA-256 of the plans", head.hashes(review))


def _fold(title: str, lines: list[str]) -> str:
    listed = "\n".join(f"- {line}" for line in lines)
    return f"<details><summary>{title}</summary>\n\n{listed}\n\n</details>" if lines else ""


def _paragraphs(found: Iterable[str]) -> str:
    """Joins what is not empty, with a blank line after each."""
    return "".join(f"{each}\n\n" for each in found if each)


def _body(review: Review, sections: list[_Section], shown: Sequence[Shown]) -> str:
    """Renders rollouts, recovery and cost, the stacks' sections, and a line for stacks without changes."""
    each_shown = iter(shown)
    parts = [part(review) for part in _PARTS.values()]
    for section in sections:
        parts.append(f"### {_heading(section.review)}")
        parts += [_folded(block, next(each_shown)) for block in section.blocks]
        parts.append(section.line)
    parts += [head.scanned(review), head.unchanged(review)]
    return _paragraphs(parts)


def _folded(block: Block, shown: Shown) -> str:
    opened = " open" if block.is_open else ""
    text = f"{block.body(shown)}{block.rest(shown)}"
    return f"<details{opened}><summary>{block.title}</summary>\n\n{text}\n</details>"


def _heading(review: StackReview) -> str:
    return f"{SYMBOLS[review.verdict]} {code(review.stack.name)} · {review.verdict.words}"


def _foot(budget: int, left_out: list[str]) -> str:
    if not left_out:
        return ""
    rest = "`terraform show` of the plans has all of it."
    return f"---\n\n**Left out** to keep within {number(budget)} bytes: {'; '.join(left_out)}. {rest}\n"
