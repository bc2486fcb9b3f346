"""How the page words times, ages, latencies and shares."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.page import wording

NOW = datetime(2026, 11, 3, 6, 5, 7, 890_000, tzinfo=UTC)


def test_times_are_told_in_utc_whatever_zone_they_come_in() -> None:
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert wording.moment(elsewhere) == "3 Nov 2026, 06:05:07 UTC"
    assert wording.minute(elsewhere) == "3 Nov 2026, 06:05 UTC"
    assert wording.machine(elsewhere) == "2026-11-03T06:05:07.890Z"
    assert wording.day(date(2026, 1, 31)) == "31 Jan 2026"


@given(st.datetimes(timezones=st.just(UTC)))
def test_the_time_for_machines_is_the_same_to_the_millisecond(at: datetime) -> None:
    read = datetime.fromisoformat(wording.machine(at))
    assert timedelta(0) <= at - read < timedelta(milliseconds=1)


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
    assert wording.age(seconds) == words


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "0 min"), (59, "59 min"), (60, "1 h"), (125, "2 h 5 min"), (1440, "24 h")]
)
def test_a_duration_is_told_in_hours_and_minutes(minutes: int, words: str) -> None:
    assert wording.duration(minutes) == words.replace(" ", "\N{NO-BREAK SPACE}")


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0.2, "0 ms"), (8.4, "8 ms"), (999.4, "999 ms"), (999.5, "1.0 s"), (1234, "1.2 s")],
)
def test_a_latency_is_told_in_milliseconds_below_a_second(milliseconds: float, words: str) -> None:
    assert wording.latency(milliseconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(100.0, "100%"), (99.99, "99.99%"), (99.9, "99.9%"), (50.0, "50%"), (0.0, "0%")]
)
def test_a_percentage_has_no_needless_zeros(value: float, words: str) -> None:
    assert wording.percent(value) == words


def test_a_figures_name_becomes_a_label() -> None:
    assert wording.label("desired_count") == "Desired count"
    assert wording.label("") == ""
