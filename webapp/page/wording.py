"""Formats times, ages, latencies and percentages for the page. `assets/page.js` formats ages the same way."""

import math
from datetime import UTC, date, datetime
from typing import Final

_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NBSP: Final = "\N{NO-BREAK SPACE}"
_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR


def day(value: date) -> str:
    """Formats a date, such as 23 Nov 2026."""
    return f"{value.day} {_MONTHS[value.month - 1]} {value.year}"


def moment(value: datetime) -> str:
    """Formats a time in UTC to the second, such as 23 Nov 2026, 06:25:12 UTC."""
    utc = value.astimezone(UTC)
    return f"{day(utc)}, {utc:%H:%M:%S} UTC"


def minute(value: datetime) -> str:
    """Formats a time in UTC to the minute, such as 23 Nov 2026, 06:25 UTC."""
    utc = value.astimezone(UTC)
    return f"{day(utc)}, {utc:%H:%M} UTC"


def machine(value: datetime) -> str:
    """Formats a time for the attribute `datetime` and scripts: RFC 3339, in UTC, with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(seconds: float) -> str:
    """Formats an age as whole seconds, minutes, hours or days, in the largest unit that is not zero."""
    whole = max(0, math.floor(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min"
    if whole < _DAY:
        return f"{whole // _HOUR} h"
    return f"{whole // _DAY} d"


def latency(milliseconds: float) -> str:
    """Formats a latency as milliseconds below one second, else as seconds with one decimal."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s"


def duration(seconds: int) -> str:
    """Formats seconds as hours and minutes, or as seconds below a minute, with no-break spaces."""
    if seconds < _MINUTE:
        return f"{seconds}{_NBSP}s"
    hours, rest = divmod(seconds // _MINUTE, 60)
    parts = [f"{count}{_NBSP}{unit}" for count, unit in ((hours, "h"), (rest, "min")) if count]
    return _NBSP.join(parts)


def percent(value: float) -> str:
    """Formats a percentage with at most two decimals, such as 99.95% and 100%."""
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


def label(name: str) -> str:
    """Formats the name of a detail as a label: `desired_count` becomes Desired count."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
