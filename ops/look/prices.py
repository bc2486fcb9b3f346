"""Brings the table of list prices up to date."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ops.core.errors import OpsError, UsageError
from ops.core.files import swap_in
from review.cost.offers import OFFERS, SPOT, Found, prices_of, text_of
from review.cost.prices import PRICES, PriceError, Prices, read_prices


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update says, line by line, and whether every file could be read."""

    lines: tuple[str, ...]
    is_complete: bool


def update(offers: str = "", file: Path = PRICES) -> Updated:
    """Reads AWS's price files, or those at `offers`, for each region of the table, and swaps the table.

    A price that is not found stays, with its date and source. Raises UsageError if the table cannot be
    read, and OpsError, without a change, if no price file can be.
    """
    try:
        before = read_prices(file)
    except PriceError as error:
        raise UsageError(str(error)) from None
    address = offers.rstrip("/")
    found = {region: prices_of(region, address or OFFERS, address or SPOT) for region in before.by_region}
    if not any(each.prices for each in found.values()):
        problems = next((each.problems for each in found.values() if each.problems), ())
        why = problems[0] if problems else "The price files have none of the meters"
        raise OpsError(f"No price was found, so {file} stays as it is. {why}.")
    after = Prices({region: {**rows, **found[region].prices} for region, rows in before.by_region.items()})
    text = text_of(after)
    if text != file.read_text():
        swap_in(file, text.encode())
    lines = [line for region in sorted(found) for line in _lines(region, before, after, found[region])]
    return Updated((*lines, f"Written: {file}"), not any(each.problems for each in found.values()))


def _lines(region: str, before: Prices, after: Prices, found: Found) -> Iterator[str]:
    old, new = before.by_region[region], after.by_region[region]
    changed = [key for key in found.prices if key not in old or old[key].usd != new[key].usd]
    kept = sorted(new.keys() - found.prices.keys())
    yield f"{region}: {len(found.prices)} prices found, {len(changed)} of them new or changed"
    for key in sorted(changed):
        yield f"  {key}: {f'{old[key].usd:f}' if key in old else 'none'} -> {new[key].usd:f}"
    if kept:
        yield f"  not found, so kept as they were: {', '.join(kept)}"
    if missing := after.missing(region):
        yield f"  without a price: {', '.join(meter.key for meter in missing)}"
    for problem in found.problems:
        yield f"  {problem}"
