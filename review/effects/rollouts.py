"""Says what a plan does to each service that runs: rolled out, interrupted, scaled, or left alone.

Source: "Amazon ECS API Reference", UpdateService, for what starts a deployment; the lists of attributes are
in the table, with their sources.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from review.comparing.differences import differences
from review.flags.attributes import changed_paths
from review.flags.subject import TASK_DEFINITION, hidden
from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    Block,
    Difference,
    Document,
    Plan,
    ResourceChange,
    Tree,
    blocks,
    natural,
)
from review.table import Running, Table

SERVICE: Final = "aws_ecs_service"
TARGET: Final = "aws_appautoscaling_target"
LIMITS: Final = ("min_capacity", "max_capacity")
CONTAINERS: Final = "container_definitions"
_LABELS: Final = frozenset({"tags", "tags_all"})


class Effect(IntEnum):
    """What happens to a service, the gravest first."""

    STOPPED = 0
    INTERRUPTED = 1
    MAY_BE_INTERRUPTED = 2
    NOT_KNOWN = 3
    REPLACED = 4
    OTHER_IMAGE = 5
    ROLLED = 6
    SAME_IMAGE = 7
    SAME_DEFINITION = 8
    NOT_ROLLED = 9
    SCALED = 10
    STARTED = 11
    FORGOTTEN = 12
    UNAFFECTED = 13
    IDLE = 14


@dataclass(frozen=True, slots=True)
class Rollout:
    """What happens to one service.

    `note` is a fixed text. `images` are those of its containers that change, by the container's name,
    `values` other values to compare, and `also` names what else changes.
    """

    stack: str
    address: str
    effect: Effect
    note: str = ""
    images: tuple[Difference, ...] = ()
    values: tuple[Difference, ...] = ()
    also: tuple[tuple[str, ...], ...] = ()


def rollouts_of(stack: str, plan: Plan, table: Table) -> tuple[Rollout, ...]:
    """Returns what happens to each service that a plan touches, the gravest first.

    An ECS service has always one; anything else that runs only if it is rolled out or interrupted.
    """
    found: dict[str, Rollout] = {}
    tasks = _Tasks(plan)
    for change in plan.changes:
        running = table.types[change.type].runs if change.type in table.types else None
        if running is None or change.is_data or change.deposed is not None:
            continue
        rollout = _rollout(Rollout(stack, change.address, Effect.UNAFFECTED), change, running, tasks)
        if change.type == SERVICE or rollout.effect not in (Effect.UNAFFECTED, Effect.STARTED):
            found[change.address] = rollout
    for address in tasks.left_behind:
        note = "it keeps the revision that it runs, although there is a new one"
        found[address] = Rollout(stack, address, Effect.NOT_ROLLED, note)
    for address, values in _scaled(plan):
        known = found.get(address, Rollout(stack, address, Effect.UNAFFECTED))
        if known.effect is Effect.UNAFFECTED:
            known = replace(known, effect=Effect.SCALED)
        found[address] = replace(known, values=(*known.values, *values))
    return tuple(sorted(found.values(), key=lambda each: (each.effect, natural(each.address))))


def _rollout(it: Rollout, change: ResourceChange, running: Running, tasks: "_Tasks") -> Rollout:
    """Returns what a change does, starting from a rollout that says nothing."""
    before, after = (side if isinstance(side, dict) else {} for side in (change.before, change.after))
    match change.action:
        case Action.CREATE:
            return replace(it, effect=Effect.STARTED)
        case Action.DELETE:
            return replace(it, effect=Effect.STOPPED, note="deleted")
        case Action.FORGET:
            return replace(it, effect=Effect.FORGOTTEN)
        case Action.IMPORT | Action.MOVE:
            return it
        case Action.REPLACE:
            return _replaced(it, change)
        case Action.UPDATE if before and after:
            changed = {path[0] for path in changed_paths(before, after)} - _LABELS
        case _:
            return replace(it, effect=Effect.NOT_KNOWN, note="the plan does not show what changes")
    count = tuple(_values({"desired_count"} & changed, before, after))
    if count and after.get("desired_count") == 0:
        return replace(it, effect=Effect.STOPPED, values=count)
    if interrupted := sorted(changed & (running.interrupted_by | running.interrupted_now_by)):
        at_once = not running.interrupted_now_by.isdisjoint(interrupted)
        values = tuple(_values(interrupted, before, after))
        return replace(it, effect=Effect.INTERRUPTED, note=_when(after, at_once), values=values)
    if change.type == SERVICE and after.get("desired_count") == 0:
        return replace(it, effect=Effect.IDLE)
    is_forced = change.type == SERVICE and after.get("force_new_deployment") is True and bool(changed)
    rolled = changed if is_forced else changed & running.rolled_by
    if not rolled:
        effect = Effect.SCALED if count else Effect.UNAFFECTED
        return replace(it, effect=effect, values=count)
    it = replace(it, effect=Effect.ROLLED, values=count, also=_names(rolled - {"desired_count"}))
    if running.only_with and not blocks(after.get(running.only_with)):
        note = "only new ones are made the new way; those that run stay as they are"
        return replace(it, effect=Effect.NOT_ROLLED, note=note)
    return _deployed(it, before, after, tasks) if change.type == SERVICE else it


def _values(names: Iterable[str], before: Block, after: Block) -> Iterator[Difference]:
    return (Difference((name,), before.get(name, ABSENT), after.get(name, ABSENT)) for name in names)


def _replaced(it: Rollout, change: ResourceChange) -> Rollout:
    also = _names({str(path[0]) for path in change.replace_paths if path})
    if change.keeps_former:
        note = "a new one is created; the previous one keeps running, no longer managed"
        return replace(it, effect=Effect.REPLACED, note=note, also=also)
    if change.create_before_destroy:
        return replace(it, effect=Effect.REPLACED, note="created first, then deleted", also=also)
    return replace(it, effect=Effect.INTERRUPTED, note="deleted first, then created", also=also)


def _when(after: Block, at_once: bool) -> str:
    immediately = after.get("apply_immediately", UNKNOWN)
    if at_once or immediately is True:
        return "at once"
    # Source: AWS provider documentation, aws_db_instance: unset is false.
    return "in the next maintenance window" if immediately in (False, None) else "when is not known"


def _deployed(it: Rollout, before: Block, after: Block, tasks: "_Tasks") -> Rollout:
    """Returns the deployment of an ECS service, with what changes in its containers."""
    controllers = {block.get("type") for block in blocks(after.get("deployment_controller"))}
    if controllers - {"ECS"}:
        note = "another deployment controller than ECS rolls it out"
        return replace(it, effect=Effect.NOT_KNOWN, note=note)
    old, new = before.get("task_definition", ABSENT), after.get("task_definition", ABSENT)
    if old == new:
        it = replace(it, effect=Effect.SAME_DEFINITION)
    else:
        it = replace(it, also=tuple(path for path in it.also if path != ("task_definition",)))
        it = _with_tasks(it, tasks.former(old), tasks.next(it.address, old, new))
        if it.effect is Effect.ROLLED and isinstance(old, str) and isinstance(new, str):
            revisions = Difference(("task_definition",), old.rpartition("/")[2], new.rpartition("/")[2])
            it = replace(it, values=(*it.values, revisions))
    if after.get("deployment_minimum_healthy_percent") == 0:
        note = "with a deployment minimum of 0 %, tasks may stop before new ones run"
        return replace(it, effect=Effect.MAY_BE_INTERRUPTED, note=note)
    return it


def _with_tasks(it: Rollout, before: Block | None, after: Block | None) -> Rollout:
    """Adds the images and other settings of task definitions that differ."""
    unknown = replace(it, note="whether the image changes is not known")
    if before is None or after is None:
        return unknown
    old, new = (_images(side.get(CONTAINERS)) for side in (before, after))
    if old is None or new is None:
        return unknown
    images = tuple(
        Difference((name,), old.get(name, ABSENT), new.get(name, ABSENT))
        for name in [*old, *(name for name in new if name not in old)]
        if old.get(name, ABSENT) != new.get(name, ABSENT)
    )
    names = {each.path for each in images}
    paths = [
        each.path[1:] if each.path[0] == CONTAINERS else each.path
        for each in differences(before, after)
        if each.path[0] != "tags_all" and not (hidden(each.after) and len(each.path) == 1)
    ]
    # What changes within the value of one variable is one change.
    rest = dict.fromkeys(path[:3] for path in paths if path[1:] != ("image",) and path not in names)
    it = replace(it, images=images, also=(*rest, *it.also))
    if images:
        return replace(it, effect=Effect.OTHER_IMAGE)
    # A deployment looks up what a tag points to. Source: ECS Developer Guide, "Container image resolution".
    pinned = all("@" in str(image) for image in new.values())
    note = "" if pinned else "named by a tag, which may point to another one by now"
    return replace(it, effect=Effect.SAME_IMAGE, note=note)


def _images(definitions: Tree) -> dict[str, Tree] | None:
    """Returns the images of containers by name; None if one is not known."""
    if not isinstance(definitions, Document | list):
        return None
    found = {str(block.get("name", "")): block.get("image", ABSENT) for block in blocks(definitions)}
    return None if not found or any(hidden(image) for image in found.values()) else found


def _names(attributes: set[str] | frozenset[str]) -> tuple[tuple[str, ...], ...]:
    return tuple((name,) for name in sorted(attributes))


class _Tasks:
    """Finds the task definitions of services among the changes of a plan.

    The configuration says which one a service refers to, and the ARN which one it runs now.
    """

    def __init__(self, plan: Plan) -> None:
        definitions = [change for change in plan.changes if change.type == TASK_DEFINITION]
        services = [each for each in plan.billed if each.type == SERVICE]
        self._by_address = {change.address: change for change in definitions if change.deposed is None}
        self._by_arn = {
            change.before["arn"]: change
            for change in definitions
            if isinstance(change.before, dict) and isinstance(change.before.get("arn"), str)
        }
        self._links: Mapping[str, str] = {
            each.address: dict(each.links).get("task_definition", "") for each in services
        }
        self._unchanged = [each.address for each in services if not each.is_changed]

    @property
    def left_behind(self) -> Iterator[str]:
        """Yields services that do not change, although their task definition has a new revision."""
        for address in self._unchanged:
            change = self._by_address.get(self._links.get(address, ""))
            if change and change.action is Action.REPLACE:
                yield address

    def former(self, arn: Tree) -> Block | None:
        """Returns the task definition that a service runs now; None if the plan does not show it."""
        change = self._by_arn.get(arn) if isinstance(arn, str) else None
        return change.before if change and isinstance(change.before, dict) else None

    def next(self, address: str, old: Tree, new: Tree) -> Block | None:
        """Returns the task definition that a service will run; None if the plan does not show it.

        Without a configuration, an ARN that is not known yet is that of the next revision.
        """
        if isinstance(new, str):
            return self.former(new)
        link = self._links.get(address)
        change = (
            self._by_address.get(link) if link else self._by_arn.get(old) if isinstance(old, str) else None
        )
        return change.after if change and isinstance(change.after, dict) else None


def _scaled(plan: Plan) -> Iterator[tuple[str, tuple[Difference, ...]]]:
    """Yields the services whose limits of scaling change, with the limits."""
    links = {each.address: dict(each.links).get("resource_id", "") for each in plan.billed}
    for change in plan.changes:
        if change.type != TARGET or change.action is not Action.UPDATE:
            continue
        before, after = (side if isinstance(side, dict) else {} for side in (change.before, change.after))
        limits = [name for name in LIMITS if before.get(name) != after.get(name)]
        if limits and links.get(change.address):
            yield links[change.address], tuple(_values(limits, before, after))
