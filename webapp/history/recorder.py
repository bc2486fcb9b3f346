"""Keeps the board's results in the table, and the board up to date with what the table has."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Never

from webapp.board import Board, Snapshot, utc_now
from webapp.calls import AwsError
from webapp.history.models import SLOT, Day, Record, slot_of
from webapp.history.store import read_days, write_slot
from webapp.incidents.store import refresh_open_incidents
from webapp.logs import log
from webapp.settings import Settings
from webapp.states import State
from webapp.status import stale_after
from webapp.table_client import TableClient

DAYS_SHOWN: Final = 90
"""Days on the board, today's included."""

MOST_PENDING: Final = 60
"""Slots that wait in memory while the table cannot be written: an hour. A task that stops loses its own."""

LONGEST_SPREAD: Final = 10.0
"""Seconds after the beginning of a slot within which the tasks write it, each at a time of its own."""

LONGEST_RETRY: Final = 10.0
"""Seconds until what failed is tried again."""

FIRST_RESULTS: Final = 10.0
"""Seconds that the first slot waits for the results of all components."""

LOOK_AGAIN: Final = 0.25
"""Seconds between two looks at the board until there are results."""

NOT_IN_TIME: Final = "Its check was overdue."


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


def records_of(snapshot: Snapshot, slot: datetime, now: datetime, overdue: float) -> dict[str, Record]:
    """What a snapshot says of a slot; components that were never checked are left out.

    A result that is older than `overdue`, in seconds, says nothing of this minute: it is kept as unknown.
    """
    return {
        component: Record(
            at=slot,
            state=result.finding.state,
            message=result.finding.message,
            latency_ms=result.latency_ms,
        )
        if now - result.checked_at <= timedelta(seconds=overdue)
        else Record(at=slot, state=State.UNKNOWN, message=NOT_IN_TIME)
        for component, result in snapshot.results.items()
        if result.checked_at is not None
    }


class Recorder:
    """Takes the results of each slot from the board, and writes them when the table can be written."""

    def __init__(
        self, table: TableClient, settings: Settings, board: Board, now: Callable[[], datetime] = utc_now
    ) -> None:
        self._table = table
        self._settings = settings
        self._board = board
        self._now = now
        self._started = now()
        self._taken: datetime | None = None
        self._pending: deque[Slot] = deque(maxlen=MOST_PENDING)
        self._days_are_due = True

    async def step(self) -> float:
        """Writes what waits, the oldest first, reads the days anew, and tells when the next slot is due.

        Raises `AwsError` when the table does not answer; what waits goes on waiting.
        """
        self._take()
        while self._pending:
            slot = self._pending[0]
            await write_slot(self._table, slot.at, slot.records)
            self._pending.popleft()
            self._days_are_due = True
            self._take()
        if self._days_are_due:
            began = self._now()
            self._board.put_days(await self._read_days(), began)
            self._days_are_due = False
        return self._until_next()

    def _take(self) -> None:
        """Takes the results of the current slot, once; the first time only when all are there."""
        now = self._now()
        slot, snapshot = slot_of(now), self._board.snapshot
        if slot == self._taken:
            return
        waited = now - self._started >= timedelta(seconds=FIRST_RESULTS)
        if self._taken is None and snapshot.checked_at is None and not waited:
            return
        records = records_of(snapshot, slot, now, stale_after(self._settings))
        if not records:
            return
        if len(self._pending) == MOST_PENDING:
            log(logging.WARNING, "a minute of the history is lost", {"minute": self._pending[0].at})
        self._pending.append(Slot(slot, records))
        self._taken = slot

    async def _read_days(self) -> Mapping[str, tuple[Day, ...]]:
        # One after another, so that a table that does not answer is logged once and not once a component.
        today = self._now().date()
        first = today - timedelta(days=DAYS_SHOWN - 1)
        watched = self._settings.watched
        return {each: await read_days(self._table, each, first, today, today) for each in watched}

    def _until_next(self) -> float:
        if self._taken is None:
            return LOOK_AGAIN
        # The clock may have been put back: no pause is longer than a slot.
        wait = min(self._taken + SLOT - self._now(), SLOT).total_seconds()
        spread = min(self._settings.check_interval, LONGEST_SPREAD)
        return max(wait, 0) + random.uniform(0, spread)  # noqa: S311 - it only spreads load
