"""Cursors: read back as they were made, and nothing else is taken for one."""

import json
import string
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AwareDatetime

from tests.webapp.environment import IDS
from webapp.endpoints.history import HistoryCursor, Page, cursor_before, page_of
from webapp.fields import LONGEST_CURSOR
from webapp.history.models import HistoryQuery
from webapp.requests import Cursor, decode_cursor, encode_cursor, wrong_cursor
from webapp.responses import HTTPProblem

URL_SAFE = set(string.ascii_letters + string.digits + "-_")
NOW = datetime(2026, 11, 23, 6, 25, 30, tzinfo=UTC)
EDGES = st.sampled_from(
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, microsecond=1, tzinfo=UTC),
        datetime(9999, 12, 30, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 30, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    ]
)
TIMES = EDGES | st.datetimes(timezones=st.just(UTC))
"""To the very ends of the calendar."""

NEAR = st.timedeltas(timedelta(days=-500), timedelta(days=5)).map(lambda age: NOW + age)
OFFSETS = st.sampled_from(["Z", "+00:00", "-00:00", "+23:59", "-23:59", "+00:00:01", "-01:00"])


class Position(Cursor):
    """A cursor with one of everything."""

    text: str
    at: AwareDatetime | None


@given(st.text(), st.none() | TIMES)
def test_a_cursor_is_read_back_and_needs_no_escaping(text: str, at: datetime | None) -> None:
    cursor = Position(text=text, at=at)
    assert decode_cursor(encode_cursor(cursor), Position) == cursor
    assert set(encode_cursor(cursor)) <= URL_SAFE


@given(TIMES, TIMES, TIMES, st.none() | TIMES, st.sampled_from(IDS))
def test_no_cursor_of_a_history_is_longer_than_what_is_read(
    start: datetime, end: datetime, before: datetime, given_from: datetime | None, component: str
) -> None:
    cursor = HistoryCursor(component=component, from_=given_from, to=end, start=start, end=end, before=before)
    assert len(encode_cursor(cursor)) <= LONGEST_CURSOR


@given(st.text() | st.text(alphabet=sorted(URL_SAFE)) | st.binary().map(lambda code: code.decode("latin-1")))
def test_garbage_is_refused_and_never_anything_else(text: str) -> None:
    with pytest.raises(HTTPProblem) as refused:
        decode_cursor(text, Position)
    assert (refused.value.status_code, refused.value.detail) == (400, "The cursor is wrong.")


@given(st.integers(0, 400), st.characters())
def test_a_cursor_that_was_tampered_with_is_refused_or_another(place: int, character: str) -> None:
    cursor = encode_cursor(Position(text="text", at=NOW))
    place %= len(cursor)
    try:
        decode_cursor(cursor[:place] + character + cursor[place + 1 :], Position)
    except HTTPProblem as refusal:
        assert refusal.errors == wrong_cursor().errors  # noqa: PT017 - most are refused, not all


def test_what_is_missing_unknown_or_of_another_type_is_refused() -> None:
    class Other(Cursor):
        text: str

    class More(Position):
        more: str = "x"

    class Same(Cursor):
        text: int = 1
        at: None = None

    for cursor in (Other(text="x"), More(text="x", at=None), Same()):
        with pytest.raises(HTTPProblem):
            decode_cursor(encode_cursor(cursor), Position)


@pytest.mark.parametrize("suffix", ["=", "==", "+", "/", "\n", " ", "!", "."])
def test_what_base64url_does_not_have_is_refused(suffix: str) -> None:
    with pytest.raises(HTTPProblem):
        decode_cursor(encode_cursor(Position(text="x", at=None)) + suffix, Position)


def asked(**parameters: str) -> HistoryQuery:
    return HistoryQuery.model_validate({"component": "services.web", **parameters})


def test_the_first_page_ends_now_and_begins_a_day_before_unless_told_otherwise() -> None:
    day = timedelta(days=1)
    assert page_of(asked(), NOW) == Page(NOW - day, NOW, NOW)
    midnight = datetime(2026, 11, 20, tzinfo=UTC)
    assert page_of(asked(to="2026-11-19"), NOW) == Page(midnight - day, midnight, midnight)
    assert page_of(asked(**{"from": "2026-11-20"}), NOW) == Page(midnight, NOW, NOW)


def test_later_pages_are_of_the_range_that_the_first_was_of() -> None:
    query = asked(limit="5")
    first = page_of(query, NOW)
    at = NOW - timedelta(hours=1)
    later = asked(limit="7", cursor=cursor_before(at, query, first))
    assert page_of(later, NOW + timedelta(hours=3)) == Page(first.start, first.end, at)


@pytest.mark.parametrize(
    "parameters",
    [
        {"component": "status.image"},
        {"from": "2026-11-01"},
        {"to": "2026-11-21"},
        {"from": "2026-11-20", "to": "2026-11-21"},
    ],
)
def test_a_cursor_of_another_query_is_refused(parameters: dict[str, str]) -> None:
    query = asked(**{"from": "2026-11-20"})
    cursor = cursor_before(NOW - timedelta(hours=1), query, page_of(query, NOW))
    with pytest.raises(HTTPProblem, match="cursor"):
        page_of(asked(cursor=cursor, **parameters), NOW)


def forged(**times: str | None) -> str:
    """A cursor with these times, whatever they are."""
    members = {"component": "services.web", "from_": None, "to": None} | times
    return urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")


@given(TIMES | NEAR, TIMES | NEAR, TIMES | NEAR)
def test_a_forged_cursor_is_refused_unless_it_is_one_that_could_be(
    start: datetime, end: datetime, before: datetime
) -> None:
    cursor = forged(start=start.isoformat(), end=end.isoformat(), before=before.isoformat())
    try:
        page = page_of(asked(cursor=cursor), NOW)
    except HTTPProblem as refusal:
        assert refusal.errors == wrong_cursor().errors  # noqa: PT017 - most are refused, not all
        return
    assert page == Page(start, end, before)
    assert NOW - timedelta(days=400) <= start <= before <= end <= NOW + timedelta(days=1)
    assert end - start <= timedelta(days=90)


@given(st.lists(TIMES | NEAR, min_size=5, max_size=5), st.lists(OFFSETS, min_size=5, max_size=5))
def test_a_cursor_with_a_time_that_is_not_in_utc_is_refused(
    times: list[datetime], offsets: list[str]
) -> None:
    texts = [at.replace(tzinfo=None).isoformat() + offset for at, offset in zip(times, offsets, strict=True)]
    cursor = forged(**dict(zip(("start", "end", "before", "from_", "to"), texts, strict=True)))
    with pytest.raises(HTTPProblem, match="cursor"):
        page_of(asked(cursor=cursor), NOW)


def test_the_times_of_a_cursor_may_be_written_in_utc_only() -> None:
    times = {"start": "2026-11-22T00:00:00", "before": "2026-11-22T01:00:00", "end": "2026-11-22T02:00:00"}
    utc = {name: f"{time}Z" for name, time in times.items()}
    page_of(asked(cursor=forged(**utc)), NOW)
    for name, time in times.items():
        for offset in ("+01:00", "-00:01", ""):
            with pytest.raises(HTTPProblem, match="cursor"):
                page_of(asked(cursor=forged(**utc | {name: f"{time}{offset}"})), NOW)


def test_what_is_still_to_come_is_no_part_of_a_page() -> None:
    query = asked(**{"from": "2026-11-01", "to": "2026-12-30"})
    first = page_of(query, NOW)
    assert first.end == first.before == NOW
    at = NOW - timedelta(hours=1)
    later = asked(**{"from": "2026-11-01", "to": "2026-12-30", "cursor": cursor_before(at, query, first)})
    assert page_of(later, NOW) == Page(first.start, NOW, at)
    future = page_of(asked(**{"from": "9999-12-30", "to": "9999-12-31T23:59:59Z"}), NOW)
    assert future.start == future.end


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"from": "2026-11-23T06:25:30Z"}, "from"),
        ({"from": "2027-01-01"}, "from"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, "from"),
        ({"from": "2026-11-01T00:00:00Z", "to": "2026-11-01T00:00:00Z"}, "from"),
        ({"from": "2026-08-01", "to": "2026-10-30"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"to": "0001-01-01T23:00:00Z"}, "to"),
    ],
)
def test_a_range_that_is_none_or_too_long_is_refused(parameters: dict[str, str], parameter: str) -> None:
    with pytest.raises(HTTPProblem) as refused:
        page_of(asked(**parameters), NOW)
    assert refused.value.status_code == 400
    assert refused.value.errors is not None
    assert [error["parameter"] for error in refused.value.errors] == [parameter]


def test_a_range_of_ninety_days_is_none_too_long() -> None:
    page = page_of(asked(**{"from": "2026-08-01", "to": "2026-10-29"}), NOW)
    assert page.end - page.start == timedelta(days=90)
