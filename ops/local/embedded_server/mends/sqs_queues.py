"""Queues: attributes that SQS refuses and moto takes, and attributes that moto loses or answers differently.

moto forgets the policy of a queue with each change that does not name it, does not answer
`RedriveAllowPolicy`, and writes `RedrivePolicy` with spaces and in any order, which Terraform takes for a
change.
Sources: Amazon SQS API Reference, "CreateQueue" and "SetQueueAttributes"; Amazon SQS Developer Guide,
"Amazon SQS queue quotas", "Amazon SQS policy quotas" and "Dead-letter queues". The texts of the errors are
those that users report in issues of hashicorp/terraform-provider-aws and localstack.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from moto.sqs.exceptions import InvalidAttributeName, InvalidParameterValue, SQSException
from moto.sqs.models import Queue, SQSBackend

from ops.local.embedded_server.authorization.policies import written_statements
from ops.local.embedded_server.patching import patch

_RANGES: Final = {
    "DelaySeconds": (0, 900),
    "KmsDataKeyReusePeriodSeconds": (60, 86_400),
    "MaximumMessageSize": (1_024, 1_048_576),
    "MessageRetentionPeriod": (60, 1_209_600),
    "ReceiveMessageWaitTimeSeconds": (0, 20),
    "VisibilityTimeout": (0, 43_200),
}
_CHOICES: Final = {
    "ContentBasedDeduplication": ("true", "false"),
    "DeduplicationScope": ("queue", "messageGroup"),
    "FifoQueue": ("true", "false"),
    "FifoThroughputLimit": ("perQueue", "perMessageGroupId"),
    "SqsManagedSseEnabled": ("true", "false"),
}
_TEXTS: Final = ("KmsMasterKeyId", "Policy", "RedriveAllowPolicy", "RedrivePolicy")
_OF_FIFO: Final = ("ContentBasedDeduplication", "DeduplicationScope", "FifoQueue", "FifoThroughputLimit")
_SUFFIX: Final = ".fifo"
_MOST_RECEIVES: Final = 1_000
_MOST_SOURCES: Final = 10
_POLICY_BYTES: Final = 8_192
_POLICY_STATEMENTS: Final = 20

_create = SQSBackend.create_queue
_set = Queue._set_attributes
_attributes = Queue.attributes


def mend() -> None:
    """Mends moto's queues."""
    patch(SQSBackend, create_queue, set_queue_attributes)
    patch(Queue, _set_attributes=set_attributes, attributes=property(attributes), redrive_allow_policy=None)
    Queue.BASE_ATTRIBUTES.append("RedriveAllowPolicy")


def create_queue(backend: SQSBackend, name: str, tags: dict[str, str] | None = None, **given: Any) -> Queue:
    """Creates a queue with attributes that SQS takes."""
    wanted = {key: str(value) for key, value in given.items() if key != "region"}
    is_fifo = wanted.get("FifoQueue") == "true"
    if name.endswith(_SUFFIX) and not is_fifo:
        raise InvalidParameterValue(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )
    if "FifoQueue" in wanted and not is_fifo:
        # A standard queue is one without the attribute.
        raise InvalidAttributeName("FifoQueue")
    arn = f"arn:aws:sqs:{backend.region_name}:{backend.account_id}:{name}"
    _check(backend, arn, wanted, {})
    return _create(backend, name, tags, **wanted)


def set_queue_attributes(backend: SQSBackend, queue_name: str, attributes: dict[str, Any]) -> Queue:
    """Changes a queue to attributes that SQS takes."""
    queue = backend.get_queue(queue_name)
    wanted = {key: str(value) for key, value in attributes.items()}
    current = queue.attributes
    if "FifoQueue" in wanted and wanted["FifoQueue"] != current.get("FifoQueue", "false"):
        raise _invalid("FifoQueue", "Modifying queue type is not supported.")
    _check(backend, queue.queue_arn, wanted, current)
    queue._set_attributes(wanted)
    return queue


def set_attributes(queue: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
    """Sets attributes of a queue, and leaves those that are not named."""
    if hasattr(queue, "_policy_json") and "Policy" not in attributes:
        attributes = {**attributes, "Policy": queue.policy}
    if encrypted := attributes.get("SqsManagedSseEnabled"):
        attributes = {**attributes, "SqsManagedSseEnabled": str(encrypted).lower()}
    if attributes.get("KmsMasterKeyId"):
        attributes = {**attributes, "SqsManagedSseEnabled": "false"}
    elif attributes.get("SqsManagedSseEnabled") == "true":
        attributes = {**attributes, "KmsMasterKeyId": None}
    for name in ("RedriveAllowPolicy", "RedrivePolicy"):
        if attributes.get(name):
            attributes = {**attributes, name: _compact(json.loads(attributes[name]))}
    _set(queue, attributes, now)


def attributes(queue: Queue) -> dict[str, Any]:
    """What GetQueueAttributes answers of a queue; `RedrivePolicy` has no spaces."""
    found: dict[str, Any] = _attributes.fget(queue)  # type: ignore[attr-defined]  # a property
    if queue.redrive_policy:
        found["RedrivePolicy"] = _compact(queue.redrive_policy)
    # SQS leaves out what is not set.
    return {key: value for key, value in found.items() if value not in (None, "")}


def _check(backend: SQSBackend, arn: str, wanted: Mapping[str, str], current: Mapping[str, Any]) -> None:
    is_fifo = "true" in (wanted.get("FifoQueue"), current.get("FifoQueue"))
    for name, value in wanted.items():
        unknown = name not in (*_RANGES, *_CHOICES, *_TEXTS)
        if unknown or (name in _OF_FIFO and not is_fifo):
            raise InvalidAttributeName(name)
        _check_value(name, value)
    merged = {**current, **wanted}
    scope, limit = merged.get("DeduplicationScope"), merged.get("FifoThroughputLimit")
    if limit == "perMessageGroupId" and scope != "messageGroup":
        raise _invalid("FifoThroughputLimit", "It needs the deduplication scope messageGroup.")
    if wanted.get("KmsMasterKeyId") and wanted.get("SqsManagedSseEnabled") == "true":
        raise _invalid("KmsMasterKeyId", "You can use one type of server-side encryption (SSE) at one time.")
    if policy := wanted.get("Policy"):
        _check_policy(policy)
    if policy := wanted.get("RedriveAllowPolicy"):
        _check_allow_policy(policy)
    if policy := wanted.get("RedrivePolicy"):
        _check_redrive(backend, arn, policy, is_fifo=is_fifo)


def _check_value(name: str, value: str) -> None:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _invalid(name)
    if name in _RANGES:
        low, high = _RANGES[name]
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise _invalid(name)


def _check_policy(text: str) -> None:
    # "No more than 20 statements": a policy that an application adds to with each subscription meets it.
    count = len(written_statements(text))
    if len(text.encode()) > _POLICY_BYTES or not 0 < count <= _POLICY_STATEMENTS:
        raise _invalid("Policy")


def _check_allow_policy(text: str) -> None:
    document = _object("RedriveAllowPolicy", text)
    if not document:
        return
    permission, sources = document.get("redrivePermission"), document.get("sourceQueueArns")
    if permission not in ("allowAll", "denyAll", "byQueue"):
        raise _refused("RedriveAllowPolicy", text, "Redrive permission is invalid.")
    named = isinstance(sources, list) and 0 < len(sources) <= _MOST_SOURCES
    if named is not (permission == "byQueue"):
        reason = f"byQueue, and nothing else, takes 1 to {_MOST_SOURCES} sourceQueueArns."
        raise _refused("RedriveAllowPolicy", text, reason)


def _check_redrive(backend: SQSBackend, arn: str, text: str, *, is_fifo: bool) -> None:
    document = _object("RedrivePolicy", text)
    if not document:
        return
    target, most = document.get("deadLetterTargetArn"), document.get("maxReceiveCount")
    if target is None or most is None:
        raise _refused(
            "RedrivePolicy", text, "Redrive policy must have deadLetterTargetArn, maxReceiveCount."
        )
    if not str(most).isdigit() or not 1 <= int(most) <= _MOST_RECEIVES:
        reason = f"Invalid value for maxReceiveCount: {most}, valid values are from 1 to 1000 both inclusive."
        raise _refused("RedrivePolicy", text, reason)
    # SQS knows queues of the account and the region only.
    queue = next((each for each in backend.queues.values() if each.queue_arn == target), None)
    if queue is None:
        raise _refused("RedrivePolicy", text, "Dead letter target does not exist.")
    if bool(queue.fifo_queue) is not is_fifo:
        reason = "Dead-letter queue must be same type of queue as the source."
        raise _refused("RedrivePolicy", text, reason)
    allowing = json.loads(queue.redrive_allow_policy or "{}")  # type: ignore[attr-defined]  # added here
    permission = allowing.get("redrivePermission", "allowAll")
    if permission == "denyAll" or (permission == "byQueue" and arn not in allowing["sourceQueueArns"]):
        reason = "The dead-letter queue's redrive allow policy does not allow this source queue."
        raise _refused("RedrivePolicy", text, reason)


def _object(name: str, text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _invalid(name)
    return found


def _invalid(name: str, reason: str = "") -> SQSException:
    text = f"Invalid value for the parameter {name}."
    return SQSException("InvalidAttributeValue", f"{text} Reason: {reason}" if reason else text)


def _refused(name: str, value: str, reason: str) -> SQSException:
    return InvalidParameterValue(f"Value {value} for parameter {name} is invalid. Reason: {reason}")


def _compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), sort_keys=True)
