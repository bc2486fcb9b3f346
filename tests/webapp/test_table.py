"""The table's keys, and items there and back."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from tests.webapp.environment import WEB_ID
from webapp.incidents.models import incident_id
from webapp.table import (
    NEWER_THAN_ANY_INCIDENT,
    Key,
    Keys,
    attribute,
    content_of,
    day_of,
    item_of,
    minute_of,
    value_of,
)

NUMBERS = st.integers(-(10**37), 10**37) | st.floats(allow_nan=False, min_value=-1e100, max_value=1e100)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(min_size=1), inner),
)
TIMES = st.timedeltas(timedelta(0), timedelta(days=300_000)).map(
    lambda age: datetime(2000, 1, 1, tzinfo=UTC) + age
)
SERVICE = WEB_ID
KEYS = Keys("web")


@given(JSON)
def test_a_value_is_the_same_there_and_back(value: JsonValue) -> None:
    assert value_of(attribute(value)) == value


@given(st.booleans() | st.integers(0, 1))
def test_truth_and_numbers_are_told_apart(value: JsonValue) -> None:
    assert type(value_of(attribute(value))) is type(value)


@pytest.mark.parametrize("attribute", [{"B": b"x"}, {"BS": [b"x"]}, {"NS": ["1"]}, {}])
def test_what_the_app_never_writes_is_refused(attribute: Any) -> None:
    with pytest.raises(ValueError, match="is not the app's"):
        value_of(attribute)


def test_a_set_is_a_sorted_list() -> None:
    assert value_of({"SS": ["b", "a"]}) == ["a", "b"]


def test_an_item_has_key_and_expiry_which_are_no_part_of_its_content() -> None:
    item = item_of(Key("p", "s"), {"a": 1, "b": None, "c": "x"}, datetime(2026, 11, 23, 6, 25, 0, 5, UTC))
    assert item == {
        "pk": {"S": "p"},
        "sk": {"S": "s"},
        "a": {"N": "1"},
        "c": {"S": "x"},
        "expires_at": {"N": "1795415100"},
    }
    assert content_of(item) == {"a": 1, "c": "x"}


def test_the_keys_are_the_documented_ones() -> None:
    at = datetime(2026, 11, 23, 6, 25, 59, tzinfo=UTC)
    assert KEYS.minute(SERVICE, at) == Key("web#history#services.web", "minute#2026-11-23T06:25:00Z")
    assert KEYS.day(SERVICE, at.date()) == Key("web#history#services.web", "day#2026-11-23")
    assert KEYS.incident("x") == Key("web#incidents", "incident#x")
    assert KEYS.open_incidents == Key("web#incidents", "open")
    assert KEYS.idempotency("secret").pk.startswith("web#idempotency#")
    assert KEYS.idempotency("secret").sk == "create-incident"
    assert "secret" not in KEYS.idempotency("secret").pk


def test_services_of_an_environment_have_no_key_in_common() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)

    def partitions(keys: Keys) -> set[str]:
        found = (keys.minute(SERVICE, at), keys.day(SERVICE, at), keys.open_incidents, keys.idempotency("k"))
        return {key.pk for key in (*found, keys.incident("x"))}

    assert partitions(Keys("web")).isdisjoint(partitions(Keys("api")))


@given(TIMES)
def test_a_minute_is_read_back_from_its_key(at: datetime) -> None:
    assert minute_of(item_of(KEYS.minute(SERVICE, at), {})) == at.replace(second=0, microsecond=0)


@given(TIMES)
def test_a_day_is_read_back_from_its_key(at: datetime) -> None:
    assert day_of(item_of(KEYS.day(SERVICE, at.date()), {})) == at.date()


@given(TIMES, TIMES)
def test_minutes_and_days_sort_by_time(one: datetime, other: datetime) -> None:
    def order(first: str, second: str) -> bool:
        return first <= second

    minutes = [at.replace(second=0, microsecond=0) for at in (one, other)]
    keys = [KEYS.minute(SERVICE, at).sk for at in (one, other)]
    assert order(*keys) == (minutes[0] <= minutes[1])
    days: list[date] = [at.date() for at in (one, other)]
    assert order(*(KEYS.day(SERVICE, day).sk for day in days)) == (days[0] <= days[1])


@given(TIMES, TIMES, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_incidents_sort_by_time_between_the_ends_of_their_list(
    one: datetime, other: datetime, some: bytes, more: bytes
) -> None:
    keys = [KEYS.incident(incident_id(at, drawn)).sk for at, drawn in ((one, some), (other, more))]
    begun = datetime(1970, 1, 1, tzinfo=UTC)
    milliseconds = [(at - begun) // timedelta(milliseconds=1) for at in (one, other)]
    if milliseconds[0] != milliseconds[1]:
        assert (keys[0] < keys[1]) == (milliseconds[0] < milliseconds[1])
    assert max(keys) < KEYS.incident(NEWER_THAN_ANY_INCIDENT).sk < KEYS.open_incidents.sk
