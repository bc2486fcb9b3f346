"""States, and the finding of a check."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from webapp.calls import FailureKind


class State(StrEnum):
    """How a component is doing, as far as the app can tell."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    MAINTENANCE = "maintenance"
    """Shown while a maintenance is in progress; no check finds it."""


_SEVERITY: Final = (State.OPERATIONAL, State.MAINTENANCE, State.UNKNOWN, State.DEGRADED, State.DOWN)
"""The least severe first."""


def worst(states: Iterable[State]) -> State:
    """Returns the most severe: down, degraded, unknown, maintenance, operational; unknown without states."""
    return max(states, key=severity, default=State.UNKNOWN)


def severity(state: State) -> int:
    """Returns how severe a state is: the higher, the worse."""
    return _SEVERITY.index(state)


def is_worse(state: State, other: State) -> bool:
    """Returns whether a state is more severe than another."""
    return severity(state) > severity(other)


Detail = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """What a check found: a state, a sentence for people, and details."""

    state: State
    message: str
    details: Mapping[str, Detail] = field(default_factory=dict)
    latency_ms: float | None = None
    """How long the component took to answer, if the check measured it; else the check's own time is kept."""

    failure: "FailureKind | None" = None
    """How the call to AWS failed, if the check found out without AWS."""
