"""When something runs: what a team writes, AWS's expression for it, and the next runs.

EventBridge Scheduler and Application Auto Scaling take the same `rate` and `cron` expressions. A crontab
line of five fields and nicknames such as `@daily` are translated into them; one-time `at(...)` is refused.

    parse(text)         a `Rate` or a `Cron`, each with `.expression`, AWS's way to say it
    next_runs(...)      the runs after a moment, in a time zone
    longest_gap(...)    the longest time between two runs
    time_zone(name)     an IANA time zone

Sources: EventBridge Scheduler User Guide, "Schedule types"; Amazon EventBridge User Guide, "Rate
expressions reference" and "Cron expressions reference"; Application Auto Scaling User Guide, "Schedule
recurring scaling actions using cron expressions".
"""

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import islice, pairwise
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from stacks.cron_fields import (
    CRONTAB_WEEKDAY,
    DAY,
    HOUR,
    MINUTE,
    MONTH,
    WEEKDAY,
    YEAR,
    check_days_of_month,
    check_days_of_week,
    days_of_month,
    days_of_week,
    text_of,
    values_of,
)

NICKNAMES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "@hourly": "0 * * * *",
        "@daily": "0 0 * * *",
        "@weekly": "0 0 * * 0",
        "@monthly": "0 0 1 * *",
        "@yearly": "0 0 1 1 *",
    }
)
"""Nicknames by the five-field cron that they stand for."""

ALLOWED: Final = (
    "Use rate(1 hour), cron(0 3 * * ? *) with AWS's six fields, a crontab line of five fields such as "
    f'"0 3 * * *", or one of {", ".join(NICKNAMES)}.'
)

_RATE: Final = re.compile(r"rate\(([1-9]\d{0,5}) (minute|hour|day)(s?)\)", re.ASCII)
_CRON: Final = re.compile(r"cron\(([^()]*)\)")
_LEAP_YEAR: Final = 2028


@dataclass(frozen=True, slots=True)
class Rate:
    """A regular interval. A day is 24 hours: the clock's changes between summer and winter do not count."""

    expression: str
    interval: timedelta

    def runs(self, start: datetime, after: datetime) -> Iterator[datetime]:
        """Yields the runs later than a moment of a schedule that first runs at `start`."""
        # In UTC: between two moments of one zone, Python counts the hours that the clock shows.
        first, later = start.astimezone(UTC), after.astimezone(UTC)
        run = first + max((later - first) // self.interval + 1, 0) * self.interval
        while True:
            yield run
            run += self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """Points of the calendar. `day` is how the day of the month is chosen, and `weekday` that of the week."""

    expression: str
    minutes: frozenset[int]
    hours: frozenset[int]
    day: str
    """AWS's day-of-month field; `?` if the day of the week decides."""
    months: frozenset[int]
    weekday: str
    """AWS's day-of-week field; `?` if the day of the month decides."""
    years: frozenset[int]

    def runs(self, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
        """Yields the runs later than a moment, in a time zone, until the last year of the expression.

        A time that the clock skips in spring has no run; one that it shows twice in autumn has one.
        Source: EventBridge Scheduler User Guide, "Schedule types", daylight saving time.
        """
        first = after.astimezone(zone).date()
        for day in self._dates(first):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    run = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
                    there = run.astimezone(UTC)
                    if there.astimezone(zone).replace(tzinfo=None) != run.replace(tzinfo=None):
                        continue
                    if there > after:
                        yield run

    def _dates(self, first: date) -> Iterator[date]:
        """Yields the days that the expression means, from a day on."""
        for year in sorted(each for each in self.years if each >= first.year):
            for month in sorted(self.months):
                for number in sorted(self._days(year, month)):
                    if (day := date(year, month, number)) >= first:
                        yield day

    def _days(self, year: int, month: int) -> Iterable[int]:
        """Returns the days of a month that the expression means."""
        if self.weekday == "?":
            return days_of_month(self.day, year, month)
        return days_of_week(self.weekday, year, month)


Schedule = Rate | Cron


def parse(text: str) -> Schedule:
    """Returns what a schedule of the settings means.

    Raises ValueError, which says what is wrong with it and what is allowed.
    """
    written = " ".join(text.split())
    if match := _RATE.fullmatch(written):
        return _rate(int(match[1]), match[2], match[3])
    if match := _CRON.fullmatch(written):
        return _aws_cron(match[1].split())
    if written.startswith("at("):
        raise ValueError(f"{text!r} runs once, and a schedule repeats. {ALLOWED}")
    fields = NICKNAMES.get(written, written).split()
    if len(fields) != 5 or written.startswith(("rate", "cron")):
        raise ValueError(f"{text!r} is not a schedule. {ALLOWED}")
    return _crontab(fields)


def next_runs(
    schedule: Schedule, zone: ZoneInfo, after: datetime, count: int, start: datetime
) -> tuple[datetime, ...]:
    """Returns the next runs later than a moment, at most `count`, as times in a zone.

    `start` is when a rate first ran or runs, which a cron does without. Both moments have a zone.
    """
    runs = schedule.runs(start, after) if isinstance(schedule, Rate) else schedule.runs(zone, after)
    return tuple(run.astimezone(zone) for run in islice(runs, count))


@cache
def longest_gap(text: str, zone: ZoneInfo) -> timedelta | None:
    """Returns the longest time between two runs of a schedule as the settings have it.

    None if it ends some day, since nothing is due from then on. A gap of more than a year counts as one.
    Raises ValueError for a text that is no schedule.
    """
    schedule = parse(text)
    if isinstance(schedule, Rate):
        return schedule.interval
    if max(schedule.years) < YEAR.high:
        return None
    minutes = sorted(schedule.minutes)
    within_hour = max((b - a for a, b in pairwise(minutes)), default=0)
    # The runs at other minutes of an hour are as close together in every hour. A second year has the gap
    # over New Year, and the days of the month on other days of the week.
    sparse = dataclasses.replace(
        schedule,
        minutes=frozenset({minutes[0], minutes[-1]}),
        years=frozenset({_LEAP_YEAR, _LEAP_YEAR + 1}),
    )
    runs = sparse.runs(zone, datetime(_LEAP_YEAR, 1, 1, tzinfo=UTC))
    outside = [
        later.astimezone(UTC) - earlier.astimezone(UTC)
        for earlier, later in pairwise(runs)
        if (earlier.date(), earlier.hour) != (later.date(), later.hour)
    ]
    if not outside:
        return timedelta(days=366)
    # The clock is put back within one gap of the year, in another year within another one.
    put_back = timedelta(hours=0 if schedule.day in ("*", "?") else 1)
    return max([timedelta(minutes=within_hour), *outside]) + put_back


def time_zone(name: str) -> ZoneInfo:
    """Returns an IANA time zone.

    Raises ValueError if there is none of that name.
    """
    try:
        if not re.fullmatch(r"[A-Za-z][\w+-]*(/[\w+-]+)*", name, re.ASCII):
            raise ZoneInfoNotFoundError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        raise ValueError(
            f"{name!r} is not an IANA time zone. Use a name such as Etc/UTC, Europe/Berlin or "
            "America/New_York."
        ) from None


def _rate(value: int, unit: str, plural: str) -> Rate:
    expression = f"rate({value} {unit}{'s' if value > 1 else ''})"
    if (value > 1) != bool(plural):
        raise ValueError(f"AWS wants a unit in the singular after 1, else in the plural. Use {expression}.")
    return Rate(expression, timedelta(**{f"{unit}s": value}))


def _aws_cron(fields: list[str]) -> Cron:
    written = " ".join(fields)
    if len(fields) != 6:
        raise ValueError(
            f"cron({written}) has {len(fields)} fields; AWS's has six: minute, hour, day of month, month, "
            "day of week, year, such as cron(0 3 * * ? *)."
        )
    minute, hour, day, month, weekday, year = (field.upper() for field in fields)
    if (day == "?") == (weekday == "?"):
        raise ValueError(
            f"cron({written}): exactly one of day of month and day of week is ?; the other one decides. "
            "Use cron(0 3 * * ? *) for every day, cron(0 3 ? * MON-FRI *) for weekdays."
        )
    if weekday == "?":
        check_days_of_month(day)
    else:
        check_days_of_week(weekday)
    return _possible(
        Cron(
            expression=f"cron({written})",
            minutes=values_of(MINUTE, minute),
            hours=values_of(HOUR, hour),
            day=day,
            months=values_of(MONTH, month),
            weekday=weekday,
            years=values_of(YEAR, year),
        )
    )


def _crontab(fields: list[str]) -> Cron:
    """Translates a crontab line; its numbers are written out, since AWS counts and steps differently."""
    minute, hour, day, month, weekday = (field.upper() for field in fields)
    days = values_of(DAY, day, of_crontab=True)
    # Sunday is both 0 and 7.
    weekdays = frozenset(each % 7 for each in values_of(CRONTAB_WEEKDAY, weekday, of_crontab=True))
    every_day, every_weekday = days == DAY.all, len(weekdays) == len(WEEKDAY.all)
    if not every_day and not every_weekday:
        raise ValueError(
            f'"{" ".join(fields)}" restricts the day of the month and the day of the week. Cron runs on days '
            "that match either, which one AWS expression cannot say. Use * for one of them, or two jobs."
        )
    by_weekday = every_day and not every_weekday
    aws = (
        text_of(MINUTE, values_of(MINUTE, minute, of_crontab=True)),
        text_of(HOUR, values_of(HOUR, hour, of_crontab=True)),
        "?" if by_weekday else text_of(DAY, days),
        text_of(MONTH, values_of(MONTH, month, of_crontab=True)),
        text_of(WEEKDAY, frozenset(each + 1 for each in weekdays)) if by_weekday else "?",
        "*",
    )
    return _aws_cron([*aws])


def _possible(cron: Cron) -> Cron:
    """Returns a cron that runs sometime; a date such as 30 February never comes, which AWS accepts."""
    if not any(cron._days(year, month) for year in cron.years for month in cron.months):
        raise ValueError(f"{cron.expression} never runs: no such day exists.")
    return cron
