"""Reads the prices of all meters from AWS's public price files, which need no credentials.

Source: AWS Billing User Guide, "Getting price list files manually" and "Reading the service price list
file for an AWS service".
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from types import MappingProxyType
from typing import Final

import httpx

from review.cost.prices import Meter, Price, Prices, meters

OFFERS: Final = "https://pricing.us-east-1.amazonaws.com"
"""Where AWS's price files are."""

SPOT: Final = "https://dftu77xade0tc.cloudfront.net"
"""Where the file behind AWS's page of Fargate prices is, with the prices of Spot."""

_SPOT_FILE: Final = "fargate-spot-prices.json"
_SPOT: Final = "spot"
_TIMEOUT: Final = httpx.Timeout(30.0)
_PREFIX: Final = r"(?:[A-Z]{2,4}\d?|%s)-"
"""How a usage type names its region; in us-east-1 it may name none. KMS writes the region in full."""


class _OfferError(Exception):
    """A price file cannot be had, or is not one."""


@dataclass(frozen=True, slots=True)
class Found:
    """The prices of a region as AWS's files have them now, and what went wrong, each in a sentence."""

    prices: Mapping[str, Price]
    problems: tuple[str, ...]


@dataclass(slots=True)
class _Offer:
    """What a price file says of some meters: prices by SKU, by key."""

    version: str = ""
    published: date | None = None
    prices: dict[str, dict[str, Decimal]] = field(default_factory=dict)


def prices_of(region: str, offers: str = OFFERS, spot: str = SPOT) -> Found:
    """Reads what AWS's price files say of all meters in a region. Never raises for what they contain."""
    by_file: dict[tuple[str, bool], list[Meter]] = {}
    for meter in meters().values():
        by_file.setdefault((meter.offer, meter.is_everywhere), []).append(meter)
    prices: dict[str, Price] = {}
    problems: list[str] = []
    with httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client:
        for (offer, is_everywhere), wanted in by_file.items():
            try:
                if offer == _SPOT:
                    prices |= _spot(client, f"{spot}/{_SPOT_FILE}", region, wanted)
                    continue
                place = "index.csv" if is_everywhere else f"{region}/index.csv"
                address = f"{offers}/offers/v1.0/aws/{offer}"
                read = _offer(client, f"{address}/current/{place}", region, wanted)
            except _OfferError as error:
                problems.append(str(error))
                continue
            prices |= _prices(read, f"{address}/{read.version}/{place}", problems)
    return Found(MappingProxyType(prices), tuple(problems))


def _offer(client: httpx.Client, address: str, region: str, wanted: list[Meter]) -> _Offer:
    try:
        with client.stream("GET", address) as response:
            response.raise_for_status()
            return _read(response.iter_lines(), address, region, wanted)
    except httpx.HTTPStatusError as error:
        raise _OfferError(f"{address}: status {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise _OfferError(f"{address}: {error or type(error).__name__}") from None


def _read(lines: Iterable[str], address: str, region: str, wanted: list[Meter]) -> _Offer:
    """Reads a price file row by row, since the largest have some GB."""
    offer = _Offer()
    columns: list[str] = []
    forms = [(re.compile(f"(?:{_PREFIX % re.escape(region)})?{re.escape(m.usage)}"), m) for m in wanted]
    try:
        for row in csv.reader(lines):
            if not columns:
                columns = _head(offer, row)
                continue
            values = dict(zip(columns, row, strict=False))
            for meter in _matching(values, forms):
                usd = Decimal(values["PricePerUnit"])
                skus = offer.prices.setdefault(meter.key, {})
                skus[values["SKU"]] = max(usd, skus.get(values["SKU"], usd))
            if all(meter.is_first and meter.key in offer.prices for meter in wanted):
                break
    except (csv.Error, KeyError, InvalidOperation, UnicodeDecodeError):
        raise _OfferError(f"{address}: is not built like a price file") from None
    if not columns or not offer.published or not offer.version:
        raise _OfferError(f"{address}: is not a price file")
    return offer


def _head(offer: _Offer, row: list[str]) -> list[str]:
    """Reads a row above the prices; returns the names of the columns if it is the last of these."""
    match row:
        case ["Version", version, *_]:
            offer.version = version
        case ["Publication Date", published, *_]:
            offer.published = _day(published)
        case ["SKU", *_]:
            return row
    return []


def _day(text: str) -> date | None:
    try:
        return datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _matching(values: dict[str, str], forms: list[tuple[re.Pattern[str], Meter]]) -> Iterator[Meter]:
    if values.get("TermType") != "OnDemand" or values.get("Currency") != "USD":
        return
    usage = values.get("usageType", "")
    for form, meter in forms:
        if form.fullmatch(usage) and all(
            values.get(column) in allowed for column, allowed in meter.columns.items()
        ):
            yield meter


def _prices(offer: _Offer, source: str, problems: list[str]) -> dict[str, Price]:
    found = {}
    for key, skus in offer.prices.items():
        amounts = {usd for usd in skus.values() if usd > 0}
        if len(amounts) > 1:
            told = ", ".join(f"{usd:f}" for usd in sorted(amounts))
            problems.append(f"{source}: {meters()[key].what} has several prices: {told}")
        elif amounts and offer.published:
            found[key] = Price(amounts.pop(), offer.published, source)
    return found


def _spot(client: httpx.Client, address: str, region: str, wanted: list[Meter]) -> dict[str, Price]:
    try:
        response = client.get(address).raise_for_status()
        rows = response.json()["prices"]
        found = {}
        for meter in wanted:
            units = [row for row in rows if row["unit"] == meter.usage]
            for row in units:
                if row["attributes"]["aws:region"] == region:
                    day = _modified(response, address)
                    found[meter.key] = Price(Decimal(row["price"]["USD"]), day, address)
    except httpx.HTTPStatusError as error:
        raise _OfferError(f"{address}: status {error.response.status_code}") from None
    except httpx.HTTPError as error:
        raise _OfferError(f"{address}: {error or type(error).__name__}") from None
    except (ValueError, KeyError, TypeError, InvalidOperation):
        raise _OfferError(f"{address}: is not built like AWS's file of Spot prices") from None
    return {key: price for key, price in found.items() if price.usd > 0}


def _modified(response: httpx.Response, address: str) -> date:
    try:
        return parsedate_to_datetime(response.headers["Last-Modified"]).date()
    except (KeyError, ValueError):
        raise _OfferError(f"{address}: has no date, for want of a header Last-Modified") from None


_HEAD: Final = """\
# AWS list prices in USD, as `make prices` writes them: the newest that is known of each, and from where.
#
# `as_of` is the date of the source, not that of the last look. A price stands here only if AWS's price file
# says so, or two independent sources agree. What is not here has no price: an estimate names it and never
# guesses. What a key means, and what else could be here: meters.toml.
"""


def text_of(prices: Prices) -> str:
    """Returns the table of prices as TOML, as `prices.toml` has it."""
    parts = [_HEAD]
    for region, rows in sorted(prices.by_region.items()):
        lines = [f"[{region}]", *(_row(key, price) for key, price in sorted(rows.items()))]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _row(key: str, price: Price) -> str:
    # A string of JSON without escapes of its own is one of TOML.
    source = json.dumps(price.source, ensure_ascii=False)
    return f'"{key}" = {{ usd = "{price.usd:f}", as_of = {price.as_of}, source = {source} }}'
