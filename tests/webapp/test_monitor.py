"""One check with its circumstances, and the loops that check again and again."""

import asyncio
import dataclasses
import json
import time
from datetime import UTC, datetime
from typing import cast

import pytest

from tests.webapp.environment import ALARMS_ID, IDS, WATCHED, WEB_ID, components, environ_of
from tests.webapp.faults import nobody
from tests.webapp.furnishing import put_alarms, raise_alarm
from tests.webapp.processes import App, running_app
from tests.webapp.waiting import soon
from webapp.aws import Clients, open_clients
from webapp.board import Board, Result, utc_now
from webapp.calls import AwsError, FailureKind
from webapp.check import Check, Run
from webapp.checks import CHECKS
from webapp.components import COMPONENTS, Component, Kind
from webapp.contract import STATUS_PATH
from webapp.monitor import DEADLINE, Lag, failure, monitor, probe, slowed
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State

pytestmark = pytest.mark.e2e

FINE = Finding(State.OPERATIONAL, "Fine.")
SILENT = Finding(State.DOWN, "It does not answer.")


def probed(run: Run, slow_after: int | None = None) -> Result:
    """The result of a check of a web service."""

    async def probe_once() -> Result:
        with nobody() as url, pytest.MonkeyPatch.context() as patch:
            check = dataclasses.replace(CHECKS[Kind.WEB], run=run)
            patch.setitem(cast("dict[Kind, Check]", CHECKS), Kind.WEB, check)
            settings, lag = read_settings(environ_of(url)), Lag()
            async with open_clients(settings) as clients, asyncio.TaskGroup() as group:
                measuring = group.create_task(lag.measure())
                await asyncio.sleep(0)
                component = settings.watched[WEB_ID].model_copy(update={"slow_after": slow_after})
                result = await probe(clients, component, settings, lag)
                measuring.cancel()
                return result

    return asyncio.run(probe_once())


async def fine(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    await asyncio.sleep(0.01)
    return FINE


async def wrong(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    raise KeyError("services")


async def endless(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    await asyncio.Event().wait()
    return FINE


async def throttled(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    raise AwsError("ecs:DescribeServices", FailureKind.THROTTLED)


def hold_up(seconds: float) -> None:
    """Keeps the event loop busy."""
    time.sleep(seconds)


async def in_a_busy_app(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    for _ in range(4):
        hold_up(0.5)
        await asyncio.sleep(0)
    raise AwsError("ecs:DescribeServices", FailureKind.TIMEOUT)


async def cut_in_a_busy_app(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    hold_up(DEADLINE)
    await asyncio.Event().wait()
    return FINE


async def slow_in_a_busy_app(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    hold_up(2)
    await asyncio.sleep(0)
    return FINE


def test_a_result_has_the_finding_its_time_and_how_long_it_took() -> None:
    before = datetime.now(UTC)
    result = probed(fine)
    assert (result.component, result.finding) == (WEB_ID, FINE)
    assert result.checked_at is not None
    assert before < result.checked_at < datetime.now(UTC)
    assert result.latency_ms is not None
    assert 10 <= result.latency_ms < 1000


@pytest.mark.parametrize(
    ("latency_ms", "limit", "state"),
    [(800.0, 800, State.DEGRADED), (799.9, 800, State.OPERATIONAL), (800.0, None, State.OPERATIONAL)],
)
def test_a_slow_answer_is_degraded_from_the_limit_of_the_component_on(
    latency_ms: float, limit: int | None, state: State
) -> None:
    found = slowed(dataclasses.replace(FINE, latency_ms=latency_ms), limit)
    assert found.state is state
    if state is State.DEGRADED:
        assert found.message == "Fine. It is slow: 800 ms, with a limit of 800 ms."


def test_a_problem_does_not_get_better_by_being_slow() -> None:
    down = Finding(State.DOWN, "It does not answer.", latency_ms=4000)
    assert slowed(down, 800) is down


def test_the_time_of_calls_to_aws_makes_nothing_slow() -> None:
    assert slowed(FINE, 1) is FINE
    result = probed(fine, slow_after=1)
    assert result.finding == FINE
    assert result.latency_ms is not None
    assert result.latency_ms >= 10


async def measured(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    return Finding(State.OPERATIONAL, "Fine.", latency_ms=123.4)


def test_the_latency_is_the_one_that_the_check_has_measured() -> None:
    assert probed(measured).latency_ms == 123.4


def test_a_failed_call_is_a_finding() -> None:
    result = probed(throttled)
    assert result.failure is FailureKind.THROTTLED
    assert result.finding == Finding(
        State.UNKNOWN, "ecs:DescribeServices turns requests away: too many of them."
    )


FAILED_CALLS = [each for each in FailureKind if each is not FailureKind.MISSING]


@pytest.mark.parametrize("kind", [each for each in Kind if each is not Kind.STORAGE])
@pytest.mark.parametrize("failed", FAILED_CALLS)
def test_a_failed_call_to_aws_does_not_say_that_the_component_fails(kind: Kind, failed: FailureKind) -> None:
    assert failure(failed, "rds:DescribeDBInstances", CHECKS[kind]).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("failed", "state"),
    [
        (FailureKind.TIMEOUT, State.DOWN),
        (FailureKind.UNAVAILABLE, State.DOWN),
        (FailureKind.ENDPOINT_UNREACHABLE, State.DOWN),
        (FailureKind.CREDENTIALS, State.DOWN),
        (FailureKind.THROTTLED, State.DEGRADED),
        (FailureKind.ACCESS_DENIED, State.UNKNOWN),
        (FailureKind.OVERLOADED, State.UNKNOWN),
        (FailureKind.UNEXPECTED, State.UNKNOWN),
    ],
)
def test_the_apps_table_is_as_its_item_can_be_read(failed: FailureKind, state: State) -> None:
    assert failure(failed, "dynamodb:GetItem", CHECKS[Kind.STORAGE]).state is state


async def silent(_clients: Clients, _component: Component, _settings: Settings) -> Finding:
    raise AwsError("ecs:DescribeServices", FailureKind.TIMEOUT, SILENT)


def test_what_a_check_has_found_without_aws_counts_with_the_failure() -> None:
    result = probed(silent)
    assert (result.finding, result.failure) == (SILENT, FailureKind.TIMEOUT)


def test_what_nobody_foresaw_is_unknown_and_has_no_latency() -> None:
    result = probed(wrong)
    assert result.finding == Finding(State.UNKNOWN, "The check failed; the app's log says why.")
    assert result.latency_ms is None


def test_a_check_that_does_not_end_is_cut_at_the_deadline() -> None:
    result = probed(endless)
    assert result.latency_ms is None
    assert result.finding == Finding(State.UNKNOWN, "AWS did not answer in time.")
    assert result.failure is FailureKind.TIMEOUT


@pytest.mark.parametrize(
    ("run", "action"), [(in_a_busy_app, "ecs:DescribeServices"), (cut_in_a_busy_app, "AWS")]
)
def test_nobody_is_blamed_for_answers_that_the_app_was_too_busy_to_see(run: Run, action: str) -> None:
    result = probed(run)
    assert result.finding == Finding(State.UNKNOWN, f"The app was too busy to call {action}.")
    assert result.latency_ms is None


def test_what_a_busy_app_does_find_out_counts() -> None:
    assert probed(slow_in_a_busy_app).finding == FINE


@pytest.mark.parametrize("check", CHECKS.values(), ids=lambda check: check.kind)
@pytest.mark.parametrize("kind", FailureKind)
def test_every_failure_of_every_check_is_told_in_a_sentence(check: Check, kind: FailureKind) -> None:
    finding = failure(kind, "ecs:DescribeServices", check)
    assert finding.state is not State.OPERATIONAL
    assert finding.message[0].isupper() or finding.message.startswith("ecs:DescribeServices ")
    assert finding.message.endswith(".")
    assert "{" not in finding.message
    assert kind is FailureKind.MISSING or "ecs:DescribeServices" in finding.message


def test_a_job_is_checked_less_often_than_others() -> None:
    checked: list[Kind] = []
    enough = asyncio.Event()

    async def count(_clients: Clients, component: Component, _settings: Settings) -> Finding:
        checked.append(component.kind)
        if checked.count(Kind.WEB) == 3:
            enough.set()
        return FINE

    async def checking() -> None:
        job = WATCHED[0].model_copy(update={"id": "services.job", "kind": Kind.JOB})
        listed = COMPONENTS.dump_json((job, *WATCHED), exclude_none=True).decode()
        with nobody() as url, pytest.MonkeyPatch.context() as patch:
            for kind, check in CHECKS.items():
                replaced = dataclasses.replace(check, run=count)
                patch.setitem(cast("dict[Kind, Check]", CHECKS), kind, replaced)
            settings = read_settings(environ_of(url, check_interval=1) | {"COMPONENTS": listed})
            board = Board(settings.watched, utc_now())
            async with open_clients(settings) as clients, asyncio.TaskGroup() as group:
                watching = group.create_task(monitor(clients, settings, board))
                await enough.wait()
                watching.cancel()

    asyncio.run(checking())
    assert checked.count(Kind.JOB) == 1


def states(app: App) -> dict[str, str]:
    """The state of each service as the app tells it."""
    services = app.client.get(STATUS_PATH).json()["components"]
    return {name: service["state"] for name, service in services.items()}


def test_all_services_are_checked_at_once_after_the_start(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws, check_interval=300)) as app:
        found = soon(lambda: states(app), lambda found: set(found.values()) == {"operational"}, seconds=10)
        assert list(found) == list(IDS)


def test_services_are_checked_again_and_keep_when_their_state_began(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws, check_interval=1)) as app:

        def seen() -> dict[str, dict[str, str]]:
            services: dict[str, dict[str, str]] = app.client.get(STATUS_PATH).json()["components"]
            return services

        first = soon(seen, lambda found: {item["state"] for item in found.values()} == {"operational"})
        later = soon(
            seen, lambda found: all(found[name]["checked_at"] > first[name]["checked_at"] for name in found)
        )
    assert [item["since"] for item in later.values()] == [item["since"] for item in first.values()]


def test_a_change_of_state_is_one_line_in_the_log(embedded_aws: str) -> None:
    put_alarms(embedded_aws, "logged/", "cpu")
    with running_app(
        environ_of(embedded_aws, check_interval=1) | {"COMPONENTS": components(alarms="logged")}
    ) as app:
        for raised, state in (("OK", "operational"), ("ALARM", "degraded"), ("OK", "operational")):
            raise_alarm(embedded_aws, "logged/cpu", raised)
            soon(lambda: states(app)[ALARMS_ID], state.__eq__)
        time.sleep(1.5)
        lines = [json.loads(line) for line in app.process.stdout]
        changes = [line for line in lines if line["message"] == "component state changed"]
        of_alarms = [line for line in changes if line["component"] == ALARMS_ID]
        assert [(line["from"], line["to"]) for line in of_alarms] == [
            ("unknown", "operational"),
            ("operational", "degraded"),
            ("degraded", "operational"),
        ]
        assert [line["level"] for line in of_alarms] == ["info", "warning", "info"]
        assert of_alarms[1]["reason"] == "Raised: cpu."
