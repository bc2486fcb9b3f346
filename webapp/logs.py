"""Logging for machines: one JSON object a line on stdout, and one line a request."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import request_ids

_FIELDS: Final = "fields"
_TRACE_HEADER: Final = b"x-amzn-trace-id"
_LONGEST_TRACE_ID: Final = 256
_LONGEST_PATH: Final = 1024

logger: Final = logging.getLogger("webapp")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; what is under `fields` becomes members of its own."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] = getattr(record, _FIELDS, {})
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        level = record.levelname.lower()
        return _line(record.created, level, record.name, record.getMessage().strip(), fields).decode()


def _line(seconds: float, level: str, logger_name: str, message: str, fields: Mapping[str, object]) -> bytes:
    line = {
        "time": datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds"),
        "level": level,
        "logger": logger_name,
        "message": message,
        **fields,
    }
    try:
        return orjson.dumps(line, default=str)
    except orjson.JSONEncodeError:
        # Such as a whole number of more than 64 bits: no line may be lost for one member.
        return json.dumps(line, default=str).encode()


def set_up_logging(level: str) -> None:
    """Sends the app's and the server's log to stdout, from this level on.

    Other libraries are heard from `warning` on: at `debug`, botocore writes signed headers down.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING))
    for name in (logger.name, "uvicorn"):
        logging.getLogger(name).setLevel(least)


def log(level: int, message: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
    """Writes one line with members of its own, the id of the current request, and an error's traceback."""
    identifier = request_ids.request_id()
    own = fields if identifier is None else {**fields, "request_id": identifier}
    logger.log(level, message, extra={_FIELDS: own}, exc_info=error)


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
        identifier = request_ids.begin(scope)

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (request_ids.HEADER, identifier.encode())]
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
    sys.stdout.buffer.write(_line(now, "info", logger.name, "request", fields) + b"\n")
    sys.stdout.buffer.flush()
