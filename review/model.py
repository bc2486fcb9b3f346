"""What a plan says, as far as a review needs it. Everything here is safe to show.

What is secret or unknown is taken out of values in `review.reading.masking`. All behind it works on the
classes of this module only, so none of it can give a secret away.
"""

from dataclasses import dataclass
from enum import Enum, IntEnum, StrEnum
from typing import Final, TypeAlias


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
    """What stands where a value would."""

    UNKNOWN = "known after apply"
    ABSENT = "absent"


UNKNOWN: Final = Special.UNKNOWN
"""A value that nobody knows before the apply."""

ABSENT: Final = Special.ABSENT
"""No value at all, which in a comparison is something else than null."""


@dataclass(frozen=True, slots=True)
class Document:
    """A string that holds a JSON object or array, parsed: a policy, container definitions."""

    content: "Tree"


Tree: TypeAlias = (
    "bool | int | float | str | list[Tree] | dict[str, Tree] | Masked | Special | Document | None"
)
"""A value as it may be shown. Lists and dicts are not changed once made."""

Block = dict[str, Tree]
"""An object within a value: a block of Terraform's, a statement of a policy."""


def is_nothing(value: Tree) -> bool:
    """Whether a value says as much as none: providers write either."""
    return value is None or value is ABSENT or value in ("", [], {})


class Action(StrEnum):
    """What happens to a resource. The order is that of the groups in a comment, dangerous first."""

    REPLACE = "replace"
    DELETE = "delete"
    UPDATE = "update"
    CREATE = "create"
    FORGET = "forget"
    IMPORT = "import"
    MOVE = "move"
    READ = "read"
    UNRECOGNISED = "unrecognised"
    """Actions that Terraform did not know when this was written; a person has to look."""


PathKey = str | int
Path = tuple[PathKey, ...]
"""Where a value is within a resource, as Terraform writes it: attribute names and list indices."""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """What a plan does to one resource instance, or with `deposed` to a former object of it.

    `before` and `after` are ABSENT where there is no object. `action` is the gravest of what
    happens; an update may be an import or a move as well, which `import_id` and
    `previous_address` tell. For a replacement, `create_before_destroy` is the order and
    `replace_paths` what forces it; `reason` is Terraform's own word (`action_reason`).
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
    """ABSENT when it is no import."""
    before: Tree
    after: Tree
    keeps_former: bool = False
    """A replacement whose former object stays in the account, no longer managed."""
    no_longer_sensitive: tuple[Path, ...] = ()
    """What was marked as sensitive and will not be any more; it is masked all the same."""


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

    `command` is UNKNOWN where the plan does not say it; `is_local` says that it runs where Terraform does.
    """

    address: str
    type: str
    command: Tree
    is_local: bool


@dataclass(frozen=True, slots=True)
class FailedCheck:
    """A check, condition or validation that failed, or could not be carried out (`status` error)."""

    address: str
    status: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DeferredChange:
    """A change that Terraform puts off to a later plan, and why."""

    reason: str
    change: ResourceChange


@dataclass(frozen=True, slots=True)
class ActionInvocation:
    """An action that the apply invokes beside the changes of resources."""

    address: str
    type: str


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan document.

    `sha256` is that of the document's bytes, `changes_sha256` the canonical hash of what it changes
    (see `review.reading.canonical`). `changes` holds all but those that do nothing, sorted by address and
    deposed key; `unchanged` counts the rest. `drift` is what the plan says is relevant of what was
    changed behind Terraform's back, `other_drift` counts the rest.
    """

    format_version: str
    terraform_version: str
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


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack that was to be reviewed: its plan, or why there is none.

    `name` is the stack's, such as `dev-service`; `environment` is the part of it before the kind,
    or the whole name (`foundation`). `problem` says why there is no plan, in words of ours;
    `errors` is what Terraform said, safe to show. `notes` tell what was odd about the input.
    """

    name: str
    environment: str
    plan: Plan | None
    problem: str | None = None
    errors: str = ""
    missing: bool = False
    """Expected, but nothing was there."""
    notes: tuple[str, ...] = ()


class Verdict(IntEnum):
    """How much a stack's plan asks of a reviewer; the greater, the worse."""

    NO_CHANGES = 0
    SAFE = 1
    REVIEW = 2
    DESTRUCTIVE = 3
    INCOMPLETE = 4
    ERRORED = 5

    @property
    def words(self) -> str:
        """As it is written in a comment."""
        return self.name.replace("_", " ")


class Concern(IntEnum):
    """What a flag is about, in the order in which they are shown."""

    DATA_LOSS = 0
    """What holds data is deleted or replaced, or no longer managed."""
    PERMISSION = 1
    """Somebody may do more than before."""
    EXPOSURE = 2
    """Something is reachable or readable by more than before."""
    PROTECTION = 3
    """Encryption, deletion protection, backups or logging are turned off or weakened."""
    RUNTIME = 4
    """What runs changes: image, role, number, memory."""
    UNKNOWN = 5
    """One of the above cannot be ruled out before the apply."""
    OTHER = 6


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a reviewer should look at first.

    `title` and `reason` are fixed words of ours, with nothing of the plan in them; what comes from
    the plan is in the other fields and gets escaped. `path` leads to the value within the resource,
    named by meaning where there are names (`container_definitions`, `web`, `environment`, `TOKEN`).
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


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs; ABSENT on a side that has none.

    `path` is named by meaning, as in `Flag`.
    """

    path: tuple[str, ...]
    before: Tree
    after: Tree
