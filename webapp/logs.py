"""Logging for machines: one JSON object a line on stdout."""

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
"""The id of the request that is being answered; None outside of one."""


class JsonFormatter(logging.Formatter):
    """Writes a record as one line of JSON; what is under `fields` becomes members of its own."""

    def format(self, record: logging.LogRecord) -> str:
        fields: Mapping[str, object] = getattr(record, _FIELDS, {})
        if record.exc_info:
            fields = {**fields, "exception": self.formatException(record.exc_info)}
        level = record.levelname.lower()
        return line_of(record.created, level, record.name, record.getMessage().strip(), fields).decode()


def line_of(
    seconds: float, level: str, logger_name: str, message: str, fields: Mapping[str, object]
) -> bytes:
    """Returns a line of the log, without its end; `seconds` are since the epoch."""
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
    identifier = current_request_id.get()
    own = fields if identifier is None else {**fields, "request_id": identifier}
    logger.log(level, message, extra={_FIELDS: own}, exc_info=error)
