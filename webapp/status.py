"""The status documents, which the API and the event streams send: one for everybody, one for operators."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from webapp.board import Board, Result, Snapshot, utc_now
from webapp.components import Component, Kind
from webapp.contract import fingerprint
from webapp.headline import OpenIncident, Part, headline_of
from webapp.history.models import Availability, View
from webapp.incidents.models import Incident, Progress, open_at
from webapp.incidents.shown import RAISED, concerns, raised_since, seen, shown_state
from webapp.prepared import PerSnapshot, Prepared
from webapp.responses import JSON
from webapp.settings import Settings
from webapp.states import Detail, State

WORDS: Final[Mapping[State, str]] = {
    State.OPERATIONAL: "Works as usual.",
    State.DEGRADED: "Works, with problems.",
    State.DOWN: "Does not work.",
    State.UNKNOWN: "Its state is not known.",
    State.MAINTENANCE: "Under maintenance.",
}
"""Public words for each state, whatever the check says."""

NOTICE: Final = "The status page cannot check anything at the moment."
"""The public notice while the app itself is cut off."""


class Release(BaseModel):
    """What runs. `since` is when ECS began to deploy it; while that is not known, when this task started."""

    model_config = ConfigDict(frozen=True)

    digest: str = Field(
        description="SHA-256 of the released image's manifest: sha256: and 64 hexadecimal digits."
    )
    commit: str = Field(description="The commit it was built from.")
    since: datetime = Field(
        description="When ECS began to deploy it, or while that is not known, when this task started."
    )


class ComponentStatus(BaseModel):
    """How one component is doing, as everybody may know. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="The component's id, by which paths and queries name it.")
    name: str = Field(description="What people call it.")
    group: str = Field(description="The heading under which the page shows it.")
    state: State = Field(
        description="How it is doing: the worst of what its check says and of its open incidents, or "
        "maintenance while one is in progress."
    )
    message: str = Field(description="The state in words.")
    since: datetime = Field(description="When it was first in this state.")
    checked_at: datetime | None = Field(description="When its last check ended; null before the first.")
    stale: bool = Field(description="Whether the next check is overdue, so that this tells how things were.")
    availability: Availability | None = Field(
        description="Shares of the last hours and days; null while not known."
    )


class OperatorComponentStatus(ComponentStatus):
    """The same with what its check says."""

    kind: Kind = Field(description="What it is.")
    finding: str = Field(description="What its check says, in a sentence.")
    details: Mapping[str, Detail] = Field(description="Figures of the check.")
    latency_ms: float | None = Field(
        description="Milliseconds it took to answer, or its check took; null if the state is unknown."
    )


class Status(BaseModel):
    """How all components are doing, as everybody may know. Times are in UTC."""

    model_config = ConfigDict(frozen=True)

    title: str = Field(description="The title of the page.")
    state: State = Field(
        description="The worst state of all components, and of open incidents; unknown while checks are "
        "overdue or the app is cut off."
    )
    message: str = Field(description="How all are doing, in a line.")
    note: str | None = Field(description="What else there is to say about it; null if nothing.")
    notice: str | None = Field(description="What keeps the page from telling; null if nothing does.")
    checked_at: datetime | None = Field(description="When the oldest check ended; null until all have.")
    stale: bool = Field(description="Whether a check is overdue.")
    started_at: datetime = Field(description="When this task started.")
    fingerprint: str = Field(
        description="16 hexadecimal digits by which the release can be recognized, not told: SHA-256 of the "
        "image's digest, a line feed, and the commit."
    )
    open_incidents: int | None = Field(
        description="How many incidents are open, without maintenance; null while that is not known."
    )
    maintenances: int | None = Field(
        description="How many maintenances are in progress or to come; null while that is not known."
    )
    components: Mapping[str, ComponentStatus] = Field(
        description="Each component by its id, in the order of the page."
    )


class OperatorStatus(Status):
    """The same with all components, what their checks say, and the release."""

    release: Release = Field(description="What runs.")
    environment: str = Field(description="The environment's name.")
    region: str = Field(description="The AWS region.")
    service: str = Field(description="The name of the app's service within the environment.")
    writing: Literal["on", "off"] = Field(description="Whether a token may write.")
    components: Mapping[str, OperatorComponentStatus] = Field(
        description="Each component by its id, in the order of the page."
    )


@dataclass(frozen=True)
class Shown:
    """The state of a component that is shown, and since when."""

    state: State
    since: datetime


def overdue_after(component: Component, settings: Settings) -> float:
    """Returns the seconds after which the check of a component is overdue: one was missed."""
    return 2 * settings.interval_of(component) + 5


def is_stale(component: Component, checked_at: datetime | None, settings: Settings, now: datetime) -> bool:
    """Returns whether the check of a component that follows one at this time is overdue."""
    return checked_at is not None and now >= _overdue_at(component, checked_at, settings)


def _overdue_at(component: Component, checked_at: datetime, settings: Settings) -> datetime:
    return checked_at + timedelta(seconds=overdue_after(component, settings))


def turns_at(snapshot: Snapshot, settings: Settings, now: datetime) -> datetime:
    """Returns when time alone changes the documents next: by a check that is overdue, or a maintenance."""
    overdue = (
        _overdue_at(settings.watched[each.component], each.checked_at, settings)
        for each in snapshot.results.values()
        if each.checked_at
    )
    planned = (at for each in snapshot.open_incidents or () for at in (each.starts_at, each.ends_at) if at)
    return min((at for at in (*overdue, *planned) if at > now), default=datetime.max.replace(tzinfo=UTC))


def shown(component: str, result: Result, incidents: Iterable[Incident], now: datetime) -> Shown:
    """Returns the state to show of a component: its check's, raised by its open incidents, or maintenance."""
    state = shown_state(component, result.finding.state, incidents, now)
    concerning = [each for each in open_at(incidents, now) if concerns(each, component)]
    if state is State.MAINTENANCE:
        running = (each for each in concerning if each.state is Progress.IN_PROGRESS)
        times = [each.starts_at for each in running if each.starts_at]
    else:
        raising = (each for each in concerning if each.severity and RAISED[each.severity] is state)
        times = [raised_since(each, state) for each in raising]
    if state is result.finding.state:
        times.append(result.since)
    return Shown(state, min(times))


def component_status(
    component: Component, snapshot: Snapshot, settings: Settings, now: datetime
) -> ComponentStatus:
    """Returns what everybody may know of one component at a time."""
    result = snapshot.results[component.id]
    found = shown(component.id, result, snapshot.open_incidents or (), now)
    return ComponentStatus(
        id=component.id,
        name=component.name,
        group=component.group,
        state=found.state,
        message=WORDS[found.state],
        since=found.since,
        checked_at=result.checked_at,
        stale=is_stale(component, result.checked_at, settings, now),
        availability=(snapshot.availability or {}).get(component.id),
    )


def operator_component_status(
    component: Component, snapshot: Snapshot, settings: Settings, now: datetime
) -> OperatorComponentStatus:
    """Returns the status of one component at a time."""
    result = snapshot.results[component.id]
    return OperatorComponentStatus(
        **dict(component_status(component, snapshot, settings, now)),
        kind=component.kind,
        finding=result.finding.message,
        details=result.finding.details,
        latency_ms=result.latency_ms,
    )


def status(snapshot: Snapshot, settings: Settings, started_at: datetime, now: datetime) -> Status:
    """Returns the public status document of a snapshot at a time."""
    snapshot = public_snapshot(snapshot, settings)
    components = {
        each.id: component_status(each, snapshot, settings, now) for each in settings.public.values()
    }
    return _status(components, snapshot, settings, started_at, now)


def public_snapshot(snapshot: Snapshot, settings: Settings) -> Snapshot:
    """Returns a snapshot with the incidents that everybody sees."""
    return replace(
        snapshot,
        open_incidents=_seen(snapshot.open_incidents, settings),
        recent_incidents=_seen(snapshot.recent_incidents, settings),
    )


def _seen(incidents: tuple[Incident, ...] | None, settings: Settings) -> tuple[Incident, ...] | None:
    return None if incidents is None else seen(incidents, settings.public)


def operator_status(
    snapshot: Snapshot, settings: Settings, started_at: datetime, now: datetime
) -> OperatorStatus:
    """Returns the operator's status document of a snapshot at a time."""
    components = {
        each.id: operator_component_status(each, snapshot, settings, now)
        for each in settings.watched.values()
    }
    common = _status(components, snapshot, settings, started_at, now)
    return OperatorStatus(
        **dict(common) | {"notice": snapshot.notice.message if snapshot.notice else None},
        release=Release(
            digest=settings.digest,
            commit=settings.commit,
            since=snapshot.deployed_at.get((settings.own_id, settings.digest), started_at),
        ),
        environment=settings.environment,
        region=settings.aws_region,
        service=settings.service,
        writing="on" if settings.writing else "off",
    )


def _status(
    components: Mapping[str, ComponentStatus],
    snapshot: Snapshot,
    settings: Settings,
    started_at: datetime,
    now: datetime,
) -> Status:
    incidents = snapshot.open_incidents
    open_now = tuple(open_at(incidents or (), now))
    times = [each.checked_at for each in components.values() if each.checked_at is not None]
    checked_at = min(times) if times and len(times) == len(components) else None
    stale = any(each.stale for each in components.values())
    headline = headline_of(
        [Part(each.name, each.state) for each in components.values()],
        [
            OpenIncident(each.title, each.severity, any(name in components for name in each.components))
            for each in open_now
            if each.severity is not None
        ],
        checked=bool(times),
        stale=stale,
        notice=NOTICE if snapshot.notice else None,
        blind_since=snapshot.notice.since if snapshot.notice else None,
        maintenance=any(each.state is Progress.IN_PROGRESS for each in open_now),
    )
    return Status(
        title=settings.title,
        state=State(headline.state),
        message=headline.text,
        note=headline.note,
        notice=NOTICE if snapshot.notice else None,
        checked_at=checked_at,
        stale=stale,
        started_at=started_at,
        fingerprint=fingerprint(settings.digest, settings.commit),
        open_incidents=None if incidents is None else sum(each.severity is not None for each in open_now),
        maintenances=None if incidents is None else sum(each.severity is None for each in open_now),
        components=components,
    )


class StatusCache:
    """Encodes each status document on request, once for each snapshot, and when time alone changes it."""

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._started_at = utc_now()
        self._answers: Mapping[View, PerSnapshot] = {
            "public": self._prepares(self.public, "no-cache"),
            "operator": self._prepares(self.operator, "private, no-store"),
        }

    def _prepares(self, document: Callable[[datetime], Status], cache_control: str) -> PerSnapshot:
        return PerSnapshot(
            self._board,
            lambda now: document(now).model_dump_json().encode(),
            lambda now: turns_at(self._board.snapshot, self._settings, now),
            JSON,
            cache_control=cache_control,
        )

    @property
    def started_at(self) -> datetime:
        """Returns when this task started."""
        return self._started_at

    def prepared(self, view: View) -> Prepared:
        """Returns a status document as an answer."""
        return self._answers[view].get()

    def public(self, now: datetime) -> Status:
        """Returns the public status document at a time."""
        return status(self._board.snapshot, self._settings, self._started_at, now)

    def operator(self, now: datetime) -> OperatorStatus:
        """Returns the operator's status document at a time."""
        return operator_status(self._board.snapshot, self._settings, self._started_at, now)
