"""Keeps the history in the table, and the board up to date with what the table has."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Never

from webapp.board import Board, utc_now
from webapp.calls import AwsError
from webapp.history.models import SLOT, Availability, Day, Record, Seconds, availability, slot_of, total
from webapp.history.store import read_days, read_records, write_slot
from webapp.history.timeline import Window
from webapp.incidents.store import refresh_open_incidents, refresh_recent_incidents
from webapp.logs import log
from webapp.monitor import DEADLINE, RECHECK
from webapp.settings import Settings
from webapp.table_client import TableClient

DAYS_SHOWN: Final = 90
"""Days on the board, today's included."""

LAST_DAY: Final = timedelta(hours=24)

MOST_PENDING: Final = 60
"""Slots that wait in memory while the table cannot be written: an hour. A task that stops loses its own."""

LONGEST_SPREAD: Final = 10.0
"""Seconds after the end of a slot within which the tasks write it, each at a time of its own.

A task that has not seen the whole slot waits as long again, so that one that has can come first.
"""

LONGEST_RETRY: Final = 10.0
"""Seconds until what failed is tried again."""

LOOK_AGAIN: Final = 1.0
"""Seconds between two looks at a slot that waits."""

WHOLE: Final = timedelta(hours=1)
"""How often everything is read; in between, only what is new is."""

OVERLAP: Final = 5 * SLOT
"""How far back of what was read last what is new is looked for: other tasks may write later."""

_CHUNK: Final = timedelta(hours=6)
"""Records are read in parts, so that parsing them does not hold up requests."""


def longest_doubt(settings: Settings) -> timedelta:
    """Returns how long a slot waits for a failure in it that does not count yet: until it would."""
    return timedelta(seconds=settings.failure_threshold * (RECHECK + DEADLINE))


@dataclass(frozen=True)
class Slot:
    """The records of one minute."""

    at: datetime
    records: Mapping[str, Record]


async def record(table: TableClient, settings: Settings, board: Board) -> Never:
    """Writes the history and reads days and open incidents again and again, until cancelled.

    While the table does not answer, the board keeps what it has and the log says why.
    """
    recorder = Recorder(table, settings, board)
    interval = settings.check_interval

    async def refresh() -> float:
        await refresh_open_incidents(table, board)
        await refresh_recent_incidents(table, board)
        return interval * random.uniform(0.8, 1.2)  # noqa: S311 - it only spreads load

    async with asyncio.TaskGroup() as group:
        group.create_task(_repeat(refresh, settings))
        await _repeat(recorder.step, settings)


async def _repeat(step: Callable[[], Awaitable[float]], settings: Settings) -> Never:
    """Takes a step again and again; each tells after how many seconds the next is due."""
    while True:
        try:
            pause = await step()
        except AwsError:
            pause = _retry(settings)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next step may succeed
            log(logging.ERROR, "the recorder failed", {"step": step.__name__}, error)
            pause = _retry(settings)
        await asyncio.sleep(pause)


def _retry(settings: Settings) -> float:
    longest = min(settings.check_interval, LONGEST_RETRY)
    return random.uniform(longest / 2, longest)  # noqa: S311 - it only spreads load


class Recorder:
    """Makes the record of each slot that is over, and writes it when the table can be written."""

    def __init__(
        self, table: TableClient, settings: Settings, board: Board, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._table = table
        self._settings = settings
        self._board = board
        self._now = now
        self._next = slot_of(now())
        self._pending: deque[Slot] = deque(maxlen=MOST_PENDING)
        self._maintenance: dict[str, tuple[frozenset[str], Window]] = {}
        self._read_is_due = True
        self._read_whole_at: datetime | None = None
        self._read_until = self._next
        self._days: dict[str, dict[date, Day]] = {each: {} for each in settings.watched}
        self._last_day: dict[str, dict[datetime, Seconds]] = {each: {} for each in settings.watched}

    async def step(self) -> float:
        """Writes what waits, the oldest first, reads anew, and tells when the next slot is due, in seconds.

        Raises `AwsError` when the table does not answer; what waits goes on waiting.
        """
        self._note_maintenance()
        self._take()
        while self._pending:
            slot = self._pending[0]
            await write_slot(self._table, slot.at, slot.records)
            self._pending.popleft()
            self._read_is_due = True
            self._take()
        if self._read_is_due:
            began = self._now()
            await self._read(began)
            self._read_is_due = False
            self._read_until = min(began, self._next)
        return self._until_next()

    def _note_maintenance(self) -> None:
        """Remembers maintenance as long as a slot may wait, as one that is over leaves the board.

        One that people have ended or cancelled is over from then on, not only at its planned end.
        """
        snapshot = self._board.snapshot
        known = {each.id: each for each in snapshot.recent_incidents or ()}
        for incident in snapshot.open_incidents or ():
            if incident.id not in known or known[incident.id].version < incident.version:
                known[incident.id] = incident
        if snapshot.open_incidents is not None:
            # Of one that began long ago, nothing tells when it was ended but that it is not open any more.
            for key, (concerned, window) in self._maintenance.items():
                if key not in known:
                    ended = Window(window.start, min(window.end, self._now()))
                    self._maintenance[key] = (concerned, ended)
        for incident in known.values():
            if incident.starts_at and incident.ends_at:
                end = min(incident.resolved_at or incident.ends_at, incident.ends_at)
                concerned = frozenset(incident.components)
                self._maintenance[incident.id] = (concerned, Window(incident.starts_at, end))
        oldest = self._next - MOST_PENDING * SLOT
        self._maintenance = {
            key: (concerned, window)
            for key, (concerned, window) in self._maintenance.items()
            if window.end > oldest
        }

    def _take(self) -> None:
        """Makes the records of all slots that are over and settled, the oldest first."""
        while self._next + SLOT <= self._now():
            if not self._settled():
                return
            slot, self._next = self._next, self._next + SLOT
            records: dict[str, Record] = {}
            for component, timeline in self._board.timelines.items():
                windows = [window for of, window in self._maintenance.values() if component in of]
                made = timeline.record(slot, windows)
                timeline.forget(self._next)
                if made is not None:
                    records[component] = made
            if not records:
                # The clock may have been put forward by years.
                self._next = max(self._next, slot_of(self._now()) - MOST_PENDING * SLOT)
                continue
            if len(self._pending) == MOST_PENDING:
                log(logging.WARNING, "a minute of the history is lost", {"minute": self._pending[0].at})
            self._pending.append(Slot(slot, records))

    def _settled(self) -> bool:
        end = self._next + SLOT
        return self._now() >= end + longest_doubt(self._settings) or all(
            timeline.is_settled(end) for timeline in self._board.timelines.values()
        )

    async def _read(self, now: datetime) -> None:
        whole = self._read_whole_at is None or now - self._read_whole_at >= WHOLE
        today = now.date()
        first = today - timedelta(days=DAYS_SHOWN - 1 if whole else 1)
        days: dict[str, tuple[Day, ...]] = {}
        shares: dict[str, Availability] = {}
        # One after another, so that a table that does not answer is logged once and not once a component.
        for component in self._settings.watched:
            known = self._days[component]
            known |= {day.date: day for day in await read_days(self._table, component, first, today, now)}
            oldest = today - timedelta(days=DAYS_SHOWN - 1)
            self._days[component] = {at: day for at, day in known.items() if oldest <= at <= today}
            days[component] = tuple(self._days[component][at] for at in sorted(self._days[component]))
            last_day = await self._read_last_day(component, now, whole=whole)
            shares[component] = availability(days[component], last_day)
        self._board.put_days(days, now, shares)
        if whole:
            self._read_whole_at = now

    async def _read_last_day(self, component: str, now: datetime, *, whole: bool) -> Seconds:
        known = self._last_day[component]
        start = now - LAST_DAY if whole else min(now, self._read_until) - OVERLAP
        while start < now:
            end = min(start + _CHUNK, now)
            for made in await read_records(self._table, component, start, end, now):
                known[made.at] = made.seconds
            start = end
        self._last_day[component] = {at: lasted for at, lasted in known.items() if at >= now - LAST_DAY}
        return total(self._last_day[component].values())

    def _until_next(self) -> float:
        now = self._now()
        end = self._next + SLOT
        if end <= now:
            return LOOK_AGAIN
        # The clock may have been put back: no pause is longer than a slot.
        wait = min(end - now, SLOT).total_seconds()
        spread = min(self._settings.check_interval, LONGEST_SPREAD)
        later = random.uniform(0, spread)  # noqa: S311 - it only spreads load
        saw_all = all(timeline.covers(self._next) for timeline in self._board.timelines.values())
        return wait + later + (0.0 if saw_all else spread)
