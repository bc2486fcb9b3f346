"""Checks a job: the last run of its state machine, and when it runs next.

A run that begins while an older one is in progress succeeds at once, as it is skipped, unless runs of the job
may overlap: then it is no run. The account's quota of ListExecutions is shared with the state machines, which
ask whether another run is there, so jobs are checked less often than others.
Source: Step Functions Developer Guide, "Quotas related to API action throttling".
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.schedule import Calendar, Interval, Schedule
from webapp.states import Detail, Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_LATEST: Final = 100
"""Executions that are read, the latest first."""

_LATE: Final = timedelta(minutes=5)
"""How late a run may begin: Scheduler is precise to a minute, and repeats an invocation that failed."""

_SKIPPING: Final = timedelta(seconds=5)
"""Seconds that an execution which skips its run takes at most. No task begins and ends in that time."""

_NEVER: Final = datetime.max.replace(tzinfo=UTC)

_NO_RUN: Final = "It has not run yet, or not in the last 90 days."

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

    What was due before the app started does not count, as the schedule may have been another one. Step
    Functions forgets a run after 90 days. Details: `last_run` and `next_run`, when they begin, the last run's
    `result` and `seconds`, and how many runs were `skipped` since. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    sfn, arn = clients.of("stepfunctions"), component.resource
    answer = await call_aws(
        "states:ListExecutions", sfn.list_executions(stateMachineArn=arn, maxResults=_LATEST)
    )
    executions = answer["executions"]
    if "nextToken" in answer:
        # One that takes long may be older than all of these.
        running = await call_aws(
            "states:ListExecutions",
            sfn.list_executions(stateMachineArn=arn, statusFilter="RUNNING"),
        )
        oldest = executions[-1]["startDate"]
        executions += [each for each in running["executions"] if each["startDate"] < oldest]
    return found(executions, component, clients.opened_at, datetime.now(UTC))


def found(
    executions: Sequence[Mapping[str, Any]], job: Component, app_started: datetime, now: datetime
) -> Finding:
    """Returns the finding for the latest executions of a job, the latest first."""
    runs = executions if job.overlaps else _without_skipped(executions)
    after = job.schedule.next_run(now) if isinstance(job.schedule, Calendar) else None
    coming = f" Next run: {_time(after)}." if after else ""
    details: dict[str, Detail] = {
        "next_run": _iso(after),
        "last_run": _iso(runs[0]["startDate"]) if runs else None,
        "result": None,
        "seconds": None,
        "skipped": 0,
    }
    state, message = State.OPERATIONAL, "" if runs else _NO_RUN
    if ended := next((each for each in runs if each["status"] != "RUNNING"), None):
        state, message = _result(ended, details)
    if running := [each for each in runs if each["status"] == "RUNNING"]:
        began = running[-1]["startDate"]
        skipped = sum(each["startDate"] > began for each in executions) if not job.overlaps else 0
        details["skipped"] = skipped
        meanwhile = f" Runs skipped meanwhile: {skipped}." if skipped else ""
        message = f"A run is in progress since {_time(began)}.{meanwhile} {message}".strip()
        return Finding(state, message, details)
    began = executions[0]["startDate"] if executions else None
    due = _due(job.schedule, began, app_started)
    if due and due + _LATE < now:
        message = f"The run that was due {_time(due)} has not begun. {message}"
        return Finding(State.DEGRADED, f"{message}{coming}", details)
    return Finding(state, f"{message}{coming}", details)


def _without_skipped(executions: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Returns the executions, the latest first, without those that ended as an older one was in progress."""
    runs: list[Mapping[str, Any]] = []
    busy_until: datetime | None = None
    for each in sorted(executions, key=lambda each: each["startDate"]):
        began = each["startDate"]
        ended = _NEVER if each["status"] == "RUNNING" else each.get("stopDate", began)
        if each["status"] == "SUCCEEDED" and busy_until and began < busy_until > ended - _SKIPPING:
            continue
        busy_until = max(busy_until, ended) if busy_until else ended
        runs.append(each)
    return runs[::-1]


def _due(schedule: Schedule | None, began: datetime | None, app_started: datetime) -> datetime | None:
    """Returns when the run after the last one, and after the start of the app, has to begin."""
    if schedule is None:
        return None
    if isinstance(schedule, Interval):
        return schedule.next_run(max(began or app_started, app_started))
    # Scheduler is precise to a minute.
    return schedule.next_run(max(began + timedelta(minutes=1) if began else app_started, app_started))


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
    interval=60,
)
