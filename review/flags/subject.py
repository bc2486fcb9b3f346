"""A change as the rules look at it, and the flags they raise about it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    Block,
    Concern,
    Flag,
    Masked,
    Path,
    Plan,
    ResourceChange,
    Tree,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One change of a plan. `before` and `after` are empty where there is no object.

    `gone` holds the types, and the names and ARNs, of what holds data and is deleted by the same plan.
    `seen` holds every AWS account that an existing resource of the plan is in.
    `created` holds the types, and the names and ARNs, of what the plan creates.
    `replaced_families` are those of the task definitions that it replaces or makes.
    """

    stack: str
    change: ResourceChange
    before: Block
    after: Block
    gone: frozenset[tuple[str, str]]
    replaced_families: frozenset[str] = frozenset()
    created: frozenset[tuple[str, str]] = frozenset()
    seen: frozenset[str] = frozenset()

    @property
    def is_new(self) -> bool:
        """Returns whether there was no object before."""
        return not self.before

    @property
    def stays(self) -> bool:
        """Returns whether there is an object afterwards: neither deleted nor forgotten."""
        return self.change.action not in (Action.DELETE, Action.FORGET)

    @property
    def is_moot(self) -> bool:
        """Returns whether it is deleted along with what it is about, such as a bucket's settings."""
        return not self.stays and any(
            (kind, value) in self.gone
            for key, kinds in PARENTS.items()
            if isinstance(value := self.before.get(key), str)
            for kind in kinds
        )

    @property
    def accounts(self) -> frozenset[str]:
        """Returns the account that the plan's own resources are in; nothing unless it shows just one."""
        return self.seen if len(self.seen) == 1 else frozenset()

    def sides(self, key: str) -> tuple[Tree, Tree]:
        """Returns the values of an attribute, before and after."""
        return self.before.get(key, ABSENT), self.after.get(key, ABSENT)

    def flag(
        self,
        concern: Concern,
        title: str,
        reason: str,
        path: Sequence[str] = (),
        before: Tree = ABSENT,
        after: Tree = ABSENT,
        forced_by: tuple[str, ...] = (),
        weight: int | None = None,
    ) -> Flag:
        """Builds a flag about this change. Without a weight it has that of its concern."""
        weight = WEIGHTS[concern] if weight is None else weight
        place = (concern, self.stack, self.change.address, title, reason)
        return Flag(*place, tuple(path), before, after, forced_by, weight)

    def unknown(self, title: str, path: Sequence[str], before: Tree, after: Tree) -> Flag:
        """Builds a flag which says that a rule, named by its title, cannot be judged before the apply."""
        reason = MASKED_REASON if isinstance(after, Masked) else UNKNOWN_REASON
        return self.flag(Concern.UNKNOWN, title, reason, path, before, after)


WEIGHTS = {
    Concern.DATA_LOSS: 85,
    Concern.PERMISSION: 70,
    Concern.EXPOSURE: 80,
    Concern.PROTECTION: 62,
    Concern.RUNTIME: 50,
    Concern.UNKNOWN: 40,
    Concern.COST: 20,
    Concern.OTHER: 30,
}
"""How grave a flag is, from 0 to 100, where neither its row nor `[points]` of the table says so."""

UNKNOWN_REASON = "The value is known only after the apply, so this cannot be ruled out."
MASKED_REASON = "The value is sensitive and was not looked at, so this cannot be ruled out."

PARENTS = {
    "bucket": ("aws_s3_bucket",),
    "cluster": ("aws_ecs_cluster",),
    "cluster_name": ("aws_ecs_cluster",),
    "listener_arn": ("aws_lb_listener",),
    "load_balancer_arn": ("aws_lb",),
    "repository": ("aws_ecr_repository",),
    "route_table_id": ("aws_route_table",),
    "security_group_id": ("aws_security_group",),
    "topic_arn": ("aws_sns_topic",),
    "file_system_id": ("aws_efs_file_system", "aws_fsx_lustre_file_system"),
    "network_acl_id": ("aws_network_acl",),
    "resource_arn": ("aws_dynamodb_table", "aws_kinesis_stream"),
    "role": ("aws_iam_role",),
    "secret_arn": ("aws_secretsmanager_secret",),
    "secret_id": ("aws_secretsmanager_secret",),
    "vpc_id": ("aws_vpc",),
}
"""Attributes that say what a resource is about, and the types of that."""

ABOUT = (
    "arn",
    "backup_vault_name",
    "bucket",
    "cluster_arn",
    "domain_name",
    "event_bus_name",
    "file_system_id",
    "key_id",
    "queue_url",
    "repository",
    "repository_name",
    "resource_arn",
    "secret_arn",
    "vault_name",
)
"""Attributes by which a policy that is a resource of its own says what it is about."""

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
TASK_DEFINITION = "aws_ecs_task_definition"


def subjects_of(stack: str, plan: Plan) -> list[Subject]:
    """Returns the changes of a plan's managed resources as subjects; other values count as no object."""
    gone = frozenset(
        (change.type, name)
        for change in plan.changes
        if change.action is Action.DELETE and change.deposed is None
        for name in _names(change.before)
    )
    created = frozenset(
        (change.type, name)
        for change in plan.changes
        if change.action is Action.CREATE
        for name in _names(change.after)
    )
    seen = _accounts(plan)
    families = frozenset(
        family
        for change in plan.changes
        if change.type == TASK_DEFINITION and change.action is Action.REPLACE
        if isinstance(family := _object(change.before).get("family"), str)
    )
    return [
        Subject(stack, change, _object(change.before), _object(change.after), gone, families, created, seen)
        for change in plan.changes
        if not change.is_data
    ]


def _names(tree: Tree) -> Iterator[str]:
    """Yields what other resources name an object by."""
    found = (_object(tree).get(key) for key in ("id", "arn", "name", "bucket", "url"))
    return (each for each in found if isinstance(each, str))


def _accounts(plan: Plan) -> frozenset[str]:
    """Returns the accounts that existing resources of the plan are in, whether it changes them or not."""
    return plan.accounts | frozenset(
        match[1]
        for change in plan.changes
        for key in ("arn", "id")
        if isinstance(value := _object(change.before).get(key), str) and (match := _ACCOUNT.match(value))
    )


def _object(tree: Tree) -> Block:
    return tree if isinstance(tree, dict) else {}


def is_about_what_stays(subject: Subject) -> bool:
    """Returns whether a resource is about another one that the plan does not create, such as a bucket."""
    about = [subject.after[key] for key in ABOUT if key in subject.after]
    return bool(about) and not any(
        hidden(value) or any((kind, value) in subject.created for kind in _about_types(subject))
        for value in about
    )


def _about_types(subject: Subject) -> list[str]:
    """Returns the types that a resource may be about: `aws_s3_bucket` for `aws_s3_bucket_policy`."""
    words = subject.change.type.split("_")
    return ["_".join(words[:length]) for length in range(3, len(words))]


def hidden(value: Tree) -> bool:
    """Returns whether a value is unknown or masked, so that a rule cannot judge it."""
    return value is UNKNOWN or isinstance(value, Masked)


def values(tree: Tree, path: Sequence[str]) -> list[Tree]:
    """Returns the values at a path, through every block of a list; [ABSENT] without any."""
    found: list[Tree] = [tree]
    for key in path:
        inner: list[Tree] = []
        for value in found:
            for block in value if isinstance(value, list) else [value]:
                if isinstance(block, dict):
                    inner.append(block.get(key, ABSENT))
                elif hidden(block):
                    inner.append(block)
        found = inner
    return found or [ABSENT]


def at(tree: Tree, path: Path) -> Tree:
    """Returns the value at a path with list indices; the value that hides it, or ABSENT."""
    for key in path:
        if isinstance(tree, dict) and isinstance(key, str):
            tree = tree.get(key, ABSENT)
        elif isinstance(tree, list) and isinstance(key, int) and 0 <= key < len(tree):
            tree = tree[key]
        else:
            return tree if not isinstance(tree, dict | list) else ABSENT
    return tree
