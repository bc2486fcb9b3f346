"""The tasks of a service, as ECS sees them: whether they work, or why they stopped and what they logged.

Source of names and states: Amazon ECS API Reference, "Service", "Task" and "Container"; Developer Guide,
"awslogs log driver" (a log stream is `<prefix>/<container>/<task id>`).
"""

import time
from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.console import minutes, printable
from ops.core.ecs import read_service, read_tasks
from ops.core.errors import ReleaseFailedError
from ops.core.progress import Phase

INTERVAL: Final = 2.0

_TASKS: Final = 3
_LINES: Final = 20
_LONGEST: Final = 300


def wait_until_healthy(
    ecs: Any, cluster: str, name: str, phase: Phase, seconds: float, interval: float = INTERVAL
) -> None:
    """Waits until as many tasks of a service run as should, and none is unhealthy or not known to be healthy.

    A task without a health check counts as healthy while it runs. Raises ReleaseFailedError if that is not so
    within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while wrong := wrong_with(ecs, cluster, name, phase):
        phase.detail = wrong
        if time.monotonic() >= deadline:
            raise ReleaseFailedError(f"The smoke test failed after {minutes(seconds)}: {wrong}.")
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())))


def wrong_with(ecs: Any, cluster: str, name: str, phase: Phase) -> str:
    """Returns what is wrong with the tasks of a service right now, or an empty string; sets the result."""
    service = read_service(ecs, cluster, name)
    if service is None:
        return f"ECS has no service {name}"
    if service.running < service.desired:
        return f"{service.running} of {service.desired} tasks run"
    tasks = [*read_tasks(ecs, cluster, name, "RUNNING")]
    checked = [
        task
        for task in tasks
        if any(each.get("healthStatus", "UNKNOWN") != "UNKNOWN" for each in task.get("containers", ()))
    ]
    sick = [task for task in checked if task.get("healthStatus") != "HEALTHY"]
    if sick:
        return f"{len(sick)} of {len(tasks)} tasks are not healthy"
    health = "healthy by their health checks" if checked else "without a health check"
    phase.result = f"no address to ask: ECS says {service.running} of {service.desired} tasks run, {health}"
    return ""


def failed_tasks(ecs: Any, logs: Any, cluster: str, service: str, task_definition: str) -> Iterator[str]:
    """Yields lines about the tasks that stopped last, newest first, and the last log lines of the newest.

    An error of AWS becomes a line: this explains a failure and must not be another one.
    """
    try:
        tasks = _stopped(ecs, cluster, service, task_definition)
    except (ClientError, BotoCoreError) as error:
        yield f"The stopped tasks could not be read from ECS: {error}"
        return
    if not tasks:
        yield "ECS reports no stopped tasks of this release; it keeps them for about an hour."
        return
    yield "Tasks that stopped last:"
    for task in tasks[:_TASKS]:
        yield f"  {_id(task)}: {'; '.join(_reasons(task))}"
    try:
        yield from last_lines(ecs, logs, tasks[0])
    except (ClientError, BotoCoreError) as error:
        yield f"Its log could not be read: {error}"


def _stopped(ecs: Any, cluster: str, service: str, task_definition: str) -> list[Any]:
    tasks = read_tasks(ecs, cluster, service, "STOPPED")
    ours = [task for task in tasks if task["taskDefinitionArn"] == task_definition]
    return sorted(ours, key=lambda task: str(task.get("stoppedAt", "")), reverse=True)


def _reasons(task: Any) -> Iterator[str]:
    yield printable(task.get("stoppedReason", "")) or task.get("stopCode", "stopped")
    for container in task.get("containers", ()):
        if (status := container.get("exitCode")) is not None:
            yield f"{container['name']} ended with exit status {status}"
        if reason := container.get("reason"):
            yield f"{container['name']}: {printable(reason)}"


def last_lines(ecs: Any, logs: Any, task: Any) -> Iterator[str]:
    """Yields the last log lines of a task, for each of its containers."""
    definition = ecs.describe_task_definition(taskDefinition=task["taskDefinitionArn"])["taskDefinition"]
    for container in definition["containerDefinitions"]:
        options = (container.get("logConfiguration") or {}).get("options") or {}
        if "awslogs-group" not in options or "awslogs-stream-prefix" not in options:
            continue
        group = options["awslogs-group"]
        stream = f"{options['awslogs-stream-prefix']}/{container['name']}/{_id(task)}"
        try:
            events = logs.get_log_events(
                logGroupName=group, logStreamName=stream, limit=_LINES, startFromHead=False
            )["events"]
        except logs.exceptions.ResourceNotFoundException:
            events = []
        if not events:
            yield f"The task {_id(task)} logged nothing to {group}."
            continue
        yield f"The last lines of {group}, {stream}:"
        for event in events:
            line = printable(event["message"])
            yield f"  | {line if len(line) <= _LONGEST else f'{line[:_LONGEST]}...'}"


def _id(task: Any) -> str:
    return str(task["taskArn"].rpartition("/")[2])
