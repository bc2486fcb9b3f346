"""A change as the rules look at it, and the flags they raise about it."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    Block,
    Concern,
    Document,
    Flag,
    Masked,
    Plan,
    ResourceChange,
    Tree,
)


@dataclass(frozen=True, slots=True)
class Subject:
    """One change of a plan. `before` and `after` are empty where there is no object.

    `gone` holds the types, and the names and ARNs, of what holds data and is deleted by the same plan.
    `accounts` are the AWS accounts that the plan's own resources are in, if it shows it.
    `created` holds the types, and the names and ARNs, of what the plan creates.
    `replaced_families` are those of the task definitions that it replaces or makes.
    """

    stack: str
    change: ResourceChange
    before: Block
    after: Block
    gone: frozenset[tuple[str, str]]
    accounts: frozenset[str] = frozenset()
    replaced_families: frozenset[str] = frozenset()
    created: frozenset[tuple[str, str]] = frozenset()

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

    def flag(
        self,
        concern: Concern,
        title: str,
        reason: str,
        path: Sequence[str] = (),
        before: Tree = ABSENT,
        after: Tree = ABSENT,
        forced_by: tuple[str, ...] = (),
    ) -> Flag:
        """Builds a flag about this change."""
        return Flag(
            concern, self.stack, self.change.address, title, reason, tuple(path), before, after, forced_by
        )

    def unknown(self, title: str, path: Sequence[str], before: Tree, after: Tree) -> Flag:
        """Builds a flag which says that a rule, named by its title, cannot be judged before the apply."""
        reason = MASKED_REASON if isinstance(after, Masked) else UNKNOWN_REASON
        return self.flag(Concern.UNKNOWN, title, reason, path, before, after)


UNKNOWN_REASON = "The value is known only after the apply, so this cannot be ruled out."
MASKED_REASON = "The value is sensitive and was not looked at, so this cannot be ruled out."

PARENTS = {
    "bucket": ("aws_s3_bucket",),
    "file_system_id": ("aws_efs_file_system", "aws_fsx_lustre_file_system"),
    "network_acl_id": ("aws_network_acl",),
    "resource_arn": ("aws_dynamodb_table", "aws_kinesis_stream"),
    "role": ("aws_iam_role",),
    "secret_arn": ("aws_secretsmanager_secret",),
    "secret_id": ("aws_secretsmanager_secret",),
    "vpc_id": ("aws_vpc",),
}
"""Attributes that say what a resource is about, and the types of that."""

_ACCOUNT = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
TASK_DEFINITION = "aws_ecs_task_definition"


def subjects_of(stack: str, plan: Plan) -> list[Subject]:
    """Returns the changes of a plan's managed resources as subjects; other values count as no object."""
    gone = frozenset(
        (change.type, value)
        for change in plan.changes
        if change.action is Action.DELETE and change.deposed is None and isinstance(change.before, dict)
        for key in ("id", "arn", "bucket")
        if isinstance(value := change.before.get(key), str)
    )
    created = frozenset(
        (change.type, value)
        for change in plan.changes
        if change.action is Action.CREATE and isinstance(change.after, dict)
        for key in ("id", "arn", "name", "bucket", "url")
        if isinstance(value := change.after.get(key), str)
    )
    accounts = _accounts(plan)
    families = frozenset(
        family
        for change in plan.changes
        if change.type == TASK_DEFINITION and change.action is Action.REPLACE
        if isinstance(family := _object(change.before).get("family"), str)
    )
    return [
        Subject(
            stack,
            change,
            _object(change.before),
            _object(change.after),
            gone,
            accounts,
            families,
            created,
        )
        for change in plan.changes
        if not change.is_data
    ]


def _accounts(plan: Plan) -> frozenset[str]:
    """Returns the account that most of the existing resources are in."""
    found = Counter(
        match[1]
        for change in plan.changes
        for key in ("arn", "id")
        if isinstance(value := _object(change.before).get(key), str) and (match := _ACCOUNT.match(value))
    )
    return frozenset(account for account, _ in found.most_common(1))


def _object(tree: Tree) -> Block:
    return tree if isinstance(tree, dict) else {}


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


def blocks(tree: Tree) -> list[Block]:
    """Returns the objects in a list, in one object, or in a JSON document of either."""
    content = tree.content if isinstance(tree, Document) else tree
    if isinstance(content, dict):
        return [content]
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
