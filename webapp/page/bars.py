"""The bar of a component's last 90 days: a column a day, split by how long each state lasted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from webapp.page import wording

DAYS: Final = 90
"""Days that the bar shows, including today."""

PITCH: Final = 6
WIDTH: Final = 4
HEIGHT: Final = 32
"""Units of the drawing: the distance of two columns, a column's width and height."""

_LEAST: Final = {"operational": 4, "maintenance": 5, "degraded": 7, "down": 9, "none": 5}
"""Least height of a part: a failure of one minute is still visible. All of them fit in a column."""

_STACK: Final = ("operational", "maintenance", "degraded", "down", "none")
"""From the bottom of a column to its top; `none` is without data."""

_WORDS: Final = (
    ("down", "down"),
    ("degraded", "degraded"),
    ("maintenance", "maintenance"),
    ("none", "no data"),
)


@dataclass(frozen=True)
class DaySeconds:
    """Seconds of a day in each state, and its length so far; the rest is without data."""

    date: date
    length: float
    operational: float = 0
    degraded: float = 0
    down: float = 0
    maintenance: float = 0

    @property
    def parts(self) -> Mapping[str, float]:
        """Returns the seconds of each part of the column; a minute or less without data is left out."""
        known = {
            "operational": self.operational,
            "maintenance": self.maintenance,
            "degraded": self.degraded,
            "down": self.down,
        }
        missing = self.length - sum(known.values())
        return {part: seconds for part, seconds in known.items() if seconds > 0} | (
            {"none": missing} if missing > 60 or not any(known.values()) else {}
        )

    @property
    def words(self) -> str:
        """Returns what the day was like: Down for 4 min, no data for 2 h."""
        parts = self.parts
        if parts.keys() == {"none"}:
            return "No data"
        told = [f"{words} for {wording.duration(parts[part])}" for part, words in _WORDS if part in parts]
        return ", ".join(told).capitalize() or "Operational"

    @property
    def troubled(self) -> bool:
        """Returns whether the day was degraded or down at any time."""
        return self.down > 0 or self.degraded > 0


@dataclass(frozen=True)
class Bar:
    """The drawing of a component's last days, the oldest first, with words for those who do not see it."""

    first: date
    paths: tuple[tuple[str, str], ...]
    """A part, such as `down`, and the SVG path of its rectangles."""

    tips: Mapping[int, str]
    """Words of the days that were not operational throughout, by their position."""

    summary: str
    troubled: tuple[DaySeconds, ...]
    """The newest first."""


def bar_of(days: Iterable[DaySeconds], today: date) -> Bar:
    """Returns the bar of the days that end today; a day that is missing is without data."""
    known = {day.date: day for day in days}
    dates = [today - timedelta(days=age) for age in reversed(range(DAYS))]
    shown = [known.get(each) or DaySeconds(each, 86_400) for each in dates]
    paths: dict[str, list[str]] = {}
    for position, day in enumerate(shown):
        for part, top, height in _column(day.parts):
            paths.setdefault(part, []).append(f"M{position * PITCH} {top}h{WIDTH}v{height}h-{WIDTH}z")
    return Bar(
        first=dates[0],
        paths=tuple((part, "".join(paths[part])) for part in _STACK if part in paths),
        tips={position: day.words for position, day in enumerate(shown) if day.words != "Operational"},
        summary=_summary(shown),
        troubled=tuple(day for day in reversed(shown) if day.troubled),
    )


def _column(parts: Mapping[str, float]) -> list[tuple[str, int, int]]:
    """Returns each part of a column with its top and height; together they fill it."""
    ordered = [part for part in _STACK if part in parts]
    total, free = sum(parts.values()) or 1, HEIGHT - sum(_LEAST[part] for part in ordered)
    heights = {part: _LEAST[part] + int(free * parts[part] / total) for part in ordered}
    heights[max(ordered, key=lambda part: parts[part])] += HEIGHT - sum(heights.values())
    column, top = [], HEIGHT
    for part in ordered:
        top -= heights[part]
        column.append((part, top, heights[part]))
    return column


def _summary(days: Sequence[DaySeconds]) -> str:
    counts = {
        "down": sum(day.down > 0 for day in days),
        "degraded": sum(day.degraded > 0 and not day.down for day in days),
        "without any data": sum(day.parts.keys() == {"none"} for day in days),
    }
    told = [f"{words} on {count} day{'' if count == 1 else 's'}" for words, count in counts.items() if count]
    return f"The last {DAYS} days: {', '.join(told) or 'operational throughout'}."
