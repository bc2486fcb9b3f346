"""Tasks that move the messages of a dead-letter queue back, which moto lacks.

A task moves what the queue has when it starts: at once, or at the rate that was asked for. A message that
is moved is a new one: its id, its time and its count of receives are new.
Sources: Amazon SQS API Reference, "StartMessageMoveTask", "ListMessageMoveTasks" and "CancelMessageMoveTask";
Amazon SQS Developer Guide, "Configuring a dead-letter queue redrive".
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.utils import unix_time_millis
from moto.moto_api._internal import mock_random
from moto.sqs.exceptions import InvalidParameterValue, SQSException
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from ops.local.embedded_server.patching import kept, patch

_FASTEST: Final = 500
_MOST_RESULTS: Final = 10
_MOST_AT_ONCE: Final = 100
"""Quota of active message move tasks in an account."""


@dataclass
class _Task:
    handle: str
    source: str
    destination: str | None
    rate: int | None
    """Messages a second."""
    started: float
    """Milliseconds since the epoch."""
    to_move: int
    moved: int = 0
    status: str = "RUNNING"
    failure: str | None = None

    def described(self) -> dict[str, Any]:
        """Returns what ListMessageMoveTasks answers of the task."""
        found = {
            "TaskHandle": self.handle if self.status == "RUNNING" else None,
            "Status": self.status,
            "SourceArn": self.source,
            "DestinationArn": self.destination,
            "MaxNumberOfMessagesPerSecond": self.rate,
            "ApproximateNumberOfMessagesMoved": self.moved,
            "ApproximateNumberOfMessagesToMove": self.to_move,
            "FailureReason": self.failure,
            "StartedTimestamp": int(self.started),
        }
        return {name: value for name, value in found.items() if value is not None}


def mend() -> None:
    """Adds the missing actions."""
    patch(SQSResponse, start_message_move_task, list_message_move_tasks, cancel_message_move_task)


def start_message_move_task(response: SQSResponse) -> ActionResult:
    """SQS's StartMessageMoveTask."""
    backend = response.sqs_backend
    source = _queue(backend, str(response._get_param("SourceArn")))
    destination, rate = (
        response._get_param("DestinationArn"),
        response._get_param("MaxNumberOfMessagesPerSecond"),
    )
    if not backend.list_dead_letter_source_queues(source.name):
        raise InvalidParameterValue("Source queue must be configured as a Dead Letter Queue.")
    if destination and destination == source.queue_arn:
        raise InvalidParameterValue("Source queue arn and destination queue arn must not be the same.")
    if destination and _queue(backend, destination).fifo_queue is not source.fifo_queue:
        raise InvalidParameterValue("The destination must be a queue of the same type as the source.")
    if rate is not None and not 1 <= rate <= _FASTEST:
        raise InvalidParameterValue(
            f"Value {rate} for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: it must be 1 "
            f"to {_FASTEST}."
        )
    running = [each for each in _tasks(backend) if each.status == "RUNNING"]
    if any(each.source == source.queue_arn for each in running):
        raise InvalidParameterValue(
            "There is already a task running. Only one active task is allowed for a source queue arn at a "
            "given time."
        )
    if len(running) >= _MOST_AT_ONCE:
        raise SQSException("OverLimit", f"An account may have {_MOST_AT_ONCE} active message move tasks.")
    named = json.dumps({"taskId": str(mock_random.uuid4()), "sourceArn": source.queue_arn})
    task = _Task(
        base64.b64encode(named.encode()).decode(),
        source.queue_arn,
        destination,
        rate,
        unix_time_millis(),
        len(source._messages),
    )
    _tasks(backend).append(task)
    carry_on(backend, unix_time_millis())
    return ActionResult({"TaskHandle": task.handle})


def list_message_move_tasks(response: SQSResponse) -> ActionResult:
    """SQS's ListMessageMoveTasks: the last tasks of a queue, the newest first."""
    backend = response.sqs_backend
    source = _queue(backend, str(response._get_param("SourceArn")))
    most = response._get_param("MaxResults") or 1
    if not 1 <= most <= _MOST_RESULTS:
        raise InvalidParameterValue(
            f"Value {most} for parameter MaxResults is invalid. Reason: it must be 1 to {_MOST_RESULTS}."
        )
    found = [each.described() for each in reversed(_tasks(backend)) if each.source == source.queue_arn]
    return ActionResult({"Results": found[:most]})


def cancel_message_move_task(response: SQSResponse) -> ActionResult:
    """SQS's CancelMessageMoveTask: what was moved stays moved."""
    backend = response.sqs_backend
    carry_on(backend, unix_time_millis())
    handle = response._get_param("TaskHandle")
    task = next((each for each in _tasks(backend) if each.handle == handle), None)
    if task is None:
        raise _not_found("Task does not exist.")
    if task.status != "RUNNING":
        raise InvalidParameterValue("Only active tasks can be cancelled.")
    task.status = "CANCELLED"
    return ActionResult({"ApproximateNumberOfMessagesMoved": task.moved})


def carry_on(backend: SQSBackend, now: float) -> None:
    """Moves what the running tasks have moved by now, in milliseconds since the epoch."""
    for task in _tasks(backend):
        queues = {each.queue_arn: each for each in backend.queues.values()}
        source = queues.get(task.source)
        while task.status == "RUNNING":
            waiting = [each for each in source._messages if each.visible] if source else []
            at = task.started + (1000 * (task.moved + 1) / task.rate if task.rate else 0)
            if source is None:
                task.status, task.failure = "FAILED", "AWS.SimpleQueueService.NonExistentQueue"
            elif task.moved == task.to_move or not waiting:
                task.status = "COMPLETED"
            elif at <= now:
                _move(task, source, waiting[0], queues, at)
            else:
                break


def _move(task: _Task, source: Queue, message: Message, queues: Mapping[str, Queue], at: float) -> None:
    arn = task.destination or vars(message).get("source_arn")
    target = queues.get(str(arn))
    if target is None:
        known = "AWS.SimpleQueueService.NonExistentQueue" if arn else "CouldNotDetermineMessageSource"
        task.status, task.failure = "FAILED", known
        return
    source._messages.remove(message)
    moved = Message(str(mock_random.uuid4()), message.body, message.system_attributes)
    moved.message_attributes = message.message_attributes
    moved.group_id, moved.deduplication_id = message.group_id, message.deduplication_id
    moved.sequence_number = message.sequence_number
    moved.sent_timestamp = int(at)  # type: ignore[assignment]  # moto says None
    target._messages.append(moved)
    task.moved += 1


def _tasks(backend: SQSBackend) -> list[_Task]:
    return kept(backend, "message_moves", [])


def _queue(backend: SQSBackend, arn: str) -> Queue:
    # Looks at all queues, so that everything is as it is by now.
    for name in list(backend.queues):
        if backend.get_queue(name).queue_arn == arn:
            return backend.get_queue(name)
    raise _not_found(f"The resource that you specified for the SourceArn parameter doesn't exist: {arn}.")


def _not_found(text: str) -> SQSException:
    return SQSException("ResourceNotFoundException", text)
