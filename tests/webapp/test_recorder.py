"""The recorder: each minute is kept once, whatever happens to tasks and table."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import IDS, TABLE_ID, WEB_ID, environ_of
from tests.webapp.faults import answering
from tests.webapp.processes import App, running_app
from tests.webapp.proxy import proxy
from tests.webapp.tables import items, new_table, with_table
from tests.webapp.waiting import soon
from webapp.board import Board, Result
from webapp.calls import AwsError
from webapp.contract import HEALTH_PATH
from webapp.endpoints.history import HISTORY_PATH
from webapp.history.models import SLOT, Day
from webapp.history.recorder import DAYS_SHOWN, MOST_PENDING, NOT_IN_TIME, Recorder, records_of
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State
from webapp.table_client import TableClient

pytestmark = pytest.mark.e2e

BEGUN = datetime(2026, 11, 23, 6, 25, 10, tzinfo=UTC)
MINUTE = "2026-11-23T06:25:00Z"
SECOND = timedelta(seconds=1)
ALL = len(IDS)


def settings() -> Settings:
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1))


class Task:
    """A recorder with a clock of its own, and the board it looks at."""

    def __init__(self, table: TableClient, now: datetime = BEGUN) -> None:
        self.now = now
        self.board = Board(IDS, now)
        self.recorder = Recorder(table, settings(), self.board, lambda: self.now)

    def check(self, state: State = State.OPERATIONAL, services: Any = IDS) -> None:
        """Has all services checked now."""
        for service in services:
            self.board.put_result(Result(service, Finding(state, f"It is {state}."), self.now, self.now, 1.5))

    async def step(self, state: State = State.OPERATIONAL) -> float:
        """One step, right after all services were checked."""
        self.check(state)
        return await self.recorder.step()


def kept(url: str, name: str) -> dict[str, dict[str, str]]:
    """The state of each minute of each service."""
    found: dict[str, dict[str, str]] = {service: {} for service in IDS}
    for item in items(url, name):
        if item["sk"]["S"].startswith("minute#"):
            service, minute = item["pk"]["S"].rpartition("#")[2], item["sk"]["S"].partition("#")[2]
            found[service][minute] = item["state"]["S"]
    return found


def counted(url: str, name: str) -> dict[str, Counter[str]]:
    """How many records of each state the days of each service have."""
    counters: dict[str, Counter[str]] = {service: Counter() for service in IDS}
    for item in items(url, name):
        if item["sk"]["S"].startswith("day#"):
            states = {state: int(item[state]["N"]) for state in State if state in item}
            counters[item["pk"]["S"].rpartition("#")[2]].update(states)
    return counters


def assert_counters_agree(url: str, name: str) -> None:
    records = kept(url, name)
    assert counted(url, name) == {service: Counter(states.values()) for service, states in records.items()}


def with_new_table(url: str, use: Callable[[TableClient], Awaitable[None]]) -> str:
    name = new_table(url)
    with_table(url, name, use)
    return name


@given(
    st.dictionaries(st.sampled_from(IDS), st.floats(0, 100)),
    st.sampled_from(State),
    st.floats(1, 50),
)
def test_what_was_checked_in_time_is_kept_and_what_was_not_is_unknown(
    ages: Mapping[str, float], state: State, overdue: float
) -> None:
    board = Board(IDS, BEGUN)
    for service, age in ages.items():
        board.put_result(Result(service, Finding(state, "m"), BEGUN - timedelta(seconds=age), BEGUN, 1.5))
    records = records_of(board.snapshot, BEGUN, BEGUN, overdue)
    assert records.keys() == ages.keys()
    for service, record in records.items():
        assert record.at == BEGUN
        if timedelta(seconds=ages[service]) <= timedelta(seconds=overdue):
            assert (record.state, record.message, record.latency_ms) == (state, "m", 1.5)
        else:
            assert (record.state, record.message, record.latency_ms) == (State.UNKNOWN, NOT_IN_TIME, None)


def test_every_minute_is_kept_once_by_tasks_with_the_same_table(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        tasks = [Task(table, BEGUN + n * SECOND) for n in range(3)]
        for minute in range(4):
            state = State.DOWN if minute == 2 else State.OPERATIONAL
            for task in tasks:
                task.now = BEGUN + minute * SLOT
            await asyncio.gather(*(task.step(state) for task in tasks))
        for task in tasks:
            assert task.board.snapshot.days is not None
            today = task.board.snapshot.days[WEB_ID][-1]
            assert (today.operational, today.down, today.availability) == (3, 1, 75.0)

    name = with_new_table(serial_aws, use)
    minutes = {f"2026-11-23T06:{25 + n}:00Z": "down" if n == 2 else "operational" for n in range(4)}
    assert kept(serial_aws, name) == dict.fromkeys(IDS, minutes)
    assert_counters_agree(serial_aws, name)


def test_a_minute_is_taken_once_however_often_the_recorder_looks(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        await task.step()
        for _ in range(3):
            task.now += SECOND
            await task.step(State.DOWN)

    name = with_new_table(serial_aws, use)
    assert kept(serial_aws, name) == {name: {MINUTE: "operational"} for name in IDS}


def test_the_first_minute_waits_for_all_results_but_not_for_ever(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        assert await task.recorder.step() < 1
        task.check(services=[WEB_ID])
        task.now += 9 * SECOND
        assert await task.recorder.step() < 1
        assert items(serial_aws, table.name) == []
        task.now += SECOND
        assert await task.recorder.step() > 1

    name = with_new_table(serial_aws, use)
    assert {service for service, minutes in kept(serial_aws, name).items() if minutes} == {WEB_ID}
    assert_counters_agree(serial_aws, name)


def test_without_any_result_nothing_is_kept(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        for _ in range(3):
            task.now += SLOT
            assert await task.recorder.step() < 1

    assert items(serial_aws, with_new_table(serial_aws, use)) == []


def test_the_next_minute_is_due_after_it_has_begun_at_a_time_of_the_tasks_own(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        pauses = [await task.step() for _ in range(20)]
        assert 50 <= min(pauses) < max(pauses) <= 51
        task.now -= timedelta(hours=1)
        assert await task.recorder.step() <= 61

    with_new_table(serial_aws, use)


def test_a_clock_that_is_put_back_counts_nothing_twice(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        for minutes in (0, 1, 0, 1, 2):
            task.now = BEGUN + minutes * SLOT
            await task.step()

    name = with_new_table(serial_aws, use)
    assert_counters_agree(serial_aws, name)
    assert counted(serial_aws, name)[WEB_ID] == {"operational": 3}


def test_an_outage_of_the_table_is_remembered(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with proxy(serial_aws) as between:

        async def use(table: TableClient) -> None:
            task = Task(table)
            await task.step()
            days = task.board.snapshot.days
            between.cut = True
            for minute in range(1, 4):
                task.now = BEGUN + minute * SLOT
                with pytest.raises(AwsError):
                    await task.step(State.DOWN)
                assert task.board.snapshot.days is days
                assert task.board.snapshot.days_read_at == BEGUN
            between.cut = False
            task.now = BEGUN + 4 * SLOT
            await task.step()
            assert task.board.snapshot.days_read_at == task.now

        with_table(between.url, name, use)
    minutes = {f"2026-11-23T06:{25 + n}:00Z": "down" if 0 < n < 4 else "operational" for n in range(5)}
    assert kept(serial_aws, name) == dict.fromkeys(IDS, minutes)
    assert_counters_agree(serial_aws, name)


def test_of_a_long_outage_the_last_hour_is_remembered(
    serial_aws: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = new_table(serial_aws)
    with proxy(serial_aws) as between:

        async def use(table: TableClient) -> None:
            task = Task(table)
            recorder = task.recorder
            for minute in range(MOST_PENDING + 5):
                task.now = BEGUN + minute * SLOT
                task.check()
                # What each step begins with; the rest fails, and takes its time.
                recorder._take()
            between.cut = True
            with pytest.raises(AwsError):
                await task.step()
            between.cut = False
            await task.step()

        with_table(between.url, name, use)
    first = BEGUN.replace(second=0) + 5 * SLOT
    wanted = {f"{first + n * SLOT:%Y-%m-%dT%H:%M:%SZ}": "operational" for n in range(MOST_PENDING)}
    assert kept(serial_aws, name)[WEB_ID] == wanted
    assert [record.message for record in caplog.records].count("a minute of the history is lost") == 5


def test_the_board_has_the_last_90_days_of_every_service(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        await task.step()
        days = task.board.snapshot.days
        assert days is not None
        assert days.keys() == set(IDS)
        for shown in days.values():
            assert [day.date for day in shown] == [
                BEGUN.date() - timedelta(days=age) for age in reversed(range(DAYS_SHOWN))
            ]

    with_new_table(serial_aws, use)


def test_days_that_are_read_again_and_are_the_same_wake_nobody() -> None:
    board = Board(IDS, BEGUN)
    days = {WEB_ID: (Day(date=BEGUN.date()),)}
    board.put_days(days, BEGUN)
    first = board.snapshot
    board.put_days(dict(days), BEGUN + SLOT)
    second = board.snapshot
    assert [first.days_read_at, second.days_read_at] == [BEGUN, BEGUN + SLOT]
    assert second.version == first.version
    assert second.days is first.days


def written(url: str, name: str) -> int:
    return sum(len(minutes) for minutes in kept(url, name).values())


def test_two_tasks_keep_a_minute_once_and_warn_of_nothing(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with (
        proxy(serial_aws) as before_one,
        proxy(serial_aws) as before_other,
        running_app(environ_of(before_one.url) | {"TABLE": name}) as one,
        running_app(environ_of(before_other.url) | {"TABLE": name}) as other,
    ):
        for between in (before_one, before_other):
            # Days are read at the start, before there are results, and again after each slot.
            soon(partial(between.seen.count, "Query"), lambda count: count > ALL)
        assert written(serial_aws, name) >= ALL
        apps: list[App] = [one, other]
        for app in apps:
            page = app.client.get(f"{HISTORY_PATH}?component={TABLE_ID}").json()
            assert page["records"][-1]["state"] == "operational"
    assert_counters_agree(serial_aws, name)
    for app in apps:
        printed = "".join(app.process.stdout)
        assert '"a transaction failed"' not in printed
        assert '"the recorder failed"' not in printed


def test_an_app_that_starts_without_its_table_keeps_that_minute_later(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with proxy(serial_aws) as between:
        between.cut = True
        with running_app(environ_of(between.url, check_interval=1) | {"TABLE": name}) as app:
            app.process.wait_for('"component state changed".*"status.table".*"down"')
            soon(lambda: between.seen.count("GetItem"), lambda count: count > 20)
            assert items(serial_aws, name) == []
            between.cut = False
            soon(lambda: written(serial_aws, name), lambda count: count >= ALL)
    assert "down" in kept(serial_aws, name)[TABLE_ID].values()
    assert_counters_agree(serial_aws, name)


def test_what_nobody_foresaw_is_one_line_in_the_log_and_the_recorder_goes_on() -> None:
    with answering(200, b"{}") as aws, running_app(environ_of(aws.url, check_interval=1)) as app:

        def failures() -> list[str]:
            return [line for line in app.process.stdout if '"the recorder failed"' in line]

        for line in soon(failures, lambda lines: len(lines) > 2):
            assert "Traceback" in line
            assert "KeyError" in line
        assert app.client.get(HEALTH_PATH).status_code == 200
