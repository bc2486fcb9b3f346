"""The board: what the app knows of the platform now. Background work writes it, requests read it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from webapp.history.models import Day
from webapp.incidents.models import Incident
from webapp.services import ServiceName
from webapp.states import Finding, State, worst

NOT_CHECKED: Final = Finding(State.UNKNOWN, "Not checked yet.")


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


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment; each change makes a new one with the next version.

    `open_incidents` and `days` are None until they were read once. `days` are the last 90, the
    oldest first, of each service. When they were last read, and found to be so, is told by
    `incidents_read_at` and `days_read_at`; that alone makes no next version. `deployed_at` is when ECS
    last began to deploy each release, by its digest, as far as ECS has told while this process ran.
    """

    version: int
    results: Mapping[ServiceName, Result]
    open_incidents: tuple[Incident, ...] | None = None
    days: Mapping[ServiceName, tuple[Day, ...]] | None = None
    incidents_read_at: datetime | None = None
    days_read_at: datetime | None = None
    deployed_at: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def state(self) -> State:
        """The worst state of all services."""
        return worst(result.finding.state for result in self.results.values())

    @property
    def checked_at(self) -> datetime | None:
        """When the check that lies back longest ended; None while one has not ended yet."""
        times = [result.checked_at for result in self.results.values()]
        known = [time for time in times if time is not None]
        return min(known) if len(known) == len(times) else None


class Board:
    """Holds the current snapshot and wakes those who wait for the next one."""

    def __init__(self, now: datetime) -> None:
        self.snapshot = Snapshot(0, {name: Result(name, NOT_CHECKED, None, now) for name in ServiceName})
        self._changed = asyncio.Event()

    def put_result(self, result: Result) -> None:
        """Replaces the result of one service."""
        former = self.snapshot
        self._put(
            replace(
                former,
                results={**former.results, result.service: result},
                deployed_at={**former.deployed_at, **_deployment(result)},
            )
        )

    def put_open_incidents(self, incidents: tuple[Incident, ...], read_at: datetime | None = None) -> None:
        """Replaces the open incidents, which were read then; without a time, one of them was written."""
        at = read_at or self.snapshot.incidents_read_at
        self.snapshot = replace(self.snapshot, incidents_read_at=at)
        if incidents != self.snapshot.open_incidents:
            self._put(replace(self.snapshot, open_incidents=incidents))

    def put_days(self, days: Mapping[ServiceName, tuple[Day, ...]], read_at: datetime | None = None) -> None:
        """Replaces the availability per day, which was read then."""
        self.snapshot = replace(self.snapshot, days_read_at=read_at or self.snapshot.days_read_at)
        if days != self.snapshot.days:
            self._put(replace(self.snapshot, days=days))

    async def after(self, version: int) -> Snapshot:
        """The current snapshot, as soon as it is newer than this version."""
        while self.snapshot.version <= version:
            await self._changed.wait()
        return self.snapshot

    def _put(self, snapshot: Snapshot) -> None:
        self.snapshot = replace(snapshot, version=self.snapshot.version + 1)
        self._changed.set()
        self._changed = asyncio.Event()


def _deployment(result: Result) -> dict[str, datetime]:
    """The digest that ECS deploys, and when it began to; empty for results that do not tell both."""
    digest, deployed_at = (result.finding.details.get(name) for name in ("digest", "deployed_at"))
    if result.service is ServiceName.ECS and isinstance(digest, str) and isinstance(deployed_at, str):
        return {digest: datetime.fromisoformat(deployed_at)}
    return {}


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
