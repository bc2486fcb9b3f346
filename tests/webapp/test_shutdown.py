"""The stop signal: what is in flight finishes, nothing new is taken, and the exit status is 0."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import pytest

from tests.webapp.environment import environ_of
from tests.webapp.faults import silence
from tests.webapp.processes import App, running_app
from webapp.contract import READY_PATH, STATUS_PATH, STOP_SIGNAL

STOP = signal.Signals[STOP_SIGNAL]


@contextmanager
def in_flight(shutdown_timeout: int) -> Iterator[tuple[App, Future[httpx.Response]]]:
    """An app and a request that it answers only when its deadline has passed."""
    with (
        silence() as server,
        ThreadPoolExecutor() as pool,
        running_app(environ_of(server.url, shutdown_timeout=shutdown_timeout)) as app,
    ):
        request = pool.submit(app.client.get, "/api/incidents")
        # The answer takes until the deadline of its call, so a moment is time enough to be asked.
        time.sleep(0.3)
        assert not request.done()
        yield app, request


@pytest.mark.parametrize("number", [STOP, signal.SIGINT])
def test_an_idle_app_stops_at_once(embedded_aws: str, number: signal.Signals) -> None:
    with running_app(environ_of(embedded_aws)) as app:
        app.client.get(STATUS_PATH)
        started = time.monotonic()
        app.process.signal(number)
        assert app.process.wait() == 0
        assert time.monotonic() - started < 5
        assert app.process.stderr == []


def test_a_request_in_flight_is_answered_and_no_new_one_is_taken() -> None:
    with in_flight(shutdown_timeout=20) as (app, request):
        app.process.signal(STOP)
        app.process.wait_for("Waiting for connections to close")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", app.port), timeout=5)
        assert not request.done()
        answer = request.result()
        assert answer.status_code == 503
        assert answer.headers["connection"] == "close"
        assert answer.json()["detail"] == "The app's table did not answer in time. Try again."
        assert app.process.wait() == 0
        assert [line["status"] for line in app.requests()] == [503]


def test_the_app_is_not_ready_from_the_stop_signal_on() -> None:
    # Idle connections close at once, so the question waits behind a request in flight.
    requests = b"GET /api/incidents HTTP/1.1\r\nHost: a\r\n\r\nGET %s HTTP/1.1\r\nHost: a\r\n\r\n"
    with (
        in_flight(shutdown_timeout=20) as (app, _),
        socket.create_connection(("127.0.0.1", app.port), timeout=20) as connection,
    ):
        connection.sendall(requests % READY_PATH.encode())
        time.sleep(0.3)
        app.process.signal(STOP)
        answers = b""
        while received := connection.recv(65536):
            answers += received
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"503", b"503"]
        assert answers.endswith(b'{"ready":false,"reason":"The app is about to stop."}')
        assert app.process.wait() == 0


def test_a_request_that_outlasts_the_shutdown_timeout_holds_nothing_up() -> None:
    with in_flight(shutdown_timeout=1) as (app, request):
        app.process.signal(STOP)
        assert request.result().status_code == 500
        assert app.process.wait() == 0


def test_a_second_stop_signal_does_not_cut_a_request_in_flight() -> None:
    with in_flight(shutdown_timeout=20) as (app, request):
        app.process.signal(STOP)
        app.process.wait_for("Waiting for connections to close")
        app.process.signal(STOP)
        assert request.result().status_code == 503
        assert app.process.wait() == 0
