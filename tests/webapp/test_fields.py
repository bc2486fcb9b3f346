"""Times and dates as RFC 3339 writes them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.fields import end_of, start_of

OFFSETS = st.builds(lambda minutes: timezone(timedelta(minutes=minutes)), st.integers(-1439, 1439))
AGES = st.timedeltas(timedelta(0), timedelta(days=3_652_000))


@given(AGES, OFFSETS)
def test_a_time_is_read_whatever_its_offset(age: timedelta, offset: timezone) -> None:
    at = (datetime(1, 1, 3, tzinfo=UTC) + age).astimezone(offset)
    assert start_of(at.isoformat()) == end_of(at.isoformat()) == at
    assert start_of(at.isoformat()).tzinfo is UTC


@given(st.dates(max_value=date(9999, 12, 30)))
def test_a_date_is_a_whole_day(day: date) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    assert start_of(day.isoformat()) == midnight
    assert end_of(day.isoformat()) == midnight + timedelta(days=1)


@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt][0-9:.]+)?([Zz]|[+-][0-9:]+)?"))
def test_anything_else_is_told_what_is_expected(text: str) -> None:
    for read in (start_of, end_of):
        try:
            assert read(text).tzinfo is UTC
        except ValueError as error:
            assert "Expected a time such as" in str(error)  # noqa: PT017 - most texts are wrong, not all


@pytest.mark.parametrize("text", ["2026-11-23t06:25:00z", "2026-11-23T07:25:00.000000001+01:00"])
def test_every_spelling_of_the_standard_is_read(text: str) -> None:
    assert start_of(text) == datetime(2026, 11, 23, 6, 25, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "20261123",
        "2026-W47-1",
        "2026-11-23T06:25",
        "2026-11-23T06:25:00",
        "2026-11-23 06:25:00Z",
        "2026-11-23T06:25:00 01:00",
        "2026-11-23T06:25:60Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T06:25:00+24:00",
        "2026-02-29",
        "0000-01-01",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
        "٢٠٢٦-11-23",
        "2026-11-23\n",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Expected a time"):
        start_of(text)


def test_a_day_without_an_end_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected a time"):
        end_of("9999-12-31")
