"""How the page words times, ages, latencies and shares."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.page import wording

NOW = datetime(2026, 11, 3, 6, 5, 7, 890_000, tzinfo=UTC)
DAY = 86_400


def plain(words: str) -> str:
    """The words with ordinary spaces."""
    return words.replace("\N{NO-BREAK SPACE}", " ")


def test_times_are_told_in_utc_whatever_zone_they_come_in() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert wording.minute(elsewhere) == "3 Nov 2026, 06:05 UTC"
    assert wording.clock(elsewhere) == "06:05 UTC"
    assert wording.machine(elsewhere) == "2026-11-03T06:05:07.890Z"
    assert wording.day(date(2026, 1, 31)) == "31 Jan 2026"
    assert wording.month(date(2026, 1, 31)) == "Jan 2026"


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_time_for_machines_is_the_same_to_the_millisecond(at: datetime) -> None:
    read = datetime.fromisoformat(wording.machine(at))
    assert timedelta(0) <= at - read < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2026, 11, 3), date(2026, 11, 3), "3 Nov 2026"),
        (date(2026, 11, 3), date(2026, 11, 5), "3 to 5 Nov 2026"),
        (date(2026, 10, 30), date(2026, 11, 5), "30 Oct to 5 Nov 2026"),
        (date(2025, 12, 30), date(2026, 1, 2), "30 Dec 2025 to 2 Jan 2026"),
    ],
)
def test_a_range_of_days_repeats_nothing(first: date, last: date, words: str) -> None:
    assert wording.days(first, last) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 s"),
        (0, "0 s"),
        (59.99, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (8_640_000, "100 d"),
    ],
)
def test_an_age_is_told_in_the_largest_unit_there_is_one_of(seconds: float, words: str) -> None:
    assert plain(wording.age(seconds)) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (37, "37 s"),
        (3599, "59 min"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (DAY, "1 d"),
        (10.5 * DAY, "10 d 12 h"),
    ],
)
def test_a_duration_is_told_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert plain(wording.duration(seconds)) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0.2, "0 ms"), (8.4, "8 ms"), (999.4, "999 ms"), (999.5, "1.0 s"), (1234, "1.2 s")],
)
def test_a_latency_is_told_in_milliseconds_below_a_second(milliseconds: float, words: str) -> None:
    assert plain(wording.latency(milliseconds)) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(100, "100 %"), (99.999, "99.99 %"), (99.99, "99.99 %"), (99.9, "99.9 %"), (50, "50 %"), (0, "0 %")],
)
def test_a_percentage_is_rounded_down_and_has_no_needless_zeros(value: float, words: str) -> None:
    assert plain(wording.percent(value)) == words


@given(st.floats(0, 100))
def test_only_all_of_it_is_100_percent(value: float) -> None:
    assert (plain(wording.percent(value)) == "100 %") == (round(value, 8) == 100)


@pytest.mark.parametrize(
    ("seconds", "window", "words"),
    [
        (90 * DAY, 90 * DAY, None),
        (DAY - 120, DAY, None),
        (87.9 * DAY, 90 * DAY, "87 days"),
        (1.5 * DAY, 7 * DAY, "36 hours"),
        (5 * 3600, DAY, "5 hours"),
        (15.4, DAY, "15 s"),
        (61, DAY, "1 minute"),
        (119 * 60, DAY, "119 minutes"),
    ],
)
def test_says_how_much_of_a_window_has_data_where_some_is_missing(
    seconds: float, window: float, words: str | None
) -> None:
    found = wording.with_data(seconds, window)
    assert (found and plain(found)) == words


def test_a_figures_name_becomes_a_label() -> None:
    assert wording.label("desired_count") == "Desired count"
    assert wording.label("") == ""
