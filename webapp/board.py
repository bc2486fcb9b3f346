"""The board holds the current state of the platform. Background tasks write it, requests read it."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from webapp.history.models import Day
from webapp.incidents.models import Incident
from webapp.states import Finding, State, worst

NOT_CHECKED: Final = Finding(State.UNKNOWN, "Not checked yet.")


@dataclass(frozen=True)
class Result:
    """A finding with its times (UTC) and latency (milliseconds).

    `checked_at` is None until the first check has ended. `since` is when this state was first found.
    """

    component: str
    finding: Finding
    checked_at: datetime | None
    since: datetime
    latency_ms: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """The state of the platform at one moment; each change creates the next version.

    `open_incidents` and `days` are None until first read. `days` are the last 90 of each component, the
    oldest first. `incidents_read_at` and `days_read_at` are when they were last confirmed; a new
    confirmation alone does not create a version. `deployed_at` is when ECS last began to deploy each release,
    by component and digest, as reported by ECS since this process started.
    """

    version: int
    results: Mapping[str, Result]
    open_incidents: tuple[Incident, ...] | None = None
    days: Mapping[str, tuple[Day, ...]] | None = None
    incidents_read_at: datetime | None = None
    days_read_at: datetime | None = None
    deployed_at: Mapping[tuple[str, str], datetime] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """Returns the worst state of all components."""
        return worst(result.finding.state for result in self.results.values())

    @property
    def checked_at(self) -> datetime | None:
        """Returns when the oldest check ended; None until every check has ended once."""
        times = [result.checked_at for result in self.results.values()]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None


class Board:
    """Holds the current snapshot and wakes tasks that wait for the next one."""

    def __init__(self, components: Iterable[str], now: datetime) -> None:
        self.snapshot = Snapshot(0, {name: Result(name, NOT_CHECKED, None, now) for name in components})
        self._changed = asyncio.Event()

    def put_result(self, result: Result) -> None:
        """Replaces the result of one component."""
        previous = self.snapshot
        self._put(
            replace(
                previous,
                results={**previous.results, result.component: result},
                deployed_at={**previous.deployed_at, **_deployment(result)},
            )
        )

    def put_open_incidents(self, incidents: tuple[Incident, ...], read_at: datetime | None = None) -> None:
        """Replaces the open incidents; `read_at` is None if they changed by a write of this task."""
        at = read_at or self.snapshot.incidents_read_at
        self.snapshot = replace(self.snapshot, incidents_read_at=at)
        if incidents != self.snapshot.open_incidents:
            self._put(replace(self.snapshot, open_incidents=incidents))

    def put_days(self, days: Mapping[str, tuple[Day, ...]], read_at: datetime | None = None) -> None:
        """Replaces the availability per day, as read at `read_at`."""
        self.snapshot = replace(self.snapshot, days_read_at=read_at or self.snapshot.days_read_at)
        if days != self.snapshot.days:
            self._put(replace(self.snapshot, days=days))

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
