"""The tables of meters and prices."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

HOURS: Final = Decimal(730)
"""Hours of a month, as in AWS's own calculator. Source: AWS Pricing Calculator User Guide, "Assumptions"."""

PRICES: Final = Path(__file__).with_name("prices.toml")
_METERS: Final = Path(__file__).with_name("meters.toml")
_TYPES: Final = Path(__file__).with_name("types.toml")


class PriceError(Exception):
    """The table of prices cannot be used; the text says where and why."""


@dataclass(frozen=True, slots=True)
class Meter:
    """What has a price, and the row of AWS's price file that has it: see `meters.toml`."""

    key: str
    what: str
    per: str
    offer: str
    usage: str
    columns: Mapping[str, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    is_everywhere: bool = False
    is_first: bool = False


@dataclass(frozen=True, slots=True)
class Price:
    """A price in USD, the date of its source, and the source."""

    usd: Decimal
    as_of: date
    source: str


@dataclass(frozen=True, slots=True)
class Prices:
    """List prices by region and key of a meter."""

    by_region: Mapping[str, Mapping[str, Price]]

    def find(self, region: str, key: str) -> Price | None:
        """Returns a price, or None if there is none here."""
        return self.by_region.get(region, {}).get(key)

    def missing(self, region: str) -> list[Meter]:
        """Returns the meters that have no price in a region."""
        return [meter for key, meter in meters().items() if not self.find(region, key)]


def monthly(meter: Meter, price: Price) -> Decimal:
    """Returns the price of one unit for a month, in USD."""
    return price.usd * HOURS if meter.per == "hour" else price.usd


@cache
def meters() -> Mapping[str, Meter]:
    """Returns the meters by key."""
    return MappingProxyType({meter.key: meter for meter in _meters()})


def _meters() -> Iterator[Meter]:
    for row in tomllib.loads(_METERS.read_text())["meters"]:
        for size in row.get("sizes", [""]):
            texts = {name: row[name].format(size=size) for name in ("key", "what", "usage")}
            yield Meter(
                **texts,
                per=row["per"],
                offer=row["offer"],
                columns=MappingProxyType(row.get("columns", {})),
                is_everywhere=row.get("everywhere", False),
                is_first=row.get("first", False),
            )


@cache
def left_out() -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Returns the types that cost by use only, and those without a price here, with their words."""
    content = tomllib.loads(_TYPES.read_text())
    return content["by_use"], content["without_price"]


@cache
def default_prices() -> Prices:
    """Returns the prices of this package."""
    return read_prices(PRICES)


def read_prices(file: Path = PRICES) -> Prices:
    """Reads a table of prices. Raises PriceError, also when the file cannot be read."""
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise PriceError(f"{file}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceError(f"{file}: {error}") from None
    return Prices({region: _region(f"{file}: {region}", rows) for region, rows in content.items()})


def _region(place: str, rows: object) -> Mapping[str, Price]:
    if not isinstance(rows, dict):
        raise PriceError(f"{place}: a table of prices by key")
    if unknown := sorted(rows.keys() - meters().keys()):
        raise PriceError(f'{place}."{unknown[0]}": no meter of meters.toml has this key')
    return {key: _price(f'{place}."{key}"', row) for key, row in rows.items()}


def _price(place: str, row: Any) -> Price:
    try:
        usd, as_of, source = Decimal(row["usd"]), row["as_of"], row["source"]
    except (TypeError, KeyError, InvalidOperation):
        usd, as_of, source = Decimal("NaN"), None, None
    if (
        not usd.is_finite()
        or usd <= 0
        or type(as_of) is not date
        or not isinstance(source, str)
        or not source
    ):
        raise PriceError(
            f'{place}: write {{ usd = "0.045", as_of = 2026-09-11, source = "where it is from" }}, '
            "with a price above 0"
        )
    return Price(usd, as_of, source)
