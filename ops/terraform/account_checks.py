"""A look at an account before a stack is planned or applied, and what it finds."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from stacks.kinds import Kind, Stack
from stacks.settings import Platform

Client = Callable[[str, str], Any]
"""Takes a service and a region, and returns a client that acts in the account of the stack."""

Level = Literal["stops", "warns", "unknown"]
"""`stops`: an apply would fail, or leave a service that does not run; `unknown`: could not be looked at."""

_DENIED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "UnauthorizedOperation"}
)


@dataclass(frozen=True, slots=True)
class Remark:
    """Something that a check found: where and what, and in `mend` what to do about it."""

    level: Level
    text: str
    mend: str = ""

    def __str__(self) -> str:
        return f"{self.text}\n    -> {self.mend}" if self.mend else self.text


Look = Callable[[Platform, Stack, Client], Iterator[Remark]]


@dataclass(frozen=True, slots=True)
class Check:
    """A look at the account before a kind of stack is planned or applied; it changes nothing."""

    name: str
    kind: Kind
    permissions: tuple[str, ...]
    """What the look takes; the plan role has all of it."""
    fine: str
    """What it means that the check has nothing to remark."""
    look: Look

    def remarks(self, platform: Platform, target: Stack, client: Client) -> list[Remark]:
        """Returns what was found; that the account could not be looked at is a remark, too."""
        try:
            return list(self.look(platform, target, client))
        except ClientError as error:
            if error.response["Error"]["Code"] in _DENIED:
                missing = f"these credentials lack {' or '.join(self.permissions)}"
                return [Remark("unknown", f"{self.name}: could not be looked at: {missing}")]
            return [Remark("unknown", f"{self.name}: could not be looked at: {error}")]
        except BotoCoreError as error:
            return [Remark("unknown", f"{self.name}: could not be looked at: {error}")]
