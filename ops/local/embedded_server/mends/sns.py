"""Subscriptions of queues to topics: delivery as SNS makes it, and attributes that it refuses.

moto delivers without asking the queue's policy, takes "false" for raw delivery, knows no dead letters of a
subscription, and keeps a subscription that it has refused. Signatures are made up here: a client that checks
them has to ask SNS for its certificate, which is not here.
Sources: Amazon SNS API Reference, "Subscribe" and "SetSubscriptionAttributes"; Amazon SNS Developer Guide,
"Subscribing a queue to a topic", "Amazon SNS message delivery retries", "Amazon SNS dead-letter queues",
"Amazon SNS raw message delivery" and "Parsing message formats".
"""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.moto_api._internal import mock_random
from moto.sns.exceptions import SNSException, SNSInvalidParameter
from moto.sns.models import SNSBackend, Subscription
from moto.sns.responses import SNSResponse
from moto.sns.utils import FilterPolicyMatcher
from moto.sqs.exceptions import SQSException
from moto.sqs.models import sqs_backends

from ops.local.embedded_server.authorization.inventory import find_queue
from ops.local.embedded_server.authorization.services import lets
from ops.local.embedded_server.patching import patch

_SERVICE: Final = "sns.amazonaws.com"
_CHOICES: Final = {
    "FilterPolicyScope": ("MessageAttributes", "MessageBody"),
    "RawMessageDelivery": ("true", "false"),
}
_QUEUE: Final = re.compile(r"arn:aws:sqs:[a-z0-9-]+:\d{12}:[\w.-]+")
_SIGNATURE_BYTES: Final = 256
_MOST_ATTRIBUTES: Final = 10
"""Message attributes that SQS takes; with more of them, a raw delivery fails."""

_publish = Subscription.publish
_subscribe = SNSResponse.subscribe
_set = SNSBackend.set_subscription_attributes


def mend() -> None:
    """Mends moto's subscriptions."""
    patch(Subscription, publish)
    patch(SNSResponse, subscribe)
    patch(SNSBackend, set_subscription_attributes)


def publish(
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None = None,
    message_attributes: dict[str, Any] | None = None,
    group_id: str | None = None,
    deduplication_id: str | None = None,
    message_structure: str | None = None,
) -> None:
    """Delivers a message that the filter lets pass: to the queue, or to the dead-letter queue."""
    if subscription.protocol != "sqs":
        _publish(
            subscription,
            message,
            message_id,
            subject,
            message_attributes,
            group_id,
            deduplication_id,
            message_structure,
        )
        return
    attributes = subscription.attributes
    if policy := attributes.get("FilterPolicy"):
        matcher = FilterPolicyMatcher(json.loads(policy), attributes.get("FilterPolicyScope"))
        if not matcher.matches(message_attributes, message):
            return
    if message_structure == "json":
        message = subscription._parse_message_structure(message, "sqs")
    given = message_attributes or {}
    settings: dict[str, Any] = {"group_id": group_id}
    if subscription.endpoint.endswith(".fifo"):
        # A topic knows a message again by what was published, not by what is around it.
        settings["deduplication_id"] = deduplication_id or hashlib.sha256(message.encode()).hexdigest()
    if _is_raw(subscription):
        settings["message_attributes"] = {name: _as_of_sqs(value) for name, value in given.items()}
        deliverable = len(given) <= _MOST_ATTRIBUTES
    else:
        message = json.dumps(_envelope(subscription, message, message_id, subject, given), indent=2)
        deliverable = True
    if deliverable and _sent(subscription, subscription.endpoint, message, settings):
        return
    redrive = json.loads(attributes.get("RedrivePolicy") or "{}")
    if target := redrive.get("deadLetterTargetArn"):
        _sent(subscription, target, message, settings)


def subscribe(response: SNSResponse) -> ActionResult:
    """Subscribes an endpoint; nothing is left of a subscription that is refused."""
    known = set(response.backend.subscriptions)
    for name, value in response._get_param("Attributes", {}).items():
        _check_choice(name, value)
    try:
        return _subscribe(response)
    except SNSException:
        for arn in set(response.backend.subscriptions) - known:
            response.backend.unsubscribe(arn)
        raise


def set_subscription_attributes(backend: SNSBackend, arn: str, name: str, value: Any) -> None:
    """Sets an attribute of a subscription to a value that SNS takes."""
    _check_choice(name, value)
    if name in ("FilterPolicy", "RedrivePolicy") and value:
        try:
            document = json.loads(value)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise SNSInvalidParameter(f"Invalid parameter: {name}: failed to parse JSON")
        if name == "RedrivePolicy":
            _check_redrive(backend, arn, document)
    _set(backend, arn, name, value)


def _check_choice(name: str, value: Any) -> None:
    # moto makes a truth value of what it takes for one.
    if name in _CHOICES and str(value).lower() not in [each.lower() for each in _CHOICES[name]]:
        raise SNSInvalidParameter(f"Invalid parameter: {name}: Invalid value [{value}]")


def _check_redrive(backend: SNSBackend, arn: str, document: Mapping[str, Any]) -> None:
    target = str(document.get("deadLetterTargetArn", ""))
    if not _QUEUE.fullmatch(target):
        raise SNSInvalidParameter("Invalid parameter: RedrivePolicy: deadLetterTargetArn is an invalid arn")
    queue = find_queue(target)
    if queue is None or (queue.region, queue.account_id) != (backend.region_name, arn.split(":")[4]):
        raise SNSInvalidParameter(
            f"Invalid parameter: RedrivePolicy: {target} is no queue of the subscription's account and region"
        )


def _is_raw(subscription: Subscription) -> bool:
    return str(subscription.attributes.get("RawMessageDelivery")).lower() == "true"


def _sent(subscription: Subscription, arn: str, message: str, settings: Mapping[str, Any]) -> bool:
    """Sends a message, and returns whether the queue is there, lets the topic in, and takes the message."""
    queue, topic = find_queue(arn), subscription.topic.arn
    if queue is None or not lets(arn, "sqs:SendMessage", _SERVICE, topic, topic.split(":")[4]):
        return False
    try:
        sqs_backends[queue.account_id][queue.region].send_message(queue.name, message, **settings)
    except SQSException:
        return False
    return True


def _as_of_sqs(attribute: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(attribute["Type"])
    if kind.startswith("Binary"):
        return {"DataType": kind, "BinaryValue": attribute["Value"]}
    # SQS has no lists of strings; they arrive as text.
    return {"DataType": kind, "StringValue": str(attribute["Value"])}


def _envelope(
    subscription: Subscription,
    message: str,
    message_id: str,
    subject: str | None,
    attributes: Mapping[str, Any],
) -> dict[str, Any]:
    topic = subscription.topic.arn
    host = f"https://sns.{topic.split(':')[3]}.amazonaws.com"
    signature = bytes(mock_random.randrange(256) for _ in range(_SIGNATURE_BYTES))
    found = {
        "Type": "Notification",
        "MessageId": message_id,
        "TopicArn": topic,
        "Subject": subject,
        "Message": message,
        "Timestamp": iso_8601_datetime_with_milliseconds(),
        "SignatureVersion": "1",
        "Signature": base64.b64encode(signature).decode(),
        "SigningCertURL": f"{host}/SimpleNotificationService-{'0' * 32}.pem",
        "UnsubscribeURL": f"{host}/?Action=Unsubscribe&SubscriptionArn={subscription.arn}",
        "MessageAttributes": dict(attributes) or None,
    }
    return {name: value for name, value in found.items() if value is not None}
