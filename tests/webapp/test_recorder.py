"""The recorder: each minute is kept once, whatever happens to tasks and table."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta

import pytest

from tests.webapp.announced import change, new_incident
from tests.webapp.environment import IDS, WEB_ID, WORKER_ID, environ_of
from tests.webapp.faults import answering
from tests.webapp.processes import App, running_app
from tests.webapp.proxy import proxy
from tests.webapp.tables import items, new_table, with_table
from tests.webapp.waiting import soon
from webapp.board import Board, Result
from webapp.calls import AwsError
from webapp.contract import HEALTH_PATH
from webapp.endpoints.history import HISTORY_PATH
from webapp.history.models import SLOT, Day, Share
from webapp.history.recorder import DAYS_SHOWN, MOST_PENDING, Recorder
from webapp.incidents.changes import opened
from webapp.incidents.models import Incident, incident_id
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State
from webapp.table_client import TableClient

pytestmark = pytest.mark.e2e

BEGUN = datetime(2026, 11, 23, 6, 25, 10, tzinfo=UTC)
MINUTE = "2026-11-23T06:25:00Z"
SECOND = timedelta(seconds=1)


def settings() -> Settings:
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1))


class Task:
    """A recorder with a clock of its own, and the board it looks at. Checks are overdue after 75 seconds."""

    def __init__(self, table: TableClient, now: datetime = BEGUN) -> None:
        self.now = now
        self.board = Board(IDS, now, dict.fromkeys(IDS, 75.0))
        self.recorder = Recorder(table, settings(), self.board, lambda: self.now)

    def check(self, state: State = State.OPERATIONAL, components: Iterable[str] = IDS) -> None:
        """Has components checked now."""
        for component in components:
            finding = Finding(state, f"It is {state}.")
            self.board.put_result(Result(component, finding, self.now, self.now, 1.5))

    async def step(self, state: State = State.OPERATIONAL) -> float:
        """One step, right after all components were checked."""
        self.check(state)
        return await self.recorder.step()


def announcement(starts_at: datetime, ends_at: datetime, now: datetime | None = None) -> Incident:
    """A maintenance of the web service."""
    new = new_incident(
        kind="maintenance",
        title="New disks",
        message="m",
        components=[WEB_ID],
        starts_at=starts_at.isoformat(),
        ends_at=ends_at.isoformat(),
    )
    return opened(new, incident_id(starts_at, bytes(10)), now or starts_at)


def kept(url: str, name: str) -> dict[str, dict[str, str]]:
    """The state of each minute of each component."""
    found: dict[str, dict[str, str]] = {component: {} for component in IDS}
    for item in items(url, name):
        if item["sk"]["S"].startswith("minute#"):
            component, minute = item["pk"]["S"].rpartition("#")[2], item["sk"]["S"].partition("#")[2]
            found[component][minute] = item["state"]["S"]
    return found


def counted(url: str, name: str) -> dict[str, Counter[str]]:
    """How many seconds of each state the days of each component have."""
    counters: dict[str, Counter[str]] = {component: Counter() for component in IDS}
    for item in items(url, name):
        if item["sk"]["S"].startswith("day#"):
            names = {state: f"{state}_seconds" for state in State}
            seconds = {state: int(item[name]["N"]) for state, name in names.items() if name in item}
            counters[item["pk"]["S"].rpartition("#")[2]].update(seconds)
    return counters


def assert_counters_agree(url: str, name: str) -> None:
    """The days have the seconds of all minutes."""
    sums: dict[str, Counter[str]] = {component: Counter() for component in IDS}
    for item in items(url, name):
        if item["sk"]["S"].startswith("minute#"):
            seconds = {state: int(value["N"]) for state, value in item["seconds"]["M"].items()}
            sums[item["pk"]["S"].rpartition("#")[2]].update(seconds)
    assert counted(url, name) == sums


def with_new_table(url: str, use: Callable[[TableClient], Awaitable[None]]) -> str:
    name = new_table(url)
    with_table(url, name, use)
    return name


def test_every_minute_is_kept_once_by_tasks_with_the_same_table(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        tasks = [Task(table, BEGUN + n * SECOND) for n in range(3)]
        for minute in range(5):
            state = State.DOWN if minute == 2 else State.OPERATIONAL
            for task in tasks:
                task.now = BEGUN + minute * SLOT
            await asyncio.gather(*(task.step(state) for task in tasks))
        for task in tasks:
            assert task.board.snapshot.days is not None
            assert task.board.snapshot.availability is not None
            today = task.board.snapshot.days[WEB_ID][-1]
            assert (today.seconds.operational, today.seconds.down) == (170, 60)
            assert today.availability == task.board.snapshot.availability[WEB_ID].h24.percent == 73.91

    name = with_new_table(serial_aws, use)
    # Down from 06:27:10 to 06:28:10.
    minutes = {f"2026-11-23T06:{25 + n}:00Z": "down" if n > 1 else "operational" for n in range(4)}
    assert kept(serial_aws, name) == dict.fromkeys(IDS, minutes)
    assert_counters_agree(serial_aws, name)


def test_a_minute_is_kept_when_it_is_over_and_once_however_often_the_recorder_looks(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        await task.step()
        task.now += 49 * SECOND
        await task.step()
        assert items(serial_aws, table.name) == []
        for _ in range(3):
            task.now += SECOND
            await task.step(State.DOWN)

    name = with_new_table(serial_aws, use)
    assert kept(serial_aws, name) == {name: {MINUTE: "operational"} for name in IDS}
    assert counted(serial_aws, name)[WEB_ID] == {"operational": 50}


def test_what_was_not_checked_in_a_minute_has_no_record_of_it(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        task.check(components=[WEB_ID])
        task.now += SLOT
        await task.recorder.step()

    name = with_new_table(serial_aws, use)
    assert {component for component, minutes in kept(serial_aws, name).items() if minutes} == {WEB_ID}
    assert_counters_agree(serial_aws, name)


def test_without_any_result_nothing_is_kept(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        for _ in range(3):
            task.now += SLOT
            await task.recorder.step()

    assert items(serial_aws, with_new_table(serial_aws, use)) == []


def test_the_next_minute_is_due_when_it_is_over_at_a_time_of_the_tasks_own(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        # A task that has not seen all of a minute lets others go first.
        partial_pauses = [await task.step() for _ in range(20)]
        assert 51 <= min(partial_pauses) < max(partial_pauses) <= 52
        task.now += SLOT
        pauses = [await task.step() for _ in range(20)]
        assert 50 <= min(pauses) < max(pauses) <= 51
        task.now -= timedelta(hours=1)
        assert await task.recorder.step() <= 61

    with_new_table(serial_aws, use)


def test_a_minute_with_a_failure_that_does_not_count_yet_waits_but_not_for_ever(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        task.check()
        task.now += 45 * SECOND
        suspected = Result(
            WEB_ID, Finding(State.OPERATIONAL, "m"), task.now, BEGUN, 1.5, suspected_since=task.now
        )
        task.board.put_result(suspected)
        task.now += 10 * SECOND
        assert await task.recorder.step() == 1.0
        assert items(serial_aws, table.name) == []
        task.now += SLOT
        await task.recorder.step()

    assert kept(serial_aws, with_new_table(serial_aws, use))[WEB_ID] == {MINUTE: "operational"}


def test_a_clock_that_is_put_back_counts_nothing_twice(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        for minutes in (0, 1, 0, 1, 2):
            task.now = BEGUN + minutes * SLOT
            await task.step()

    name = with_new_table(serial_aws, use)
    assert_counters_agree(serial_aws, name)
    assert counted(serial_aws, name)[WEB_ID] == {"operational": 110}


@pytest.mark.parametrize(("days", "maintenance"), [(0, 20), (20, 60)])
def test_a_maintenance_that_is_ended_early_counts_until_then(
    serial_aws: str, days: int, maintenance: int
) -> None:
    """One that began long ago is not among the recent ones: it counts until it is seen to be over."""

    async def use(table: TableClient) -> None:
        task = Task(table, BEGUN.replace(second=0))
        announced = announcement(task.now - timedelta(days=days), BEGUN + timedelta(hours=3))
        task.board.put_open_incidents((announced,))
        task.check()
        await task.recorder.step()
        ended = change(announced, task.now + 20 * SECOND, state="completed", message="Done.")
        task.board.put_open_incidents(())
        task.board.put_recent_incidents(() if days else (ended,))
        for _ in range(2):
            task.now += SLOT
            await task.step()

    name = with_new_table(serial_aws, use)
    assert counted(serial_aws, name)[WEB_ID] == {"maintenance": maintenance, "operational": 120 - maintenance}


def test_a_maintenance_that_is_cancelled_does_not_count(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table, BEGUN.replace(second=0))
        announced = announcement(task.now + 20 * SECOND, BEGUN + timedelta(hours=3), task.now)
        task.board.put_open_incidents((announced,))
        await task.step()
        cancelled = change(announced, task.now + SECOND, state="cancelled", message="No disks came.")
        task.board.put_open_incidents(())
        task.board.put_recent_incidents((cancelled,))
        task.now += SLOT
        await task.step()

    assert counted(serial_aws, with_new_table(serial_aws, use))[WEB_ID] == {"operational": 60}


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
    minutes = {f"2026-11-23T06:{25 + n}:00Z": "down" if n else "operational" for n in range(4)}
    assert kept(serial_aws, name) == dict.fromkeys(IDS, minutes)
    assert_counters_agree(serial_aws, name)


def test_after_an_outage_of_the_table_the_last_24_hours_have_what_was_written_late(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with proxy(serial_aws) as between:

        async def use(table: TableClient) -> None:
            task = Task(table)
            await task.step()
            between.cut = True
            for minute in range(1, 20):
                task.now = BEGUN + minute * SLOT
                task.check(State.DOWN)
                # What each step begins with; the rest fails, and takes its time.
                task.recorder._take()
            with pytest.raises(AwsError):
                await task.recorder.step()
            between.cut = False
            task.now += SLOT
            await task.step()
            assert task.board.snapshot.availability is not None
            # Operational from 06:25:10 to 06:26:10, and down until 06:45.
            assert task.board.snapshot.availability[WEB_ID].h24 == Share(percent=5.04, with_data=1190)

        with_table(between.url, name, use)


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
            task.now += SLOT
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


def test_a_clock_that_is_put_forward_is_followed_at_once(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        await task.step()
        task.now += timedelta(days=3650)
        await task.step()
        task.now += SLOT
        await task.step()

    name = with_new_table(serial_aws, use)
    assert {*kept(serial_aws, name)[WEB_ID]} == {MINUTE, "2026-11-23T06:26:00Z", "2036-11-20T06:25:00Z"}


def test_the_board_has_the_last_90_days_of_every_component_also_after_midnight(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table, datetime(2026, 11, 23, 23, 59, 10, tzinfo=UTC))
        for minute in range(3):
            task.now = datetime(2026, 11, 23, 23, 59, 10, tzinfo=UTC) + minute * SLOT
            await task.step()
            days = task.board.snapshot.days
            assert days is not None
            assert days.keys() == set(IDS)
            for shown in days.values():
                assert [day.date for day in shown] == [
                    task.now.date() - timedelta(days=age) for age in reversed(range(DAYS_SHOWN))
                ]
        assert task.board.snapshot.days is not None
        yesterday, today = task.board.snapshot.days[WEB_ID][-2:]
        assert (yesterday.seconds.operational, today.seconds.operational) == (50, 60)
        assert yesterday.no_data == 86_350

    with_new_table(serial_aws, use)


def test_what_is_older_than_24_hours_leaves_the_share_of_the_last_day(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        task = Task(table)
        await task.step(State.DOWN)
        task.now += SLOT
        await task.step()
        for hours, percent in ((12, 67.56), (24, 100.0)):
            task.now = BEGUN + timedelta(hours=hours)
            await task.step()
            task.now += SLOT
            await task.step()
            assert task.board.snapshot.availability is not None
            assert task.board.snapshot.availability[WEB_ID].h24.percent == percent

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


def test_two_apps_keep_the_minutes_that_they_have_seen_once_and_warn_of_nothing(serial_aws: str) -> None:
    name = new_table(serial_aws)
    environ = environ_of(serial_aws, check_interval=1) | {"TABLE": name}
    with running_app(environ) as one, running_app(environ) as other:
        # A minute is written when it is over.
        soon(lambda: all(kept(serial_aws, name).values()), True.__eq__, seconds=90)
        apps: list[App] = [one, other]
        for app in apps:
            page = app.client.get(f"{HISTORY_PATH}?component={WORKER_ID}").json()
            assert page["records"][-1]["state"] == "operational"
    assert_counters_agree(serial_aws, name)
    for app in apps:
        printed = "".join(app.process.stdout)
        assert '"a transaction failed"' not in printed
        assert '"the recorder failed"' not in printed


def test_what_nobody_foresaw_is_one_line_in_the_log_and_the_recorder_goes_on() -> None:
    with answering(200, b"{}") as aws, running_app(environ_of(aws.url, check_interval=1)) as app:

        def failures() -> list[str]:
            return [line for line in app.process.stdout if '"the recorder failed"' in line]

        for line in soon(failures, lambda lines: len(lines) > 2):
            assert "Traceback" in line
            assert "KeyError" in line
        assert app.client.get(HEALTH_PATH).status_code == 200
