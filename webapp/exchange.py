"""One request and its answer, as an ASGI application sees them."""

import asyncio
import logging
import os
import re
import time
from functools import lru_cache
from http import HTTPStatus
from typing import Final, Protocol

from starlette.types import ASGIApp, Message, Scope

from webapp.logs import current_request_id, log, log_request
from webapp.responses import unexpected_problem
from webapp.security_headers import security_headers

_STATUS_LINES: Final = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}
_WITHOUT_BODY: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})

_NAME: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9a-z-]+")
"""RFC 9110, section 5.6.2; ASGI has names in lower case."""

_VALUE: Final = re.compile(rb"[^\x00-\x08\x0a-\x1f\x7f]*")
"""RFC 9110, section 5.5."""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_DIFFERENT_LINES: Final = 1024


class Wire(Protocol):
    """The connection, as an exchange uses it."""

    def write(self, data: bytes) -> None:
        """Sends data."""

    async def drained(self) -> None:
        """Returns when the client has read most of what was sent."""

    def answered(self, *, keep_alive: bool) -> None:
        """Ends the exchange whose turn it is: its answer is complete."""

    def abandon(self) -> None:
        """Closes the connection in the middle of an answer."""

    def header_lines(self) -> bytes:
        """Returns the header lines that every answer has."""

    def stays_open(self) -> bool:
        """Returns whether the connection may stay open after this answer."""


class Exchange:
    """A request that was read as a whole, and its answer. Its line in the log tells the outcome.

    `started` says that a part of the answer was sent; `keep_alive`, that the connection may stay open.
    """

    def __init__(self, app: ASGIApp, wire: Wire, scope: Scope, body: bytes, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self._app = app
        self._wire = wire
        self._scope = scope
        self._body: bytes | None = body
        self._received_at = time.time()
        self._headers = dict(scope["headers"])
        self._identifier = _request_id(self._headers.get(b"x-request-id", b""))
        self._status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        self._start: Message | None = None
        self.started = False
        self._complete = False
        self._chunked = False
        self._disconnected = False
        self._ended: asyncio.Event | None = None

    async def run(self) -> None:
        """Has the app answer. Whatever it raises ends in an answer or the connection's end."""
        current_request_id.set(self._identifier)
        try:
            await self._app(self._scope, self._receive, self._send)
        except BaseException as error:  # noqa: BLE001 - the server's end of the line, and of cancelled requests
            log(logging.ERROR, "the app failed to answer", {"path": self._scope["path"]}, error)
        if not self._complete and not self._disconnected:
            await self._fail()
        trace = self._headers.get(b"x-amzn-trace-id")
        log_request(
            self._scope["method"],
            self._scope["path"],
            self._status,
            self._received_at,
            self._identifier,
            trace,
        )

    def disconnect(self) -> None:
        """Tells the app that the client is gone."""
        self._disconnected = True
        if self._ended is not None:
            self._ended.set()

    async def _fail(self) -> None:
        if self.started:
            self._wire.abandon()
            return
        self._start = None
        await unexpected_problem()(self._scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if not self._complete and not self._disconnected:
            if self._ended is None:
                self._ended = asyncio.Event()
            await self._ended.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        await self._wire.drained()
        if message["type"] == "http.response.start":
            # It is sent together with the beginning of the body.
            self._start = message
            self._status = message["status"]
            return
        if self._disconnected or self._complete:
            return
        body, final = message.get("body", b""), not message.get("more_body", False)
        head = b""
        if self._start is not None:
            head, self._start, self.started = self._head(self._start), None, True
        if self._scope["method"] == "HEAD" or self._status in _WITHOUT_BODY:
            body = b""
        elif self._chunked:
            body = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if final else b"")
        self._wire.write(head + body)
        if final:
            self._complete = True
            if self._ended is not None:
                self._ended.set()
            self._wire.answered(keep_alive=self.keep_alive)

    def _head(self, start: Message) -> bytes:
        """Returns the status line and the header lines. RFC 9112, section 6, on the length of a body."""
        lines = [_STATUS_LINES[self._status], self._wire.header_lines()]
        content_type, has_length = b"", False
        own: tuple[bytes, ...] = ()
        for header in start["headers"]:
            lines.append(_line(header))
            match header[0]:
                case b"content-type":
                    content_type = header[1]
                case b"content-length":
                    has_length = True
                case b"content-security-policy" | b"referrer-policy":
                    own += (header[0],)
                case b"connection":
                    self.keep_alive = False
        https = self._headers.get(b"x-forwarded-proto") == b"https"
        lines.append(security_headers(content_type, https=https, own=own))
        if not has_length and self._status not in _WITHOUT_BODY and self._scope["method"] != "HEAD":
            if self._scope["http_version"] == "1.1":
                self._chunked = True
                lines.append(b"transfer-encoding: chunked\r\n")
            else:
                self.keep_alive = False
        self.keep_alive = self.keep_alive and self._wire.stays_open()
        if not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"x-request-id: %b\r\n\r\n" % self._identifier.encode())
        return b"".join(lines)


@lru_cache(maxsize=_DIFFERENT_LINES)
def _line(header: tuple[bytes, bytes]) -> bytes:
    """Returns a header's line. Raises `ValueError` if it would not be one."""
    name, value = header
    if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
        raise ValueError(f"not a header: {name!r}: {value!r}")
    return b"" if name == b"connection" else b"%b: %b\r\n" % header


def _request_id(given: bytes) -> str:
    """Returns the client's id if it has 8 to 64 safe characters, else a new one."""
    return given.decode() if _REQUEST_ID.fullmatch(given) else os.urandom(16).hex()
