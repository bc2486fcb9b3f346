"""HTTP/1.1 on one connection: what a client may send, and how long it may take.

uvicorn's server makes a `Connection` for each client. Source of the rules: RFC 9112.
"""

import asyncio
import math
import urllib.parse
from collections import deque
from http import HTTPStatus
from typing import Any, Final, NoReturn, cast

import httptools
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn import Config
from uvicorn.server import ServerState

from webapp.exchange import Exchange
from webapp.responses import ProblemResponse

LARGEST_TARGET: Final = 4096
"""Bytes of path and query string. RFC 9110, section 15.5.15."""

LARGEST_HEADERS: Final = 16_384
"""Bytes of all header names and values. RFC 6585, section 5."""

LARGEST_BODY: Final = 32_768
"""Bytes of a body. RFC 9110, section 15.5.14."""

LARGEST_HEAD: Final = LARGEST_HEADERS + LARGEST_TARGET
"""Bytes that an incomplete request line and headers may have, not counting the last packet."""

MOST_PIPELINED: Final = 16
"""Pipelined requests that may wait on a connection. RFC 9112, section 9.3.2."""

PATIENCE: Final = 30.0
"""Seconds in which a head, and then a body, must arrive, and in which a client must read what it was sent.

Never more than an idle connection stays open.
"""

LINGER: Final = 1.0
"""Seconds for which what a refused client still sends is discarded, so that it reads the refusal.

Source: RFC 9112, section 9.6.
"""

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_ASGI: Final = {"version": "3.0", "spec_version": "2.3"}
_NO_REQUEST: Final = "This is no HTTP request."


class RefusalError(Exception):
    """The request is not for the app. Raised in the parser's callbacks, it ends the parsing."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


class Connection(asyncio.Protocol):
    """One client's connection, which answers its requests one after another.

    The app gets requests that were read as a whole. The deadline is a number that is looked at now and then:
    a timer for each request would cost more than the rest of the reading.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._app: ASGIApp = config.loaded_app
        self._server = server_state
        self._app_state = app_state
        self._loop = asyncio.get_running_loop()
        self._keep_alive = float(config.timeout_keep_alive)
        self._patience = min(PATIENCE, self._keep_alive)
        self._parser = httptools.HttpRequestParser(self)
        self._deaf = False
        self._refusal: RefusalError | None = None
        self._running: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._writable: asyncio.Event | None = None
        self._stopping = False
        self._common: list[tuple[bytes, bytes]] = []
        self._common_lines = b""
        self._reading = self._in_head = False
        self._head_bytes = 0
        self._begin()

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins to wait for the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own protocols only
        self._client, self._local = (transport.get_extra_info(name) for name in ("peername", "sockname"))
        self._expect(self._patience)
        self._timer = self._loop.call_later(self._patience, self._look_at_deadline)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tells the app that the client is gone."""
        del exc
        self._server.connections.discard(self)
        self._timer.cancel()
        del self._parser  # it refers to this connection
        self._deaf = True
        self.resume_writing()
        self._waiting.clear()
        if self._running is not None:
            self._running.disconnect()

    def pause_writing(self) -> None:
        """Has the app wait until the client has read."""
        self._expect(self._patience)
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Lets the app go on."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None
            self._expect_next()

    def data_received(self, data: bytes) -> None:
        """Reads what the client sends."""
        if self._deaf:
            return
        was_in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            pass  # answered as if it had not asked for another protocol: RFC 9110, section 7.8
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(self._refusal or RefusalError(HTTPStatus.BAD_REQUEST, _NO_REQUEST))
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(_headers_too_large())

    def eof_received(self) -> bool:
        """Lets a client that sends no more read the answers that have not begun.

        An answer that has begun is a stream: whoever listens does not close one side, but leaves.
        """
        self._deaf = self._stopping = True
        self._reading = self._in_head = False
        return self._running is not None and not self._running.started

    # What uvicorn's server calls.

    def shutdown(self) -> None:
        """Closes the connection as soon as no request is in flight."""
        self._stopping = True
        if self._running is None and (self._in_head or not self._reading):
            self._transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Starts a request."""
        self._begin()
        self._reading = self._in_head = True
        self._expect_next()

    def on_url(self, url: bytes) -> None:
        """Reads a part of the request's target."""
        self._url += url
        if len(self._url) > LARGEST_TARGET:
            detail = f"The address is longer than {LARGEST_TARGET} bytes."
            self._reject(RefusalError(HTTPStatus.REQUEST_URI_TOO_LONG, detail))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Reads a header."""
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > LARGEST_HEADERS:
            self._reject(_headers_too_large())
        if self._in_head:  # later ones are trailers, which are not headers: RFC 9110, section 6.5.1
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Checks the head, before any of the body is read."""
        self._in_head = False
        self._expect_next()
        version = self._parser.get_http_version()
        headers = dict(self._headers)
        if version not in _VERSIONS:
            detail = f"The app speaks HTTP/1.1, not HTTP/{version}."
            self._reject(RefusalError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, detail))
        if version == "1.1" and sum(name == b"host" for name, _ in self._headers) != 1:
            self._reject(RefusalError(HTTPStatus.BAD_REQUEST, "A request needs one Host header."))
        if int(headers.get(b"content-length", b"0")) > LARGEST_BODY:
            self._reject(_body_too_large())
        waits = version == "1.1" and headers.get(b"expect", b"").lower() == b"100-continue"
        if waits and self._running is None:
            self._transport.write(_CONTINUE)

    def on_body(self, body: bytes) -> None:
        """Reads a part of the body."""
        self._body += body
        if len(self._body) > LARGEST_BODY:
            self._reject(_body_too_large())

    def on_message_complete(self) -> None:
        """Passes the request to the app, in its turn."""
        self._reading = False
        if len(self._waiting) >= MOST_PIPELINED:
            self._reject(RefusalError(HTTPStatus.BAD_REQUEST, f"{MOST_PIPELINED} requests wait already."))
        scope = self._scope()
        keep_alive = (
            self._parser.should_keep_alive()
            and not self._parser.should_upgrade()
            and scope["http_version"] == "1.1"
        )
        self._deaf = not keep_alive
        self._put(Exchange(self._app, self, scope, bytes(self._body), keep_alive=keep_alive))

    # What an exchange calls.

    def write(self, data: bytes) -> None:
        """Sends data."""
        self._transport.write(data)

    async def drained(self) -> None:
        """Returns when the client has read most of what was sent."""
        if self._writable is not None:
            await self._writable.wait()

    def header_lines(self) -> bytes:
        """Returns the lines that uvicorn gives every answer: the date, which changes once a second."""
        if self._common is not self._server.default_headers:
            self._common = self._server.default_headers
            self._common_lines = b"".join(b"%b: %b\r\n" % header for header in self._common)
        return self._common_lines

    def stays_open(self) -> bool:
        """Returns whether the connection may stay open after this answer."""
        return not self._stopping or bool(self._waiting)

    def answered(self, *, keep_alive: bool) -> None:
        """Goes on with the next request; closes the connection if there is to be none."""
        self._running = None
        if self._refusal is not None and not self._waiting:
            self._linger()
        elif not keep_alive or not self.stays_open():
            self._transport.close()
        else:
            if self._waiting:
                self._start(self._waiting.popleft())
            if not self._waiting:
                self._transport.resume_reading()
            self._expect_next()

    def abandon(self) -> None:
        """Closes the connection in the middle of an answer."""
        self._transport.abort()

    # One request.

    def _begin(self) -> None:
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self._header_bytes = self._head_bytes = 0

    def _scope(self) -> Scope:
        try:
            target = httptools.parse_url(self._url)
            raw_path = target.path or b"/"
            path = raw_path.decode("ascii")
        except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
            self._reject(RefusalError(HTTPStatus.BAD_REQUEST, "The address of the request is wrong."))
        return {
            "type": "http",
            "asgi": _ASGI,
            "http_version": self._parser.get_http_version(),
            "method": self._parser.get_method().decode("ascii"),
            "scheme": "http",
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": target.query or b"",
            "root_path": "",
            "headers": self._headers,
            "state": self._app_state.copy(),
            "client": self._client,
            "server": self._local,
        }

    def _put(self, exchange: Exchange) -> None:
        if self._running is None:
            self._start(exchange)
        else:
            self._waiting.append(exchange)
            self._transport.pause_reading()
            self._expect_next()

    def _start(self, exchange: Exchange) -> None:
        self._running = exchange
        self._expect_next()
        task = self._loop.create_task(exchange.run())
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    # Refusals and deadlines.

    def _reject(self, refusal: RefusalError) -> NoReturn:
        # The parser raises an error of its own.
        self._refusal = refusal
        raise refusal

    def _refuse(self, refusal: RefusalError) -> None:
        """Answers what cannot be passed to the app, in its turn, and reads no more."""
        self._refusal = refusal
        self._deaf = True
        self._reading = self._in_head = False
        method = self._parser.get_method().decode("ascii") if self._url else None
        path = self._url.partition(b"?")[0].decode("latin-1") or None
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "headers": self._headers,
        }
        self._put(Exchange(_answering(refusal), self, scope, b"", keep_alive=False))

    def _linger(self) -> None:
        self._transport.resume_reading()
        self._transport.write_eof()
        self._timer.cancel()
        self._timer = self._loop.call_later(LINGER, self._transport.abort)

    def _expect(self, seconds: float) -> None:
        # A client that does not read what it was sent gets no more time by sending.
        if self._writable is None:
            self._deadline = self._loop.time() + seconds

    def _expect_next(self) -> None:
        """Sets the deadline of what the client is to send next: there is none while its requests wait."""
        if self._waiting:
            self._expect(math.inf)
        elif self._reading:
            self._expect(self._patience)
        else:
            self._expect(self._keep_alive if self._running is None else math.inf)

    def _look_at_deadline(self) -> None:
        left = self._deadline - self._loop.time()
        if left <= 0 and (self._writable is not None or not self._reading):
            self._transport.abort()
            return
        self._timer = self._loop.call_later(min(max(left, 0), self._patience), self._look_at_deadline)
        if left <= 0:
            self._expect(self._patience)
            self._refuse(RefusalError(HTTPStatus.REQUEST_TIMEOUT, "The request did not arrive in time."))


def _headers_too_large() -> RefusalError:
    detail = f"The headers are longer than {LARGEST_HEADERS} bytes."
    return RefusalError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)


def _body_too_large() -> RefusalError:
    return RefusalError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body is larger than {LARGEST_BODY} bytes.")


def _answering(refusal: RefusalError) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await ProblemResponse(refusal.status, refusal.detail)(scope, receive, send)

    return answer
