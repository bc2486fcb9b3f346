"""Messages in queues: limits, duplicates, dead letters, retention, and receiving without holding up others.

What time alone brings about (a message expires, or is due for the dead-letter queue) is made up for whenever
somebody looks at a queue, so that a ReceiveMessage that finds nothing changes nothing and need not be in the
journal. It waits for messages in `polling`: moto would wait with the clock standing still.
moto counts characters where SQS counts bytes, refuses a whole batch for one of its messages, and knows
duplicates only of messages that are still there.
Sources: Amazon SQS API Reference, "SendMessage", "SendMessageBatch" and "ReceiveMessage"; Amazon SQS
Developer Guide, "Amazon SQS message quotas", "Exactly-once processing" and "Using dead-letter queues".
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.utils import unix_time_millis
from moto.sqs.exceptions import (
    BatchEntryIdsNotDistinct,
    BatchRequestTooLong,
    InvalidBatchEntryId,
    InvalidParameterValue,
    MissingParameter,
    SQSException,
    TooManyEntriesInBatchRequest,
)
from moto.sqs.models import Message, Queue, SQSBackend
from moto.sqs.responses import SQSResponse

from ops.local.embedded_server.mends.sqs_moves import carry_on
from ops.local.embedded_server.patching import kept, patch

_MOST_BYTES: Final = 1_048_576
_MOST_ATTRIBUTES: Final = 10
_MOST_ENTRIES: Final = 10
_DUPLICATE_MILLISECONDS: Final = 300_000
_ENTRY_ID: Final = re.compile(r"[\w-]{1,80}")
_CONTENT: Final = re.compile(r"[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
_SOURCE: Final = "DeadLetterQueueSourceArn"

_get = SQSBackend.get_queue
_receive = SQSBackend.receive_message
_send = SQSBackend.send_message
_add = Queue.add_message
_answer = SQSResponse.receive_message


def mend() -> None:
    """Mends moto's messages."""
    patch(SQSBackend, get_queue, receive_message, send_message, send_message_batch)
    patch(Queue, add_message)
    patch(SQSResponse, receive_message=answer)


def get_queue(backend: SQSBackend, queue_name: str) -> Queue:
    """Returns a queue, with all queues as they are by now."""
    now = unix_time_millis()
    for queue in backend.queues.values():
        _settle(backend, queue, now)
    carry_on(backend, now)
    return _get(backend, queue_name)


def _settle(backend: SQSBackend, queue: Queue, now: float) -> None:
    """Drops the messages that have expired, and moves those that nobody could handle."""
    retention = vars(queue)["message_retention_period"] * 1000
    policy: Mapping[str, Any] = queue.redrive_policy or {}
    target = next(
        (each for each in backend.queues.values() if each.queue_arn == policy.get("deadLetterTargetArn")),
        None,
    )
    for message in list(queue._messages):
        received = message.approximate_receive_count
        expired = _sent(message) + retention <= now
        undeliverable = target and message.visible and received >= policy["maxReceiveCount"] > 0
        if expired or undeliverable:
            queue._messages.remove(message)
            queue.pending_messages.discard(message)
        if target and undeliverable and not expired:
            vars(message)["source_arn"] = queue.queue_arn
            if target.fifo_queue:
                message.sent_timestamp = int(message.visible_at)  # type: ignore[assignment]  # None at first
            vars(message)["entered"] = message.visible_at
            target._messages.append(message)
            # In the order in which they came, whenever somebody looked.
            target._messages.sort(key=_entered)


def _entered(message: Message) -> float:
    return float(vars(message).get("entered", _sent(message)))


def _sent(message: Message) -> int:
    return int(vars(message)["sent_timestamp"])


def receive_message(
    backend: SQSBackend,
    queue_name: str,
    count: int,
    wait_seconds_timeout: int,
    visibility_timeout: int,
    message_attribute_names: list[str] | None = None,
) -> list[Message]:
    """Receives the messages that are there."""
    del wait_seconds_timeout
    return _receive(backend, queue_name, count, 0, visibility_timeout, message_attribute_names)


def answer(response: SQSResponse) -> ActionResult:
    """ReceiveMessage; a message of a dead-letter queue names the queue that it comes from."""
    answered = _answer(response)
    asked = {
        *response._get_param("AttributeNames", []),
        *response._get_param("MessageSystemAttributeNames", []),
    }
    if asked & {"All", _SOURCE}:
        queue = response.sqs_backend.get_queue(response._get_queue_name())
        sources = {each.id: vars(each).get("source_arn") for each in queue._messages}
        for message in answered.result.get("Messages", ()):  # type: ignore[attr-defined]  # a dict here
            if source := sources.get(message["MessageId"]):
                message.setdefault("Attributes", {})[_SOURCE] = source
    return answered


def send_message(
    backend: SQSBackend,
    queue_name: str,
    message_body: str,
    message_attributes: dict[str, Any] | None = None,
    delay_seconds: int | None = None,
    deduplication_id: str | None = None,
    *arguments: Any,
    **named: Any,
) -> Message:
    """Sends a message that SQS takes."""
    queue = backend.get_queue(queue_name)
    if not message_body:
        raise MissingParameter("MessageBody")
    if not _CONTENT.fullmatch(message_body):
        raise SQSException(
            "InvalidMessageContents", "The message contains characters outside the allowed set."
        )
    count = len(message_attributes or {})
    if count > _MOST_ATTRIBUTES:
        raise InvalidParameterValue(
            f"Number of message attributes [{count}] exceeds the allowed maximum [{_MOST_ATTRIBUTES}]."
        )
    most = int(queue.maximum_message_size)  # type: ignore[attr-defined]  # set by name
    if _size(message_body, message_attributes) > most:
        raise InvalidParameterValue(
            f"One or more parameters are invalid. Reason: Message must be shorter than {most} bytes."
        )
    if deduplication_id is not None and not queue.fifo_queue:
        raise InvalidParameterValue(
            f"Value {deduplication_id} for parameter MessageDeduplicationId is invalid. Reason: The request "
            "includes a parameter that is not valid for this queue type."
        )
    if delay_seconds is not None and int(delay_seconds) < 0:
        raise InvalidParameterValue(
            f"Value {delay_seconds} for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 "
            "and <= 900."
        )
    return _send(
        backend,
        queue_name,
        message_body,
        message_attributes,
        delay_seconds,
        deduplication_id,
        *arguments,
        **named,
    )


def send_message_batch(
    backend: SQSBackend, queue_name: str, entries: dict[str, dict[str, Any]]
) -> tuple[list[Message], list[dict[str, Any]]]:
    """Sends the messages of a batch that SQS takes, and answers the others' errors."""
    given = list(entries.values())
    if len(given) > _MOST_ENTRIES:
        raise TooManyEntriesInBatchRequest(len(given))
    names = [each["Id"] for each in given]
    if not all(map(_ENTRY_ID.fullmatch, names)):
        raise InvalidBatchEntryId()
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise BatchEntryIdsNotDistinct(twice)
    size = sum(_size(each["MessageBody"], each["MessageAttributes"]) for each in given)
    if size > _MOST_BYTES:
        raise BatchRequestTooLong(size)
    sent, failed = [], []
    for each in given:
        try:
            message = backend.send_message(
                queue_name,
                each["MessageBody"],
                message_attributes=each["MessageAttributes"],
                delay_seconds=each["DelaySeconds"],
                group_id=each.get("MessageGroupId"),
                deduplication_id=each.get("MessageDeduplicationId"),
            )
        except SQSException as error:
            failed.append(
                {"Id": each["Id"], "SenderFault": True, "Code": error.code, "Message": error.message}
            )
        else:
            vars(message)["user_id"] = each["Id"]
            sent.append(message)
    return sent, failed


def add_message(queue: Queue, message: Message) -> None:
    """Adds a message, unless a FIFO queue had it in the last five minutes: then it becomes the one it had."""
    if not queue.fifo_queue:
        _add(queue, message)
        return
    now = unix_time_millis()
    known: dict[tuple[str | None, ...], tuple[float, str, str]] = kept(queue, "known", {})
    for key in [key for key, (at, *_) in known.items() if at + _DUPLICATE_MILLISECONDS <= now]:
        del known[key]
    by_group = queue.deduplication_scope == "messageGroup"  # type: ignore[attr-defined]  # set by name
    place = (message.group_id if by_group else None, message.deduplication_id)
    if place in known:
        _, message.id, message.sequence_number = known[place]
        return
    number = vars(queue)["sent"] = vars(queue).get("sent", 0) + 1
    message.sequence_number = str(10**19 + number)
    known[place] = now, message.id, message.sequence_number
    queue._messages.append(message)


def _size(body: str, attributes: Mapping[str, Any] | None) -> int:
    """Returns the bytes of a message: its body, and the names, types and values of its attributes."""
    texts: list[Sequence[Any]] = [body]
    for name, value in (attributes or {}).items():
        texts += [name, value["DataType"], value.get("StringValue") or value.get("BinaryValue") or ""]
    return sum(len(text.encode() if isinstance(text, str) else text) for text in texts)
