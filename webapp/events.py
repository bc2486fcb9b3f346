"""Live events: tells whoever listens of each new snapshot, as server-sent events.

Source of the format: WHATWG HTML Standard, "Server-sent events".
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webapp.board import Board, Snapshot
from webapp.contract import HEARTBEAT
from webapp.history.models import View
from webapp.resources import Shutdown
from webapp.responses import RETRY_LATER, HTTPProblem
from webapp.status import StatusCache

LARGEST_NUMBER: Final = 100
"""Streams that one process keeps open; each listener has one."""

PAUSE: Final = 1.0
"""Seconds between two events of one stream, at least. What happens meanwhile becomes one event."""

RECONNECTION: Final = 2000
"""Milliseconds that a listener is asked to wait before it connects again."""

PATIENCE: Final = 30.0
"""Seconds that a listener may take to read before its stream ends."""

MEDIA_TYPE: Final = "text/event-stream"
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
"""Neither a cache nor a proxy may hold events back."""


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
        self._open = 0

    def stream(self, view: View) -> "EventStream":
        """Returns a stream of a view for one more listener. Raises `HTTPProblem` when there are too many."""
        if self._open >= LARGEST_NUMBER:
            raise HTTPProblem(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "Too many listen to live events already. Try again later.",
                {"Retry-After": str(RETRY_LATER)},
            )
        return EventStream(self, view)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Counts one more listener as long as the block lasts."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    async def run(self, receive: Receive, send: Send, view: View) -> None:
        """Sends events until the listener is gone, reads too slowly, or the app is about to stop."""
        await _first_of(self._send_all(send, view), _disconnected(receive), self._shutdown.wait())

    async def _send_all(self, send: Send, view: View) -> None:
        before: Snapshot | None = None
        with suppress(TimeoutError):
            while True:
                try:
                    async with asyncio.timeout(self._heartbeat):
                        await self._board.after(-1 if before is None else before.version)
                except TimeoutError:
                    await self._write(send, b":\n\n")
                    continue
                # The status document is encoded from the very snapshot that is current here.
                snapshot, encoded = self._board.snapshot, self._status.encoded(view)
                await self._write(send, self._event(before, snapshot, encoded))
                before = snapshot
                await asyncio.sleep(PAUSE)

    async def _write(self, send: Send, text: bytes) -> None:
        """Raises `TimeoutError` when the listener does not read what was sent before."""
        async with asyncio.timeout(self._patience):
            await send({"type": "http.response.body", "body": text, "more_body": True})

    def _event(self, before: Snapshot | None, snapshot: Snapshot, encoded: bytes) -> bytes:
        lines = [
            b"event: status",
            f"id: {event_id(self._started_at, snapshot.version)}".encode(),
            b"data: " + encoded,
            b"",
        ]
        if before is None:
            lines.insert(0, f"retry: {RECONNECTION}".encode())
        else:
            known = (before.open_incidents, before.recent_incidents)
            if (snapshot.open_incidents, snapshot.recent_incidents) != known:
                lines += [b"event: incidents", b"data: {}", b""]
            if snapshot.days is not before.days:
                lines += [b"event: history", b"data: {}", b""]
        return b"\n".join(lines) + b"\n"


class EventStream(Response):
    """An answer that goes on: a `status` event for each new snapshot, with a status document as its data.

    After it, `incidents` and `history` say that the open incidents or the days have changed too.
    """

    def __init__(self, events: Events, view: View) -> None:
        super().__init__(media_type=MEDIA_TYPE, headers=HEADERS)
        del self.headers["Content-Length"]
        self._events = events
        self._view = view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._events.counted():
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            if scope["method"] != "HEAD":
                await self._events.run(receive, send, self._view)
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
