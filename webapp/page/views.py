"""The page's views of the status document and the last 90 days."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from webapp.history.models import Day, share, total
from webapp.page import wording
from webapp.states import Detail, State, worst
from webapp.status import OperatorComponentStatus, OperatorStatus

DAYS: Final = 90
"""Days that the page shows, including today."""

DAYS_OVERDUE_AFTER: Final = 180.0
"""Seconds after which the next read of the days is overdue: they are read once a minute."""


@dataclass(frozen=True)
class Banner:
    """The headline: the state of the platform in one line, and a note on it."""

    state: State
    heading: str
    note: str | None


@dataclass(frozen=True)
class Bar:
    """One day (UTC) of one component, by its worst state; None without records.

    `words` tells how long what lasted.
    """

    date: date
    state: State | None
    words: str


@dataclass(frozen=True)
class Figure:
    """A detail of a check as text; `at` is its time, if it is one."""

    label: str
    words: str
    at: datetime | None = None


@dataclass(frozen=True)
class ComponentHistory:
    """The last 90 days of one component, the oldest first."""

    bars: tuple[Bar, ...]
    availability: str | None
    summary: str

    @property
    def troubled(self) -> tuple[Bar, ...]:
        """Returns the days that were not operational throughout, the newest first."""
        return tuple(bar for bar in reversed(self.bars) if bar.state not in {None, State.OPERATIONAL})


@dataclass(frozen=True)
class ComponentView:
    """A component as the page shows it."""

    status: OperatorComponentStatus
    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Reading:
    """When data was last read from the table, its age, and the age at which it is overdue, in seconds."""

    at: datetime
    age: float
    overdue_after: float

    @property
    def overdue(self) -> bool:
        """Returns whether the data is out of date because recent reads failed."""
        return self.age > self.overdue_after


def reading_of(at: datetime | None, overdue_after: float, now: datetime) -> Reading | None:
    """Returns the reading of data read at a time; None if it was never read."""
    return None if at is None else Reading(at, (now - at).total_seconds(), overdue_after)


def state_of(day: Day) -> State | None:
    """Returns the worst state of a day; None without data."""
    seen = [state for state in State if day.seconds.of(state)]
    return worst(seen) if seen else None


def component_history(days: Sequence[Day], today: date) -> ComponentHistory:
    """Returns the 90 days that end today, with or without records."""
    known = {day.date: day for day in days}
    dates = [today - timedelta(days=age) for age in reversed(range(DAYS))]
    shown = [known.get(date, Day(date=date)) for date in dates]
    bars = tuple(_bar(day) for day in shown)
    found = share(total(day.seconds for day in shown)).percent
    words = None if found is None else wording.percent(found)
    return ComponentHistory(bars, words, _summary([bar.state for bar in bars], words))


def banner(status: OperatorStatus) -> Banner:
    """Returns the page's headline. If checks are overdue, it says so instead of their findings."""
    if all(component.checked_at is None for component in status.components.values()):
        return Banner(State.UNKNOWN, "Not checked yet", "The first checks are under way.")
    message = status.message.removesuffix(".")
    if status.stale:
        return Banner(State.UNKNOWN, "Checks are overdue", f"When last checked: {message}.")
    if status.checked_at is None:
        return Banner(status.state, message, "Not all components have been checked yet.")
    troubled = [each.name for each in status.components.values() if each.state is not State.OPERATIONAL]
    return Banner(status.state, message, f"This concerns {', '.join(troubled)}." if troubled else None)


def figures(details: Mapping[str, Detail]) -> tuple[Figure, ...]:
    """Returns the details of a check as text, without those that are None."""
    return tuple(_figure(name, value) for name, value in details.items() if value is not None)


def _bar(day: Day) -> Bar:
    state = state_of(day)
    if state is None:
        return Bar(day.date, None, "No data")
    troubles = (State.DOWN, State.DEGRADED, State.UNKNOWN, State.MAINTENANCE)
    parts = [(each.value, day.seconds.of(each)) for each in troubles] + [("no data", day.no_data)]
    words = ", ".join(f"{name} for {wording.duration(lasted)}" for name, lasted in parts if lasted)
    return Bar(day.date, state, f"{words[:1].upper()}{words[1:]}" or "Operational")


def _summary(states: Sequence[State | None], available: str | None) -> str:
    counts = [(state.value, states.count(state)) for state in State] + [("no data", states.count(None))]
    days = "; ".join(f"{name} on {_days(count)}" for name, count in counts if count)
    return f"Last {DAYS} days: {days}." + (f" {available} available." if available else "")


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _figure(name: str, value: Detail) -> Figure:
    label = wording.label(name)
    if isinstance(value, bool):
        return Figure(label, "Yes" if value else "No")
    if isinstance(value, str) and name.endswith("_at"):
        with suppress(ValueError):
            at = datetime.fromisoformat(value)
            return Figure(label, wording.moment(at), at)
    return Figure(label, str(value))


def component_views(status: OperatorStatus) -> tuple[ComponentView, ...]:
    """Returns all components as the page shows them."""
    return tuple(
        ComponentView(component, figures(component.details)) for component in status.components.values()
    )
