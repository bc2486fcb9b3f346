"""The status document, which the API and the event stream send."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from webapp.board import Board, Result, Snapshot, utc_now
from webapp.components import Component
from webapp.prepared import PerSnapshot, Prepared
from webapp.responses import JSON
from webapp.settings import Settings
from webapp.states import Detail, State

MESSAGES: Final[Mapping[State, str]] = {
    State.OPERATIONAL: "All components are operational.",
    State.DEGRADED: "Some components are degraded.",
    State.DOWN: "Some components are down.",
    State.UNKNOWN: "The state of some components is not known.",
}


class Release(BaseModel):
    """What runs. `since` is when ECS began to deploy it; until ECS has told, when this task started."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(
        description="SHA-256 of the released image's manifest: sha256: and 64 hexadecimal digits."
    )
    commit: str = Field(description="The commit it was built from.")
    since: datetime = Field(
        description="When ECS began to deploy it, or while that is not known, when this task started."
    )


class ComponentStatus(BaseModel):
    """How one component is doing: latency in milliseconds, age in seconds, times in UTC.

    A status is stale when its check is overdue: then it tells how things were.
    """

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="The component's id, by which paths and queries name it.")
    name: str = Field(description="What people call it.")
    group: str = Field(description="The heading under which the page shows it.")
    state: State = Field(description="How it is doing.")
    message: str = Field(description="How it is doing, for a person.")
    since: datetime = Field(description="When it was first found in this state.")
    checked_at: datetime | None = Field(description="When its last check ended; null before the first.")
    age: float | None = Field(description="Seconds since then.")
    stale: bool = Field(description="Whether the next check is overdue, so that this tells how things were.")
    latency_ms: float | None = Field(
        description="Milliseconds the last check took; null when it did not find out the state."
    )
    details: Mapping[str, Detail] = Field(description="Figures of the check.")


class Status(BaseModel):
    """How the platform is doing. `age`, in seconds, is that of the oldest check."""

    model_config = ConfigDict(frozen=True)

    environment: str = Field(description="The environment's name.")
    service: str = Field(description="The service's name within it.")
    region: str = Field(description="The AWS region.")
    state: State = Field(description="The worst state of all components.")
    message: str = Field(description="How the platform is doing, for a person.")
    checked_at: datetime | None = Field(
        description="When the check that lies back longest ended; null until all have."
    )
    age: float | None = Field(description="Seconds since then.")
    stale: bool = Field(description="Whether a check is overdue.")
    release: Release = Field(description="What runs.")
    started_at: datetime = Field(description="When this task started.")
    uptime: float = Field(description="Seconds since then.")
    open_incidents: int | None = Field(
        description="How many incidents are open; null while that is not known."
    )
    writing: Literal["on", "off"] = Field(description="Whether a token may write.")
    components: Mapping[str, ComponentStatus] = Field(description="Each component by its id.")


def stale_after(settings: Settings) -> float:
    """Returns the seconds after which a check is overdue: one was missed."""
    return 2 * settings.check_interval + 5


def is_stale(checked_at: datetime | None, settings: Settings, now: datetime) -> bool:
    """Returns whether the check that follows one at this time is overdue."""
    age = _age(checked_at, now)
    return age is not None and age > stale_after(settings)


def component_status(
    component: Component, result: Result, settings: Settings, now: datetime
) -> ComponentStatus:
    """Returns the status of one component at a time."""
    finding = result.finding
    return ComponentStatus(
        id=component.id,
        name=component.name,
        group=component.group,
        state=finding.state,
        message=finding.message,
        since=result.since,
        checked_at=result.checked_at,
        age=_age(result.checked_at, now),
        stale=is_stale(result.checked_at, settings, now),
        latency_ms=result.latency_ms,
        details=finding.details,
    )


def status(snapshot: Snapshot, settings: Settings, started_at: datetime, now: datetime) -> Status:
    """Returns the status document of a snapshot at a time."""
    components = {
        component.id: component_status(component, snapshot.results[component.id], settings, now)
        for component in settings.watched.values()
    }
    return Status(
        environment=settings.environment,
        service=settings.service,
        region=settings.aws_region,
        state=snapshot.state,
        message=MESSAGES[snapshot.state],
        checked_at=snapshot.checked_at,
        age=_age(snapshot.checked_at, now),
        stale=any(component.stale for component in components.values()),
        release=Release(
            digest=settings.digest,
            commit=settings.commit,
            since=snapshot.deployed_at.get((settings.own_id, settings.digest), started_at),
        ),
        started_at=started_at,
        uptime=round((now - started_at).total_seconds(), 1),
        open_incidents=None if snapshot.open_incidents is None else len(snapshot.open_incidents),
        writing="on" if settings.writing else "off",
        components=components,
    )


def _age(checked_at: datetime | None, now: datetime) -> float | None:
    return None if checked_at is None else max(0.0, round((now - checked_at).total_seconds(), 1))


class StatusCache:
    """Encodes the status document on request, at most once per second and snapshot."""

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._started_at = utc_now()
        self._answer = PerSnapshot(board, lambda now: self.document(now).model_dump_json().encode(), JSON)

    def encoded(self) -> bytes:
        """Returns the status document as JSON."""
        return self._answer.get().content

    def prepared(self) -> Prepared:
        """Returns the status document as an answer."""
        return self._answer.get()

    def document(self, now: datetime) -> Status:
        """Returns the status document at a time."""
        return status(self._board.snapshot, self._settings, self._started_at, now)
