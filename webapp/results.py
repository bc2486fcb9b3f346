"""What a check found out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from webapp.services import ServiceName
from webapp.states import State

Detail = str | int | float | bool | None


@dataclass(frozen=True)
class Finding:
    """What one check says of its service: a state, a sentence for a person, and figures."""

    state: State
    message: str
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A finding with its circumstances. Times are in UTC, the latency in milliseconds.

    `checked_at` is None until the first check has ended. `since` is when the state was first seen.
    """

    service: ServiceName
    finding: Finding
    checked_at: datetime | None
    since: datetime
    latency_ms: float | None = None
