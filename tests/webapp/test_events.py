"""Live events: what a listener gets, how often, and how its stream ends."""

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
from pydantic import SecretStr
from starlette.types import Message

from tests.webapp.environment import IDS, TOKEN_SHA256, WATCHED, WORKER_ID, all_overdue_after, environ_of
from tests.webapp.processes import App, running_app
from tests.webapp.waiting import soon
from webapp.board import Board, Result, utc_now
from webapp.components import COMPONENTS
from webapp.contract import STATUS_PATH, STOP_SIGNAL
from webapp.endpoints.status import EVENTS_PATH, OPERATOR_EVENTS_PATH
from webapp.events import LARGEST_NUMBER, PAUSE, RECONNECTION, Events, event_id
from webapp.history.models import Day
from webapp.operators import LIFETIME, open_session
from webapp.resources import Shutdown
from webapp.responses import HTTPProblem
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
        for _ in range(LARGEST_NUMBER["public"] - 1):
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
            assert all(event.type in {"status", "times"} for event in events)
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


HOUR_AGO = utc_now() - timedelta(hours=1)


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


def events_on(
    board: Board, heartbeat: float = 60, patience: float = 60, environ: dict[str, str] | None = None
) -> Events:
    """The streams of a board that the test writes."""
    settings = read_settings(environ or environ_of("http://127.0.0.1:9"))
    return Events(board, StatusCache(board, settings), Shutdown(), heartbeat=heartbeat, patience=patience)


def check(board: Board, state: State = State.OPERATIONAL) -> None:
    """Puts a result on a board, which has been in this state for an hour."""
    now = utc_now()
    board.put_result(Result(WORKER_ID, Finding(state, "Fine."), now, HOUR_AGO, 1.0))


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
            check(board, State.DOWN)
            await asyncio.sleep(0.03)
        listener.reads.set()
        check(board, State.DEGRADED)
        sent = await listener.heard(3)
        assert read(sent[0])[0].version == 0
        assert read(sent[-1])[0].version == board.snapshot.version
        listener.left.set()
        await stream
        assert len(sent) == 3

    asyncio.run(scenario())


def test_each_new_state_is_told_but_not_faster_than_one_can_look() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        stream = asyncio.create_task(events_on(board).run(listener.receive, listener.send, "public"))
        began, changes = time.monotonic(), 0
        while time.monotonic() - began < 2.5 * PAUSE:
            changes += 1
            check(board, State.DOWN if changes % 2 else State.OPERATIONAL)
            await asyncio.sleep(0.013)
        sent = await listener.heard(3)
        versions = [read(part)[0].version for part in sent]
        assert versions == sorted(set(versions))
        assert len(sent) <= 4
        listener.left.set()
        await stream

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


def test_a_check_that_finds_nothing_new_is_told_at_the_heartbeat_by_its_time_alone() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        check(board)
        stream = asyncio.create_task(
            events_on(board, heartbeat=0.5).run(listener.receive, listener.send, "public")
        )
        await listener.heard(1)
        for _ in range(20):
            check(board)
            await asyncio.sleep(0.05)
        parts = await listener.heard(3)
        assert [[event.type for event in read(part)] for part in parts[:3]] == [
            ["status", "times"],
            ["times"],
            ["times"],
        ]
        times = json.loads(read(parts[-1])[0].data[0])
        assert times.keys() == {"now", "checked_at", "components"}
        assert times["components"][WORKER_ID].keys() == {"checked_at"}
        assert len(parts[1]) < len(parts[0]) / 4
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_a_new_state_is_told_at_once() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        stream = asyncio.create_task(events_on(board).run(listener.receive, listener.send, "public"))
        await listener.heard(1)
        check(board, State.DOWN)
        (event,) = read((await listener.heard(2))[1])
        assert event.type == "status"
        assert json.loads(event.data[0])["components"][WORKER_ID]["state"] == "down"
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_operators_are_told_what_checks_find_with_the_times() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        check(board)
        stream = asyncio.create_task(
            events_on(board, heartbeat=0.2).run(listener.receive, listener.send, "operator")
        )
        await listener.heard(1)
        board.put_result(
            Result(WORKER_ID, Finding(State.OPERATIONAL, "Fine.", {"waiting": 3}), utc_now(), HOUR_AGO, 8.0)
        )
        (event,) = read((await listener.heard(2))[1])
        told = json.loads(event.data[0])["components"][WORKER_ID]
        assert (event.type, told["finding"], told["details"], told["latency_ms"]) == (
            "times",
            "Fine.",
            {"waiting": 3},
            8.0,
        )
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_the_public_is_told_nothing_when_a_hidden_component_changes() -> None:
    hidden = [each.model_copy(update={"public": each.id != WORKER_ID}) for each in WATCHED]
    environ = environ_of("http://127.0.0.1:9") | {
        "COMPONENTS": COMPONENTS.dump_json(tuple(hidden), exclude_none=True).decode()
    }

    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        events = events_on(board, heartbeat=1.5, environ=environ)
        stream = asyncio.create_task(events.run(listener.receive, listener.send, "public"))
        await listener.heard(1)
        check(board)
        (event,) = read((await listener.heard(2))[1])
        assert event.type == "times"
        assert WORKER_ID not in event.data[0]
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_that_checks_are_overdue_is_told_though_nothing_happened() -> None:
    async def scenario() -> None:
        long_ago = utc_now() - timedelta(
            seconds=all_overdue_after(read_settings(environ_of("http://127.0.0.1:9")))
        )
        board, listener = Board(IDS, long_ago), Listener()
        soon_overdue = long_ago + timedelta(seconds=1)
        for name in IDS:
            board.put_result(Result(name, Finding(State.OPERATIONAL, "Fine."), soon_overdue, long_ago, 1.0))
        stream = asyncio.create_task(
            events_on(board, heartbeat=1).run(listener.receive, listener.send, "public")
        )
        parts = await listener.heard(2)
        stale = [json.loads(read(part)[0].data[0])["stale"] for part in parts]
        assert stale == [False, True]
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_operators_have_streams_of_their_own() -> None:
    events = events_on(Board(IDS, utc_now()))
    with ExitStack() as listeners:
        for _ in range(LARGEST_NUMBER["public"]):
            listeners.enter_context(events.counted("public"))
        with pytest.raises(HTTPProblem):
            events.stream("public")
        events.stream("operator")
        for _ in range(LARGEST_NUMBER["operator"]):
            listeners.enter_context(events.counted("operator"))
        with pytest.raises(HTTPProblem):
            events.stream("operator")


def test_an_operators_stream_ends_with_the_session(writing_app: App) -> None:
    value = open_session(SecretStr(TOKEN_SHA256), time.time() - LIFETIME + 3)
    path = OPERATOR_EVENTS_PATH
    with writing_app.client.stream("GET", path, headers={"Cookie": f"operator={value}"}) as answer:
        assert answer.status_code == 200
        assert [event.type for event in events_of(answer.iter_lines())][:1] == ["status"]
    assert writing_app.client.get(path, headers={"Cookie": f"operator={value}"}).status_code == 401


def test_says_when_incidents_or_days_changed() -> None:
    async def scenario() -> None:
        board, listener = Board(IDS, utc_now()), Listener()
        stream = asyncio.create_task(events_on(board).run(listener.receive, listener.send, "public"))
        await listener.heard(1)
        board.put_open_incidents(())
        board.put_days({name: (Day(date=utc_now().date()),) for name in IDS})
        await listener.heard(2)
        board.put_recent_incidents(())
        parts = await listener.heard(3)
        assert [[event.type for event in read(part)] for part in parts] == [
            ["status", "times"],
            ["status", "incidents", "history"],
            ["incidents"],
        ]
        listener.left.set()
        await stream

    asyncio.run(scenario())


def test_an_event_of_another_process_has_another_id() -> None:
    started = datetime(2026, 11, 23, tzinfo=UTC)
    assert event_id(started, 7) == "1795392000000-7"
    assert event_id(started + timedelta(milliseconds=1), 7) != event_id(started, 7)
