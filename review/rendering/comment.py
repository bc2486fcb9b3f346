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
from review.rendering.points import ignored, points
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

_ROWS: Final = 50
"""Rows of the table when the points have to be shortened; the worst stacks come first."""

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
    """Renders verdict, table, points and stacks, in at most `budget` bytes of UTF-8.

    What does not fit is left out in two stages. First of the groups: the differences of what is not
    destroyed, the safest first, then the lists of these groups, then the same of what is destroyed; counts
    per type stay. If that is not enough, the groups and the cost go, and of the points the values, the
    further addresses and then the last ones. The text tells exactly what was left out. The result is the same
    for the same review and budget, and more budget never shows fewer points.
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
    groups += ["the cost"] if cost_section(review) else []
    groups += ["the values of the points, what rules ignore, what was not judged, the SHA-256 of the plans"]

    def text(flags: list[str], addresses: int, others: int) -> str:
        counts = (
            (addresses, "address", "addresses"),
            (others, "flag", "flags"),
            (max(0, len(review.stacks) - _ROWS), "stack", "stacks"),
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
    table = head.table(review)
    found = points(review)
    in_full = short is None
    return _TEMPLATES.get_template("head.md.j2").render(
        marker=review.marker.line(),
        symbol=SYMBOLS[review.verdict],
        verdict=review.verdict.words,
        environments=head.environments(review),
        sentence=head.sentence(review, len(found)),
        facts=head.facts(review),
        columns=table.columns,
        numeric=table.numeric,
        rows=table.rows if in_full else table.rows[:_ROWS],
        hashes=head.hashes(review) if in_full else [],
        unjudged=head.unjudged(review) if in_full else [],
        ignored=ignored(review) if in_full else [],
        text=fence(review.rules.text.strip()) if review.rules.text.strip() and in_full else "",
        flags=[each.text() for each in found] if short is None else short,
    )


def _body(review: Review, sections: list[_Section], shown: Sequence[Shown]) -> str:
    """Renders the cost, the stacks' sections, and a line for stacks without changes."""
    each_shown = iter(shown)
    return _TEMPLATES.get_template("body.md.j2").render(
        cost=cost_section(review),
        sections=[
            {
                "heading": _heading(section.review),
                "blocks": [_block(block, next(each_shown)) for block in section.blocks],
                "line": section.line,
            }
            for section in sections
        ],
        scanned=head.scanned(review),
        unchanged=[code(each.stack.name) for each in review.stacks if each.verdict is Verdict.NO_CHANGES],
    )


def _block(block: Block, shown: Shown) -> dict[str, object]:
    return {
        "title": block.title,
        "is_open": block.is_open,
        "body": block.body(shown),
        "rest": block.rest(shown),
    }


def _heading(review: StackReview) -> str:
    return f"{SYMBOLS[review.verdict]} {code(review.stack.name)} · {review.verdict.words}"


def _foot(budget: int, left_out: list[str]) -> str:
    if not left_out:
        return ""
    return _TEMPLATES.get_template("foot.md.j2").render(budget=number(budget), left_out=left_out)
