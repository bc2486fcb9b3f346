"""What a team writes as a schedule, AWS's expression for it, and when it runs."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.schedules import Cron, Schedule, next_runs, parse, time_zone

UTC_ZONE = ZoneInfo("Etc/UTC")
BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
LONGEST_EXPRESSION = 256
"""Source: EventBridge Scheduler API Reference, "CreateSchedule"."""
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def runs(text: str, after: str, count: int = 3, zone: ZoneInfo = UTC_ZONE) -> list[str]:
    """The next runs, as local times with their offset."""
    moment = datetime.fromisoformat(after).replace(tzinfo=zone)
    found = next_runs(parse(text), zone, moment, count, start=moment)
    return [each.strftime("%Y-%m-%d %H:%M %z") for each in found]


def days(text: str, after: str, count: int = 3) -> list[str]:
    return [each[:10] for each in runs(text, after, count)]


@pytest.mark.parametrize(
    ("written", "expression"),
    [
        ("rate(1 hour)", "rate(1 hour)"),
        ("  rate(5  minutes) ", "rate(5 minutes)"),
        ("cron(0 3 * * ? *)", "cron(0 3 * * ? *)"),
        ("cron(0/15 8-17 ? * mon-fri 2026-2030)", "cron(0/15 8-17 ? * mon-fri 2026-2030)"),
        ("@hourly", "cron(0 * * * ? *)"),
        ("@daily", "cron(0 0 * * ? *)"),
        ("@weekly", "cron(0 0 ? * SUN *)"),
        ("@monthly", "cron(0 0 1 * ? *)"),
        ("@yearly", "cron(0 0 1 JAN ? *)"),
        ("0 3 * * *", "cron(0 3 * * ? *)"),
        ("*/15 * * * *", "cron(0,15,30,45 * * * ? *)"),
        ("0 20 * * 1-5", "cron(0 20 ? * MON-FRI *)"),
        ("0 20 * * mon-fri", "cron(0 20 ? * MON-FRI *)"),
        ("0 20 * * 0,7", "cron(0 20 ? * SUN *)"),
        ("0 20 * * 5-7", "cron(0 20 ? * SUN,FRI,SAT *)"),
        ("0 20 * * 0-7", "cron(0 20 * * ? *)"),
        ("0 0 1-31 * *", "cron(0 0 * * ? *)"),
        ("0 0 */2 * *", "cron(0 0 1,3,5,7,9,11,13,15,17,19,21,23,25,27,29,31 * ? *)"),
        ("10-20/5 0 * jan,6 *", "cron(10,15,20 0 * JAN,JUN ? *)"),
    ],
)
def test_each_way_to_write_a_schedule_becomes_an_expression_of_aws(written: str, expression: str) -> None:
    assert parse(written).expression == expression
    # And AWS's expression is itself a way to write it.
    assert parse(expression).expression == expression


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", "is not a schedule. Use rate(1 hour), cron(0 3 * * ? *)"),
        ("daily", "is not a schedule"),
        ("@reboot", "@hourly, @daily, @weekly, @monthly, @yearly"),
        ("at(2026-01-01T00:00:00)", "runs once, and a schedule repeats"),
        ("rate(1 hours)", "Use rate(1 hour)."),
        ("rate(5 minute)", "Use rate(5 minutes)."),
        ("rate(0 minutes)", "is not a schedule"),
        ("rate(1 week)", "is not a schedule"),
        ("rate(1.5 hours)", "is not a schedule"),
        ("cron(0 3 * * *)", "has 5 fields; AWS's has six"),
        ("cron(0 3 * * * *)", "exactly one of day of month and day of week is ?"),
        ("cron(0 3 ? * ? *)", "exactly one of day of month and day of week is ?"),
        ("cron(60 3 * * ? *)", "'60' is not a minute of a cron expression: allowed are 0 to 59"),
        ("cron(0 3 ? * 0 *)", "'0' is not a day of week of a cron expression: allowed are 1 to 7 or SUN"),
        ("cron(0 3 ? * 2/2 *)", "AWS knows no steps there; list the days"),
        ("cron(0 3 ? * MON#6 *)", "'MON#6' is not a day of week"),
        ("cron(0 3 ? * MON#1,FRI#1 *)", "is not a day of week"),
        ("cron(0 3 LW * ? *)", "'LW' is not a day of month"),
        ("cron(0 3 32W * ? *)", "'32W' is not a day of month"),
        ("cron(0 22-2 * * ? *)", "a range begins with its lower value"),
        ("cron(0 8-17/2 * * ? *)", "AWS knows no steps in a range; list the values"),
        ("cron(0 3 * * ? 1969)", "allowed are 1970 to 2199"),
        ("cron(0 3 30 2 ? *)", "never runs: no such day exists"),
        ("0 3 1 * 1", "Cron runs on days that match either, which one AWS expression cannot say"),
        ("0 3 30 2 *", "never runs"),
        ("5/15 * * * *", "write 5-59/15"),
        ("*/0 * * * *", "a step is a positive number"),
        ("0 3 ? * 1", "'?' is not a day of month"),
        ("0 3 * * 8", "allowed are 0 to 7"),
        ("٣ 3 * * *", "is not a minute"),
    ],
)
def test_what_is_no_schedule_is_refused_with_what_is_allowed(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        parse(written)
    assert reason in str(caught.value)


def test_a_cron_runs_at_its_times_in_order() -> None:
    assert runs("0 3 * * *", "2026-02-27 03:00") == [
        "2026-02-28 03:00 +0000",
        "2026-03-01 03:00 +0000",
        "2026-03-02 03:00 +0000",
    ]
    assert runs("cron(0/30 23 31 12 ? 2026-2027)", "2026-12-31 23:00", 5) == [
        "2026-12-31 23:30 +0000",
        "2027-12-31 23:00 +0000",
        "2027-12-31 23:30 +0000",
    ]


def test_letters_choose_days_as_aws_documents_them() -> None:
    assert days("cron(0 0 L * ? *)", "2028-01-31 12:00") == ["2028-02-29", "2028-03-31", "2028-04-30"]
    # The weekday nearest to a day stays in its month: 1 August 2026 is a Saturday, 31 May 2026 a Sunday.
    assert days("cron(0 0 1W 8 ? *)", "2026-01-01 00:00", 1) == ["2026-08-03"]
    assert days("cron(0 0 15W 8 ? *)", "2026-01-01 00:00", 1) == ["2026-08-14"]
    assert days("cron(0 0 31W 5 ? *)", "2026-01-01 00:00", 1) == ["2026-05-29"]
    assert days("cron(0 0 31W 4-5 ? 2027)", "2027-01-01 00:00") == ["2027-05-31"]
    assert days("cron(0 0 ? * 3#2 *)", "2026-01-01 00:00", 2) == ["2026-01-13", "2026-02-10"]
    assert days("cron(0 0 ? * TUE#5 *)", "2026-01-01 00:00", 2) == ["2026-03-31", "2026-06-30"]
    assert days("cron(0 10 ? * 6L 2022-2023)", "2022-01-01 00:00", 2) == ["2022-01-28", "2022-02-25"]
    assert days("cron(0 0 ? * L *)", "2026-01-01 00:00", 2) == ["2026-01-03", "2026-01-10"]


def test_a_time_that_the_clock_skips_has_no_run() -> None:
    assert runs("30 2 * * *", "2026-03-28 00:00", 2, BERLIN) == [
        "2026-03-28 02:30 +0100",
        "2026-03-30 02:30 +0200",
    ]


def test_a_time_that_the_clock_shows_twice_has_one_run() -> None:
    assert runs("30 2 * * *", "2026-10-24 12:00", 2, BERLIN) == [
        "2026-10-25 02:30 +0200",
        "2026-10-26 02:30 +0100",
    ]
    # Asked in the second of the two hours, it has been.
    second = datetime(2026, 10, 25, 2, 10, tzinfo=BERLIN, fold=1)
    (found,) = next_runs(parse("30 2 * * *"), BERLIN, second, 1, start=second)
    assert found == datetime(2026, 10, 26, 2, 30, tzinfo=BERLIN)


def test_a_rate_counts_from_its_start() -> None:
    start = datetime(2026, 10, 24, 12, 7, tzinfo=BERLIN)
    rate = parse("rate(1 day)")
    assert next_runs(rate, BERLIN, start, 2, start) == (
        # A day is 24 hours, also when the clock changes.
        datetime(2026, 10, 25, 11, 7, tzinfo=BERLIN),
        datetime(2026, 10, 26, 11, 7, tzinfo=BERLIN),
    )
    assert next_runs(rate, BERLIN, start - timedelta(days=9), 1, start) == (start,)


@pytest.mark.parametrize(
    "name", ["", "Berlin", "../../etc/passwd", "/etc/localtime", "Europe", "a\0b", "UTC+1"]
)
def test_a_time_zone_that_does_not_exist_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an IANA time zone"):
        time_zone(name)


def test_a_time_zone_is_known_by_its_iana_name() -> None:
    for name in ("Etc/UTC", "UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires", "Etc/GMT+5"):
        assert time_zone(name).key == name


def crontab_fields(
    low: int, high: int, names: tuple[str, ...] = (), first: int = 0
) -> st.SearchStrategy[str]:
    number = st.integers(low, high)

    def text(value: int) -> str:
        named = names and first <= value < first + len(names) and value % 2
        return names[value - first].lower() if named else str(value)

    plain = number.map(text)
    ordered = st.tuples(number, number).map(lambda ends: f"{text(min(ends))}-{text(max(ends))}")
    stepped = st.tuples(ordered, st.integers(1, high)).map(lambda both: f"{both[0]}/{both[1]}")
    every = st.integers(1, high).map(lambda step: f"*/{step}")
    return st.just("*") | st.lists(plain | ordered | stepped | every, min_size=1, max_size=3).map(",".join)


MINUTES, HOURS, MONTH_DAYS = crontab_fields(0, 59), crontab_fields(0, 23), crontab_fields(1, 31)
MONTH_NAMES, WEEK_DAYS = crontab_fields(1, 12, MONTHS, 1), crontab_fields(0, 7, WEEKDAYS)


def meant(text: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> set[int]:
    """The values of a crontab field, by a reading that shares nothing with the one under test."""
    found = set()
    for item in text.split(","):
        body, _, step = item.partition("/")
        bounds = [low, high] if body == "*" else body.split("-")
        numbers = [
            names.index(str(each).upper()) + first if str(each).upper() in names else int(each)
            for each in bounds
        ]
        found |= {
            each
            for each in range(low, high + 1)
            if numbers[0] <= each <= numbers[-1] and (each - numbers[0]) % int(step or 1) == 0
        }
    return found


@given(minute=MINUTES, hour=HOURS)
def test_a_translated_crontab_line_runs_at_the_minutes_of_a_day_when_cron_would(
    minute: str, hour: str
) -> None:
    start = datetime(2028, 1, 1, tzinfo=UTC)
    expected = [
        start.replace(hour=each, minute=other)
        for each in sorted(meant(hour, 0, 23))
        for other in sorted(meant(minute, 0, 59))
    ]
    assert crontab_runs(f"{minute} {hour} * * *", start, len(expected)) == expected


@given(month=MONTH_NAMES, by_weekday=st.booleans(), day=MONTH_DAYS, weekday=WEEK_DAYS)
def test_a_translated_crontab_line_runs_on_the_days_of_a_year_when_cron_would(
    month: str, by_weekday: bool, day: str, weekday: str
) -> None:
    line = f"30 4 {'*' if by_weekday else day} {month} {weekday if by_weekday else '*'}"
    days_meant = set(range(1, 32)) if by_weekday else meant(day, 1, 31)
    weekdays = {each % 7 for each in (meant(weekday, 0, 7, WEEKDAYS) if by_weekday else set(range(7)))}
    months = meant(month, 1, 12, MONTHS, 1)
    start = datetime(2028, 1, 1, tzinfo=UTC)
    year = [start + timedelta(days=number, hours=4, minutes=30) for number in range(366)]
    expected = [
        each
        for each in year
        if each.month in months and each.day in days_meant and (each.weekday() + 1) % 7 in weekdays
    ]
    if not expected:  # such as 31 February
        with pytest.raises(ValueError, match="never runs"):
            parse(line)
        return
    assert crontab_runs(line, start, len(expected)) == expected


def crontab_runs(line: str, start: datetime, count: int) -> list[datetime]:
    """The first runs from a moment on, by AWS's expression for a crontab line."""
    schedule = parse(line)
    assert parse(schedule.expression) == schedule
    assert len(schedule.expression) <= LONGEST_EXPRESSION
    return [*next_runs(schedule, UTC_ZONE, start - timedelta(seconds=1), count, start)]


def aws_crons() -> st.SearchStrategy[str]:
    month_day = st.sampled_from(["*", "L", "1", "31", "15W", "1W", "31W", "1,15", "10-12", "1/9"])
    week_day = st.sampled_from(["*", "L", "1", "SAT", "MON-FRI", "SUN,3", "5L", "2#5", "WED#1"])
    dates = month_day.map(lambda day: (day, "?")) | week_day.map(lambda day: ("?", day))
    months = st.sampled_from(["*", "2,3", "JAN,12", "6-8", "1/5"])
    times = st.sampled_from(["0", "0/15", "30", "5,55", "*"])
    return st.tuples(times, st.sampled_from(["*", "2", "1-3", "0/6"]), dates, months).map(
        lambda parts: f"cron({parts[0]} {parts[1]} {parts[2][0]} {parts[3]} {parts[2][1]} *)"
    )


@given(
    text=aws_crons(),
    zone=st.sampled_from(["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    after=st.integers(1_700_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_runs_are_later_in_order_and_at_the_times_of_the_fields(
    text: str, zone: str, after: datetime
) -> None:
    schedule = parse(text)
    assert isinstance(schedule, Cron)
    found = next_runs(schedule, time_zone(zone), after, 5, after)
    assert len(found) == 5
    moments = [each.astimezone(UTC) for each in found]
    assert after < moments[0]
    assert moments == sorted(set(moments))
    for run in found:
        assert run.fold == 0
        assert run.minute in schedule.minutes
        assert run.hour in schedule.hours
        assert run.month in schedule.months
        assert run.second == run.microsecond == 0


WORDS = st.sampled_from(
    [
        "cron(",
        "rate(",
        "at(",
        ")",
        "*",
        "?",
        "L",
        "W",
        "#",
        "/",
        "-",
        ",",
        " ",
        "1",
        "0",
        "31",
        "MON",
        "@daily",
    ]
)


@given(st.text(max_size=40) | st.lists(WORDS, max_size=24).map("".join))
def test_any_text_is_a_schedule_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        schedule: Schedule = parse(text)
        now = datetime(2026, 1, 1, tzinfo=UTC)
        assert all(run > now for run in next_runs(schedule, UTC_ZONE, now, 2, now))


@given(st.text(max_size=20))
def test_any_text_is_a_time_zone_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert time_zone(text).key == text
