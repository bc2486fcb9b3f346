"""Plans of one or a few changes, and the flags that they raise."""

import json
from collections.abc import Sequence
from typing import Any

from review.flags import judge
from review.model import ABSENT, Action, Document, Flag, Path, Plan, ResourceChange, Tree


def policy(*statements: dict[str, Any]) -> Document:
    """A policy document."""
    return Document({"Version": "2012-10-17", "Statement": list(statements)})


def allow(
    actions: str | list[str], resource: str | list[str] = "arn:aws:s3:::b", **more: Any
) -> dict[str, Any]:
    """A statement that allows something."""
    return {"Effect": "Allow", "Action": actions, "Resource": resource, **more}


def change(
    type: str,
    before: Tree = ABSENT,
    after: Tree = ABSENT,
    *,
    action: Action | None = None,
    name: str = "it",
    deposed: str | None = None,
    create_before_destroy: bool = False,
    replace_paths: tuple[Path, ...] = (),
    reason: str | None = None,
    is_data: bool = False,
) -> ResourceChange:
    """A change; what it does follows from what is there before and after, unless it is said."""
    if action is None:
        action = Action.CREATE if before is ABSENT else Action.DELETE if after is ABSENT else Action.UPDATE
    return ResourceChange(
        address=f"{type}.{name}",
        deposed=deposed,
        previous_address=None,
        type=type,
        name=name,
        is_data=is_data,
        action=action,
        create_before_destroy=create_before_destroy,
        replace_paths=replace_paths,
        reason=reason,
        import_id=ABSENT,
        before=before,
        after=after,
    )


def plan(changes: Sequence[ResourceChange]) -> Plan:
    """A plan of some changes."""
    return Plan(
        sha256="",
        changes_sha256="",
        errored=False,
        complete=True,
        changes=tuple(changes),
        unchanged=0,
        outputs=(),
        failed_checks=(),
        deferred=(),
        actions=(),
        drift=(),
        other_drift=0,
    )


def flags_of(stack: str, plan: Plan) -> tuple[Flag, ...]:
    """The flags of a plan."""
    return judge(stack, plan).flags


BROAD = frozenset(
    {
        "Access",
        "Access changed",
        "Container settings changed",
        "Larger tasks",
        "More is allowed",
        "More is denied",
        "Capacity raised",
        "Condition tightened",
        "Moved",
        "New permission",
        "No longer allowed",
        "Request handling changed",
        "Resource deleted",
        "Route changed",
        "Rule added",
        "Rule changed",
        "Settings changed",
        "Shared",
        "TLS changed",
        "Traffic no longer allowed",
        "Variables changed",
    }
)
"""Points that almost any change of such an attribute raises. Tests of narrower rules look past them."""


def flags(*changes: ResourceChange) -> tuple[Flag, ...]:
    """The flags of a plan with these changes, without those that are `BROAD`."""
    found = flags_of("dev-service", plan(changes))
    return tuple(flag for flag in found if flag.title not in BROAD and not _is_a_deletion(flag))


def _is_a_deletion(flag: Flag) -> bool:
    return flag.title.endswith(" deleted") and flag.title != "Data deleted"


def titles(*changes: ResourceChange) -> list[str]:
    """The titles of the flags of a plan with these changes."""
    return [flag.title for flag in flags(*changes)]


def copied(tree: Any) -> Any:
    """The same tree, made of other objects; for trees of plain JSON."""
    return json.loads(json.dumps(tree))
