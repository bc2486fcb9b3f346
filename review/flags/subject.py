"""A change as the rules look at it, and the flags they raise about it."""

from collections.abc import Sequence
from dataclasses import dataclass

from review.flags.holders import HOLDERS
from review.model import Action, Concern, Flag, Plan, ResourceChange
from review.trees import ABSENT, UNKNOWN, Document, Masked, Tree

Block = dict[str, Tree]


@dataclass(frozen=True, slots=True)
class Subject:
    """One change of a plan. `before` and `after` are empty where there is no object.

    `gone` holds the names and ARNs of all that the same plan deletes.
    """

    stack: str
    change: ResourceChange
    before: Block
    after: Block
    gone: frozenset[str]

    @property
    def is_new(self) -> bool:
        """Whether there was nothing before."""
        return not self.before

    @property
    def stays(self) -> bool:
        """Whether there is something afterwards: not a deletion, not a forgetting."""
        return self.change.action not in (Action.DELETE, Action.FORGET)

    @property
    def is_moot(self) -> bool:
        """Whether it is deleted along with what it was about, such as a bucket's settings."""
        return not self.stays and any(self.before.get(key) in self.gone for key in PARENTS)

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
        """A flag about this change."""
        return Flag(
            concern, self.stack, self.change.address, title, reason, tuple(path), before, after, forced_by
        )

    def unknown(self, title: str, path: Sequence[str], before: Tree, after: Tree) -> Flag:
        """A flag that says that a rule, named by its title, cannot be judged before the apply."""
        reason = MASKED_REASON if isinstance(after, Masked) else UNKNOWN_REASON
        return self.flag(Concern.UNKNOWN, title, reason, path, before, after)


UNKNOWN_REASON = "The value is known only after the apply, so this cannot be ruled out."
MASKED_REASON = "The value is sensitive and was not looked at, so this cannot be ruled out."

PARENTS = ("bucket", "file_system_id", "resource_arn", "role", "secret_arn", "secret_id", "vpc_id")
"""Attributes that say what a resource is about."""


def subjects_of(stack: str, plan: Plan) -> list[Subject]:
    """The changes of a plan's managed resources as subjects; what is no object counts as none."""
    gone = frozenset(
        value
        for change in plan.changes
        if change.action is Action.DELETE and isinstance(change.before, dict)
        if change.type in HOLDERS
        for key in ("id", "arn", "bucket")
        if isinstance(value := change.before.get(key), str)
    )
    return [
        Subject(stack, change, _object(change.before), _object(change.after), gone)
        for change in plan.changes
        if not change.is_data
    ]


def _object(tree: Tree) -> Block:
    return tree if isinstance(tree, dict) else {}


def hidden(value: Tree) -> bool:
    """Whether a rule cannot judge by this value."""
    return value is UNKNOWN or isinstance(value, Masked)


def is_nothing(value: Tree) -> bool:
    """Whether a value says as much as none."""
    return value is None or value is ABSENT or value in ("", [], {})


def values(tree: Tree, path: Sequence[str]) -> list[Tree]:
    """The values at a path; every block of a list is gone into. [ABSENT] where there is nothing."""
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
    """The objects in a list, in one object, or in a JSON document of either."""
    content = tree.content if isinstance(tree, Document) else tree
    if isinstance(content, dict):
        return [content]
    return [item for item in content if isinstance(item, dict)] if isinstance(content, list) else []
