"""The history: what is kept, for how long, and how it is read page by page."""

import asyncio
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import IMAGE_ID, WEB_ID, WORKER_ID, environ_of
from tests.webapp.processes import App, running_app
from tests.webapp.tables import items, new_table, with_table
from webapp.endpoints.history import HISTORY_PATH
from webapp.history.models import Day, Record, availability, slot_of
from webapp.history.store import read_days, read_records, write_slot
from webapp.states import State
from webapp.table_client import TableClient

COUNTS = st.integers(0, 2000)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ECS, ECR = WEB_ID, IMAGE_ID


@given(COUNTS, COUNTS, COUNTS)
def test_availability_is_the_share_of_what_was_of_use(operational: int, degraded: int, down: int) -> None:
    share = availability(operational, degraded, down)
    useful, telling = operational + degraded, operational + degraded + down
    if not telling:
        assert share is None
        return
    assert share is not None
    assert 0 <= share <= 100
    assert (share == 100) is (down == 0)
    assert share <= 100 * useful / telling < share + 0.0101


@given(COUNTS, COUNTS, COUNTS)
def test_availability_grows_with_what_is_of_use_and_shrinks_with_what_is_down(
    operational: int, degraded: int, down: int
) -> None:
    share = availability(operational, degraded, down) or 0
    better, worse = (
        availability(operational + 1, degraded, down),
        availability(operational, degraded, down + 1),
    )
    assert better is not None
    assert worse is not None
    assert worse <= share <= better or not operational + degraded + down


@given(COUNTS)
def test_what_is_not_known_does_not_count(unknown: int) -> None:
    day = NOON.date()
    assert Day(date=day, unknown=unknown).availability is None
    assert Day(date=day, unknown=unknown, degraded=1, down=3).availability == 25


def test_a_slot_begins_with_the_minute_in_utc() -> None:
    at = datetime.fromisoformat("2026-11-23T01:02:59.999999+05:30")
    assert slot_of(at) == datetime(2026, 11, 22, 19, 32, tzinfo=UTC)
    assert slot_of(at).tzinfo is UTC


def record(at: datetime, state: State = State.OPERATIONAL) -> Record:
    return Record(at=at, state=state, message=f"It is {state}.", latency_ms=1.5)


def test_a_slot_is_written_once_and_counted_once(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> list[bool]:
        first = {ECS: record(NOON, State.DEGRADED), ECR: record(NOON)}
        other = {ECS: record(NOON, State.DOWN), ECR: record(NOON, State.DOWN)}
        after = {ECS: record(NOON + MINUTE, State.DEGRADED)}
        return [
            await write_slot(table, NOON, first),
            await write_slot(table, NOON, other),
            await write_slot(table, NOON + MINUTE, after),
        ]

    assert with_table(serial_aws, name, use) == [True, False, True]
    expiry = str(int((NOON + timedelta(days=90)).timestamp()))
    pk = "web#history#services.web"
    assert {item["sk"]["S"]: item for item in items(serial_aws, name) if item["pk"]["S"] == pk} == {
        "minute#2026-11-23T12:00:00Z": {
            "pk": {"S": "web#history#services.web"},
            "sk": {"S": "minute#2026-11-23T12:00:00Z"},
            "state": {"S": "degraded"},
            "message": {"S": "It is degraded."},
            "latency_ms": {"N": "1.5"},
            "expires_at": {"N": expiry},
        },
        "minute#2026-11-23T12:01:00Z": {
            "pk": {"S": "web#history#services.web"},
            "sk": {"S": "minute#2026-11-23T12:01:00Z"},
            "state": {"S": "degraded"},
            "message": {"S": "It is degraded."},
            "latency_ms": {"N": "1.5"},
            "expires_at": {"N": str(int(expiry) + 60)},
        },
        "day#2026-11-23": {
            "pk": {"S": "web#history#services.web"},
            "sk": {"S": "day#2026-11-23"},
            "degraded": {"N": "2"},
            "expires_at": {"N": str(int((datetime(2026, 11, 23, tzinfo=UTC) + 400 * DAY).timestamp()))},
        },
    }


def test_of_tasks_that_write_a_slot_at_once_one_does(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> list[bool]:
        writing = (write_slot(table, NOON, {ECS: record(NOON, state)}) for state in [*State, *State])
        return await asyncio.gather(*writing)

    assert sorted(with_table(serial_aws, name, use)) == [False] * 7 + [True]
    day, minute = items(serial_aws, name)
    assert day[minute["state"]["S"]] == {"N": "1"}


def test_records_are_read_from_a_time_on_and_before_another(serial_aws: str) -> None:
    name = new_table(serial_aws)
    slots = [NOON + n * MINUTE for n in range(5)]

    async def use(table: TableClient) -> None:
        for slot in slots:
            await write_slot(table, slot, {ECS: record(slot)})

        async def found(start: datetime, end: datetime, now: datetime = NOON + DAY) -> list[datetime]:
            return [record.at for record in await read_records(table, ECS, start, end, now, 9)]

        second = timedelta(seconds=1)
        assert await found(NOON, NOON + 5 * MINUTE) == slots[::-1]
        assert await found(NOON + second, NOON + 4 * MINUTE) == slots[3:0:-1]
        assert await found(NOON, NOON + 4 * MINUTE + second) == slots[::-1]
        assert await found(NOON + second, NOON + MINUTE) == []
        assert await found(NOON + DAY, NOON + 2 * DAY) == []
        assert await found(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)) == slots[::-1]
        assert await found(NOON, NOON + DAY, now=NOON + 90 * DAY + 2 * MINUTE) == slots[:1:-1]

    with_table(serial_aws, name, use)


def test_days_are_all_there_up_to_today_and_as_far_back_as_they_are_kept(serial_aws: str) -> None:
    name, today = new_table(serial_aws), NOON.date()

    async def use(table: TableClient) -> None:
        for at in (NOON - DAY, NOON - DAY + MINUTE, NOON - 3 * DAY):
            await write_slot(table, at, {ECS: record(at)})
        days = await read_days(table, ECS, today - 3 * DAY, today + 7 * DAY, today)
        assert days == (
            Day(date=today - 3 * DAY, operational=1),
            Day(date=today - 2 * DAY),
            Day(date=today - DAY, operational=2),
            Day(date=today),
        )
        assert await read_days(table, ECR, today, today, today) == (Day(date=today),)
        assert await read_days(table, ECS, today + DAY, today + 2 * DAY, today) == ()
        assert await read_days(table, ECS, today - 500 * DAY, today - 401 * DAY, today) == ()
        assert len(await read_days(table, ECS, today - 500 * DAY, today, today)) == 401

    with_table(serial_aws, name, use)


@pytest.fixture(scope="module")
def slots() -> list[datetime]:
    """Minutes that have records, the oldest first: one 50 days ago, and ten from two days ago on."""
    begun = slot_of(datetime.now(UTC)) - 2 * DAY
    return [begun - 50 * DAY, *(begun + n * MINUTE for n in range(10))]


@pytest.fixture(scope="module")
def lately() -> datetime:
    """A minute that has a record, two hours ago."""
    return slot_of(datetime.now(UTC)) - timedelta(hours=2)


@pytest.fixture(scope="module")
def desk(serial_aws: str, slots: list[datetime], lately: datetime) -> Iterator[App]:
    """An app whose table has records of CloudWatch Logs. Every minute it adds one of its own."""
    name = new_table(serial_aws)

    async def use(table: TableClient) -> None:
        for slot in [*slots, lately]:
            state = State.DOWN if slot == slots[-1] else State.OPERATIONAL
            await write_slot(table, slot, {WORKER_ID: record(slot, state)})

    with_table(serial_aws, name, use)
    with running_app(environ_of(serial_aws) | {"TABLE": name}) as app:
        yield app


def read(desk: App, **parameters: Any) -> Any:
    answer = desk.client.get(f"{HISTORY_PATH}?{urlencode({'component': 'services.worker', **parameters})}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    page = answer.json()
    assert page["component"] == "services.worker"
    assert ("link" in answer.headers) is (page["next"] is not None)
    return page


def times(page: Any) -> list[datetime]:
    return [datetime.fromisoformat(record["at"]) for record in page["records"]]


def before_now(slots: list[datetime]) -> dict[str, str]:
    """A range that ends before the day that the app writes records of."""
    return {"to": (slots[-1] + MINUTE).isoformat()}


def test_the_last_24_hours_are_shown_unless_told_otherwise(desk: App, lately: datetime) -> None:
    page = read(desk, limit=1000)
    assert times(page)[-1] == lately
    assert times(page) == sorted(times(page), reverse=True)
    assert len(page["days"]) == 2


def test_a_record_tells_state_message_and_latency(desk: App, slots: list[datetime]) -> None:
    page = read(desk, **before_now(slots), limit=2)
    at = [f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in slots]
    assert page["records"] == [
        {"at": at[-1], "state": "down", "message": "It is down.", "latency_ms": 1.5},
        {"at": at[-2], "state": "operational", "message": "It is operational.", "latency_ms": 1.5},
    ]


def test_days_tell_the_availability(desk: App, slots: list[datetime]) -> None:
    day = slots[0].date()
    page = read(desk, **{"from": day, "to": day + DAY})
    assert page["records"] == [
        {
            "at": f"{slots[0]:%Y-%m-%dT%H:%M:%SZ}",
            "state": "operational",
            "message": "It is operational.",
            "latency_ms": 1.5,
        }
    ]
    nothing = {"operational": 0, "degraded": 0, "down": 0, "unknown": 0, "availability": None}
    assert page["days"] == [
        {**nothing, "date": str(day), "operational": 1, "availability": 100.0},
        {**nothing, "date": str(day + DAY)},
    ]
    assert page["next"] is None


def test_all_pages_together_have_every_record_once(desk: App, slots: list[datetime]) -> None:
    first = read(desk, **before_now(slots), limit=4)
    second = read(desk, **before_now(slots), limit=4, cursor=first["next"])
    third = read(desk, **before_now(slots), limit=2, cursor=second["next"])
    assert times(first) + times(second) + times(third) == slots[:0:-1]
    assert third["next"] is None
    assert first["days"] == second["days"] == third["days"]


def test_links_lead_through_all_pages(desk: App, slots: list[datetime]) -> None:
    at, seen = (
        f"{HISTORY_PATH}?{urlencode({'component': 'services.worker', 'limit': 3} | before_now(slots))}",
        [],
    )
    while at:
        answer = desk.client.get(at)
        assert answer.status_code == 200, answer.text
        seen += times(answer.json())
        at = answer.links["next"]["url"] if "next" in answer.links else ""
    assert seen == slots[:0:-1]


def test_a_range_without_records_is_empty(desk: App) -> None:
    page = read(desk, **{"from": "2020-01-01", "to": "2020-01-31"})
    assert (page["records"], page["days"], page["next"]) == ([], [], None)
    page = read(desk, **{"from": "2999-12-01", "to": "2999-12-31"})
    assert (page["records"], page["days"], page["next"]) == ([], [], None)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("9999-12-31T23:59:30Z", "9999-12-31T23:59:59Z"),
        ("9999-12-31T23:59:59.999998Z", "9999-12-31T23:59:59.999999Z"),
        ("9999-12-30", "9999-12-30"),
        ("9999-12-31T23:00:00+23:00", "9999-12-31T23:59:59Z"),
        ("0001-01-01", "0001-01-01"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000001Z"),
        ("0001-01-01T23:59:00+23:59", "0001-01-02"),
    ],
)
def test_at_the_ends_of_the_calendar_there_is_nothing(desk: App, start: str, end: str) -> None:
    page = read(desk, **{"from": start, "to": end})
    assert (page["records"], page["days"], page["next"]) == ([], [], None)


@pytest.mark.parametrize(
    "times",
    [
        ("9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z", "9999-12-30T00:00:00Z"),
        ("9999-12-31T23:59:30Z", "9999-12-31T23:59:40Z", "9999-12-31T23:59:59Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ("0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59", "0001-01-01T00:00:00+23:59"),
        ("9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59-23:59"),
    ],
)
def test_a_cursor_that_was_forged_is_refused(desk: App, times: tuple[str, str, str]) -> None:
    start, before, end = times
    members = {
        "component": "services.worker",
        "from_": None,
        "to": None,
        "start": start,
        "before": before,
        "end": end,
    }
    cursor = urlsafe_b64encode(json.dumps(members).encode()).decode().rstrip("=")
    answer = desk.client.get(f"{HISTORY_PATH}?component=services.worker&cursor={cursor}")
    assert answer.status_code == 400
    assert [error["parameter"] for error in answer.json()["errors"]] == ["cursor"]


@given(st.datetimes(), st.datetimes())
def test_every_range_has_an_answer(desk: App, one: datetime, other: datetime) -> None:
    start, end = sorted((one, other))
    query = {"component": "services.worker", "from": f"{start.isoformat()}Z", "to": f"{end.isoformat()}Z"}
    assert desk.client.get(f"{HISTORY_PATH}?{urlencode(query)}").status_code in {200, 400}


def test_another_service_on_the_same_table_has_a_history_of_its_own(serial_aws: str) -> None:
    name = new_table(serial_aws)
    at = slot_of(datetime.now(UTC)) - timedelta(hours=2)

    async def write(table: TableClient) -> bool:
        return await write_slot(table, at, {ECS: record(at, State.DOWN)})

    assert with_table(serial_aws, name, write, "web")

    async def seen(table: TableClient) -> tuple[int, int]:
        records = await read_records(table, ECS, at, at + MINUTE, at + MINUTE, 9)
        (day,) = await read_days(table, ECS, at.date(), at.date(), at.date())
        return len(records), day.down

    assert with_table(serial_aws, name, seen, "web") == (1, 1)
    assert with_table(serial_aws, name, seen, "api") == (0, 0)
    query = urlencode({"component": "services.web", "from": at.isoformat(), "to": (at + MINUTE).isoformat()})
    for service, count in (("web", 1), ("api", 0)):
        with running_app(environ_of(serial_aws) | {"TABLE": name, "SERVICE": service}) as app:
            assert len(app.client.get(f"{HISTORY_PATH}?{query}").json()["records"]) == count
    assert with_table(serial_aws, name, write, "api")


def test_a_cursor_of_another_list_is_refused(desk: App, slots: list[datetime]) -> None:
    cursor = read(desk, **before_now(slots), limit=1)["next"]
    for parameters in (
        {"component": "services.web"},
        {"component": "services.worker"},
        {"component": "services.worker", "from": slots[0].isoformat()},
    ):
        answer = desk.client.get(f"{HISTORY_PATH}?{urlencode({**parameters, 'cursor': cursor})}")
        assert answer.status_code == 400
        assert [error["parameter"] for error in answer.json()["errors"]] == ["cursor"]


def test_head_answers_as_well(desk: App) -> None:
    answer = desk.client.head(f"{HISTORY_PATH}?component=services.worker&limit=1")
    assert (answer.status_code, answer.content) == (200, b"")


def test_a_table_that_is_not_there_is_told_without_its_name(serial_aws: str) -> None:
    with running_app(environ_of(serial_aws) | {"TABLE": "secret-table"}) as app:
        answer = app.client.get(f"{HISTORY_PATH}?component=services.web")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret-table" not in answer.text
