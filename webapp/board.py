"""The board holds the current state of the platform. Background tasks write it, requests read it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from webapp.calls import FailureKind
from webapp.history.models import Availability, Day
from webapp.history.timeline import Timeline
from webapp.incidents.models import Incident
from webapp.states import Finding, State

_OVERDUE: Final = 35.0

NOT_CHECKED: Final = Finding(State.UNKNOWN, "Not checked yet.")


@dataclass(frozen=True)
class Result:
    """A finding with its times (UTC) and latency (milliseconds).

    `checked_at` is None until the first check has ended. `since` is when this state was first found.
    `failure` is the kind of failure of the last call to AWS, if it failed. `suspected_since` is when the
    first of some failures ended that do not count yet. `lost` says that the app itself is cut off.
    """

    component: str
    finding: Finding
    checked_at: datetime | None
    since: datetime
    latency_ms: float | None = None
    failure: FailureKind | None = None
    suspected_since: datetime | None = None
    lost: bool = False


@dataclass(frozen=True)
class Notice:
    """What keeps the app from checking anything: a sentence for operators, and since when."""

    message: str
    since: datetime


@dataclass(frozen=True)
class Snapshot:
    """The state of the platform at one moment; each change creates the next version.

    `open_incidents`, `recent_incidents`, `days` and `availability` are None until first read.
    `recent_incidents` are those that began in the last 14 days, the newest first, or from `recent_since` on
    if they are too many. `days` are the last 90 of each component, the oldest first. `notice` says that the
    app itself is cut off. `incidents_read_at` and `days_read_at` are when they were last confirmed; a new
    confirmation alone does not create a version.
    `deployed_at` is when ECS last began to deploy each release, by component and digest, as reported by ECS
    since this process started.
    """

    version: int
    results: Mapping[str, Result]
    open_incidents: tuple[Incident, ...] | None = None
    recent_incidents: tuple[Incident, ...] | None = None
    recent_since: datetime | None = None
    days: Mapping[str, tuple[Day, ...]] | None = None
    availability: Mapping[str, Availability] | None = None
    notice: Notice | None = None
    incidents_read_at: datetime | None = None
    days_read_at: datetime | None = None
    deployed_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    @property
    def checked_at(self) -> datetime | None:
        """Returns when the oldest check ended; None until every check has ended once."""
        times = [result.checked_at for result in self.results.values()]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None


class Board:
    """Holds the current snapshot and wakes tasks that wait for the next one.

    `overdue_after` has the seconds after which the check of a component is overdue, 35 by default.
    `timelines` have the states since the recorder last wrote them.
    """

    def __init__(
        self,
        components: Iterable[str],
        now: datetime,
        overdue_after: Mapping[str, float] = MappingProxyType({}),
    ) -> None:
        self.snapshot = Snapshot(0, {name: Result(name, NOT_CHECKED, None, now) for name in components})
        self.timelines = {name: Timeline(overdue_after.get(name, _OVERDUE)) for name in self.snapshot.results}
        self._changed = asyncio.Event()

    def put_result(self, result: Result) -> None:
        """Replaces the result of one component."""
        self.timelines[result.component].add(result)
        previous = self.snapshot
        self._put(
            replace(
                previous,
                results={**previous.results, result.component: result},
                deployed_at={**previous.deployed_at, **_deployment(result)},
            )
        )

    def put_notice(self, notice: Notice | None) -> None:
        """Says that the app itself is cut off, or that it no longer is."""
        if notice != self.snapshot.notice:
            self._put(replace(self.snapshot, notice=notice))

    def put_open_incidents(self, incidents: tuple[Incident, ...], read_at: datetime | None = None) -> None:
        """Replaces the open incidents; `read_at` is None if they changed by a write of this task."""
        at = read_at or self.snapshot.incidents_read_at
        self.snapshot = replace(self.snapshot, incidents_read_at=at)
        if incidents != self.snapshot.open_incidents:
            self._put(replace(self.snapshot, open_incidents=incidents))

    def put_recent_incidents(self, incidents: tuple[Incident, ...], since: datetime | None = None) -> None:
        """Replaces the recent incidents; `since` is when the oldest of them began, if some are left out."""
        if (incidents, since) != (self.snapshot.recent_incidents, self.snapshot.recent_since):
            self._put(replace(self.snapshot, recent_incidents=incidents, recent_since=since))

    def put_days(
        self,
        days: Mapping[str, tuple[Day, ...]],
        read_at: datetime | None = None,
        availability: Mapping[str, Availability] | None = None,
    ) -> None:
        """Replaces the days and the availability of all components, as read at `read_at`."""
        self.snapshot = replace(self.snapshot, days_read_at=read_at or self.snapshot.days_read_at)
        if (days, availability) != (self.snapshot.days, self.snapshot.availability):
            self._put(replace(self.snapshot, days=days, availability=availability))

    async def after(self, version: int) -> Snapshot:
        """Waits for a snapshot newer than a version, and returns it."""
        while self.snapshot.version <= version:
            await self._changed.wait()
        return self.snapshot

    def _put(self, snapshot: Snapshot) -> None:
        self.snapshot = replace(snapshot, version=self.snapshot.version + 1)
        self._changed.set()
        self._changed = asyncio.Event()


def _deployment(result: Result) -> dict[tuple[str, str], datetime]:
    """Returns the component and the digest that ECS deploys of it with its start time, if it has them."""
    digest, deployed_at = (result.finding.details.get(name) for name in ("digest", "deployed_at"))
    if isinstance(digest, str) and isinstance(deployed_at, str):
        return {(result.component, digest): datetime.fromisoformat(deployed_at)}
    return {}


def utc_now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)
