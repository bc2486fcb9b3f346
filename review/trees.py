"""Values that are safe to show: what Terraform says, with all that is secret or unknown taken out.

Everything behind `review.masking` works on trees only, so nothing behind it can give a secret away.
"""

from dataclasses import dataclass
from enum import Enum
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
