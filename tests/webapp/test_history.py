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
from tests.webapp.furnishing import aws
from tests.webapp.processes import App, running_app
from tests.webapp.tables import items, new_table, with_table
from tests.webapp.waiting import soon
from webapp.endpoints.history import HISTORY_PATH
from webapp.history.models import (
    Change,
    Day,
    Record,
    Seconds,
    Share,
    availability,
    day_of_seconds,
    share,
    slot_of,
    total,
)
from webapp.history.store import read_changes, read_days, read_records, write_slot
from webapp.states import State
from webapp.table_client import TableClient

COUNTS = st.integers(0, 2000)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ECS, ECR = WEB_ID, IMAGE_ID


@given(COUNTS, COUNTS, COUNTS)
def test_availability_is_the_share_of_what_was_of_use(operational: int, degraded: int, down: int) -> None:
    found = share(Seconds(operational=operational, degraded=degraded, down=down))
    useful, known = operational + degraded, operational + degraded + down
    assert found.with_data == known
    if not known:
        assert found.percent is None
        return
    assert found.percent is not None
    assert 0 <= found.percent <= 100
    assert (found.percent == 100) is (down == 0)
    assert found.percent <= 100 * useful / known < found.percent + 0.0101


@given(COUNTS, COUNTS)
def test_unknown_and_maintenance_do_not_count(unknown: int, maintenance: int) -> None:
    assert share(Seconds(unknown=unknown, maintenance=maintenance)) == Share(percent=None, with_data=0)
    assert share(Seconds(unknown=unknown, maintenance=maintenance, degraded=1, down=3)).percent == 25


@given(st.lists(st.builds(Seconds, operational=COUNTS, down=COUNTS, maintenance=COUNTS)))
def test_the_seconds_of_several_days_are_added_up(several: list[Seconds]) -> None:
    assert total(several).total == sum(each.total for each in several)
    assert total(several).down == sum(each.down for each in several)


def test_shares_are_of_the_last_days_and_of_the_last_24_hours() -> None:
    days = tuple(
        Day(date=NOON.date() - (89 - number) * DAY, seconds=Seconds(operational=1, down=number == 89 - ago))
        for number in range(90)
        for ago in (6,)
    )
    found = availability(days, Seconds(operational=3, down=1))
    assert found.h24 == Share(percent=75.0, with_data=4)
    assert found.d7 == Share(percent=87.5, with_data=8)
    assert found.d30 == Share(percent=96.77, with_data=31)
    assert found.d90 == Share(percent=98.9, with_data=91)


@given(st.integers(0, 86_400), st.integers(0, 86_400))
def test_of_today_only_what_is_over_can_lack_data(passed: int, known: int) -> None:
    midnight = NOON.replace(hour=0)
    now = midnight + timedelta(seconds=passed)
    seconds = Seconds(operational=known)
    assert day_of_seconds(NOON.date(), seconds, now).no_data == max(0, passed - known)
    assert day_of_seconds(NOON.date() - DAY, seconds, now).no_data == 86_400 - known


def test_a_slot_begins_with_the_minute_in_utc() -> None:
    at = datetime.fromisoformat("2026-11-23T01:02:59.999999+05:30")
    assert slot_of(at) == datetime(2026, 11, 22, 19, 32, tzinfo=UTC)
    assert slot_of(at).tzinfo is UTC


def record(at: datetime, state: State = State.OPERATIONAL, *changes: Change) -> Record:
    seconds = Seconds(**{state.value: 60})
    return Record(at=at, state=state, seconds=seconds, p50_ms=1.5, p95_ms=2.5, changes=changes)


def change(at: datetime, to: State = State.DOWN, from_: State = State.OPERATIONAL) -> Change:
    return Change(at=at, from_=from_, to=to, message=f"It is {to}.")


def test_a_slot_is_written_once_and_counted_once(serial_aws: str) -> None:
    name = new_table(serial_aws)
    second = NOON + timedelta(seconds=5)

    async def use(table: TableClient) -> list[int]:
        first = {ECS: record(NOON, State.DEGRADED, change(second, State.DEGRADED)), ECR: record(NOON)}
        other = {ECS: record(NOON, State.DOWN, change(second)), ECR: record(NOON, State.DOWN)}
        after = {ECS: record(NOON + MINUTE, State.DEGRADED)}
        return [
            await write_slot(table, NOON, first),
            await write_slot(table, NOON, other),
            await write_slot(table, NOON + MINUTE, after),
        ]

    assert with_table(serial_aws, name, use) == [2, 0, 1]
    expiry = int((NOON + timedelta(days=90)).timestamp())
    pk = "web#history#services.web"
    told = {"from": {"S": "operational"}, "to": {"S": "degraded"}, "message": {"S": "It is degraded."}}
    minute = {
        "pk": {"S": pk},
        "state": {"S": "degraded"},
        "seconds": {"M": {"degraded": {"N": "60"}}},
        "p50_ms": {"N": "1.5"},
        "p95_ms": {"N": "2.5"},
    }
    assert {item["sk"]["S"]: item for item in items(serial_aws, name) if item["pk"]["S"] == pk} == {
        "minute#2026-11-23T12:00:00Z": {
            **minute,
            "sk": {"S": "minute#2026-11-23T12:00:00Z"},
            "expires_at": {"N": str(expiry)},
            "changes": {"L": [{"M": {"at": {"S": "2026-11-23T12:00:05Z"}, **told}}]},
        },
        "minute#2026-11-23T12:01:00Z": {
            **minute,
            "sk": {"S": "minute#2026-11-23T12:01:00Z"},
            "expires_at": {"N": str(expiry + 60)},
        },
        "change#2026-11-23T12:00:05.000000Z": {
            **told,
            "pk": {"S": pk},
            "sk": {"S": "change#2026-11-23T12:00:05.000000Z"},
            "expires_at": {"N": str(expiry + 5)},
        },
        "day#2026-11-23": {
            "pk": {"S": pk},
            "sk": {"S": "day#2026-11-23"},
            "degraded_seconds": {"N": "120"},
            "expires_at": {"N": str(int((datetime(2026, 11, 23, tzinfo=UTC) + 400 * DAY).timestamp()))},
        },
    }


def test_of_tasks_that_write_a_slot_at_once_one_does(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> list[int]:
        writing = (write_slot(table, NOON, {ECS: record(NOON, state)}) for state in [*State, *State])
        return await asyncio.gather(*writing)

    assert sorted(with_table(serial_aws, name, use)) == [0] * 9 + [1]
    day, minute = items(serial_aws, name)
    assert day[f"{minute['state']['S']}_seconds"] == {"N": "60"}


def test_a_slot_of_sixty_components_is_written_whole_although_a_transaction_has_room_for_less(
    serial_aws: str,
) -> None:
    name = new_table(serial_aws)
    components = [f"services.s{number}" for number in range(60)]

    async def use(table: TableClient) -> None:
        changed = change(NOON + timedelta(seconds=1))
        records = {each: record(NOON, State.DOWN, changed) for each in components}
        one, other = await asyncio.gather(write_slot(table, NOON, records), write_slot(table, NOON, records))
        assert one + other == 60
        assert await write_slot(table, NOON, records) == 0
        for each in components:
            (day,) = await read_days(table, each, NOON.date(), NOON.date(), NOON + MINUTE)
            assert day.seconds == Seconds(down=60)
            assert len(await read_changes(table, each, NOON, NOON + MINUTE, NOON + MINUTE, 9)) == 1

    with_table(serial_aws, name, use)


def test_what_another_task_has_left_out_of_a_slot_is_written(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        one = [*map("services.s{}".format, range(4))]
        await write_slot(table, NOON, {each: record(NOON) for each in one[:2]})
        assert await write_slot(table, NOON, {each: record(NOON) for each in one}) == 2
        assert await write_slot(table, NOON, {each: record(NOON) for each in ("services.s9", *one)}) == 1
        assert await write_slot(table, NOON, {each: record(NOON) for each in one}) == 0

    with_table(serial_aws, new_table(serial_aws), use)


def test_a_component_with_more_changes_than_a_transaction_has_room_for_is_kept_all_the_same(
    serial_aws: str,
) -> None:
    async def use(table: TableClient) -> None:
        many = [change(NOON + timedelta(milliseconds=number)) for number in range(30)]
        assert await write_slot(table, NOON, {ECS: record(NOON, State.DOWN, *many)}) == 1
        (kept,) = await read_records(table, ECS, NOON, NOON + MINUTE, NOON + MINUTE)
        assert len(kept.changes) == 30

    with_table(serial_aws, new_table(serial_aws), use)


def test_what_two_tasks_have_seen_of_one_change_is_one_change(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        first, second = NOON + timedelta(seconds=59), NOON + MINUTE
        await write_slot(table, NOON, {ECS: record(NOON, State.DOWN, change(first))})
        await write_slot(table, second, {ECS: record(second, State.DOWN, change(second))})
        (found,) = await read_changes(table, ECS, NOON, NOON + DAY, NOON + DAY, 9)
        assert found.at == first

    with_table(serial_aws, new_table(serial_aws), use)


def test_former_records_and_days_are_read_as_seconds(serial_aws: str) -> None:
    name = new_table(serial_aws)
    pk = {"S": "web#history#services.web"}
    expiry = {"N": str(int((NOON + 90 * DAY).timestamp()))}
    minute = {
        "pk": pk,
        "sk": {"S": "minute#2026-11-23T12:00:00Z"},
        "state": {"S": "degraded"},
        "message": {"S": "Raised: cpu."},
        "latency_ms": {"N": "12.5"},
        "expires_at": expiry,
    }
    unknown = {
        "pk": pk,
        "sk": {"S": "minute#2026-11-23T12:01:00Z"},
        "state": {"S": "unknown"},
        "message": {"S": "Its check was overdue."},
        "expires_at": expiry,
    }
    day = {
        "pk": pk,
        "sk": {"S": "day#2026-11-23"},
        "operational": {"N": "700"},
        "degraded": {"N": "3"},
        "down": {"N": "2"},
        "unknown": {"N": "1"},
        "expires_at": expiry,
    }
    for item in (minute, unknown, day):
        aws("dynamodb", serial_aws).put_item(TableName=name, Item=item)

    async def use(table: TableClient) -> None:
        now = NOON + timedelta(minutes=3)
        found = await read_records(table, ECS, NOON, now, now)
        assert found == (
            Record(at=NOON + MINUTE, state=State.UNKNOWN, seconds=Seconds(unknown=60)),
            Record(at=NOON, state=State.DEGRADED, seconds=Seconds(degraded=60), p50_ms=12.5, p95_ms=12.5),
        )
        # On the day of an upgrade, a day has counters of both kinds.
        at = NOON + 2 * MINUTE
        await write_slot(table, at, {ECS: record(at, State.DOWN)})
        (today,) = await read_days(table, ECS, NOON.date(), NOON.date(), now)
        assert today.seconds == Seconds(operational=42_000, degraded=180, down=180, unknown=60)
        assert today.no_data == 12 * 3600 + 180 - today.seconds.total
        assert today.availability == 99.57

    with_table(serial_aws, name, use)


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
        days = await read_days(table, ECS, today - 3 * DAY, today + 7 * DAY, NOON)
        assert [(day.date, day.seconds.operational, day.no_data) for day in days] == [
            (today - 3 * DAY, 60, 86_340),
            (today - 2 * DAY, 0, 86_400),
            (today - DAY, 120, 86_280),
            (today, 0, 43_200),
        ]
        assert await read_days(table, ECR, today, today, NOON) == (Day(date=today, no_data=43_200),)
        assert await read_days(table, ECS, today + DAY, today + 2 * DAY, NOON) == ()
        assert await read_days(table, ECS, today - 500 * DAY, today - 401 * DAY, NOON) == ()
        assert len(await read_days(table, ECS, today - 500 * DAY, today, NOON)) == 401

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
    """An app whose table has records of the worker. Every minute it adds one of its own."""
    name = new_table(serial_aws)

    async def use(table: TableClient) -> None:
        for slot in [*slots, lately]:
            last = slot == slots[-1]
            state, changes = (State.DOWN, (change(slot),)) if last else (State.OPERATIONAL, ())
            await write_slot(table, slot, {WORKER_ID: record(slot, state, *changes)})

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


NOTHING = {"operational": 0, "degraded": 0, "down": 0, "unknown": 0, "maintenance": 0}


def test_a_record_tells_how_long_each_state_lasted(desk: App, slots: list[datetime]) -> None:
    page = read(desk, **before_now(slots), limit=2)
    at = [f"{slot:%Y-%m-%dT%H:%M:%SZ}" for slot in slots]
    assert page["records"] == [
        {"at": at[-1], "state": "down", "seconds": {**NOTHING, "down": 60}},
        {"at": at[-2], "state": "operational", "seconds": {**NOTHING, "operational": 60}},
    ]
    assert page["changes"] == [
        {"at": at[-1], "from": "operational", "to": "down", "message": "Does not work."}
    ]
    assert read(desk, **before_now(slots), limit=2, cursor=page["next"])["changes"] == []


def test_days_tell_the_availability_and_what_there_is_no_data_of(desk: App, slots: list[datetime]) -> None:
    day = slots[0].date()
    page = read(desk, **{"from": day, "to": day + DAY})
    assert page["records"] == [
        {
            "at": f"{slots[0]:%Y-%m-%dT%H:%M:%SZ}",
            "state": "operational",
            "seconds": {**NOTHING, "operational": 60},
        }
    ]
    assert page["days"] == [
        {
            "date": str(day),
            "seconds": {**NOTHING, "operational": 60},
            "no_data": 86_340,
            "availability": 100.0,
        },
        {"date": str(day + DAY), "seconds": NOTHING, "no_data": 86_400, "availability": None},
    ]
    assert page["next"] is None


def test_shares_are_told_with_how_much_there_is_data_of(desk: App) -> None:
    def shares() -> Any:
        return read(desk)["availability"]

    found = soon(shares, lambda found: found is not None)
    assert found["d7"]["with_data"] >= 60 * 11
    assert found["d90"]["with_data"] == found["d7"]["with_data"] + 60
    assert found["d7"]["percent"] < 100


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

    async def write(table: TableClient) -> int:
        return await write_slot(table, at, {ECS: record(at, State.DOWN)})

    assert with_table(serial_aws, name, write, "web")

    async def seen(table: TableClient) -> tuple[int, int]:
        records = await read_records(table, ECS, at, at + MINUTE, at + MINUTE, 9)
        (day,) = await read_days(table, ECS, at.date(), at.date(), at + MINUTE)
        return len(records), day.seconds.down

    assert with_table(serial_aws, name, seen, "web") == (1, 60)
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
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret-table" not in answer.text
