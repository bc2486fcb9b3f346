"""Gives each request an id, and writes one line about it when it is answered."""

import logging
import os
import re
import sys
import time
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.logs import current_request_id, line_of, logger

HEADER: Final = b"x-request-id"
_ACCEPTED: Final = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_TRACE_HEADER: Final = b"x-amzn-trace-id"
_LONGEST_TRACE_ID: Final = 256
_LONGEST_PATH: Final = 1024


class RequestLog:
    """ASGI middleware: gives each request its id, and writes one line about it when it is answered.

    The line has neither query string nor headers nor body, but for the load balancer's trace id.
    Source of that header: Elastic Load Balancing User Guide, "Request tracing for your ALB".
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.time()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR
        identifier = _begin(scope)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, identifier.encode())]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            if logger.isEnabledFor(logging.INFO):
                _write_about(scope, status, started, identifier)


def _write_about(scope: Scope, status: int, started: float, identifier: str) -> None:
    """Writes the line of a request without the detour of a `LogRecord`, which takes as long as an answer."""
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


def _begin(scope: Scope) -> str:
    """Takes over the caller's id if it is 8 to 64 harmless characters, else makes one."""
    identifier = ""
    for name, value in scope["headers"]:
        if name == HEADER and _ACCEPTED.fullmatch(value):
            identifier = value.decode()
    identifier = identifier or os.urandom(16).hex()
    current_request_id.set(identifier)
    return identifier
