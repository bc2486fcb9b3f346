"""Renders a review as Markdown within a budget of bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from review.model import Verdict
from review.rendering import head
from review.rendering.blocks import Block, blocks_of, left_out, most_left_out, other_drift
from review.rendering.budget import Shown, fit, prefix, size
from review.rendering.cost import cost_section
from review.rendering.markdown import code, counted, fence, number
from review.rendering.points import Point, ignored, points
from review.rendering.wording import SYMBOLS
from review.verdicts import Review, StackReview

COMMENT_BUDGET: Final = 60_000
"""Bytes of a comment. GitHub takes 65,536 characters."""
SUMMARY_BUDGET: Final = 1_000_000
"""Bytes of a job summary. GitHub takes 1 MiB of one step.
Source: GitHub's documentation, "Workflow commands", section "Adding a job summary"."""

_ELSEWHERE: Final = " (the verdict file lists them all)"

_VALUES: Final = "the values of the points, what was not judged, the SHA-256 of the plans"

_ALL_BUT_ONE: Final = f"all but the first address of each point{_ELSEWHERE}"

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=StrictUndefined,
    # The templates are Markdown; what they get is escaped already.
    autoescape=select_autoescape(["html"]),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


@dataclass(frozen=True, slots=True)
class _Section:
    """A stack and the blocks of its section."""

    review: StackReview
    blocks: tuple[Block, ...]
    line: str


def render(review: Review, budget: int = COMMENT_BUDGET) -> str:
    """Renders verdict, table, flags and stacks, in at most `budget` bytes of UTF-8.

    What does not fit goes in this order: the differences of what is not destroyed, the safest groups
    first; then the lists of these groups, of which counts per type stay; then the same of what is
    destroyed; then all groups; then the points' values and further addresses; and only when that does not
    fit either, the last points and then the last stacks are counted instead.
    The text tells exactly what was left out. The result is the same for the same review and budget, and
    more budget never leaves out a kind of flag that less budget shows.
    """
    sections = _sections(review)
    everything = [Shown(len(block.entries), len(block.entries)) for block in _blocks(sections)]
    beginning = _head(review)
    text = beginning + _body(review, sections, everything)
    if size(text) <= budget:
        return text
    return (
        _fitted(review, sections, beginning, budget)
        or _only_counts(review, sections, beginning, budget)
        or _without_groups(review, sections, beginning, budget)
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


def _blocks(sections: list[_Section]) -> list[Block]:
    return [block for each in sections for block in each.blocks]


def _only_counts(review: Review, sections: list[_Section], beginning: str, budget: int) -> str:
    """Renders the whole head and the groups' titles with their counts; empty if that does not fit."""
    blocks = _blocks(sections)
    nothing = [Shown(0, 0)] * len(blocks)
    body = _body(review, sections, nothing, with_types=False)
    text = beginning + body + _foot(budget, left_out(blocks, nothing))
    return text if size(text) <= budget else ""


def _fitted(review: Review, sections: list[_Section], beginning: str, budget: int) -> str:
    """Renders the head, counts per type and as much of the groups as fits; empty if counts do not fit."""
    blocks = _blocks(sections)
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


def _without_groups(review: Review, sections: list[_Section], beginning: str, budget: int) -> str:
    """Renders as much of the head as fits."""
    groups = [f"the groups of {counted(len(sections), 'stack')}"] if sections else []
    groups += ["the cost"] if cost_section(review) else []
    text = beginning + _foot(budget, groups)
    if size(text) <= budget:
        return text
    bare = [*groups, _VALUES]
    found = points(review)
    return (
        _fewer_addresses(review, budget, bare, found)
        or _fewer_flags(review, budget, [*bare, _ALL_BUT_ONE], found)
        or _fewer_stacks(review, budget, bare)
        or _verdict_only(review, budget)
    )


def _fewer_addresses(review: Review, budget: int, missing: list[str], found: list[Point]) -> str:
    """Renders all points with as many addresses as fit; empty if not even one of each does."""
    longest = max((each.places for each in found), default=0)

    def cut(most: int) -> str:
        flags = [each.text(most=most) for each in found]
        kept = counted(most, "address", "addresses")
        left = (
            [*missing, f"all but the first {kept} of each point{_ELSEWHERE}"] if most < longest else missing
        )
        return _head(review, flags=flags, in_full=False) + _foot(budget, left)

    low, high = min(1, longest), longest
    best = cut(low)
    if size(best) > budget:
        return ""
    while low < high:
        middle = (low + high + 1) // 2
        text = cut(middle)
        if size(text) <= budget:
            low, best = middle, text
        else:
            high = middle - 1
    return best


def _fewer_flags(review: Review, budget: int, missing: list[str], found: list[Point]) -> str:
    """Renders the first points and the number of the other flags; empty if not even one fits."""
    if not found:
        return ""
    flags = [each.text(most=1) for each in found]

    def cut(count: int) -> str:
        others = sum(len(each.flags) for each in found[count:])
        left = [*missing, f"{counted(others, 'flag')}{_ELSEWHERE}"] if others else missing
        return _head(review, flags=flags[:count], of=len(flags), in_full=False) + _foot(budget, left)

    # One flag brings the heading as well; each further one its text, its number, ". ", a line break.
    room = budget - size(cut(1))
    digits = len(str(len(flags)))
    return cut(1 + prefix((size(each) + digits + 3 for each in flags[1:]), room)) if room >= 0 else ""


def _fewer_stacks(review: Review, budget: int, missing: list[str]) -> str:
    """Renders the table's first rows and the number of the others; empty if not even one fits."""
    rows = head.table(review).rows
    most = len(points(review))

    def cut(count: int) -> str:
        counts = ((review.counts.flags, "flag"), (len(rows) - count, "stack"))
        told = " and ".join(counted(each, noun) for each, noun in counts if each)
        left = [*missing, f"{told}{_ELSEWHERE}"] if told else missing
        return _head(review, flags=[], of=most, rows=count, in_full=False) + _foot(budget, left)

    # One row brings the head of the table as well; each further one its cells and what is around them.
    room = budget - size(cut(1))
    sizes = (sum(map(size, row)) + 3 * (len(row) - 1) + 5 for row in rows[1:])
    return cut(1 + prefix(sizes, room)) if room >= 0 else ""


def _verdict_only(review: Review, budget: int) -> str:
    """Renders marker and verdict, for budgets that nobody sets."""
    text = f"{review.marker.line()}\n## {SYMBOLS[review.verdict]} {review.verdict.words}\n"
    return text.encode()[: max(budget, 0)].decode(errors="ignore")


def _head(
    review: Review,
    *,
    flags: list[str] | None = None,
    of: int | None = None,
    rows: int | None = None,
    in_full: bool = True,
) -> str:
    """Renders the head with all or the given points (`of` so many in all) and `rows` rows of the table."""
    table = head.table(review)
    flags = _flags(review) if flags is None else flags
    return _TEMPLATES.get_template("head.md.j2").render(
        marker=review.marker.line(),
        symbol=SYMBOLS[review.verdict],
        verdict=review.verdict.words,
        environments=head.environments(review),
        sentence=head.sentence(review, len(flags) if of is None else of),
        facts=head.facts(review),
        columns=table.columns,
        numeric=table.numeric,
        rows=table.rows[:rows],
        hashes=head.hashes(review) if in_full else [],
        unjudged=head.unjudged(review) if in_full else [],
        ignored=ignored(review) if in_full else [],
        text=fence(review.rules.text.strip()) if review.rules.text.strip() and in_full else "",
        flags=flags,
    )


def _flags(review: Review) -> list[str]:
    """Renders all points in full."""
    return [each.text() for each in points(review)]


def _body(
    review: Review, sections: list[_Section], shown: Sequence[Shown], *, with_types: bool = True
) -> str:
    """Renders the cost, the stacks' sections, and a line for stacks without changes."""
    each_shown = iter(shown)
    return _TEMPLATES.get_template("body.md.j2").render(
        cost=cost_section(review),
        sections=[
            {
                "heading": _heading(section.review),
                "blocks": [
                    _block(block, next(each_shown), with_types=with_types) for block in section.blocks
                ],
                "line": section.line,
            }
            for section in sections
        ],
        scanned=head.scanned(review),
        unchanged=[code(each.stack.name) for each in review.stacks if each.verdict is Verdict.NO_CHANGES],
    )


def _block(block: Block, shown: Shown, *, with_types: bool) -> dict[str, object]:
    return {
        "title": block.title,
        "is_open": block.is_open,
        "body": block.body(shown),
        "rest": block.rest(shown, with_types=with_types),
    }


def _heading(review: StackReview) -> str:
    return f"{SYMBOLS[review.verdict]} {code(review.stack.name)} · {review.verdict.words}"


def _foot(budget: int, left_out: list[str]) -> str:
    if not left_out:
        return ""
    return _TEMPLATES.get_template("foot.md.j2").render(budget=number(budget), left_out=left_out)
