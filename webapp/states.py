"""How something is doing: a state, the worst of several, and what a check found."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class State(StrEnum):
    """How a service is doing, as far as the app can tell."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"


_GRAVITY: Final = (State.OPERATIONAL, State.UNKNOWN, State.DEGRADED, State.DOWN)
"""The less grave first."""


def worst(states: Iterable[State]) -> State:
    """The gravest of some states: down, degraded, unknown, operational. Of none, unknown."""
    return max(states, key=_GRAVITY.index, default=State.UNKNOWN)


Detail = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """What one check says of its service: a state, a sentence for a person, and figures."""

    state: State
    message: str
    details: Mapping[str, Detail] = field(default_factory=dict)
