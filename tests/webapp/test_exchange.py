"""One request and its answer: what the client gets whatever the app does."""

import asyncio
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.exchange import Exchange

LENGTH = (b"content-length", b"2")


class Recorder:
    """A connection that keeps what is sent over it."""

    def __init__(self) -> None:
        self.sent = b""
        self.ends: list[str] = []

    def write(self, data: bytes) -> None:
        """Keeps data."""
        self.sent += data

    async def drained(self) -> None:
        """Returns at once."""

    def answered(self, *, keep_alive: bool) -> None:
        """Keeps how the answer ended."""
        self.ends.append("open" if keep_alive else "closed")

    def abandon(self) -> None:
        """Keeps that the answer has no end."""
        self.ends.append("abandoned")

    def header_lines(self) -> bytes:
        """Returns none."""
        return b""

    def stays_open(self) -> bool:
        """Returns that it does."""
        return True


def answering(status: int, headers: Iterable[tuple[bytes, bytes]], *parts: bytes) -> ASGIApp:
    """An app that sends this answer, the body part by part."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": status, "headers": list(headers)})
        for number, part in enumerate(parts, start=1):
            await send({"type": "http.response.body", "body": part, "more_body": number < len(parts)})

    return app


def answer_of(app: ASGIApp, method: str = "GET", version: str = "1.1") -> tuple[bytes, bytes, list[str]]:
    """Head and body of what the client gets, and how the answer ends."""
    recorder = Recorder()
    scope = {"type": "http", "method": method, "path": "/", "http_version": version, "headers": []}
    asyncio.run(Exchange(app, recorder, scope, b"", keep_alive=True).run())
    head, _, body = recorder.sent.partition(b"\r\n\r\n")
    return head, body, recorder.ends


def test_an_answer_with_a_length_is_sent_as_it_is() -> None:
    head, body, ends = answer_of(answering(200, [LENGTH], b"ok"))
    assert head.startswith(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n")
    assert (body, ends) == (b"ok", ["open"])


def test_an_answer_without_a_length_is_sent_in_chunks() -> None:
    head, body, ends = answer_of(answering(200, [], b"one", b"", b"three"))
    assert b"transfer-encoding: chunked" in head
    assert (body, ends) == (b"3\r\none\r\n5\r\nthree\r\n0\r\n\r\n", ["open"])


def test_an_answer_without_a_length_to_http_1_0_ends_with_the_connection() -> None:
    head, body, ends = answer_of(answering(200, [], b"one", b"three"), version="1.0")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert (body, ends) == (b"onethree", ["closed"])


@pytest.mark.parametrize(("status", "method"), [(204, "GET"), (304, "GET"), (200, "HEAD")])
def test_an_answer_that_may_have_no_body_has_none(status: int, method: str) -> None:
    head, body, ends = answer_of(answering(status, [], b"body"), method)
    assert b"transfer-encoding" not in head
    assert (body, ends) == (b"", ["open"])


# A header that would be two lines, or none.
@given(st.binary(max_size=8), st.sampled_from([b"\r", b"\n", b"\0", b"\r\n", b"\x7f"]), st.binary(max_size=8))
def test_no_header_ends_a_line(before: bytes, end: bytes, after: bytes) -> None:
    text = before + end + after
    for header in ((b"location", text), (text, b"value"), (b"Upper-Case", b"value")):
        head, _, ends = answer_of(answering(200, [header, LENGTH], b"ok"))
        assert head.startswith(b"HTTP/1.1 500 ")
        assert b"upper-case" not in head.lower()
        assert ends == ["closed"]


async def fails_at_once(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Raises what nobody foresaw."""
    raise LookupError


async def does_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    """Returns without an answer."""


async def fails_after_the_start(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Raises before any of the body is sent."""
    await send({"type": "http.response.start", "status": 200, "headers": [LENGTH]})
    raise LookupError


async def fails_in_the_middle(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Raises after a part of the body."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"one", "more_body": True})
    raise LookupError


@pytest.mark.parametrize("app", [fails_at_once, does_nothing, fails_after_the_start])
def test_an_app_that_fails_before_its_answer_is_a_problem(app: ASGIApp) -> None:
    head, body, ends = answer_of(app)
    assert head.startswith(b"HTTP/1.1 500 ")
    assert b"application/problem+json" in head
    assert body.endswith(b"}")
    assert ends == ["closed"]


def test_an_app_that_fails_in_the_middle_of_its_answer_does_not_end_it() -> None:
    _, body, ends = answer_of(fails_in_the_middle)
    assert (body, ends) == (b"3\r\none\r\n", ["abandoned"])
