"""Formats times, durations, latencies and shares for the page. `assets/page.js` formats ages the same way."""

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


def days(first: date, last: date) -> str:
    """Formats a range of dates, such as 20 to 23 Nov 2026, or 28 Nov to 2 Dec 2026."""
    if first == last:
        return day(last)
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day} to {day(last)}"
    shown = f"{first.day} {_MONTHS[first.month - 1]}" if first.year == last.year else day(first)
    return f"{shown} to {day(last)}"


def month(value: date) -> str:
    """Formats a month, such as Nov 2026."""
    return f"{_MONTHS[value.month - 1]} {value.year}"


def minute(value: datetime) -> str:
    """Formats a time in UTC to the minute, such as 23 Nov 2026, 06:25 UTC."""
    utc = value.astimezone(UTC)
    return f"{day(utc)}, {utc:%H:%M} UTC"


def clock(value: datetime) -> str:
    """Formats the time of day in UTC, such as 06:25 UTC."""
    return f"{value.astimezone(UTC):%H:%M} UTC"


def machine(value: datetime) -> str:
    """Formats a time for the attribute `datetime` and scripts: RFC 3339, in UTC, with milliseconds."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def age(seconds: float) -> str:
    """Formats an age as whole seconds, minutes, hours or days, in the largest unit that is not zero."""
    whole = max(0, math.floor(seconds))
    if whole < _MINUTE:
        return f"{whole}{_NBSP}s"
    if whole < _HOUR:
        return f"{whole // _MINUTE}{_NBSP}min"
    if whole < _DAY:
        return f"{whole // _HOUR}{_NBSP}h"
    return f"{whole // _DAY}{_NBSP}d"


def duration(seconds: float) -> str:
    """Formats a duration in its two largest units, rounded down; one unit below an hour."""
    whole = max(0, math.floor(seconds))
    if whole < _HOUR:
        return age(whole)
    big, small, units = (_HOUR, _MINUTE, ("h", "min")) if whole < _DAY else (_DAY, _HOUR, ("d", "h"))
    counts = (whole // big, whole % big // small)
    return _NBSP.join(f"{count}{_NBSP}{unit}" for count, unit in zip(counts, units, strict=True) if count)


def latency(milliseconds: float) -> str:
    """Formats a latency as milliseconds below one second, else as seconds with one decimal."""
    if milliseconds < 999.5:
        return f"{milliseconds:.0f}{_NBSP}ms"
    return f"{milliseconds / 1000:.1f}{_NBSP}s"


def percent(value: float) -> str:
    """Formats a percentage with at most two decimals, rounded down: 100 means that nothing is missing."""
    hundredths = math.floor(round(value * 100, 6))
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".") + f"{_NBSP}%"


def with_data(seconds: float, window: float) -> str | None:
    """Returns how much of a window has data, such as 87 days; None if all of it has.

    A hundredth of the window may be missing: the latest minutes are written a little later.
    """
    if seconds >= 0.99 * window:
        return None
    if seconds >= 2 * _DAY:
        return f"{math.floor(seconds / _DAY)}{_NBSP}days"
    if seconds >= 2 * _HOUR:
        return f"{math.floor(seconds / _HOUR)}{_NBSP}hours"
    if seconds < _MINUTE:
        return f"{math.floor(seconds)}{_NBSP}s"
    minutes = math.floor(seconds / _MINUTE)
    return f"{minutes}{_NBSP}minute{'' if minutes == 1 else 's'}"


def label(name: str) -> str:
    """Formats the name of a detail as a label: `desired_count` becomes Desired count."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]
