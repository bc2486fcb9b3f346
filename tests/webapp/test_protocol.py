"""What reaches the app before it is a request: bounded, and answered and logged like one."""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.webapp.environment import environ_of
from tests.webapp.processes import App, running_app
from webapp.contract import HEALTH_PATH
from webapp.protocol import LARGEST_HEAD, LARGEST_HEADERS


@pytest.fixture(scope="module")
def impatient(embedded_aws: str) -> Iterator[App]:
    """An app in which nothing may take longer than a second."""
    with running_app(environ_of(embedded_aws, keep_alive=1)) as running:
        yield running


def sent(app: App, *parts: bytes) -> bytes:
    """All that the app answers on a connection of its own, until it closes it."""
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        answer = b""
        try:
            for part in parts:
                connection.sendall(part)
            while received := connection.recv(65536):
                answer += received
        except (ConnectionResetError, BrokenPipeError):
            pass  # what the app had no use for was still on its way
        return answer


def memory(app: App) -> int:
    """Resident memory in KiB. Source: proc_pid_status(5)."""
    status = Path(f"/proc/{app.process.id}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


@pytest.mark.parametrize(
    "request_text",
    [
        b"no request at all\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
)
def test_what_is_no_http_is_a_problem_like_others(app: App, request_text: bytes) -> None:
    head, _, body = sent(app, request_text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    assert b"x-content-type-options: nosniff" in head
    problem = json.loads(body)
    assert problem["status"] == 400
    assert problem["request_id"].encode() in head
    line = json.loads(app.process.wait_for(f"^.*{problem['request_id']}.*$")[0])
    assert (line["message"], line["status"]) == ("request", 400)


@pytest.mark.parametrize(
    ("request_text", "status", "method", "path"),
    [
        (b"GET /a?token=hunter2 HTTP/1.1\r\nHost: a\r\nContent-Length: many\r\n\r\n", 400, "GET", "/a"),
        (b"GET /b HTTP/1.1\r\n\r\n", 400, "GET", "/b"),
        (b"GET /c HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "GET", "/c"),
        (b"PATCH /d HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n", 413, "PATCH", "/d"),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", 400, "CONNECT", "a:1"),
        (b"GET /e HTTP/1.1\r\nHost: a\r\nX: " + b"a" * LARGEST_HEADERS + b"\r\n\r\n", 431, "GET", "/e"),
    ],
)
def test_what_is_refused_is_logged_with_method_and_path(
    app: App, request_text: bytes, status: int, method: str, path: str
) -> None:
    head, _, body = sent(app, request_text).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"connection: close" in head
    line = json.loads(app.process.wait_for(f"^.*{json.loads(body)['request_id']}.*$")[0])
    assert (line["method"], line["path"], line["status"]) == (method, path, status)
    assert "hunter2" not in str(line)


def test_a_refusal_waits_for_the_answers_before_it(app: App) -> None:
    answer = sent(app, b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\nno request at all\r\n\r\n")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"400"]


def test_a_client_that_goes_on_sending_reads_why_it_is_refused(app: App) -> None:
    head = b"POST /api/incidents HTTP/1.1\r\nHost: a\r\nContent-Length: 5000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(head)
        connection.sendall(b"a" * 200_000)
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


def test_http_1_0_needs_no_host_and_ends_with_the_answer(app: App) -> None:
    answer = sent(app, b"GET /healthz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection: close" in answer


def test_an_event_stream_to_http_1_0_is_not_in_chunks(app: App) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(b"GET /api/events HTTP/1.0\r\n\r\n")
        answer = b""
        while b"event: status" not in answer:
            answer += connection.recv(65536)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b"retry: ")


def test_a_body_may_wait_for_the_word_to_go_on(app: App) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(head)
        assert connection.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"{}")
        assert connection.recv(65536).startswith(b"HTTP/1.1 405 ")


def test_a_client_that_asks_for_another_protocol_is_answered_in_this_one(app: App) -> None:
    headers = b"Host: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    answer = sent(app, b"GET /healthz HTTP/1.1\r\n" + headers)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"GET /",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\n",
        b"POST /api/incidents HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\nabc",
        b"POST /api/incidents HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nabc",
    ],
)
@pytest.mark.parametrize("drop", [b"", b"a"])
def test_who_never_ends_a_request_loses_the_connection(impatient: App, beginning: bytes, drop: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=0.2) as connection:
        connection.sendall(beginning)
        answer, closed = b"", False
        for _ in range(100):
            try:
                received = connection.recv(65536)
                answer += received
                closed = not received
            except TimeoutError:
                connection.sendall(drop if beginning else b"")
            except ConnectionError:
                closed = True
            if closed:
                break
        assert closed
    assert answer == b"" if not beginning else answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_many_who_never_end_their_requests_hold_nobody_up(impatient: App) -> None:
    with ExitStack() as stack:
        address = ("127.0.0.1", impatient.port)
        connections = [stack.enter_context(socket.create_connection(address, timeout=20)) for _ in range(500)]
        for connection in connections:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
        assert impatient.client.get(HEALTH_PATH).status_code == 200
        assert all(connection.recv(65536).startswith(b"HTTP/1.1 408 ") for connection in connections)


def test_two_thousand_connections_are_served(app: App) -> None:
    with ExitStack() as stack:
        connections = [
            stack.enter_context(socket.create_connection(("127.0.0.1", app.port), timeout=20))
            for _ in range(2000)
        ]
        for connection in connections:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert all(connection.recv(4096).startswith(b"HTTP/1.1 200 ") for connection in connections)


def test_headers_without_an_end_are_refused_before_they_fill_the_memory(app: App) -> None:
    line = b"X-Filler: " + b"a" * 4000 + b"\r\n"
    before = memory(app)
    answer = sent(app, b"GET / HTTP/1.1\r\nHost: a\r\n", *[line] * (20_000_000 // len(line)))
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
    assert memory(app) - before < 5_000
    assert app.client.get(HEALTH_PATH).status_code == 200


def test_headers_that_come_slowly_are_refused_once_they_are_too_large(app: App) -> None:
    line = b"X-Filler: " + b"a" * 1000 + b"\r\n"
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n")
        for _ in range(LARGEST_HEAD // len(line) + 1):
            connection.sendall(line)
            time.sleep(0.005)
        # What came with the beginning of the request, or in one packet with it, was not counted.
        connection.sendall(line * 20)
        assert connection.recv(65536).startswith(b"HTTP/1.1 431 ")


def test_some_pipelined_requests_are_answered_in_order(app: App) -> None:
    one = b"GET %s HTTP/1.1\r\nHost: a\r\n%s\r\n"
    paths = [b"/healthz", b"/nothing", b"/healthz"]
    answer = sent(app, *(one % (path, b"") for path in paths), one % (b"/nothing", b"Connection: close\r\n"))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200", b"404"]


def test_pipelined_requests_that_nobody_waits_for_do_not_fill_the_memory(app: App) -> None:
    before = memory(app)
    sent(app, *[b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 1000] * 500)
    assert memory(app) - before < 20_000
    assert app.client.get(HEALTH_PATH).status_code == 200


def test_trailers_are_not_headers(app: App) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer = sent(app, head + b"0\r\nX-Request-Id: from-a-trailer\r\nX-Forwarded-Proto: https\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 405 ")
    assert b"from-a-trailer" not in answer
    assert b"strict-transport-security" not in answer


def test_trailers_count_as_headers(app: App) -> None:
    head = b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    trailer = b"X: " + b"a" * LARGEST_HEADERS + b"\r\n\r\n"
    assert sent(app, head + trailer).startswith(b"HTTP/1.1 431 ")


def test_a_client_that_only_sends_no_more_reads_its_answer(app: App) -> None:
    with socket.create_connection(("127.0.0.1", app.port), timeout=10) as connection:
        connection.sendall(b"GET /incidents HTTP/1.1\r\nHost: a\r\n\r\nGET / HT")
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while received := connection.recv(65536):
            answer += received
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200"]


def test_http_1_0_waits_for_no_word_to_go_on(app: App) -> None:
    head = b"POST /healthz HTTP/1.0\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n"
    assert sent(app, head + b"{}").startswith(b"HTTP/1.1 405 ")


def test_another_version_of_http_is_refused(app: App) -> None:
    assert sent(app, b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n").startswith(b"HTTP/1.1 505 ")
    assert sent(app, b"GET /healthz HTTP/0.9\r\nHost: a\r\n\r\n").startswith(
        (b"HTTP/1.1 505 ", b"HTTP/1.1 400 ")
    )


@pytest.mark.parametrize("following", [b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", b"GET /healthz HT"])
def test_a_request_that_waits_ends_no_answer(impatient: App, following: bytes) -> None:
    with socket.create_connection(("127.0.0.1", impatient.port), timeout=4) as connection:
        connection.sendall(b"GET /api/events HTTP/1.1\r\nHost: a\r\n\r\n" + following)
        answer = connection.recv(65536)
        with suppress(TimeoutError):
            while True:
                received = connection.recv(65536)
                assert received
                answer += received
    assert answer.startswith(b"HTTP/1.1 200 ")


def test_a_request_behind_others_must_arrive_too(impatient: App) -> None:
    one = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
    answer = sent(impatient, one + one + b"GET /healthz HT")
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"200", b"408"]
