"""What slot, day, share, status document and history say of outages, with a controlled clock."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from tests.webapp.desk import Desk, at, seconds_of, today, told
from tests.webapp.environment import ALARMS_ID, IDS, TABLE_ID, WEB_ID, WORKER_ID
from tests.webapp.tables import new_table, with_table
from webapp.calls import FailureKind
from webapp.history.models import Share
from webapp.incidents.models import Incident, Kind, Progress
from webapp.judge import NO_CREDENTIALS, NO_NETWORK
from webapp.states import State
from webapp.status import NOTICE, WORDS
from webapp.table_client import TableClient

pytestmark = pytest.mark.e2e

Play = Callable[[Callable[[TableClient], Awaitable[None]]], None]


@pytest.fixture
def play(serial_aws: str) -> Play:
    """Plays a story on a new table."""
    return lambda story: with_table(serial_aws, new_table(serial_aws), story)


def test_an_outage_of_37_seconds_between_two_minutes_is_kept_to_the_second(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:15")
        desk.find(WEB_ID, State.DOWN)
        assert desk.status().state is State.OPERATIONAL
        desk.now = at("06:25:20")
        desk.find(WEB_ID, State.DOWN)
        shown = desk.status().components[WEB_ID]
        assert (shown.state, shown.since, shown.message) == (State.DOWN, at("06:25:15"), "Does not work.")
        assert desk.status().message == "Web shop is down"
        desk.now = at("06:25:30")
        desk.operational_until("06:25:50", WEB_ID)
        desk.now = at("06:25:52")
        desk.operational_until("06:26:04")
        assert desk.status().message == "All systems operational"
        await desk.write("06:26:05")

        page = await desk.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 23, "down": 37}}
        assert page.records[0].state is State.DOWN
        assert told(page.changes) == ["06:25:15 operational -> down", "06:25:52 down -> operational"]
        assert page.records[0].changes == page.changes[::-1]
        assert (today(page).seconds.operational, today(page).seconds.down) == (23, 37)
        # It is 06:26:05, and nothing was known until 06:25.
        assert today(page).no_data == 6 * 3600 + 25 * 60 + 5
        assert page.availability is not None
        assert page.availability.h24 == page.availability.d90 == Share(percent=38.33, with_data=60)
        assert seconds_of(await desk.history(WORKER_ID)) == {"06:25": {"operational": 60}}

        public = await desk.public_history(WEB_ID)
        assert [change.message for change in public.changes] == [WORDS[State.OPERATIONAL], "Does not work."]
        assert "p50_ms" not in public.model_dump_json()

    play(story)


def test_a_single_failure_does_not_count(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        for minute in range(2):
            for second in (0, 15, 30, 45):
                desk.now = at("06:25:00") + timedelta(minutes=minute, seconds=second)
                desk.find_all()
                desk.find(WEB_ID, State.DOWN)
                desk.now += timedelta(seconds=5)
                desk.find(WEB_ID)
        await desk.write("06:27:01")
        page = await desk.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 60}, "06:26": {"operational": 60}}
        assert page.changes == ()
        assert desk.status().components[WEB_ID].availability is not None
        assert page.availability is not None
        assert page.availability.h24 == Share(percent=100.0, with_data=120)

    play(story)


def test_a_flapping_check_says_so_and_every_change_is_kept(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        for second in range(0, 60, 20):
            desk.now = at("06:25:00") + timedelta(seconds=second)
            desk.find_all()
            desk.now += timedelta(seconds=5)
            desk.find(WEB_ID, State.DOWN)
            desk.now += timedelta(seconds=5)
            desk.find(WEB_ID, State.DOWN)
        finding = desk.operator_status().components[WEB_ID].finding
        assert finding == "It is down. Its state has changed 5 times in 10 minutes."
        await desk.write("06:26:01")
        page = await desk.history(WEB_ID)
        # Down from :05 to :20, from :25 to :40 and from :45 on.
        assert seconds_of(page) == {"06:25": {"operational": 15, "down": 45}}
        assert len(page.changes) == 5
        desk.now = at("06:40:00")
        desk.find(WEB_ID)
        assert desk.operator_status().components[WEB_ID].finding == "It is operational."

    play(story)


def test_a_failure_at_the_end_of_a_minute_is_waited_for(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:58")
        desk.find(WEB_ID, State.DOWN)
        await desk.write("06:26:01")
        assert (await desk.history(WEB_ID)).records == ()
        desk.now = at("06:26:03")
        desk.find(WEB_ID, State.DOWN)
        await desk.write("06:26:04")
        page = await desk.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 58, "down": 2}}
        assert told(page.changes) == ["06:25:58 operational -> down"]

    play(story)


def test_a_slot_waits_until_as_many_failures_as_the_threshold_may_have_come(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table, FAILURE_THRESHOLD="10")
        desk.operational_until("06:25:58")
        for _ in range(9):
            desk.find(WORKER_ID)
            desk.find(WEB_ID, State.DOWN)
            await desk.recorder.step()
            desk.now += timedelta(seconds=9)
        desk.find(WEB_ID, State.DOWN)
        await desk.recorder.step()
        assert seconds_of(await desk.history(WEB_ID)) == {
            "06:25": {"operational": 58, "down": 2},
            "06:26": {"down": 60},
        }

    play(story)


def test_ten_minutes_without_the_app_are_no_data(play: Play) -> None:
    async def story(table: TableClient) -> None:
        before = Desk(table)
        before.operational_until("06:27:00")
        await before.write("06:27:02")
        after = Desk(table, at("06:37:00"))
        assert after.status().components[WEB_ID].availability is None
        after.operational_until("06:39:00")
        await after.write("06:39:02")
        page = await after.history(WEB_ID)
        assert seconds_of(page) == {
            minute: {"operational": 60} for minute in ("06:25", "06:26", "06:37", "06:38")
        }
        assert today(page).seconds.total == 240
        assert today(page).no_data == (6 * 60 + 39) * 60 + 2 - 240
        assert page.availability is not None
        assert page.availability.h24 == Share(percent=100.0, with_data=240)
        assert page.changes == ()

    play(story)


def test_an_app_that_stood_still_does_not_know_what_was_meanwhile(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:26:00")
        desk.now = at("06:36:00")
        desk.operational_until("06:37:00")
        await desk.write("06:37:02")
        # What a check has found is known until the next one is overdue, after 35 seconds.
        assert seconds_of(await desk.history(WEB_ID)) == {
            "06:25": {"operational": 60},
            "06:26": {"operational": 20},
            "06:36": {"operational": 60},
        }

    play(story)


def test_a_restart_in_the_middle_of_a_minute_keeps_what_the_new_task_has_seen(play: Play) -> None:
    async def story(table: TableClient) -> None:
        before = Desk(table)
        before.operational_until("06:26:20")
        await before.write("06:26:05")
        after = Desk(table, at("06:26:35"))
        assert after.status().message == "Not checked yet"
        after.operational_until("06:27:05")
        await after.write("06:27:15")
        page = await after.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 60}, "06:26": {"operational": 25}}
        assert page.changes == ()
        assert after.status().components[WEB_ID].since == at("06:26:35")

    play(story)


def cut_off(component: str) -> State:
    """What a check finds without network: no answer over HTTP, no item of the table, nothing of others."""
    return State.DOWN if component in {WEB_ID, TABLE_ID} else State.UNKNOWN


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ((FailureKind.TIMEOUT, FailureKind.ENDPOINT_UNREACHABLE), NO_NETWORK),
        ((FailureKind.CREDENTIALS,), NO_CREDENTIALS),
    ],
)
def test_a_loss_of_the_apps_own_is_one_notice_and_no_data(
    play: Play, kinds: tuple[FailureKind, ...], message: str
) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:30")
        for number, component in enumerate(IDS):
            assert desk.status().notice is None
            assert desk.status().state is State.OPERATIONAL
            desk.find(component, cut_off(component), kinds[number % len(kinds)])
        document, operators = desk.status(), desk.operator_status()
        assert (document.notice, operators.notice) == (NOTICE, message)
        assert {each.state for each in document.components.values()} == {State.UNKNOWN}
        assert {each.finding for each in operators.components.values()} == {message}
        assert document.message == NOTICE.removesuffix(".")
        for second in (35, 45, 55):
            desk.now = at(f"06:25:{second}")
            for component in IDS:
                desk.find(component, cut_off(component), kinds[0])
        desk.now = at("06:26:00")
        desk.find(WEB_ID)
        assert desk.status().notice is None
        assert desk.status().components[WEB_ID].state is State.OPERATIONAL
        assert desk.status().components[WORKER_ID].state is State.UNKNOWN
        desk.operational_until("06:27:00")
        await desk.write("06:27:02")
        page = await desk.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 30}, "06:26": {"operational": 60}}
        assert page.changes == ()
        assert page.availability is not None
        assert page.availability.h24 == Share(percent=100.0, with_data=90)

    play(story)


def test_a_loss_of_the_apps_own_over_a_minute_is_no_change_but_what_comes_after_it_is(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:30")
        desk.find_all(State.DOWN, FailureKind.TIMEOUT)
        desk.now = at("06:25:50")
        desk.find_all(State.DOWN, FailureKind.TIMEOUT)
        await desk.write("06:26:02")
        desk.find_all(State.DOWN, FailureKind.TIMEOUT)
        await desk.write("06:27:02")
        for clock in ("06:27:10", "06:27:15"):
            desk.now = at(clock)
            desk.find(WORKER_ID)
            desk.find(WEB_ID, State.DOWN)
        await desk.write("06:28:02")
        assert told((await desk.history(WEB_ID)).changes) == ["06:27:10 operational -> down"]
        assert (await desk.history(WORKER_ID)).changes == ()

    play(story)


@pytest.mark.parametrize("kind", [FailureKind.ENDPOINT_UNREACHABLE, FailureKind.CREDENTIALS])
def test_a_service_that_answers_its_probe_makes_no_outages_of_a_loss_of_the_apps_own(
    play: Play, kind: FailureKind
) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:30")
        for second in (30, 35, 40, 50):
            desk.now = at(f"06:25:{second}")
            desk.answers(WEB_ID, kind)
            for component in IDS:
                if component != WEB_ID:
                    desk.find(component, State.DOWN, kind)
        document = desk.status()
        assert document.notice == NOTICE
        states = {name: each.state for name, each in document.components.items()}
        assert states == {**dict.fromkeys(IDS, State.UNKNOWN), WEB_ID: State.OPERATIONAL}
        desk.now = at("06:25:55")
        desk.operational_until("06:26:00")
        await desk.write("06:26:02")
        assert seconds_of(await desk.history(WEB_ID)) == {"06:25": {"operational": 60}}
        assert seconds_of(await desk.history(WORKER_ID)) == {"06:25": {"operational": 35}}

    play(story)


@pytest.mark.parametrize(("component", "state"), [(TABLE_ID, State.DOWN), (WORKER_ID, State.UNKNOWN)])
def test_one_service_of_aws_that_cannot_be_reached_is_told_of_what_it_manages(
    play: Play, component: str, state: State
) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.operational_until("06:25:15")
        for second in (15, 20, 25):
            desk.now = at(f"06:25:{second}")
            desk.find(component, state, FailureKind.ENDPOINT_UNREACHABLE)
            assert desk.status().components[component].state is State.OPERATIONAL
        # Only once another check has found AWS answering is it not the app's own network.
        desk.find(ALARMS_ID)
        desk.find(component, state, FailureKind.ENDPOINT_UNREACHABLE)
        shown = desk.status().components[component]
        assert (shown.state, shown.since) == (state, at("06:25:15"))
        assert desk.status().notice is None
        desk.operational_until("06:26:00", component)
        desk.find(component, state, FailureKind.ENDPOINT_UNREACHABLE)
        await desk.write("06:26:02")
        page = await desk.history(component)
        assert page.availability is not None
        # An API that does not answer costs no availability of what it manages.
        percent = 100.0 if state is State.UNKNOWN else 25.0
        assert page.availability.h24 is not None
        assert page.availability.h24.percent == percent

    play(story)


def test_an_outage_goes_on_while_a_call_to_aws_fails_once(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        for second in range(0, 60, 15):
            desk.now = at("06:25:00") + timedelta(seconds=second)
            for component in IDS:
                desk.find(component, State.DOWN if component == WORKER_ID else State.OPERATIONAL)
            desk.now += timedelta(seconds=5)
            desk.find(WORKER_ID, State.UNKNOWN, FailureKind.THROTTLED)
            assert desk.status().components[WORKER_ID].state is State.DOWN
        desk.now = at("06:26:00")
        desk.find(WORKER_ID, State.DOWN)
        await desk.write("06:26:02")
        page = await desk.history(WORKER_ID)
        assert seconds_of(page) == {"06:25": {"down": 60}}
        assert page.changes == ()

    play(story)


def incident(severity: str, *components: str, start: str | None = None, end: str | None = None) -> Incident:
    """An open incident, or a maintenance."""
    return Incident.model_validate(
        {
            "id": f"{severity}-{start}",
            "version": 1,
            "title": "Slow",
            "kind": Kind.MAINTENANCE if start else Kind.INCIDENT,
            "state": Progress.SCHEDULED if start else Progress.INVESTIGATING,
            "severity": None if start else severity,
            "components": components,
            "opened_at": at("06:20:00"),
            "updated_at": at("06:20:00"),
            "resolved_at": None,
            "updates": (),
            "starts_at": start and at(start),
            "ends_at": end and at(end),
        }
    )


def test_maintenance_is_shown_while_it_lasts_and_left_out_of_the_availability(play: Play) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        planned = incident("minor", WEB_ID, start="06:25:20", end="06:25:50")
        desk.board.put_open_incidents((planned,))
        desk.operational_until("06:25:15")
        assert (desk.status().state, desk.status().maintenances) == (State.OPERATIONAL, 1)
        await desk.write("06:25:16")
        for clock in ("06:25:25", "06:25:30"):
            desk.now = at(clock)
            desk.find(WEB_ID, State.DOWN)
        assert desk.status().message == "Scheduled maintenance in progress"
        shown = desk.status().components[WEB_ID]
        assert (shown.state, shown.since) == (State.MAINTENANCE, at("06:25:20"))
        desk.now = at("06:25:50")
        assert desk.status().components[WEB_ID].state is State.DOWN
        # It leaves the board before the minute is written.
        desk.board.put_open_incidents(())
        desk.now = at("06:25:55")
        desk.operational_until("06:26:00")
        await desk.write("06:26:02")
        page = await desk.history(WEB_ID)
        assert seconds_of(page) == {"06:25": {"operational": 25, "down": 5, "maintenance": 30}}
        assert page.availability is not None
        assert page.availability.h24 == Share(percent=83.33, with_data=30)

    play(story)


@pytest.mark.parametrize(
    ("severity", "components", "state", "message"),
    [
        ("minor", (WEB_ID,), State.DEGRADED, "Web shop is degraded"),
        ("major", (WEB_ID, TABLE_ID), State.DOWN, "Web shop and History are down"),
        ("critical", (WEB_ID,), State.DOWN, "Slow"),
        ("minor", (), State.DEGRADED, "Slow"),
        ("major", (), State.DOWN, "Slow"),
        ("critical", (), State.DOWN, "Slow"),
    ],
)
def test_an_incident_raises_what_is_shown_but_not_the_history(
    play: Play, severity: str, components: tuple[str, ...], state: State, message: str
) -> None:
    async def story(table: TableClient) -> None:
        desk = Desk(table)
        desk.board.put_open_incidents((incident(severity, *components),))
        desk.operational_until("06:26:00")
        document = desk.status()
        assert (document.state, document.message, document.open_incidents) == (state, message, 1)
        raised = components or (IDS if severity == "critical" else ())
        for component in IDS:
            shown = document.components[component]
            assert shown.state is (state if component in raised else State.OPERATIONAL)
            assert (shown.since == at("06:20:00")) is (component in raised)
        await desk.write("06:26:02")
        assert seconds_of(await desk.history(WEB_ID)) == {"06:25": {"operational": 60}}

    play(story)
