"""The lock of a state: who holds it, and how to remove one that was left behind.

Source of its content: Terraform's source, `LockInfo`, which is what its errors print.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from ops.core.console import minutes, printable
from ops.core.errors import OpsError
from ops.terraform.states import StateBucket, lock_key
from stacks import kinds

WAIT: Final = 120
"""Seconds to wait for a lock: long enough for an interrupted run to end while the next one begins."""

_WAIT_OR: Final = "Wait until that command ends. If it has ended and left the lock,"
_NOT_ACQUIRED: Final = "Error acquiring the state lock"
_FIELD: Final = re.compile(r"^  (\w+): +(\S.*)$", re.MULTILINE)

_ID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The id that Terraform gives a lock: a UUID. Source: Terraform's source, `NewLockInfo`."""


class StateLockedError(OpsError):
    """A state was locked for longer than a command waits; nothing was planned, applied or destroyed."""


@dataclass(frozen=True, slots=True)
class StateLock:
    """The lock of a stack's state; all but `stack` is empty if its content cannot be read."""

    stack: str
    id: str = ""
    who: str = ""
    operation: str = ""
    created: str = ""

    @property
    def key(self) -> str:
        """Returns the key of its object in the state bucket."""
        return lock_key(self.stack)

    @property
    def held(self) -> str:
        """Returns who holds the lock, since when, and for what."""
        if not self.id:
            return "held by somebody (the lock cannot be read)"
        since = f"{self.created[:19].replace('T', ' ')} UTC"
        operation = self.operation.removeprefix("OperationType").lower()
        return printable(f"held by {self.who} since {since} for {operation} (id {self.id})")

    @property
    def remedy(self) -> str:
        """Returns the sentence on what to do: wait, or remove exactly this lock."""
        if not self.id:
            return f"{_WAIT_OR} `make doctor` prints the command that removes it."
        return f"{_WAIT_OR} remove it: {self.command}"

    @property
    def command(self) -> str:
        """Returns the command that removes exactly this lock."""
        for kind in kinds.OF_ENVIRONMENT:
            environment = self.stack.removesuffix(kind.name_in(""))
            if environment != self.stack:
                return f"make unlock ENV={environment} STACK={kind.name} ID={printable(self.id)}"
        name, _, account_id = self.stack.partition("-")
        of = f"ENV=<an environment of account {account_id}> " if account_id else ""
        return f"make unlock {of}STACK={name} ID={printable(self.id)}"


def refused(stack: str, errors: Sequence[str]) -> StateLock | None:
    """Returns the lock for which Terraform refused a command, or None if it failed for another reason.

    Terraform prints the lock's content only if it can read it. Without it, S3's refusal of a
    conditional write says that there is a lock.
    """
    for error in errors:
        if _NOT_ACQUIRED in error:
            found = dict(_FIELD.findall(error))
            if found.get("ID"):
                return _lock(stack, found)
            if "PreconditionFailed" in error:
                return StateLock(stack)
    return None


def is_refusal(line: str) -> bool:
    """Whether Terraform's text about a lock that it did not get begins with this line."""
    return _NOT_ACQUIRED in line


def waiting(lock: StateLock) -> str:
    """Returns what to say before waiting for a lock."""
    return f"Waiting for the lock of {lock.stack}: {lock.held}. Gives up after {minutes(WAIT)}."


def given_up(lock: StateLock) -> StateLockedError:
    """Returns the error for a lock that was not released in time."""
    return StateLockedError(f"{lock.stack} is still locked after {minutes(WAIT)}: {lock.held}. {lock.remedy}")


def read(states: StateBucket, stack: str) -> tuple[StateLock, str] | None:
    """Returns the lock of a stack's state and the ETag of its object, or None if it is not locked."""
    try:
        found = states.s3.get_object(Bucket=states.name, Key=lock_key(stack))
    except states.s3.exceptions.NoSuchKey:
        return None
    try:
        content = json.loads(found["Body"].read())
        lock = _lock(stack, {name: str(content[name]) for name in ("ID", "Who", "Operation", "Created")})
    except (ValueError, KeyError, TypeError):
        lock = StateLock(stack)
    return lock, str(found["ETag"])


def remove(states: StateBucket, lock: StateLock, etag: str) -> None:
    """Removes a lock, unless another one has taken its place.

    `terraform force-unlock` compares the id too, but then removes whatever is there: S3 compares the
    ETag in the same request. Source: Amazon S3 User Guide, "How to perform conditional deletes".
    """
    try:
        states.s3.delete_object(Bucket=states.name, Key=lock.key, IfMatch=etag)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 409, 412):
            raise OpsError(
                f"The lock of {lock.stack} has changed meanwhile, so nothing was removed. Look again: "
                f"{lock.command.partition(' ID=')[0]}"
            ) from None
        raise


def _lock(stack: str, content: Any) -> StateLock:
    """Returns a lock, without its content if Terraform does not make such an id: people paste it."""
    if not _ID.fullmatch(str(content["ID"])):
        return StateLock(stack)
    fields = ("ID", "Who", "Operation", "Created")
    return StateLock(stack, *(str(content.get(field, "")) for field in fields))
