"""The fields of a cron expression: their values, and the days of a month that they mean.

Sources: Amazon EventBridge User Guide, "Cron expressions reference"; crontab(5) for crontab lines.
"""

import calendar
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

_DAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


@dataclass(frozen=True, slots=True)
class CronField:
    """One field of a cron expression: its name, its values, and what its values may be called."""

    name: str
    low: int
    high: int
    names: Mapping[str, int] = field(default_factory=dict)
    steps: bool = True

    @property
    def all(self) -> frozenset[int]:
        return frozenset(range(self.low, self.high + 1))


MINUTE: Final = CronField("minute", 0, 59)
HOUR: Final = CronField("hour", 0, 23)
DAY: Final = CronField("day of month", 1, 31)
MONTH: Final = CronField("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)})
YEAR: Final = CronField("year", 1970, 2199)
WEEKDAY: Final = CronField("day of week", 1, 7, {name: number for number, name in enumerate(_DAYS, 1)}, False)
CRONTAB_WEEKDAY: Final = CronField("day of week", 0, 7, {name: number for number, name in enumerate(_DAYS)})


def values_of(field: CronField, text: str, *, of_crontab: bool = False) -> frozenset[int]:
    """Returns the values that a field's text means. Raises ValueError if it means none."""
    found: set[int] = set()
    for item in text.split(","):
        whole, slash, step = item.partition("/")
        low, dash, high = whole.partition("-")
        stepped = bool(slash)
        if stepped and not field.steps:
            raise _refused(field, item, "AWS knows no steps there; list the days")
        if stepped and (not re.fullmatch(r"\d{1,4}", step, re.ASCII) or not int(step)):
            raise _refused(field, item, "a step is a positive number, such as */15")
        if stepped and dash and not of_crontab:
            raise _refused(field, item, "AWS knows no steps in a range; list the values")
        if stepped and of_crontab and whole != "*" and not dash:
            raise _refused(field, item, f"write {whole}-{field.high}/{step}")
        first, last = field.low, field.high
        if whole != "*":
            first = _number(field, low)
            last = _number(field, high) if dash else field.high if stepped else first
        if first > last:
            raise _refused(field, item, "a range begins with its lower value; list the values instead")
        found.update(range(first, last + 1, int(step) if stepped else 1))
    return frozenset(found)


def _number(field: CronField, text: str) -> int:
    if text in field.names:
        return field.names[text]
    number = int(text) if re.fullmatch(r"\d{1,4}", text, re.ASCII) else -1
    if not field.low <= number <= field.high:
        also = f" or {', '.join(field.names)}" if field.names else ""
        raise _refused(field, text, f"allowed are {field.low} to {field.high}{also}, lists, ranges and *")
    return number


def _refused(field: CronField, item: str, reason: str) -> ValueError:
    return ValueError(f"{item!r} is not a {field.name} of a cron expression: {reason}.")


def text_of(field: CronField, values: frozenset[int]) -> str:
    """Returns values as a field's text: `*`, or values and ranges of three or more, by name if it has one."""
    if values == field.all:
        return "*"
    names = {number: name for name, number in field.names.items()}
    items: list[str] = []
    for run in _runs_of(sorted(values)):
        words = [names.get(each, str(each)) for each in run]
        items.extend([f"{words[0]}-{words[-1]}"] if len(words) > 2 else words)
    return ",".join(items)


def _runs_of(values: list[int]) -> Iterator[list[int]]:
    """Yields runs of consecutive values."""
    run: list[int] = []
    for value in values:
        if run and value != run[-1] + 1:
            yield run
            run = []
        run.append(value)
    yield run


def check_days_of_month(text: str) -> None:
    """Raises ValueError unless a text is AWS's field of that name."""
    if text != "L" and not re.fullmatch(r"([1-9]|[12]\d|3[01])W", text):
        values_of(DAY, text)


def days_of_month(text: str, year: int, month: int) -> list[int]:
    """Returns the days of a month that AWS's field of that name means."""
    last = calendar.monthrange(year, month)[1]
    if text == "L":
        return [last]
    if not text.endswith("W"):
        return [each for each in values_of(DAY, text) if each <= last]
    # The weekday nearest to a day, within its month.
    wanted = int(text[:-1])
    if wanted > last:
        return []
    match date(year, month, wanted).weekday():
        case calendar.SATURDAY:
            return [wanted - 1 if wanted > 1 else wanted + 2]
        case calendar.SUNDAY:
            return [wanted + 1 if wanted < last else wanted - 2]
    return [wanted]


def split_day_of_week(text: str) -> tuple[str, int | None] | None:
    """Returns day and number of `MON#2`, where -1 is the last one of `MONL`; None for a plain field."""
    if text == "L":
        return None
    if match := re.fullmatch(r"(.+)#([1-5])", text):
        return match[1], int(match[2])
    if match := re.fullmatch(r"(.+)L", text):
        return match[1], -1
    return None


def check_days_of_week(text: str) -> None:
    """Raises ValueError unless a text is AWS's field of that name."""
    if text == "L":
        return
    if split := split_day_of_week(text):
        _number(WEEKDAY, split[0])
    else:
        values_of(WEEKDAY, text)


def days_of_week(text: str, year: int, month: int) -> list[int]:
    """Returns the days of a month that AWS's field of the day of the week means."""
    if split := split_day_of_week(text):
        weekday, number = split
        days = _on_weekdays({_number(WEEKDAY, weekday)}, year, month)
        index = number if number == -1 else (number or 1) - 1
        return days[index:][:1] if index == -1 or index < len(days) else []
    weekdays = {_DAYS.index("SAT") + 1} if text == "L" else values_of(WEEKDAY, text)
    return _on_weekdays(weekdays, year, month)


def _on_weekdays(weekdays: Iterable[int], year: int, month: int) -> list[int]:
    """Returns the days of a month on some days of the week, which AWS counts from Sunday, 1."""
    wanted, last = {(each - 2) % 7 for each in weekdays}, calendar.monthrange(year, month)[1]
    return [day for day in range(1, last + 1) if date(year, month, day).weekday() in wanted]
