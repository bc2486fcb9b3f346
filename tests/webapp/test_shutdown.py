"""The stop signal: what is in flight finishes, nothing new is taken, and the exit status is 0."""

import re
import signal
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import httpx
import pytest

from tests.webapp.crowd import crowd
from tests.webapp.environment import environ_of
from tests.webapp.faults import silence
from tests.webapp.processes import App, running_app
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH, STOP_SIGNAL
from webapp.endpoints.incidents import INCIDENTS_PATH

pytestmark = pytest.mark.e2e

STOP = signal.Signals[STOP_SIGNAL]


@contextmanager
def in_flight(shutdown_timeout: int) -> Iterator[tuple[App, Future[list[httpx.Response]]]]:
    """An app and a request that it answers only when its deadline has passed."""
    with (
        silence() as server,
        running_app(environ_of(server.url, shutdown_timeout=shutdown_timeout)) as app,
        crowd(app.port, INCIDENTS_PATH, 1) as asked,
    ):
        assert not asked.done()
        yield app, asked


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
    with in_flight(shutdown_timeout=20) as (app, asked):
        app.process.signal(STOP)
        app.process.wait_for("Waiting for connections to close")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", app.port), timeout=5)
        assert not asked.done()
        (answer,) = asked.result()
        assert answer.status_code == 503
        assert answer.headers["connection"] == "close"
        assert answer.json()["detail"] == "The app's table did not answer in time. Try again."
        assert app.process.wait() == 0
        assert [(line["path"], line["status"]) for line in app.requests()] == [
            (HEALTH_PATH, 200),
            (INCIDENTS_PATH, 503),
        ]


def test_the_app_is_not_ready_from_the_stop_signal_on() -> None:
    # Idle connections close at once, so the question waits behind a request in flight.
    requests = b"GET /api/incidents HTTP/1.1\r\nHost: a\r\n\r\nGET %s HTTP/1.1\r\nHost: a\r\n\r\n"
    with (
        in_flight(shutdown_timeout=20) as (app, _),
        socket.create_connection(("127.0.0.1", app.port), timeout=20) as connection,
    ):
        connection.sendall(requests % READY_PATH.encode())
        # Connections are taken in order.
        app.client.get(HEALTH_PATH)
        app.process.signal(STOP)
        answers = b""
        while received := connection.recv(65536):
            answers += received
        assert re.findall(rb"HTTP/1.1 (\d+)", answers) == [b"503", b"503"]
        assert answers.endswith(b'{"ready":false,"reason":"The app is about to stop."}')
        assert app.process.wait() == 0


def test_a_request_that_outlasts_the_shutdown_timeout_holds_nothing_up() -> None:
    with in_flight(shutdown_timeout=1) as (app, asked):
        app.process.signal(STOP)
        assert [answer.status_code for answer in asked.result()] == [500]
        assert app.process.wait() == 0


def test_a_second_stop_signal_does_not_cut_a_request_in_flight() -> None:
    with in_flight(shutdown_timeout=20) as (app, asked):
        app.process.signal(STOP)
        app.process.wait_for("Waiting for connections to close")
        app.process.signal(STOP)
        assert [answer.status_code for answer in asked.result()] == [503]
        assert app.process.wait() == 0
