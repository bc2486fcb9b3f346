"""ASGI middleware around the app, the outermost first."""

import logging
import os
import re
import sys
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.logs import current_request_id, line_of, logger
from webapp.responses import HTTPProblem, ProblemResponse


class StartupErrors:
    """ASGI middleware: reduces the traceback of a failed start to its error, which the server logs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _shortened(send) if scope["type"] == "lifespan" else send)


def _shortened(send: Send) -> Send:
    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message["message"].strip().rpartition("\n")[2]
            message = {**message, "message": f"The app cannot start: {last_line}"}
        await send(message)

    return send_short


REQUEST_ID_HEADER: Final = b"x-request-id"
_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TRACE_HEADER: Final = b"x-amzn-trace-id"
_LONGEST_TRACE_ID: Final = 256
_LONGEST_PATH: Final = 1024


class RequestLog:
    """ASGI middleware: gives each request an id, and logs it when it is answered.

    The line has no query string, headers or body, except the load balancer's trace id. Source of that header:
    Elastic Load Balancing User Guide, "Request tracing for your ALB".
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.time()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        identifier = _request_id_of(scope)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (REQUEST_ID_HEADER, identifier.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            if logger.isEnabledFor(logging.INFO):
                _log_request(scope, status, started, identifier)


def _log_request(scope: Scope, status: int, started: float, identifier: str) -> None:
    """Logs a request without a `LogRecord`, which takes as long as a response."""
    now = time.time()
    fields: dict[str, object] = {
        "method": scope["method"],
        "path": scope["path"][:_LONGEST_PATH],
        "status": status,
        "duration_ms": round((now - started) * 1000, 1),
        "request_id": identifier,
    }
    for name, value in scope["headers"]:
        if name == _TRACE_HEADER:
            fields["trace_id"] = value[:_LONGEST_TRACE_ID].decode("latin-1")
    sys.stdout.buffer.write(line_of(now, "info", logger.name, "request", fields) + b"\n")
    sys.stdout.buffer.flush()


def _request_id_of(scope: Scope) -> str:
    """Returns the client's id if it has 8 to 64 safe characters, else a new one."""
    identifier = ""
    for name, value in scope["headers"]:
        if name == REQUEST_ID_HEADER and _REQUEST_ID.fullmatch(value):
            identifier = value.decode()
    identifier = identifier or os.urandom(16).hex()
    current_request_id.set(identifier)
    return identifier


CONTENT_SECURITY_POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Scripts, styles and images come from the app's own origin, never inline.

Source: W3C Content Security Policy Level 3.
"""

PERMISSIONS_POLICY: Final = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "browsing-topics",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)
"""Browser features that the page may not use. Source: W3C Permissions Policy."""

STRICT_TRANSPORT_SECURITY: Final = "max-age=31536000"
"""One year, without subdomains, which the app does not control. Source: RFC 6797, section 6.1."""

SECURITY_HEADERS: Final = tuple(
    (name.lower().encode(), value.encode())
    for name, value in {
        "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": PERMISSIONS_POLICY,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        # For older browsers: the same as frame-ancestors.
        "X-Frame-Options": "DENY",
    }.items()
)
_HEADERS_OVER_HTTPS: Final = (
    *SECURITY_HEADERS,
    (b"strict-transport-security", STRICT_TRANSPORT_SECURITY.encode()),
)
_OVER_HTTPS: Final = (b"x-forwarded-proto", b"https")


class SecurityHeaders:
    """ASGI middleware: adds security headers to every response.

    Strict-Transport-Security is sent only if the load balancer received the request over HTTPS
    (RFC 6797, section 7.2; Elastic Load Balancing, "X-Forwarded-Proto").
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        added = _HEADERS_OVER_HTTPS if _OVER_HTTPS in scope["headers"] else SECURITY_HEADERS

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *added]
            await send(message)

        await self.app(scope, receive, send_with_headers)


LARGEST_TARGET: Final = 4096
"""Bytes of path and query string. RFC 9110, section 15.5.15."""

LARGEST_HEADERS: Final = 16_384
"""Bytes of all header names and values. RFC 6585, section 5."""

LARGEST_BODY: Final = 32_768
"""Bytes of a body. RFC 9110, section 15.5.14."""


class Limits:
    """ASGI middleware: rejects oversized requests with 414, 431 or 413.

    A body without a length is rejected as soon as too much of it has been read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _limited(receive) if _has_body(scope) else receive, send)


def _refusal(scope: Scope) -> ProblemResponse | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > LARGEST_TARGET:
        detail = f"The address is longer than {LARGEST_TARGET} bytes."
        return ProblemResponse(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length" and int(value) > LARGEST_BODY:
            return ProblemResponse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, _CLOSE)
    if size > LARGEST_HEADERS:
        detail = f"The headers are longer than {LARGEST_HEADERS} bytes."
        return ProblemResponse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    return None


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _limited(receive: Receive) -> Receive:
    size = 0

    async def receive_and_count() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise HTTPProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, _CLOSE)
        return message

    return receive_and_count


_TOO_LARGE: Final = f"The body is larger than {LARGEST_BODY} bytes."
_CLOSE: Final = {"Connection": "close"}
"""The rest of the body is not read."""


_METHODS: Final = frozenset({"GET", "HEAD"})


class HotPaths:
    """ASGI middleware: passes GET and HEAD of hot paths directly to their applications.

    Routing and error handling take longer than these responses, which cannot fail.
    """

    def __init__(self, app: ASGIApp, hot: Mapping[str, ASGIApp]) -> None:
        self.app = app
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self._hot.get(scope["path"]) if scope["type"] == "http" else None
        if hot is not None and scope["method"] in _METHODS:
            await hot(scope, receive, send)
        else:
            await self.app(scope, receive, send)
