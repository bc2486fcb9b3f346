"""When a job runs, by a schedule that the platform has written out in numbers.

Source of the meaning: EventBridge Scheduler User Guide, "Schedule types".
"""

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

LONGEST_LOOK: Final = timedelta(days=366 * 8)
"""How far ahead a run is looked for: the next 29 February may be eight years away."""

Day = Annotated[int, Field(ge=1, le=31)]


class Calendar(BaseModel):
    """Points of the calendar. Where a field is None, each of its values counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: str
    minutes: tuple[Annotated[int, Field(ge=0, le=59)], ...] | None = None
    hours: tuple[Annotated[int, Field(ge=0, le=23)], ...] | None = None
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] | None = None
    years: tuple[int, ...] | None = None
    days: tuple[Day, ...] | None = None
    """Days of the month."""

    last_day: bool = False
    """Whether it is the last day of the month."""

    near_day: Day | None = None
    """The day whose nearest one from Monday to Friday, within the month, it is."""

    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] | None = None
    """Days of the week, from Monday, 1."""

    which: Annotated[int, Field(ge=-1, le=5)] | None = None
    """Which one of those in a month: 1 to 5, or -1 for the last one."""

    def next_run(self, after: datetime) -> datetime | None:
        """Returns the first run later than a moment, in UTC; None if there is none for eight years.

        A time that the clock skips in spring has no run; one that it shows twice in autumn has one.
        """
        zone = ZoneInfo(self.timezone)
        first = after.astimezone(zone).date()
        for number in range(LONGEST_LOOK.days):
            day = first + timedelta(days=number)
            if self._includes(day):
                for run in self._runs_on(day, zone):
                    if run > after.astimezone(UTC):
                        return run
        return None

    def _runs_on(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        for hour in self.hours or range(24):
            for minute in self.minutes or range(60):
                run = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                there = run.astimezone(UTC)
                if there.astimezone(zone).replace(tzinfo=None) == run.replace(tzinfo=None):
                    yield there

    def _includes(self, day: date) -> bool:
        if (self.months and day.month not in self.months) or (self.years and day.year not in self.years):
            return False
        last = calendar.monthrange(day.year, day.month)[1]
        if self.last_day:
            return day.day == last
        if self.near_day:
            return self.near_day <= last and day.day == _near(day.replace(day=self.near_day), last)
        if self.days:
            return day.day in self.days
        if self.weekdays and day.isoweekday() not in self.weekdays:
            return False
        if self.which:
            return day.day + 7 > last if self.which == -1 else (day.day - 1) // 7 + 1 == self.which
        return True


def _near(day: date, last: int) -> int:
    """Returns the day of the month, from Monday to Friday, that is nearest to a day."""
    match day.isoweekday():
        case 6:
            return day.day - 1 if day.day > 1 else day.day + 2
        case 7:
            return day.day + 1 if day.day < last else day.day - 2
    return day.day


class Interval(BaseModel):
    """A regular interval, which begins at a moment that only AWS knows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: Annotated[int, Field(gt=0)]

    def next_run(self, after: datetime) -> datetime:
        """Returns when the run after a moment begins at the latest."""
        return after + timedelta(seconds=self.seconds)


Schedule = Calendar | Interval
