"""Renders an estimate of the cost, for a comment and for the verdict file."""

from collections.abc import Iterator, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from review.cost.estimate import Estimate, Line
from review.rendering.markdown import address_code, cell, code, counted, dollars, first, short
from review.verdicts import Review

_LINES: Final = 6
_REASONS: Final = 5
_ADDRESSES: Final = 3
_CENT: Final = Decimal("0.01")


def cost_section(review: Review) -> str:
    """Renders the section, which has at most some 20 lines; empty if nothing with a price changes."""
    return "\n".join(_section(review.cost)) if review.cost.matters else ""


def _section(found: Estimate) -> Iterator[str]:
    yield "### Cost"
    yield ""
    several = len({line.stack for line in found.lines}) > 1
    yield _sentence(found)
    if found.changed:
        yield ""
        yield f"| {'stack | ' if several else ''}resource | is | before | after | a month |"
        yield f"| {'--- | ' if several else ''}--- | --- | ---: | ---: | ---: |"
        for line in found.changed[:_LINES]:
            yield _row(line, several=several)
        if rest := found.changed[_LINES:]:
            sides = [sum((getattr(line, side) for line in rest), Decimal(0)) for side in ("before", "after")]
            yield f"| {' | ' if several else ''}{counted(len(rest), 'more line')} | | {_amounts(*sides)} |"
    if found.unpriced:
        yield ""
        has = "has" if len(found.unpriced) == 1 else "have"
        yield f"{counted(len(found.unpriced), 'changed resource')} {has} no full price here:"
        yield ""
        yield from _reasons(found.unpriced)
    if notes := list(_notes(found)):
        yield ""
        yield " ".join(notes)


def _sentence(found: Estimate) -> str:
    if not found.changed:
        return "The estimate does not change, but not all that changes has a price here."
    change = signed(_cents(found.after) - _cents(found.before))
    where = f"list price in {', '.join(map(code, found.regions))} as of {found.as_of}"
    sides = f"from {money(found.before)} to {money(found.after)}"
    return f"**{dollars(change)} a month** ({dollars(sides)}, {where})."


def _row(line: Line, *, several: bool) -> str:
    stack = f"{cell(line.stack)} | " if several else ""
    return f"| {stack}{cell(short(line.address))} | {cell(line.what)} | {_amounts(line.before, line.after)} |"


def _amounts(before: Decimal, after: Decimal) -> str:
    """Formats both sides and their difference, which is that of the amounts as shown."""
    return dollars(f"{money(before)} | {money(after)} | {signed(_cents(after) - _cents(before))}")


def _reasons(lines: Sequence[Line]) -> Iterator[str]:
    """Yields an item for each reason with the addresses that share it, the most frequent first."""
    by_reason: dict[str, list[Line]] = {}
    for line in lines:
        by_reason.setdefault("; ".join(line.gaps), []).append(line)
    found = sorted(by_reason.items(), key=lambda each: (-len(each[1]), each[0]))
    for reason, group in found[:_REASONS]:
        addresses = [address_code(line.address) for line in group]
        yield f"- {first(addresses, _ADDRESSES)}: {code(reason)}"
    if rest := found[_REASONS:]:
        yield f"- {counted(sum(len(group) for _, group in rest), 'more resource')}"


def _notes(found: Estimate) -> Iterator[str]:
    yield (
        "Fixed costs only: no requests, traffic or processed data, and of a service the fewest tasks "
        "that it scales to."
    )
    if found.by_use:
        told = (words if count == 1 else f"{words} ({count})" for words, count in found.by_use)
        yield f"By use only: {', '.join(told)}."
    if count := found.unchanged_unpriced:
        yield f"{counted(count, 'unchanged resource')} {'has' if count == 1 else 'have'} no full price here."


def money(usd: Decimal) -> str:
    """Formats an amount: `$1,234.50`."""
    return f"${abs(_cents(usd)):,}" if _cents(usd) >= 0 else f"-${abs(_cents(usd)):,}"


def signed(usd: Decimal) -> str:
    """Formats a difference: `+ $38.20`, `- $3.65`, `$0.00`."""
    cents = _cents(usd)
    return f"{'+ ' if cents > 0 else '- ' if cents < 0 else ''}${abs(cents):,}"


def _cents(usd: Decimal) -> Decimal:
    return usd.quantize(_CENT, ROUND_HALF_UP) + Decimal(0)


def cost_json(review: Review) -> dict[str, object] | None:
    """Returns the estimate for the verdict file: amounts in USD a month, as text with two decimals."""
    found = review.cost
    if not found.matters:
        return None
    return {
        "before": str(_cents(found.before)),
        "after": str(_cents(found.after)),
        "regions": list(found.regions),
        "as_of": str(found.as_of) if found.as_of else None,
        "lines": [
            {
                "stack": line.stack,
                "address": line.address,
                "what": line.what,
                "before": str(_cents(line.before)),
                "after": str(_cents(line.after)),
            }
            for line in found.changed
        ],
        "unpriced": [
            {"stack": line.stack, "address": line.address, "reasons": list(line.gaps)}
            for line in found.unpriced
        ],
        "unchanged_unpriced": found.unchanged_unpriced,
        "by_use": dict(found.by_use),
    }
