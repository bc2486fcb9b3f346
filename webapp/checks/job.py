"""Checks a job: the last run of its state machine, and when it runs next."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.schedule import Calendar, Schedule
from webapp.states import Detail, Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_LATEST: Final = 10
"""Executions that are read, the latest first."""

_LATE: Final = timedelta(minutes=5)
"""How late a run may begin: Scheduler is precise to a minute, and repeats an invocation that failed."""

_RESULTS: Final[Mapping[str, str]] = {
    "SUCCEEDED": "succeeded",
    "FAILED": "failed",
    "TIMED_OUT": "took too long",
    "ABORTED": "was stopped",
    "PENDING_REDRIVE": "waits to be repeated",
}
"""Source: Step Functions API Reference, "ExecutionListItem", status."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns degraded if the last run that ended did not succeed, or a run that is due has not begun.

    A job that has not run yet is unknown; Step Functions forgets a run after 90 days. Details: `last_run`
    and `next_run`, when they begin, and the last run's `result` and `seconds`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "states:ListExecutions",
        clients.of("stepfunctions").list_executions(stateMachineArn=component.resource, maxResults=_LATEST),
    )
    return found(answer["executions"], component.schedule, datetime.now(UTC))


def found(executions: Sequence[Mapping[str, Any]], schedule: Schedule | None, now: datetime) -> Finding:
    """Returns the finding for the latest runs, the latest first, of a job with a schedule."""
    after = _following(schedule, now)
    coming = f" Next run: {_time(after)}." if after else ""
    details: dict[str, Detail] = {"next_run": _iso(after), "last_run": None, "result": None, "seconds": None}
    if not executions:
        return Finding(State.UNKNOWN, f"No run is known yet.{coming}", details)
    began = executions[0]["startDate"]
    details["last_run"] = _iso(began)
    running = [each for each in executions if each["status"] == "RUNNING"]
    ended = next((each for each in executions if each["status"] != "RUNNING"), None)
    state, message = State.OPERATIONAL, ""
    if ended is not None:
        state, message = _result(ended, details)
    if running:
        message = f"A run is in progress since {_time(running[-1]['startDate'])}. {message}".strip()
        return Finding(state, message, details)
    due = _following(schedule, began + timedelta(minutes=1))
    if due and due + _LATE < now:
        return Finding(
            State.DEGRADED, f"The run that was due {_time(due)} has not begun. {message}{coming}", details
        )
    return Finding(state, f"{message}{coming}", details)


def _result(execution: Mapping[str, Any], details: dict[str, Detail]) -> tuple[State, str]:
    status, began = execution["status"], execution["startDate"]
    details["result"] = status
    took = ""
    if stopped := execution.get("stopDate"):
        seconds = round((stopped - began).total_seconds(), 1)
        details["seconds"] = seconds
        took = f", after {seconds:g} s"
    words = _RESULTS.get(status, f"is {status}")
    state = State.OPERATIONAL if status == "SUCCEEDED" else State.DEGRADED
    return state, f"The run of {_time(began)} {words}{took}."


def _following(schedule: Schedule | None, moment: datetime) -> datetime | None:
    """Returns the next run after a moment, if the schedule says when: an interval does not."""
    return schedule.next_run(moment) if isinstance(schedule, Calendar) else None


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _iso(moment: datetime | None) -> str | None:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment else None


CHECK: Final = Check(
    kind=Kind.JOB,
    clients=("stepfunctions",),
    grants=(Grant("CheckJobs", ("states:ListExecutions",), Resource.STATE_MACHINES),),
    missing="The state machine does not exist.",
    run=check,
)
