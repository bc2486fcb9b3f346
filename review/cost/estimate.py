"""The monthly cost before and after plans, from what is charged and the table of prices."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Final

from review.cost.charges import NOTHING, Charge, Metered, Related, charged
from review.cost.prices import Prices, left_out, meters, monthly
from review.model import ABSENT, Billed, Stack, Tree

ZERO: Final = Decimal(0)

FREE_DASHBOARDS: Final = 3
"""Dashboards of an account without charge. The plans of an environment stand for its account.
Source: "Amazon CloudWatch Pricing", section "Free tier"."""

_DASHBOARD: Final = "aws_cloudwatch_dashboard"
_SERVICE: Final = "aws_ecs_service"
_TASK: Final = "aws_ecs_task_definition"
_SCALING: Final = "aws_appautoscaling_target"


@dataclass(frozen=True, slots=True)
class Line:
    """What one resource costs a month, before and after, in USD as far as it has a price.

    `what` says what it is after the change, or was before. `gaps` says what has no price or is not known.
    With gaps that are not the same on both sides, a difference would mislead: then neither side counts.
    `is_changed` tells whether the change may change the cost.
    """

    stack: str
    address: str
    what: str
    before: Decimal
    after: Decimal
    gaps: tuple[str, ...]
    is_changed: bool

    @property
    def change(self) -> Decimal:
        """Returns by how much the cost grows."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Estimate:
    """The monthly cost of all resources of some stacks, in USD: the part that does not depend on use.

    `regions` are those whose prices were used and `as_of` the oldest source of one. `by_use` counts the
    changed resources that cost by use only.
    """

    lines: tuple[Line, ...]
    regions: tuple[str, ...]
    as_of: date | None
    by_use: tuple[tuple[str, int], ...]

    @property
    def before(self) -> Decimal:
        """Returns the cost before the changes."""
        return sum((line.before for line in self.lines), ZERO)

    @property
    def after(self) -> Decimal:
        """Returns the cost after the changes."""
        return sum((line.after for line in self.lines), ZERO)

    @property
    def changed(self) -> tuple[Line, ...]:
        """Returns the lines whose cost changes, the greatest change first."""
        found = [line for line in self.lines if line.change]
        return tuple(sorted(found, key=lambda line: (-abs(line.change), line.stack, line.address)))

    @property
    def unpriced(self) -> tuple[Line, ...]:
        """Returns the lines that change and are not priced in full."""
        return tuple(line for line in self.lines if line.gaps and line.is_changed)

    @property
    def unchanged_unpriced(self) -> int:
        """Returns how many resources stay as they are and are not priced in full."""
        return sum(bool(line.gaps) and not line.is_changed for line in self.lines)

    @property
    def matters(self) -> bool:
        """Returns whether something that has a price changes, or may."""
        return bool(self.changed or self.unpriced)


def estimate(stacks: Iterable[Stack], prices: Prices) -> Estimate:
    """Estimates what stacks cost before and after their plans; a stack without a plan is left out."""
    planned = [(each.name, each.environment, each.plan.billed) for each in stacks if each.plan]
    return estimate_of(planned, prices)


def estimate_of(stacks: Iterable[tuple[str, str, tuple[Billed, ...]]], prices: Prices) -> Estimate:
    """Estimates what resources cost, given by stack and its environment."""
    used: list[tuple[str, date]] = []
    lines: list[Line] = []
    by_use: Counter[str] = Counter()
    dashboards: dict[tuple[str, str], list[Billed]] = {}
    for stack, environment, resources in stacks:
        known = _Known.of(resources)
        for each in resources:
            if each.type == _DASHBOARD:
                dashboards.setdefault((stack, environment), []).append(each)
                continue
            found = _line(stack, each, known.metered(each), prices, used)
            is_priced = bool(found.gaps or found.before or found.after)
            if is_priced:
                lines.append(found)
            if each.is_changed and (words := left_out()[0].get(each.type)):
                by_use[words] += not is_priced
    lines += _dashboards(dashboards, prices, used)
    return Estimate(
        lines=tuple(sorted(lines, key=lambda line: (line.stack, line.address))),
        regions=tuple(sorted({region for region, _ in used})),
        as_of=min((day for _, day in used), default=None),
        by_use=tuple(sorted((+by_use).items())),
    )


@dataclass(frozen=True, slots=True)
class _Known:
    """The task definitions and scaling targets of a stack, on which the price of a service depends."""

    tasks: Mapping[str, Billed]
    by_name: Mapping[str, Billed]
    """Task definitions by ARN, and by family and revision."""
    scaling: Mapping[str, Billed]
    """Scaling targets by the service's address, and by its name."""

    @classmethod
    def of(cls, resources: tuple[Billed, ...]) -> "_Known":
        tasks = {each.address: each for each in resources if each.type == _TASK}
        by_name = {name: each for each in tasks.values() for name in _names(each)}
        scaling: dict[str, Billed] = {}
        for each in resources:
            if each.type != _SCALING:
                continue
            scaling |= dict.fromkeys((target for _, target in each.links), each)
            for side in (each.before, each.after):
                name = side.get("resource_id") if isinstance(side, dict) else None
                if isinstance(name, str) and name.startswith("service/"):
                    scaling[name.rpartition("/")[2]] = each
        return cls(tasks, by_name, scaling)

    def metered(self, resource: Billed) -> tuple[Metered, Metered]:
        """Returns what a resource is charged for, before and after."""
        before, after = (
            NOTHING if side is ABSENT else _charged(resource, side, self._related(resource, side, is_after))
            for side, is_after in ((resource.before, False), (resource.after, True))
        )
        return before, after

    def _related(self, resource: Billed, side: Tree, is_after: bool) -> Related:
        if resource.type != _SERVICE or not isinstance(side, dict):
            return Related()
        name = side.get("name")
        scaling = self.scaling.get(resource.address) or self.scaling.get(
            name if isinstance(name, str) else ""
        )
        return Related(
            _side(self._task(resource, side), is_after), _side(scaling, is_after) if scaling else None
        )

    def _task(self, resource: Billed, side: dict[str, Tree]) -> Billed | None:
        """Returns the task definition of a service: by its name, or else by the reference to it.

        A new revision has no name yet; then it is that of the resource which the service used before.
        """
        linked = next((self.tasks[target] for _, target in resource.links if target in self.tasks), None)
        names = [side.get("task_definition")]
        if isinstance(resource.before, dict):
            names.append(resource.before.get("task_definition"))
        if isinstance(names[0], str):
            return self.by_name.get(names[0]) or linked
        return linked or next(
            (self.by_name[n] for n in names if isinstance(n, str) and n in self.by_name), None
        )


def _names(task: Billed) -> Iterator[str]:
    for side in (task.before, task.after):
        if isinstance(side, dict):
            arn, family, revision = (side.get(name) for name in ("arn", "family", "revision"))
            if isinstance(arn, str):
                yield arn
            if isinstance(family, str) and isinstance(revision, int):
                yield f"{family}:{revision}"


def _side(resource: Billed | None, is_after: bool) -> Tree:
    return None if resource is None else resource.after if is_after else resource.before


def _charged(resource: Billed, side: Tree, related: Related) -> Metered:
    if words := left_out()[1].get(resource.type):
        return Metered(words, gaps=("it has no price here",))
    return charged(resource.type, side, related)


def _line(
    stack: str,
    resource: Billed,
    metered: tuple[Metered, Metered],
    prices: Prices,
    used: list[tuple[str, date]],
) -> Line:
    was, now = metered
    before, gaps_before = _priced(was, resource.region, prices, used)
    after, gaps_after = _priced(now, resource.region, prices, used)
    exists = resource.after is not ABSENT
    if exists and resource.before is not ABSENT and gaps_before != gaps_after:
        before = after = ZERO
    # Without meters, nothing that was read could show a change of the cost.
    is_blind = resource.type in left_out()[1] and resource.is_changed
    return Line(
        stack,
        resource.address,
        now.what if exists else was.what,
        before,
        after,
        gaps_after or gaps_before if exists else gaps_before,
        is_blind or was != now,
    )


def _priced(
    found: Metered, region: str, prices: Prices, used: list[tuple[str, date]]
) -> tuple[Decimal, tuple[str, ...]]:
    """Returns what charges cost a month, and what is not known or has no price."""
    if found.charges and not region:
        return ZERO, (*found.gaps, "its region is not known")
    total, missing = ZERO, []
    for charge in found.charges:
        meter, price = meters().get(charge.key), prices.find(region, charge.key)
        if meter is None or price is None:
            what = meter.what if meter else f"{charge.key.partition('.')[2]}"
            missing.append(f"{what} has no price for {region}")
            continue
        total += charge.units * monthly(meter, price)
        used.append((region, price.as_of))
    return total, (*found.gaps, *dict.fromkeys(missing))


def _dashboards(
    found: Mapping[tuple[str, str], list[Billed]], prices: Prices, used: list[tuple[str, date]]
) -> Iterator[Line]:
    """Yields a line for the dashboards of each environment with more of them than are free."""
    environments: dict[str, list[tuple[str, Billed]]] = {}
    for (stack, environment), dashboards in found.items():
        environments.setdefault(environment, []).extend((stack, each) for each in dashboards)
    for environment, group in environments.items():
        before, after = (
            sum(getattr(each, side) is not ABSENT for _, each in group) for side in ("before", "after")
        )
        if max(before, after) <= FREE_DASHBOARDS:
            continue
        words = f"{after or before} dashboards of {environment}, {FREE_DASHBOARDS} of them free"
        sides = [
            Metered(words, (Charge("dashboard", Decimal(count - FREE_DASHBOARDS)),))
            if count > FREE_DASHBOARDS
            else NOTHING
            for count in (before, after)
        ]
        stack, first = min(group, key=lambda each: (each[0], each[1].address))
        total = Billed(_DASHBOARD, _DASHBOARD, first.region, {}, {}, before != after)
        yield _line(stack, total, (sides[0], replace(sides[1], what=words)), prices, used)
