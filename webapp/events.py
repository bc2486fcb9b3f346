"""Live events: tells whoever listens what is new on the board, as server-sent events.

A check that finds what the one before it found changes only times and figures. They are sent at the
heartbeat: the whole document for each check would be hundreds of megabytes a day for each listener.
Source of the format: WHATWG HTML Standard, "Server-sent events".
"""

import asyncio
import json
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webapp.board import Board, Snapshot, utc_now
from webapp.contract import HEARTBEAT
from webapp.history.models import View
from webapp.resources import Shutdown
from webapp.responses import RETRY_LATER, HTTPProblem
from webapp.status import Status, StatusCache

LARGEST_NUMBER: Final[Mapping[View, int]] = {"public": 100, "operator": 20}
"""Streams of a view that one process keeps open; each listener has one."""

PAUSE: Final = 1.0
"""Seconds between two events of one stream, at least. What happens meanwhile becomes one event."""

RECONNECTION: Final = 2000
"""Milliseconds that a listener is asked to wait before it connects again."""

PATIENCE: Final = 30.0
"""Seconds that a listener may take to read before its stream ends."""

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Neither a cache nor a proxy may hold events back."""


_FIGURES: Final = frozenset({"checked_at", "finding", "details", "latency_ms"})
"""What a check changes of a component that is as it was."""

_NO_SUBSTANCE: Final = _FIGURES | {"availability"}
"""With what `history` tells of."""


@dataclass(frozen=True)
class _Telling:
    """What there is to tell a view at a time."""

    snapshot: Snapshot
    document: Status
    now: datetime

    @cached_property
    def status(self) -> bytes:
        """Returns the status document."""
        return self.document.model_dump_json().encode()

    @cached_property
    def substance(self) -> str:
        """Returns the document without what each check changes."""
        left_out = dict.fromkeys(_NO_SUBSTANCE, True)
        return self.document.model_dump_json(exclude={**left_out, "components": {"__all__": left_out}})

    @cached_property
    def times(self) -> bytes:
        """Returns only the times and figures of the document, and the time now."""
        told = self.document.model_dump(
            mode="json", include={"checked_at": True, "components": {"__all__": set(_FIGURES)}}
        )
        return json.dumps({"now": self.now.isoformat(), **told}, separators=(",", ":")).encode()

    @property
    def incidents(self) -> object:
        """Returns what the event `incidents` tells of."""
        return self.snapshot.open_incidents, self.snapshot.recent_incidents

    def events(self, before: "_Telling | None") -> list[bytes]:
        """Returns the types of the events that tell what is new since `before`."""
        if before is None:
            return [b"status", b"times"]
        news = [b"status"] if self.substance != before.substance else []
        if self.incidents != before.incidents:
            news.append(b"incidents")
        if self.snapshot.days is not before.snapshot.days:
            news.append(b"history")
        return news


def event_id(started_at: datetime, version: int) -> str:
    """Tells a snapshot from all others, those of other processes included."""
    return f"{int(started_at.timestamp() * 1000)}-{version}"


class Events:
    """All streams of the process.

    A stream waits on the board, so it holds no events back: a listener that reads slowly misses
    some and gets the latest.
    """

    def __init__(
        self,
        board: Board,
        status: StatusCache,
        shutdown: Shutdown,
        *,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
    ) -> None:
        self._board = board
        self._status = status
        self._shutdown = shutdown
        self._heartbeat = heartbeat
        self._patience = patience
        self._started_at = status.started_at
        self._open: dict[View, int] = {"public": 0, "operator": 0}
        self._latest: dict[View, _Telling] = {}

    def stream(self, view: View, seconds: float | None = None) -> "EventStream":
        """Returns a stream of a view for one more listener, which ends after some seconds if they are given.

        Raises `HTTPProblem` when there are too many.
        """
        if self._open[view] >= LARGEST_NUMBER[view]:
            raise HTTPProblem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many listen to live events already. Try again later.",
                {"Retry-After": str(RETRY_LATER)},
            )
        return EventStream(self, view, seconds)

    @contextmanager
    def counted(self, view: View) -> Iterator[None]:
        """Counts one more listener as long as the block lasts."""
        self._open[view] += 1
        try:
            yield
        finally:
            self._open[view] -= 1

    async def run(self, receive: Receive, send: Send, view: View, seconds: float | None = None) -> None:
        """Sends events until the listener is gone, reads too slowly, the time is over, or the app stops."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await _first_of(self._send_all(send, view), _disconnected(receive), self._shutdown.wait())

    async def _send_all(self, send: Send, view: View) -> None:
        told: _Telling | None = None
        with suppress(TimeoutError):
            while True:
                latest = await self._news(view, told)
                await self._write(send, self._encoded(latest, told))
                told = latest
                await asyncio.sleep(PAUSE)

    async def _news(self, view: View, told: _Telling | None) -> _Telling:
        """Waits until there is something to tell, or until the heartbeat, and returns what there is then."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._heartbeat):
                while not (latest := self._telling(view)).events(told):
                    await self._board.after(latest.snapshot.version)
        return self._telling(view)

    def _telling(self, view: View) -> _Telling:
        """Returns what there is to tell now, the same to all within a second."""
        now, latest = utc_now(), self._latest.get(view)
        second = now.replace(microsecond=0)
        if (
            latest is None
            or latest.snapshot.version != self._board.snapshot.version
            or latest.now.replace(microsecond=0) != second
        ):
            document = self._status.public(now) if view == "public" else self._status.operator(now)
            latest = self._latest[view] = _Telling(self._board.snapshot, document, now)
        return latest

    async def _write(self, send: Send, text: bytes) -> None:
        """Raises `TimeoutError` when the listener does not read what was sent before."""
        async with asyncio.timeout(self._patience):
            await send({"type": "http.response.body", "body": text, "more_body": True})

    def _encoded(self, latest: _Telling, told: _Telling | None) -> bytes:
        data = {b"status": latest.status, b"times": latest.times}
        lines = [] if told else [f"retry: {RECONNECTION}".encode()]
        for event in latest.events(told) or [b"times"]:
            lines += [
                b"event: " + event,
                f"id: {event_id(self._started_at, latest.snapshot.version)}".encode(),
            ]
            lines += [b"data: " + data.get(event, b"{}"), b""]
        return b"\n".join(lines) + b"\n"


class EventStream(Response):
    """An answer that goes on: a `status` event with a status document as its data, whenever a state changes.

    `incidents` and `history` say that the incidents or the days have changed. When there is nothing to tell,
    `times` has the times of the latest checks, and for operators what they found.
    """

    def __init__(self, events: Events, view: View, seconds: float | None) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers=HEADERS)
        del self.headers["Content-Length"]
        self._events = events
        self._view = view
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._events.counted(self._view):
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            if scope["method"] != "HEAD":
                await self._events.run(receive, send, self._view, self._seconds)
        with suppress(TimeoutError):
            async with asyncio.timeout(PAUSE):
                await send({"type": "http.response.body", "body": b""})


async def _disconnected(receive: Receive) -> None:
    # Who sends more than anybody reads has not come to listen.
    with suppress(HTTPProblem):
        while (await receive())["type"] != "http.disconnect":
            pass


async def _first_of(*coroutines: Coroutine[object, object, object]) -> None:
    """Runs all until one ends, and then waits until the others are cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in coroutines]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
