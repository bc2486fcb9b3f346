"""Logging for machines: one JSON object a line on stdout, and one line a request."""

import json
import logging
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_FIELDS: Final = "fields"

logger: Final = logging.getLogger("webapp")


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; what is under `fields` becomes members of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage().strip(),
        }
        line |= getattr(record, _FIELDS, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


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


def log(level: int, message: str, fields: Mapping[str, object]) -> None:
    """Writes one line with members of its own."""
    logger.log(level, message, extra={_FIELDS: fields})


class RequestLog:
    """ASGI middleware: one line for each request, without its query string, headers and body."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self.app(scope, receive, send_and_note)
        finally:
            log(
                logging.INFO,
                "request",
                {
                    "method": scope["method"],
                    "path": scope["path"],
                    "status": status,
                    "duration_ms": round((time.perf_counter() - started) * 1000, 1),
                },
            )
