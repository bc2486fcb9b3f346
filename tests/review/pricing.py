"""A table of prices that a person can calculate with, and resources and plans for estimates."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from review.cost.estimate import Estimate, estimate_of
from review.cost.prices import Price, Prices, meters
from review.model import ABSENT, Billed, Tree
from review.reading.billed import billed_of
from review.reading.entries import entries_in
from review.reading.references import References

REGION = "eu-central-1"
DAY = date(2026, 9, 11)


def priced(**others: str) -> Prices:
    """A table in which a unit of every meter costs $1 a month, but for the given ones; "" is no price."""
    rows = {}
    for key, meter in meters().items():
        usd = others.get(key.replace(".", "_"), "1")
        if usd:
            hourly = Decimal(usd) / 730 if meter.per == "hour" else Decimal(usd)
            rows[key] = Price(hourly, DAY, "made up")
    return Prices({REGION: rows})


def billed(type_: str, before: Tree = ABSENT, after: Tree = ABSENT, **others: Any) -> Billed:
    """A resource of a type, called `x` unless said otherwise; changed if its sides differ."""
    address = others.pop("address", f"{type_}.x")
    return Billed(address, type_, others.pop("region", REGION), before, after, before != after, **others)


def estimated(*resources: Billed, prices: Prices | None = None) -> Estimate:
    return estimate_of([("dev-service", "dev", resources)], prices or priced())


def cost(type_: str, values: Tree, *others: Billed) -> tuple[Any, str, tuple[str, ...]]:
    """What a new resource costs in whole dollars, what it is, and what is not known."""
    found = estimated(billed(type_, after=values), *others)
    lines = [line for line in found.lines if line.address == f"{type_}.x"]
    assert len(lines) <= 1
    if not lines:
        return Decimal(0), "", ()
    return lines[0].after.quantize(Decimal("0.000001")), lines[0].what, lines[0].gaps


def entry(address: str, before: Any, after: Any, actions: tuple[str, ...], **change: Any) -> dict[str, Any]:
    """An entry of a plan's `resource_changes`."""
    type_ = address.split("[", maxsplit=1)[0].rsplit(".", 2)[-2]
    return {
        "address": address,
        "mode": "managed",
        "type": type_,
        "name": address.rsplit(".", 1)[-1],
        "change": {"actions": list(actions), "before": before, "after": after, "after_unknown": {}, **change},
    }


def document(*entries: Mapping[str, Any], **others: Any) -> dict[str, Any]:
    """A plan with these entries, and a provider in `REGION` unless said otherwise."""
    provider = {"aws": {"expressions": {"region": {"constant_value": REGION}}}}
    module = {
        "resources": [
            {
                "address": each["address"].split("[")[0],
                "type": each["type"],
                "provider_config_key": "aws",
                "expressions": others.pop(each["address"], {}),
            }
            for each in entries
        ]
    }
    return {
        "format_version": "1.2",
        "terraform_version": "1.12.2",
        "resource_changes": list(entries),
        "configuration": {"provider_config": provider, "root_module": module},
        **others,
    }


def read(content: Mapping[str, Any]) -> dict[str, Billed]:
    """The resources of a plan by address."""
    entries = entries_in(content)
    found = billed_of(content, entries, References(content, entries), str)
    return {each.address: each for each in found}
