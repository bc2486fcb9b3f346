"""Structured logging: one JSON object per line on stdout."""

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

import orjson

_FIELDS: Final = "fields"

logger: Final = logging.getLogger("webapp")

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the current request; None outside a request."""


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; its `fields` become members."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] = getattr(record, _FIELDS, {})
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        level = record.levelname.lower()
        return line_of(record.created, level, record.name, record.getMessage().strip(), fields).decode()


def line_of(
    seconds: float, level: str, logger_name: str, message: str, fields: Mapping[str, object]
) -> bytes:
    """Returns a log line without its newline; `seconds` are since the epoch."""
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
        # orjson rejects integers over 64 bits; a line must not be lost for one member.
        return json.dumps(line, default=str).encode()


def set_up_logging(level: str) -> None:
    """Sends the logs of the app and the server to stdout, from this level up.

    Other libraries log from `warning` up: at `debug`, botocore logs signed headers.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[handler], level=max(least, logging.WARNING))
    for name in (logger.name, "uvicorn"):
        logging.getLogger(name).setLevel(least)


def log(level: int, message: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
    """Logs a message with its fields, the id of the current request, and an error's traceback."""
    identifier = current_request_id.get()
    own = fields if identifier is None else {**fields, "request_id": identifier}
    logger.log(level, message, extra={_FIELDS: own}, exc_info=error)
