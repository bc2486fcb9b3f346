"""The dead letters of a queue: how many there are, and moving them back to the queue.

Sources: Amazon SQS API Reference, "GetQueueAttributes", "StartMessageMoveTask" and "ListMessageMoveTasks".
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from ops.core.errors import OpsError
from stacks.naming import queue_arn, queue_dead_letters, queue_name
from stacks.settings import Environment, Project

_REFUSALS: Final = ("InvalidParameterValue", "UnsupportedOperation")
"""The ends of SQS's codes for a queue that is not one of dead letters, and for one that is moved already."""

INTERVAL: Final = 2.0
"""Seconds between two looks at a move."""


@dataclass(frozen=True, slots=True)
class Moved:
    """How moving messages ended; `status` is that of SQS, `found` how many there were to move."""

    status: str
    moved: int
    found: int
    reason: str
    """Why it failed, empty otherwise."""


def dead_letters(sqs: Any, project: Project, environment: Environment, queue: str) -> int:
    """Returns about how many messages the dead-letter queue of a queue has.

    Raises OpsError if it is not there.
    """
    name = queue_dead_letters(project.name, environment, queue)
    try:
        url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    except sqs.exceptions.QueueDoesNotExist:
        make = f"ENV={environment.name} STACK=data"
        raise OpsError(
            f"{queue} is not there yet: {environment.name} has no queue {name}. "
            f"`make plan {make} && make apply {make}` creates it."
        ) from None
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    return int(found["Attributes"]["ApproximateNumberOfMessages"])


def redrive(
    sqs: Any,
    project: Project,
    environment: Environment,
    queue: str,
    pause: Callable[[float], None] = time.sleep,
) -> Moved:
    """Moves the dead letters of a queue back to it, and waits until that is done.

    Raises OpsError if they are being moved already.
    """
    source = queue_arn(environment, queue_dead_letters(project.name, environment, queue))
    destination = queue_arn(environment, queue_name(project.name, environment, queue))
    try:
        handle = sqs.start_message_move_task(SourceArn=source, DestinationArn=destination)["TaskHandle"]
    except sqs.exceptions.ClientError as error:
        if not error.response["Error"]["Code"].endswith(_REFUSALS):
            raise
        raise OpsError(f"SQS refuses to move the dead letters of {queue}: {error}") from None
    while (latest := _latest(sqs, source, handle)).get("Status", "RUNNING") == "RUNNING":
        pause(INTERVAL)
    return Moved(
        status=str(latest["Status"]),
        moved=int(latest.get("ApproximateNumberOfMessagesMoved", 0)),
        found=int(latest.get("ApproximateNumberOfMessagesToMove", 0)),
        reason=str(latest.get("FailureReason", "")),
    )


def words(queue: str, moved: Moved) -> str:
    """Says in a sentence how moving messages ended."""
    if moved.status == "COMPLETED":
        return f"{moved.moved} message{'' if moved.moved == 1 else 's'} went back to {queue}."
    reason = f": {moved.reason}" if moved.reason else ""
    return f"{moved.status.capitalize()} after {moved.moved} of {moved.found} messages to {queue}{reason}."


def _latest(sqs: Any, source: str, handle: str) -> dict[str, Any]:
    """Returns what SQS says of the newest move; only a running one has its handle."""
    found: list[dict[str, Any]] = sqs.list_message_move_tasks(SourceArn=source, MaxResults=1)["Results"]
    latest = found[0] if found else {}
    return latest if latest.get("TaskHandle", handle) == handle else {}
