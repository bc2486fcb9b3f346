"""A log event as a person reads it: time, level, task, message, and the rest behind."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from rich.text import Text

from ops.look.logs import LogEvent

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

# What comes from outside must not move the cursor, colour the terminal or forge a line of its own.
_CONTROLS: Final = {
    number: f"\\x{number:02x}" for number in (*range(0x20), *range(0x7F, 0xA0)) if number != ord("\t")
} | {
    number: f"\\u{number:04x}" for number in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
}


def readable(event: LogEvent) -> Text:
    """An event in one line; of an error's traceback, each line follows indented.

    A message that is no JSON object with a `message` of its own is shown as it is. Control
    characters are shown as escapes, but for tabs.
    """
    content = _object(event.message)
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
    """The task that a stream is of: the first digits of its id, or the stream's name if it has another form.

    Source of the form: Amazon ECS Developer Guide, "awslogs log driver": prefix/container/task id.
    """
    task = stream.rpartition("/")[2]
    is_id = len(task) >= 32 and all(character in "0123456789abcdef-" for character in task)
    return task[:_ID_DIGITS] if is_id else clean(stream)


def clean(text: str) -> str:
    """Text without what a terminal would act on, or what cannot be written: halves of characters in JSON."""
    return text.translate(_CONTROLS).encode(errors="backslashreplace").decode()


def _object(message: str) -> Mapping[str, object]:
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
    """When the app says it was, which is more exact; else when CloudWatch was told."""
    try:
        at = datetime.fromisoformat(str(content["time"])).astimezone(UTC)
    except (KeyError, ValueError, OverflowError):
        try:
            at = datetime.fromtimestamp(event.at / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            return str(event.at)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
