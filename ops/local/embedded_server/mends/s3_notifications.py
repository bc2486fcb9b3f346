"""Event notifications of buckets: destinations that S3 does not accept, and the messages that it sends.

moto takes destinations that do not exist or do not let S3 in, leaves out half of an event, and knows no
event for a delete marker or a version that is deleted.
Sources: Amazon S3 User Guide, "Event message structure", "Supported event types for SQS, SNS, and Lambda",
"Configuring event notifications using object key name filtering" and "Granting permissions to publish event
notification messages to a destination"; Amazon S3 API Reference, "PutBucketNotificationConfiguration".
"""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any, Final
from urllib.parse import quote_plus

from moto.core.utils import iso_8601_datetime_with_milliseconds
from moto.moto_api._internal import mock_random
from moto.s3 import notifications
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, FakeKey, Notification, S3Backend
from moto.sns.models import sns_backends
from moto.sqs.exceptions import SQSException
from moto.sqs.models import sqs_backends

from ops.local.embedded_server.authorization.inventory import find_queue, find_topic
from ops.local.embedded_server.authorization.services import lets
from ops.local.embedded_server.mends import s3_buckets
from ops.local.embedded_server.mends.s3_buckets import invalid_argument
from ops.local.embedded_server.patching import patch

_SERVICE: Final = "s3.amazonaws.com"
_SEND: Final = {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}
_DELETED: Final = "s3:ObjectRemoved:Delete"
_MARKED: Final = "s3:ObjectRemoved:DeleteMarkerCreated"
_VERSION: Final = "2.5"
_HEX: Final = "0123456789ABCDEF"

_put = S3Backend.put_bucket_notification_configuration


def mend() -> None:
    """Mends moto's notifications."""
    patch(S3Backend, put_bucket_notification_configuration, delete_object)
    patch(notifications, send_event, send_test_event)


def put_bucket_notification_configuration(
    backend: S3Backend, bucket_name: str, notification_config: dict[str, Any]
) -> None:
    """Sets the notifications of a bucket if S3 may send each of them; all their destinations get a test."""
    bucket = backend.get_bucket(bucket_name)
    before = bucket.notification_configuration
    found = [
        Notification(each[kind], each["Event"], each.get("Filter"), "checked")
        for kind in ("Queue", "Topic")
        for each in notification_config.get(f"{kind}Configuration", ())
    ]
    if not all(_may_send(bucket, each.arn) for each in found):
        raise invalid_argument("Unable to validate the following destination configurations")
    if any(_overlap(*pair) for pair in combinations(found, 2)):
        raise invalid_argument(
            "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the "
            "prefixes are overlapping for the same event type."
        )
    try:
        _put(backend, bucket_name, notification_config)
    except S3ClientError:
        bucket.notification_configuration = before
        raise


def delete_object(
    backend: S3Backend,
    bucket_name: str,
    key_name: str,
    version_id: str | None = None,
    bypass: bool = False,
) -> tuple[bool, dict[str, Any]]:
    """Deletes an object, one of its versions, or marks it as deleted, and sends the event of that."""
    bucket = backend.get_bucket(bucket_name)
    was_there = key_name in bucket.keys
    deleted, answered = s3_buckets.delete_object(backend, bucket_name, key_name, version_id, bypass)
    if deleted and was_there:
        marked = bool(bucket.versioning_status) and version_id is None
        _send(bucket, _MARKED if marked else _DELETED, key_name, version=answered.get("version-id"))
    return deleted, answered


def send_event(account_id: str, event_name: str, bucket: FakeBucket, key: FakeKey) -> None:
    """Sends the event of an object to whom it concerns; `delete_object` sends those of deletions."""
    del account_id
    name = str(getattr(event_name, "value", event_name))
    if name != _DELETED:
        version = key.version_id if bucket.is_versioned else None
        _send(bucket, name, key.name, version, {"size": key.size, "eTag": key.etag.strip('"')})


def send_test_event(account_id: str, bucket: FakeBucket) -> None:
    """Sends `s3:TestEvent` to each destination of a bucket."""
    del account_id
    for arn in sorted({each.arn for each in _notifications(bucket)}):
        _deliver(
            bucket,
            arn,
            {
                "Service": "Amazon S3",
                "Event": "s3:TestEvent",
                "Time": iso_8601_datetime_with_milliseconds(),
                "Bucket": bucket.name,
                "RequestId": _identifier(16),
                "HostId": _identifier(76),
            },
        )


def _send(
    bucket: FakeBucket,
    event: str,
    key: str,
    version: str | None = None,
    content: Mapping[str, Any] | None = None,
) -> None:
    for each in _notifications(bucket):
        if not each.matches(event, key):
            continue
        # It puts the events of one object in order.
        about = {**(content or {}), "sequencer": f"{int(time.time() * 1e6):016X}"}
        if version:
            about["versionId"] = version
        record = {
            "eventVersion": _VERSION,
            "eventSource": "aws:s3",
            "awsRegion": bucket.region_name,
            "eventTime": iso_8601_datetime_with_milliseconds(),
            "eventName": event.removeprefix("s3:"),
            "userIdentity": {"principalId": f"AWS:{bucket.account_id}"},
            "requestParameters": {"sourceIPAddress": "127.0.0.1"},
            "responseElements": {"x-amz-request-id": _identifier(16), "x-amz-id-2": _identifier(76)},
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": each.id,
                "bucket": {
                    "name": bucket.name,
                    "ownerIdentity": {"principalId": f"A{bucket.account_id}"},
                    "arn": bucket.arn,
                },
                "object": {"key": quote_plus(key, safe="/"), **about},
            },
        }
        _deliver(bucket, each.arn, {"Records": [record]})


def _notifications(bucket: FakeBucket) -> Sequence[Notification]:
    found = bucket.notification_configuration
    return [*found.queue, *found.topic] if found else []


def _deliver(bucket: FakeBucket, arn: str, message: Mapping[str, Any]) -> None:
    """Sends a message; what cannot be delivered is lost, as on AWS after retries."""
    if not _may_send(bucket, arn):
        return
    _, _, service, region, account_id, name = arn.split(":")
    try:
        if service == "sqs":
            sqs_backends[account_id][region].send_message(name, json.dumps(message))
        else:
            sns_backends[account_id][region].publish(
                message=json.dumps(message), arn=arn, subject="Amazon S3 Notification"
            )
    except SQSException:
        return


def _may_send(bucket: FakeBucket, arn: str) -> bool:
    """Returns whether a queue or topic is there, is no FIFO one, and lets the bucket's events in."""
    service = arn.split(":")[2]
    found = find_queue(arn) if service == "sqs" else find_topic(arn)
    if found is None or arn.endswith(".fifo"):
        return False
    return lets(arn, _SEND[service], _SERVICE, bucket.arn, str(bucket.account_id))


def _overlap(one: Notification, other: Notification) -> bool:
    """Returns whether an object can have both filters, for an event that both want."""
    prefixes, suffixes = (
        [dict(_filters(each)).get(name, "") for each in (one, other)] for name in ("prefix", "suffix")
    )
    return (
        any(_same(first, second) for first in one.events for second in other.events)
        and (prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0]))
        and (suffixes[0].endswith(suffixes[1]) or suffixes[1].endswith(suffixes[0]))
    )


def _filters(each: Notification) -> Iterator[tuple[str, str]]:
    for rule in each.filters.get("S3Key", {}).get("FilterRule", ()):
        yield rule["Name"], rule["Value"]


def _same(one: str, other: str) -> bool:
    one, other = one.removesuffix("*"), other.removesuffix("*")
    return (
        one == other
        or (one.endswith(":") and other.startswith(one))
        or (other.endswith(":") and one.startswith(other))
    )


def _identifier(length: int) -> str:
    return "".join(mock_random.choice(_HEX) for _ in range(length))
