"""The log of a service in CloudWatch Logs: past events, and new ones as they arrive.

Source: CloudWatch Logs API Reference, FilterLogEvents.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as AwsConnectionError
from rich.text import Text

from ops.core.errors import OpsError, UsageError

OVERLAP: Final = 60_000
"""Milliseconds by which requests of `follow` overlap: events of several tasks arrive out of order."""

INTERVAL: Final = 2.0
"""Seconds between two requests; CloudWatch Logs allows five a second in an account and region."""

_SPAN: Final = re.compile(r"([1-9]\d{0,5})([smhdw])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_RFC_3339: Final = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_PASSING: Final = frozenset(
    {"ThrottlingException", "ServiceUnavailableException", "InternalFailure", "LimitExceededException"}
)


_COLOURS: Final = {
    "debug": "dim",
    "info": "green",
    "warning": "yellow",
    "error": "red",
    "critical": "bold red",
}
_OURS: Final = ("time", "level", "message", "logger", "exception")
_LEVEL_WIDTH: Final = 8
_ID_DIGITS: Final = 8

# Third-party text must not move the cursor, colour the terminal or forge a line.
_CONTROLS: Final = {
    number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0)) if number != ord("\t")
} | {
    number: f"\\u{number:04x}" for number in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


@dataclass(frozen=True, slots=True)
class LogEvent:
    """A log event. `at` is in milliseconds since the epoch."""

    id: str
    at: int
    stream: str
    message: str


def start_of(since: str, now: datetime) -> int:
    """Returns the time of `SINCE` in milliseconds since the epoch.

    Raises UsageError if it is not a time, or in the future.
    """
    if span := _SPAN.fullmatch(since):
        try:
            start = now - timedelta(**{_UNITS[span[2]]: int(span[1])})
        except OverflowError:
            start = datetime.fromtimestamp(0, UTC)
        return max(0, _milliseconds(start))
    try:
        if not _RFC_3339.fullmatch(since):
            raise ValueError(since)
        start = datetime.fromisoformat(since.upper())
        milliseconds = _milliseconds(start)
    except (ValueError, OverflowError):
        raise UsageError(
            f"SINCE={since} is not a time. Use how long ago, such as 30s, 15m, 2h, 1d or 1w, or a time "
            "such as 2026-01-31T09:00:00Z."
        ) from None
    if start > now:
        raise UsageError(f"SINCE={since} is in the future: it is now {now.isoformat(timespec='seconds')}.")
    return max(0, milliseconds)


def read(client: Any, group: str, start: int) -> Iterator[LogEvent]:
    """Yields the events of all streams of a log group from `start` on, oldest first, as CloudWatch has them.

    Raises OpsError if the group does not exist.
    """
    # AWS treats `interleaved` as true since 2019; other implementations keep streams apart without it.
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=group, startTime=start, interleaved=True
    )
    try:
        for page in pages:
            for event in page["events"]:
                yield LogEvent(event["eventId"], event["timestamp"], event["logStreamName"], event["message"])
    except client.exceptions.ResourceNotFoundException:
        raise OpsError(f"There is no log group {group}.") from None


def follow(
    client: Any,
    group: str,
    start: int,
    on_trouble: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Iterator[LogEvent]:
    """Yields the events of a log group from `start` on and then new ones, each once, without end.

    An event that arrives more than `OVERLAP` after a newer one is missed. While CloudWatch is out
    of reach or throttles, it waits longer between requests and calls `on_trouble` once.
    """
    newest = start
    seen: dict[str, int] = {}
    wait = INTERVAL
    while True:
        try:
            for event in read(client, group, max(start, newest - OVERLAP)):
                newest = max(newest, event.at)
                if event.id not in seen:
                    seen[event.id] = event.at
                    yield event
        except (AwsConnectionError, HTTPClientError, ClientError) as error:
            if isinstance(error, ClientError) and error.response["Error"]["Code"] not in _PASSING:
                raise
            if wait == INTERVAL:
                on_trouble(f"{error} Trying again.")
            wait = min(wait * 2, 30.0)
        else:
            wait = INTERVAL
        seen = {key: at for key, at in seen.items() if at >= newest - OVERLAP}
        pause(wait)


def _milliseconds(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def readable(event: LogEvent) -> Text:
    """Returns an event in one line, followed by the indented lines of its traceback if it has one.

    A message that is not a JSON object with a `message` is shown unchanged. Control characters are
    shown as escapes, except tabs.
    """
    content = json_object(event.message)
    said = content.get("message")
    known = isinstance(said, str)
    level = str(content.get("level", "")).lower() if known else ""
    lines = str(said).splitlines() if known else event.message.splitlines()
    first, *more = lines or [""]
    text = Text.assemble(
        (_time(event, content), "dim"),
        " ",
        (f"{clean(level.upper())[:_LEVEL_WIDTH]:<{_LEVEL_WIDTH}}", _COLOURS.get(level, "")),
        " ",
        (short_name(event.stream), "cyan"),
        " ",
        clean(first),
    )
    if known:
        for name, value in content.items():
            if name not in _OURS:
                text.append(f" {clean(name)}=", "dim").append(_value(value))
        more.extend(str(content.get("exception", "")).splitlines())
    for line in more:
        text.append(f"\n    {clean(line)}")
    return text


def short_name(stream: str) -> str:
    """Returns the first digits of the task id in a stream's name, or the name if it has another form.

    Source of the form: Amazon ECS Developer Guide, "awslogs log driver": prefix/container/task id.
    """
    task = stream.rpartition("/")[2]
    is_id = len(task) >= 32 and all(character in "0123456789abcdef-" for character in task)
    return task[:_ID_DIGITS] if is_id else clean(stream)


def clean(text: str) -> str:
    """Escapes what a terminal would act on, and lone surrogates of JSON, which cannot be encoded."""
    return text.translate(_CONTROLS).encode(errors="backslashreplace").decode()


def json_object(message: str) -> Mapping[str, Any]:
    """Returns the JSON object that a text is; an empty one if it is something else."""
    try:
        content = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _value(value: object) -> str:
    if isinstance(value, str) and value and not any(each.isspace() or each in "\"'=" for each in value):
        return clean(value)
    return clean(json.dumps(value, ensure_ascii=False))


def _time(event: LogEvent, content: Mapping[str, object]) -> str:
    """Returns the time in the app's own record, which is more exact, or else CloudWatch's."""
    try:
        at = datetime.fromisoformat(str(content["time"])).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        try:
            at = datetime.fromtimestamp(event.at / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return str(event.at)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
