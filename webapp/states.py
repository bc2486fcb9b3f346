"""How something is doing, and how several things are doing together."""

from collections.abc import Iterable
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
