"""The board: what the app knows of the platform now. Background work writes it, requests read it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from webapp.history.models import Day
from webapp.incidents.models import Incident
from webapp.results import Finding, Result
from webapp.services import ServiceName
from webapp.states import State, worst

NOT_CHECKED: Final = Finding(State.UNKNOWN, "Not checked yet.")


@dataclass(frozen=True)
class Snapshot:
    """All that is known at one moment; each change makes a new one with the next version.

    `open_incidents` and `days` are None until they were read once. `days` are the last 90, the
    oldest first, of each service.
    """

    version: int
    results: Mapping[ServiceName, Result]
    open_incidents: tuple[Incident, ...] | None = None
    days: Mapping[ServiceName, tuple[Day, ...]] | None = None

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

    @property
    def deployed_at(self) -> datetime | None:
        """When ECS began to deploy what runs, as far as ECS has told."""
        found = self.results[ServiceName.ECS].finding.details.get("deployed_at")
        return datetime.fromisoformat(found) if isinstance(found, str) else None


class Board:
    """Holds the current snapshot and wakes those who wait for the next one."""

    def __init__(self, now: datetime) -> None:
        self.snapshot = Snapshot(0, {name: Result(name, NOT_CHECKED, None, now) for name in ServiceName})
        self._changed = asyncio.Event()

    def put_result(self, result: Result) -> None:
        """Replaces the result of one service."""
        self._put(replace(self.snapshot, results={**self.snapshot.results, result.service: result}))

    def put_open_incidents(self, incidents: tuple[Incident, ...]) -> None:
        """Replaces the open incidents."""
        if incidents != self.snapshot.open_incidents:
            self._put(replace(self.snapshot, open_incidents=incidents))

    def put_days(self, days: Mapping[ServiceName, tuple[Day, ...]]) -> None:
        """Replaces the availability per day."""
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


def utc_now() -> datetime:
    """Now, in UTC."""
    return datetime.now(UTC)
