"""How long a connection stays open between requests."""

import socket
import time
from collections.abc import Iterator

import pytest

from tests.webapp.environment import environ_of
from tests.webapp.processes import App, running_app
from webapp.contract import HEALTH_PATH

pytestmark = pytest.mark.e2e

KEEP_ALIVE = 2


@pytest.fixture(scope="module")
def impatient(embedded_aws: str) -> Iterator[App]:
    with running_app(environ_of(embedded_aws, keep_alive=KEEP_ALIVE)) as running:
        yield running


def ask(connection: socket.socket, *headers: str) -> bytes:
    """The head and body of the answer to a request on an open connection."""
    request = "\r\n".join([f"GET {HEALTH_PATH} HTTP/1.1", "Host: test", *headers, "", ""])
    connection.sendall(request.encode())
    answer = b""
    while not answer.endswith(b"}"):
        part = connection.recv(4096)
        assert part, "the connection closed before the answer was complete"
        answer += part
    return answer


def test_an_idle_connection_stays_open_for_the_configured_time(impatient: App) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        ask(connection)
        time.sleep(KEEP_ALIVE * 0.6)
        ask(connection)
        started = time.monotonic()
        assert connection.recv(1) == b""
        assert KEEP_ALIVE * 0.8 < time.monotonic() - started < KEEP_ALIVE + 2


def test_a_connection_closes_at_once_when_the_client_asks(impatient: App) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=10) as connection:
        assert b"connection: close" in ask(connection, "Connection: close")
        assert connection.recv(1) == b""
