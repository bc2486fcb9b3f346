"""What reaches the app before it is a request: bounded, and answered and logged like one."""

import json
import re
import socket
import time
from pathlib import Path

import pytest

from tests.webapp.processes import App
from webapp.contract import HEALTH_PATH
from webapp.protocol import LARGEST_HEAD


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
    assert b"content-security-policy: " in head
    problem = json.loads(body)
    assert problem["status"] == 400
    assert problem["request_id"].encode() in head
    line = json.loads(app.process.wait_for(f"^.*{problem['request_id']}.*$")[0])
    assert (line["message"], line["status"]) == ("request", 400)


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
