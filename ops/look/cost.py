"""What an environment costs a month at AWS's list prices, and what other settings would cost."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from rich.table import Table
from rich.text import Text

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, UsageError
from ops.terraform.synthesis import synthesize
from review.cost.estimate import ZERO, Estimate, Line, estimate_of
from review.cost.prices import PriceError, Prices, meters, monthly, read_prices
from review.model import Billed, Tree, blocks
from review.reading.billed import billed_in
from review.reading.structure import PlanError
from review.rendering.cost import money, signed
from stacks import kinds, stores
from stacks.rules import missing_endpoints
from stacks.settings import Environment

_SERVICE: Final = "aws_ecs_service"
_TASK: Final = "aws_ecs_task_definition"
_NAT: Final = ("per-zone", "single", "none")

Resources = Sequence[tuple[str, str, tuple[Billed, ...]]]


@dataclass(frozen=True, slots=True)
class Choice:
    """Another value of a setting: what it is, and what part of the cost would be with it and is now.

    `total` is None when a price of it is missing, which `what` says. `is_current` is whether the environment
    has this value, which is not the same as an equal cost.
    """

    setting: str
    what: str
    total: Decimal | None
    now: Decimal
    is_current: bool


@dataclass(frozen=True, slots=True)
class Cost:
    """The estimate of an environment, and what other settings would cost."""

    estimate: Estimate
    choices: tuple[Choice, ...]


def cost_of(checkout: Checkout, environment: Environment) -> Cost:
    """Estimates an environment from its synthesized Terraform JSON.

    Raises OpsError if that cannot be read, and UsageError if the table of prices cannot.
    """
    synthesize(checkout)
    try:
        prices = read_prices()
        resources = [
            (stack, environment.name, billed_in(json.loads(checkout.configuration(stack).read_bytes())))
            for stack in (kind.name_in(environment.name) for kind in kinds.OF_ENVIRONMENT)
        ]
    except (PlanError, ValueError) as error:
        raise OpsError(f"The cost of {environment.name} cannot be estimated: {error}") from None
    except PriceError as error:
        raise UsageError(str(error)) from None
    choices = (*network_choices(environment, prices), *service_choices(environment, resources, prices))
    return Cost(estimate_of(resources, prices), choices)


def network_choices(environment: Environment, prices: Prices) -> Iterator[Choice]:
    """Yields what each value of `network.nat` costs: gateways with their addresses, or endpoints.

    Traffic through either has its price beside that. Nothing if the VPC or its NAT is not ours to choose.
    """
    network = environment.network
    if network.existing or network.tasks == "public":
        return
    zones = len(network.availability_zones)
    gateways = {"per-zone": zones, "single": 1, "none": 0}
    more = _endpoints_without_nat(environment)
    totals = {}
    for nat in _NAT:
        units = {
            "nat": gateways[nat],
            "ipv4": gateways[nat],
            "endpoint": 0 if gateways[nat] else len(more) * zones,
        }
        totals[nat] = _total(environment.region, units, prices)
    now = totals[network.nat]
    if now is None:
        return
    for nat in _NAT:
        count = gateways[nat]
        words = "1 NAT gateway and its address" if count == 1 else f"{count} NAT gateways and their addresses"
        if not count:
            names = f": {', '.join(more)}" if more else ""
            plural = "" if len(more) == 1 else "s"
            words = f"{len(more)} more interface endpoint{plural} in {zones} zones{names}"
        if totals[nat] is None:
            words += "; a price is missing"
        yield Choice(f'network.nat = "{nat}"', words, totals[nat], now, nat == network.nat)


def _endpoints_without_nat(environment: Environment) -> list[str]:
    """Returns the interface endpoints that `nat = "none"` needs beside those that the environment has."""
    network = environment.network.model_copy(update={"nat": "none"})
    without = environment.model_copy(update={"network": network})
    present = set(stores.endpoints(without))
    for service in environment.services.values():
        present |= missing_endpoints(service, present)[0]
    has = stores.endpoints(environment) if environment.network.has_internet else environment.network.endpoints
    return sorted(present - set(has))


def _total(region: str, units: Mapping[str, int], prices: Prices) -> Decimal | None:
    total = ZERO
    for key, count in units.items():
        price = prices.find(region, key)
        if count and price is None:
            return None
        total += count * monthly(meters()[key], price) if price else ZERO
    return total


def service_choices(environment: Environment, resources: Resources, prices: Prices) -> Iterator[Choice]:
    """Yields what all services cost on ARM64 and on Spot; nothing without services that run always."""
    now = _services(resources, prices)
    if not now:
        return
    total = sum((line.after for line in now), ZERO)
    running = [service for service in environment.services.values() if service.kind != "job"]
    for setting, what, other, is_current in (
        (
            'architecture = "arm64"',
            "all services on Graviton",
            _on_arm64(resources),
            all(service.architecture == "arm64" for service in running),
        ),
        (
            "spot_percent = 100",
            "all tasks on Spot, which AWS may take away with two minutes' notice",
            _on_spot(resources),
            all(service.spot_percent == 100 for service in running),
        ),
    ):
        lines = _services(other, prices)
        gaps = sorted({gap for line in lines for gap in line.gaps})
        if gaps:
            yield Choice(setting, f"{what}; {gaps[0]}", None, total, is_current)
        else:
            yield Choice(setting, what, sum((line.after for line in lines), ZERO), total, is_current)


def _services(resources: Resources, prices: Prices) -> list[Line]:
    return [line for line in estimate_of(resources, prices).lines if line.address.startswith(f"{_SERVICE}.")]


def _on_arm64(resources: Resources) -> Resources:
    def moved(each: Billed) -> Billed:
        if each.type != _TASK or not isinstance(each.after, dict):
            return each
        platform = next(iter(blocks(each.after.get("runtime_platform"))), {})
        return replace(
            each, after={**each.after, "runtime_platform": {**platform, "cpu_architecture": "ARM64"}}
        )

    return [(stack, name, tuple(map(moved, all_))) for stack, name, all_ in resources]


def _on_spot(resources: Resources) -> Resources:
    def moved(each: Billed) -> Billed:
        if each.type != _SERVICE or not isinstance(each.after, dict):
            return each
        spot: Tree = {"capacity_provider": "FARGATE_SPOT", "base": 0, "weight": 1}
        return replace(each, after={**each.after, "capacity_provider_strategy": [spot]})

    return [(stack, name, tuple(map(moved, all_))) for stack, name, all_ in resources]


def tables(environment: Environment, cost: Cost) -> Iterator[Table | Text]:
    """Yields what to print: the total, the resources, what has no price, and the choices."""
    found = cost.estimate
    as_of = f", list price in {', '.join(found.regions)} as of {found.as_of}" if found.as_of else ""
    yield Text.assemble((environment.name, "bold"), f": {money(found.after)} a month{as_of}")
    yield Text(
        "Fixed costs only: no requests, traffic or processed data, and of a service the fewest tasks that it "
        "scales to."
    )
    if found.by_use:
        yield Text(f"By use only: {', '.join(words for words, _ in found.by_use)}.")
    yield Text()
    yield _resources(found)
    if found.unpriced:
        yield Text("\nWithout a full price here:")
        for line in found.unpriced:
            yield Text(f"  {line.stack} {line.address}: {'; '.join(line.gaps)}")
    if cost.choices:
        yield Text("\nOther settings:")
        yield _choices(cost.choices)


def _resources(found: Estimate) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("a month", justify="right")
    for name in ("stack", "resource", "what"):
        table.add_column(name)
    for line in sorted(found.lines, key=lambda line: (-line.after, line.stack, line.address)):
        if line.after:
            table.add_row(money(line.after), line.stack, Text(line.address), Text(line.what))
    return table


def _choices(choices: Sequence[Choice]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("setting", "a month", "change", "what"):
        table.add_column(name, justify="right" if name in ("a month", "change") else "left")
    for each in choices:
        if each.total is None:
            sides = ("", "no price")
        else:
            sides = (money(each.total), "as now" if each.is_current else signed(each.total - each.now))
        table.add_row(Text(each.setting), *sides, Text(each.what))
    return table
