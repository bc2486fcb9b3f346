"""Why tasks of a task definition stopped, and the last lines of their logs.

Source of names: Amazon ECS API Reference, "Task" and "Container"; Developer Guide, "awslogs log
driver" (a log stream is `<prefix>/<container>/<task id>`).
"""

from collections.abc import Iterator
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.console import printable

_TASKS: Final = 3
_LINES: Final = 20
_LONGEST: Final = 300
_MOST: Final = 100
"""Tasks that DescribeTasks accepts in one request."""


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
    wanted = {"cluster": cluster, "serviceName": service, "desiredStatus": "STOPPED"}
    pages = ecs.get_paginator("list_tasks").paginate(**wanted, PaginationConfig={"MaxItems": _MOST})
    arns = [arn for page in pages for arn in page["taskArns"]]
    if not arns:
        return []
    found = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
    ours = [task for task in found if task["taskDefinitionArn"] == task_definition]
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
