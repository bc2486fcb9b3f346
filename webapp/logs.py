"""Structured logging: one JSON object per line on stdout."""

import asyncio
import json
import logging
import os
import select
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import orjson

_FIELDS: Final = "fields"
_LONGEST_PATH: Final = 1024
_LONGEST_TRACE_ID: Final = 256

LARGEST_BACKLOG: Final = 1_048_576
"""Bytes of lines that may wait to be read; lines beyond them are lost, and counted."""

_AT_ONCE: Final = select.PIPE_BUF
"""Bytes that a pipe takes without blocking whenever it can be written to. Source: pipe(7)."""

_PAUSE: Final = 0.1
"""Seconds before a pipe that is full is tried again."""

_LAST_PATIENCE: Final = 2.0
"""Seconds in which the last lines must be read when the app ends."""

logger: Final = logging.getLogger("webapp")

current_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the current request; None outside a request."""


class LineWriter:
    """Writes lines to a file descriptor, and never blocks the event loop that it is used in.

    It writes all lines of one turn of the loop together. While nobody reads them, lines wait, up to a limit;
    then they are lost, and a line tells how many once there is room. The descriptor stays blocking, as other
    processes may share it.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._backlog = bytearray()
        self._lost = 0
        self._scheduled = False

    def write(self, line: bytes) -> None:
        """Writes a line, which has no newline, soon; at once outside an event loop."""
        if len(self._backlog) + len(line) >= LARGEST_BACKLOG:
            self._lost += 1
            return
        self._backlog += line + b"\n"
        if self._scheduled:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.drain()
            return
        self._scheduled = True
        loop.call_soon(self._flush, loop)

    def drain(self) -> None:
        """Writes what waits; gives up what is not read in time."""
        deadline = time.monotonic() + _LAST_PATIENCE
        while self._backlog and (left := deadline - time.monotonic()) > 0:
            self._write_some(left * 1000)

    def _flush(self, loop: asyncio.AbstractEventLoop) -> None:
        while self._backlog and self._write_some(0):
            pass
        self._scheduled = bool(self._backlog)
        if self._scheduled:
            loop.call_later(_PAUSE, self._flush, loop)

    def _write_some(self, milliseconds: float) -> bool:
        """Returns whether anything was written, or can never be."""
        if not self._poll.poll(milliseconds):
            return False
        try:
            written = os.write(self._descriptor, self._backlog[:_AT_ONCE])
        except OSError:
            # Whoever read the lines is gone; nobody can be told.
            written = len(self._backlog)
        del self._backlog[:written]
        if self._lost and len(self._backlog) < LARGEST_BACKLOG // 2:
            fields = {"lost": self._lost}
            self._lost = 0
            self.write(line_of(time.time(), "warning", logger.name, "log lines were lost", fields))
        return True


class _Handler(logging.Handler):
    """Writes records as lines of JSON."""

    def __init__(self, writer: LineWriter) -> None:
        super().__init__()
        self.setFormatter(JsonFormatter())
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        self._writer.write(self.format(record).encode())


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
    milliseconds = int(seconds * 1000)
    line = {
        "time": f"{_time_of(milliseconds // 1000)}.{milliseconds % 1000:03d}+00:00",
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


@lru_cache(maxsize=2)
def _time_of(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%dT%H:%M:%S}"


_writer: Final = LineWriter(1)
"""Writes to stdout."""


@contextmanager
def logging_to_stdout(level: str) -> Iterator[None]:
    """Sends the logs of the app and the server to stdout, from this level up, while the block runs.

    Other libraries log from `warning` up: at `debug`, botocore logs signed headers.
    """
    least = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(handlers=[_Handler(_writer)], level=max(least, logging.WARNING))
    for name in (logger.name, "uvicorn"):
        logging.getLogger(name).setLevel(least)
    try:
        yield
    finally:
        _writer.drain()


def log(level: int, message: str, fields: Mapping[str, object], error: BaseException | None = None) -> None:
    """Logs a message with its fields, the id of the current request, and an error's traceback."""
    identifier = current_request_id.get()
    own = fields if identifier is None else {**fields, "request_id": identifier}
    logger.log(level, message, extra={_FIELDS: own}, exc_info=error)


def log_request(
    method: str | None,
    path: str | None,
    status: int,
    received_at: float,
    identifier: str,
    trace: bytes | None,
) -> None:
    """Logs a request without a `LogRecord`, which takes as long as an answer.

    The line has no query string, headers or body, except the load balancer's trace id. Source of that header:
    Elastic Load Balancing User Guide, "Request tracing for your ALB".
    """
    if not logger.isEnabledFor(logging.INFO):
        return
    now = time.time()
    fields = {
        "method": method,
        "path": path[:_LONGEST_PATH] if path else path,
        "status": status,
        "duration_ms": round((now - received_at) * 1000, 1),
        "request_id": identifier,
    }
    if trace is not None:
        fields["trace_id"] = trace[:_LONGEST_TRACE_ID].decode("latin-1")
    _writer.write(line_of(now, "info", logger.name, "request", fields))
