"""Live events: what a listener is told, how often, and how its stream ends."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.types import Message

from tests.webapp.environment import IDS, WORKER_ID, environ_of
from tests.webapp.processes import App, running_app
from tests.webapp.waiting import soon
from webapp.board import Board, Result, utc_now
from webapp.contract import STATUS_PATH, STOP_SIGNAL
from webapp.endpoints.status import EVENTS_PATH
from webapp.events import LARGEST_NUMBER, PAUSE, RECONNECTION, Events, event_id
from webapp.history.models import Day
from webapp.resources import Shutdown
from webapp.settings import read_settings
from webapp.states import Finding, State
from webapp.status import StatusCache

pytestmark = pytest.mark.e2e


@dataclass
class Event:
    """A server-sent event as a browser reads it, and the time that its stream asks to wait."""

    type: str = "message"
    id: str = ""
    data: list[str] = field(default_factory=list)
    retry: int | None = None

    @property
    def version(self) -> int:
        """The version of the snapshot that it tells of."""
        return int(self.id.rpartition("-")[2])


def events_of(lines: Iterator[str]) -> Iterator[Event]:
    """The events in a stream's lines. Source: WHATWG HTML Standard, "Interpreting an event stream"."""
    event = Event()
    for line in lines:
        name, _, value = line.partition(":")
        match name, value.removeprefix(" "):
            case "", "" if not line:
                if event.data:
                    yield event
                event = Event()
            case "event", type:
                event.type = type
            case "id", id:
                event.id = id
            case "data", data:
                event.data.append(data)
            case "retry", milliseconds:
                event.retry = int(milliseconds)


@contextmanager
def listening(app: App) -> Iterator[Iterator[Event]]:
    """The events of a stream as they come."""
    with app.client.stream("GET", EVENTS_PATH) as answer:
        assert answer.status_code == 200
        yield events_of(answer.iter_lines())


# Over HTTP


def test_begins_with_the_status_document(app: App) -> None:
    with app.client.stream("GET", EVENTS_PATH) as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "content-length" not in answer.headers
        event = next(events_of(answer.iter_lines()))
    assert (event.type, event.retry) == ("status", RECONNECTION)
    (data,) = event.data
    assert json.loads(data).keys() == app.client.get(STATUS_PATH).json().keys()


def checked_at(event: Event) -> str:
    """When the table was checked, nothing if it was not."""
    return json.loads(event.data[0])["components"]["status.table"]["checked_at"] or ""


def test_goes_on_with_each_new_snapshot_but_not_faster_than_one_can_look(embedded_aws: str) -> None:
    times = []
    with running_app(environ_of(embedded_aws, check_interval=1)) as app, listening(app) as events:
        found = []
        for event in events:
            if event.type == "status" and checked_at(event):
                found.append(event)
                times.append(time.monotonic())
            if len(found) == 4:
                break
    versions = [event.version for event in found]
    assert versions == sorted(set(versions))
    assert len({event.id.partition("-")[0] for event in found}) == 1
    assert times[-1] - times[0] >= 3 * PAUSE - 0.1
    checks = [checked_at(event) for event in found]
    assert checks == sorted(checks)
    assert checks[0] < checks[-1]


def test_head_answers_without_a_stream(app: App) -> None:
    answer = app.client.head(EVENTS_PATH)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_refused(app: App, method: str) -> None:
    answer = app.client.request(method, EVENTS_PATH)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_so_many_may_listen_and_who_leaves_makes_room(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws)) as app, ExitStack() as listeners:
        client = listeners.enter_context(
            httpx.Client(base_url=app.client.base_url, limits=httpx.Limits(max_connections=None))
        )
        first = ExitStack()
        listeners.push(first)
        first.enter_context(client.stream("GET", EVENTS_PATH))
        for _ in range(LARGEST_NUMBER - 1):
            assert listeners.enter_context(client.stream("GET", EVENTS_PATH)).status_code == 200

        refused = client.get(EVENTS_PATH)
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        assert client.get(STATUS_PATH).status_code == 200

        first.close()
        soon(lambda: client.head(EVENTS_PATH).status_code, lambda status: status == 200)


def test_streams_do_not_hold_up_a_stop(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws)) as app:
        with listening(app) as events:
            next(events)
            started = time.monotonic()
            app.process.signal(signal.Signals[STOP_SIGNAL])
            assert all(event.type == "status" for event in events)
        assert app.process.wait() == 0
        assert time.monotonic() - started < 5
        assert app.process.stderr == []
        assert [line["status"] for line in app.requests()] == [200]
        assert not [line for line in app.process.stdout if json.loads(line)["level"] == "error"]


def test_a_listener_that_leaves_is_done_with(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws)) as app:
        with listening(app) as events:
            next(events)
        soon(lambda: [line["path"] for line in app.requests()], lambda paths: paths == [EVENTS_PATH])
        assert app.process.stderr == []


# Without HTTP: a listener that reads when the test wants it to


class Listener:
    """Takes what is sent while it reads, and can leave."""

    def __init__(self) -> None:
        self.reads = asyncio.Event()
        self.reads.set()
        self.left = asyncio.Event()
        self.sent: list[bytes] = []
        self._more = asyncio.Condition()

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        async with self._more:
            self.sent.append(message["body"])
            self._more.notify_all()

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def heard(self, number: int) -> list[bytes]:
        """What was sent, once it is so much."""
        async with asyncio.timeout(10), self._more:
            await self._more.wait_for(lambda: len(self.sent) >= number)
        return self.sent


def events_on(board: Board, heartbeat: float = 60, patience: float = 60) -> Events:
    """The streams of a board that the test writes."""
    settings = read_settings(environ_of("http://127.0.0.1:9"))
    return Events(board, StatusCache(board, settings), Shutdown(), heartbeat=heartbeat, patience=patience)


def check(board: Board) -> None:
    """Puts a result on a board."""
    board.put_result(Result(WORKER_ID, Finding(State.OPERATIONAL, "Fine."), utc_now(), utc_now(), 1.0))


def read(sent: bytes) -> list[Event]:
    """The events in a part of a stream."""
    return [*events_of(iter(sent.decode().split("\n")))]


def test_who_reads_slowly_gets_the_latest_and_nothing_piles_up() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        stream = asyncio.create_task(events_on(board).run(listener.receive, listener.send, "public"))
        await listener.heard(1)
        listener.reads.clear()
        for _ in range(50):
            check(board)
            await asyncio.sleep(0.03)
        listener.reads.set()
        check(board)
        sent = await listener.heard(3)
        assert read(sent[0])[0].version == 0
        assert read(sent[-1])[0].version == board.snapshot.version
        listener.left.set()
        await stream
        assert len(sent) == 3

    asyncio.run(scenario())


def test_who_does_not_read_at_all_is_given_up() -> None:
    async def scenario() -> None:
        listener = Listener()
        listener.reads.clear()
        async with asyncio.timeout(5):
            await events_on(Board(IDS, utc_now()), patience=0.05).run(
                listener.receive, listener.send, "public"
            )
        assert listener.sent == []

    asyncio.run(scenario())


def test_silence_is_broken_by_comments() -> None:
    async def scenario() -> None:
        listener = Listener()
        events = events_on(Board(IDS, utc_now()), heartbeat=0.05)
        stream = asyncio.create_task(events.run(listener.receive, listener.send, "public"))
        first, *comments = await listener.heard(4)
        assert [event.type for event in read(first)] == ["status"]
        assert set(comments) == {b":\n\n"}
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_says_when_incidents_or_days_changed() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        stream = asyncio.create_task(events_on(board).run(listener.receive, listener.send, "public"))
        await listener.heard(1)
        board.put_open_incidents(())
        board.put_days({name: (Day(date=utc_now().date()),) for name in IDS})
        await listener.heard(2)
        check(board)
        parts = await listener.heard(3)
        assert [[event.type for event in read(part)] for part in parts] == [
            ["status"],
            ["status", "incidents", "history"],
            ["status"],
        ]
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_an_event_of_another_process_has_another_id() -> None:
    started = datetime(2026, 11, 23, tzinfo=UTC)
    assert event_id(started, 7) == "1795392000000-7"
    assert event_id(started + timedelta(milliseconds=1), 7) != event_id(started, 7)
