"""Runs of a job: starting one, how it ended, and when the next ones are.

Sources: Step Functions API Reference, "StartExecution" and "DescribeExecution"; EventBridge Scheduler API
Reference, "GetSchedule"; CloudWatch Logs API Reference, "GetLogEvents".
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from ops.core.errors import OpsError
from ops.look.logs import LogEvent, clean, json_object
from stacks import schedules
from stacks.naming import job_name, log_group, state_machine_arn
from stacks.settings import Environment, Project

LINES: Final = 20
"""Lines of the log that are shown of a run."""

INTERVAL: Final = 2.0
"""Seconds between two looks at a run."""

_RUNS: Final = 3
"""Next runs of a job that are shown."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended; `exit_code` is None if no container ran to its end."""

    succeeded: bool
    exit_code: int | None
    reason: str
    """What Step Functions or ECS says; empty if the run succeeded."""
    task: str
    """The id of the last task; empty if there was none."""
    took: timedelta


@dataclass(frozen=True, slots=True)
class Upcoming:
    """The schedule of a job as it is deployed, and its next runs."""

    expression: str
    timezone: str
    runs: tuple[datetime, ...]


def start(sfn: Any, project: Project, environment: Environment, job: str) -> str:
    """Starts a run of a job and returns the ARN of its execution.

    Raises OpsError if the job is not deployed.
    """
    machine = state_machine_arn(project.name, environment, job)
    try:
        return str(sfn.start_execution(stateMachineArn=machine)["executionArn"])
    except sfn.exceptions.StateMachineDoesNotExist:
        raise OpsError(
            f"{job} is not deployed in {environment.name}, or is not a job: there is no state machine "
            f"{job_name(project.name, environment.name, job)}. `make deploy ENV={environment.name}` deploys."
        ) from None


def wait(sfn: Any, execution: str, pause: Callable[[float], None] = time.sleep) -> Ended:
    """Waits until an execution is done and returns how it ended."""
    while (found := sfn.describe_execution(executionArn=execution))["status"] == "RUNNING":
        pause(INTERVAL)
    succeeded = found["status"] == "SUCCEEDED"
    task = json_object(found.get("output" if succeeded else "cause", ""))
    reason = str(task.get("skipped", ""))
    if not succeeded:
        said = task.get("StoppedReason") or found.get("cause") or found["status"].lower().replace("_", " ")
        reason = f"{found['error']}: {said}" if found.get("error") else str(said)
    return Ended(
        succeeded=succeeded,
        exit_code=_exit_code(task.get("Containers", ())),
        reason=reason,
        task=str(task.get("TaskArn", "")).rpartition("/")[2],
        took=found["stopDate"] - found["startDate"],
    )


def words(job: str, ended: Ended) -> str:
    """Says in a sentence how a run ended."""
    took = f"after {ended.took.total_seconds():.0f} s"
    if ended.succeeded and ended.exit_code is None:
        return f"{job} did not run: {ended.reason or 'no task was started'}"
    code = "without an exit code" if ended.exit_code is None else f"with exit code {ended.exit_code}"
    if ended.succeeded:
        return f"{job} succeeded {took}, {code}."
    return f"{job} failed {took}, {code}. {ended.reason}".rstrip()


def last_events(
    logs: Any, project: Project, environment: Environment, job: str, task: str
) -> tuple[LogEvent, ...]:
    """Returns the last events of a task of a job, the oldest first.

    Source of the stream's name: Amazon ECS Developer Guide, "awslogs log driver".
    """
    group, stream = log_group(project.name, environment.name, job), f"{job}/{job}/{task}"
    try:
        found = logs.get_log_events(
            logGroupName=group, logStreamName=stream, limit=LINES, startFromHead=False
        )
    except logs.exceptions.ResourceNotFoundException:
        return ()
    return tuple(
        LogEvent(f"{event['timestamp']}", event["timestamp"], stream, event["message"])
        for event in found["events"]
    )


def last_lines(log: Path, start: int) -> tuple[str, ...]:
    """Returns the last lines of what was appended to a file since it had `start` bytes."""
    if not log.exists():
        return ()
    with log.open("rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").splitlines()
    return tuple(clean(line) for line in lines[-LINES:])


def upcoming(
    scheduler: Any, project: Project, environment: Environment, job: str, now: datetime
) -> Upcoming | None:
    """Returns the next runs of a job by the schedule that is deployed; None if it is not deployed.

    A rate counts from the schedule's creation: AWS does not say when it ran last.
    """
    try:
        found = scheduler.get_schedule(Name=job_name(project.name, environment.name, job))
    except scheduler.exceptions.ResourceNotFoundException:
        return None
    expression, timezone = found["ScheduleExpression"], found.get("ScheduleExpressionTimezone", "UTC")
    runs = schedules.next_runs(
        schedules.parse(expression),
        schedules.time_zone(timezone),
        now,
        _RUNS if found["State"] == "ENABLED" else 0,
        start=found["CreationDate"],
    )
    return Upcoming(expression, timezone, runs)


def upcoming_words(found: Upcoming | None) -> str:
    """Says when a job runs next."""
    if found is None:
        return "not deployed"
    if not found.runs:
        return f"never: {found.expression} has no further run, or is disabled"
    runs = ", ".join(run.strftime("%a %Y-%m-%d %H:%M") for run in found.runs)
    return f"{runs} {found.timezone} by {found.expression}"


def _exit_code(containers: Sequence[Mapping[str, Any]]) -> int | None:
    """Returns the exit code that a run failed for, or 0; None if no container has one."""
    codes = [int(each["ExitCode"]) for each in containers if each.get("ExitCode") is not None]
    return next((code for code in codes if code), 0) if codes else None
