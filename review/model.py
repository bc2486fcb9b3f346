"""What a plan contains that a review needs. Everything here is safe to show.

`review.reading.masking` takes secrets out of values. Everything after it uses the classes of this module
only, so it cannot reveal a secret.
"""

import re
from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from itertools import zip_longest
from typing import Final, TypeAlias

from review.findings import Finding


@dataclass(frozen=True, slots=True)
class Masked:
    """Stands for a value that must not be shown.

    `mark` is the same for the same value and different for different ones, as long as the process
    lives, so that a change still shows as one. It is never written anywhere.
    """

    mark: bytes

    def __repr__(self) -> str:
        return "Masked()"


class Special(Enum):
    """What replaces a value."""

    UNKNOWN = "known after apply"
    ABSENT = "absent"


UNKNOWN: Final = Special.UNKNOWN
"""A value that is known only after the apply."""

ABSENT: Final = Special.ABSENT
"""No value at all; a comparison tells it from null."""


@dataclass(frozen=True, slots=True)
class Document:
    """A string that holds a JSON object or array, parsed: a policy, container definitions."""

    content: "Tree"


Tree: TypeAlias = (
    "bool | int | float | str | list[Tree] | dict[str, Tree] | Masked | Special | Document | None"
)
"""A value that is safe to show. Never change its lists and dicts."""

Block = dict[str, Tree]
"""An object within a value: a block of Terraform's, a statement of a policy."""


_DIGITS: Final = re.compile(r"(\d+)")


def natural(text: str) -> tuple[tuple[str, int], ...]:
    """Returns a key that sorts `x[2]` before `x[10]`."""
    parts = _DIGITS.split(text)
    return tuple(
        (word, int(digits) if digits else -1)
        for word, digits in zip_longest(parts[::2], parts[1::2], fillvalue="")
    )


def is_nothing(value: Tree) -> bool:
    """Returns whether a value is unset: null, absent or empty, which providers use alike."""
    return value is None or value is ABSENT or value in ("", [], {})


def blocks(tree: Tree) -> list[Block]:
    """Returns the objects in a list, or one object, also those in a document; Terraform writes both."""
    content = tree.content if isinstance(tree, Document) else tree
    return [each for each in (content if isinstance(content, list) else [content]) if isinstance(each, dict)]


class Action(StrEnum):
    """What happens to a resource, in the order of a comment's groups."""

    REPLACE = "replace"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    FORGET = "forget"
    IMPORT = "import"
    MOVE = "move"
    READ = "read"
    UNRECOGNISED = "unrecognised"
    """Actions that this review does not know; a person has to look."""


PathKey = str | int
Path = tuple[PathKey, ...]
"""Where a value is within a resource, as Terraform writes it: attribute names and list indices."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has what an identity policy allows, such as `role web`, and whether the plan creates it.

    Without a name, the plan does not tell who that is.
    """

    name: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class User:
    """A resource that stays and refers to one that is destroyed; `action` is None if it does not change."""

    address: str
    action: Action | None


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What a plan does to one resource instance, or with `deposed` to its previous object.

    `before` and `after` are ABSENT where there is no object. `action` is the gravest one; an update that
    is an import or a move as well has `import_id` or `previous_address`. For a replacement,
    `create_before_destroy` is the order and `replace_paths` what forces it; `reason` is Terraform's own
    word (`action_reason`).
    """

    address: str
    deposed: str | None
    previous_address: str | None
    type: str
    name: str
    is_data: bool
    action: Action
    create_before_destroy: bool
    replace_paths: tuple[Path, ...]
    reason: str | None
    import_id: Tree
    """ABSENT unless it is an import."""
    before: Tree
    after: Tree
    keeps_former: bool = False
    """Whether a replacement leaves the previous object in the account, no longer managed."""
    no_longer_sensitive: tuple[Path, ...] = ()
    """What loses its mark as sensitive; it is masked all the same."""
    written: frozenset[str] | None = None
    """The attributes that the configuration sets; None if the plan does not contain it."""
    findings: tuple[Finding, ...] = ()
    """What scanners found wrong with it, if they were asked; no part of the verdict."""
    holders: tuple[Holder, ...] = ()
    """Who has what its policy allows; empty for what is no identity policy."""
    attached: Tree = ABSENT
    """The policy that an attachment attaches, if it is in the plan and is there already."""
    redacted: tuple[str, ...] | None = None
    """Attributes of an update of which a redacted plan has the same placeholder before and after; empty if
    no attribute shows what changes, None if nothing is redacted."""
    users: tuple[User, ...] = ()
    """What stays and refers to it, if it is deleted or replaced."""


@dataclass(frozen=True, slots=True)
class OutputChange:
    """What a plan does to an output of the stack: UPDATE, CREATE, DELETE."""

    name: str
    action: Action
    before: Tree
    after: Tree
    no_longer_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class ProvisionerRun:
    """A command that the apply runs with a resource: its `type` such as local-exec, and what it runs.

    `command` is UNKNOWN if the plan does not contain it; `is_local` means that it runs where Terraform does.
    """

    address: str
    type: str
    command: Tree
    is_local: bool


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check, condition or validation that failed, or could not run (`status` error)."""

    address: str
    status: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeferredChange:
    """A change that Terraform defers to a later plan, and why."""

    reason: str
    change: ResourceChange


@dataclass(frozen=True, slots=True)
class ActionInvocation:
    """An action that the apply invokes beside the changes of resources."""

    address: str
    type: str


@dataclass(frozen=True, slots=True)
class Billed:
    """A resource that costs money, before and after the plan, whether the plan changes it or not.

    `before` and `after` have the attributes that make its price, and are ABSENT where there is no
    object. `region` is empty when the plan does not say. `links` has the address of the task
    definition or service that it refers to, by attribute.
    """

    address: str
    type: str
    region: str
    before: Tree
    after: Tree
    is_changed: bool
    links: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy that a data source makes, UNKNOWN where only the apply knows it."""

    address: str
    policy: Document


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan document.

    `sha256` is that of the document's bytes, `changes_sha256` the canonical hash of what it changes
    (see `review.reading.canonical`). `changes` holds all but those that do nothing, sorted by address and
    deposed key; `unchanged` counts the rest. `drift` is the drift that the plan calls relevant,
    `other_drift` counts the rest.
    """

    sha256: str
    changes_sha256: str
    errored: bool
    complete: bool
    changes: tuple[ResourceChange, ...]
    unchanged: int
    outputs: tuple[OutputChange, ...]
    failed_checks: tuple[FailedCheck, ...]
    deferred: tuple[DeferredChange, ...]
    actions: tuple[ActionInvocation, ...]
    drift: tuple[ResourceChange, ...]
    other_drift: int
    provisioners: tuple[ProvisionerRun, ...] = ()
    """Commands that the apply runs with the resources that it creates, replaces or destroys."""
    billed: tuple[Billed, ...] = ()
    """What an estimate of the cost is made from."""
    accounts: frozenset[str] = frozenset()
    """The AWS accounts that its resources are in, where the plan shows them."""
    documents: tuple[PolicyDocument, ...] = ()
    """Policy documents that the apply reads, and whose use the plan does not tell."""
    applyable: bool = True
    """Whether Terraform would apply it; it applies none that changes nothing."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Another stack that has to be applied first, and the sentence that says why.

    `has_state` says whether it was applied before; without its state, little could be planned.
    """

    stack: str
    reason: str
    has_state: bool


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack to review: its plan, or why there is none.

    `name` is the stack's, such as `dev-service`; `environment` is the part of it before the kind,
    or the whole name (`foundation`). `problem` says why there is no plan, in our words;
    `errors` is Terraform's output, safe to show. `notes` describe oddities of the input.
    """

    name: str
    environment: str
    plan: Plan | None
    problem: str | None = None
    errors: str = ""
    missing: bool = False
    """Whether it was expected, but has no files."""
    notes: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()
    """What has to be applied before it; its plan shows what can be planned, and cannot be applied."""


class Verdict(IntEnum):
    """How much attention a stack's plan needs; the greater, the worse."""

    NO_CHANGES = 0
    SAFE = 1
    UNJUDGED = 2
    """Nothing is known to be harmful, but nobody knows what some of the changed attributes mean."""
    REVIEW = 3
    WAITS = 4
    """It cannot be applied before another stack; no fault, so what others destroy is worse."""
    DESTRUCTIVE = 5
    INCOMPLETE = 6
    ERRORED = 7

    @property
    def words(self) -> str:
        """Returns the verdict as a comment writes it."""
        return self.name.replace("_", " ")


class Concern(IntEnum):
    """What a flag is about, in the order shown."""

    DATA_LOSS = 0
    """A resource that holds data is deleted, replaced or no longer managed."""
    PERMISSION = 1
    """Someone gets more permissions."""
    EXPOSURE = 2
    """More people can reach or read something."""
    PROTECTION = 3
    """Encryption, deletion protection, backups or logging are turned off or weakened."""
    RUNTIME = 4
    """Tasks change: image, role, count, memory."""
    UNKNOWN = 5
    """One of the above cannot be ruled out before the apply."""
    COST = 6
    """It costs more or less."""
    OTHER = 7


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a reviewer should look at first.

    `title` and `reason` are fixed texts; what comes from the plan is in the other fields, which are
    escaped. `path` leads to the value within the resource, by names where there are any
    (`container_definitions`, `web`, `environment`, `TOKEN`).
    """

    concern: Concern
    stack: str
    address: str
    title: str
    reason: str
    path: tuple[str, ...]
    before: Tree
    after: Tree
    forced_by: tuple[str, ...] = ()
    """The paths that force a replacement."""
    weight: int = 50
    """How grave it is, from 0 to 100."""
    principal: str = ""
    """Who may do more or less, such as `role web`, if that is what the flag is about."""

    @property
    def shown_title(self) -> str:
        """Returns the title; as a question if the plan does not say whether it is true."""
        if self.concern is not Concern.UNKNOWN or self.title.endswith("not known"):
            return self.title
        return f"Not known: {self.title}?"


@dataclass(frozen=True, slots=True)
class Unjudged:
    """An attribute that changes and that no row of the table knows, on `count` resources of the type."""

    type: str
    path: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs; ABSENT on a side that has none.

    `path` is named by meaning, as in `Flag`.
    """

    path: tuple[str, ...]
    before: Tree
    after: Tree
