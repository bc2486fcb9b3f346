"""Buckets: their policies, their versions while versioning is suspended, and their lifecycle rules.

moto answers 403 to every request that a statement with a `Condition` concerns, whether the condition
holds or not, so that a policy refusing what does not come over TLS refuses everything. On AWS a
statement whose condition does not hold is as good as absent. Here the loopback stands for TLS, and
nothing else of a request's context is known: statements with a condition take no part.
Source of the rule: IAM User Guide, "IAM JSON policy elements: Condition".

moto also takes a policy with a statement without actions, as it does not in IAM and ECR. Source: IAM User
Guide, "Grammar of the IAM JSON policy language".

moto takes buckets whose versioning is suspended for ones without versions. There, a write replaces the
version whose id is `null`, a deletion puts a marker in its place, and all other versions stay until they are
deleted by their ids. Terraform suspends the versioning of a bucket before it deletes the versions and the
bucket. Source: Amazon S3 User Guide, "Working with objects in a versioning-suspended bucket".

Of lifecycle rules, moto takes what S3 refuses, and loses sizes and numbers of versions. Sources: Amazon S3
User Guide, "Lifecycle configuration elements", "Transitioning objects using Amazon S3 Lifecycle" and "Setting
lifecycle configuration"; Amazon S3 API Reference, "PutBucketLifecycleConfiguration". The texts of the errors
are those of users' reports.
"""

import copy
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import MalformedXML, NoSuchLifecycleConfiguration, S3ClientError
from moto.s3.models import FakeBucket, FakeDeleteMarker, FakeKey, S3Backend
from moto.s3.responses import S3Response

from ops.local.embedded_server.authorization.inventory import statements
from ops.local.embedded_server.patching import patch

_NULL: Final = "null"
_SUSPENDED: Final = "Suspended"
_MOST_RULES: Final = 1_000
_INFREQUENT: Final = ("STANDARD_IA", "ONEZONE_IA")
_INFREQUENT_DAYS: Final = 30
_CLASSES: Final = (*_INFREQUENT, "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
_ACTIONS: Final = (
    "AbortIncompleteMultipartUpload",
    "Expiration",
    "NoncurrentVersionExpiration",
    "NoncurrentVersionTransition",
    "Transition",
)

_put_policy = S3Backend.put_bucket_policy
_put_object = S3Backend.put_object
_delete_object = S3Backend.delete_object
_put_lifecycle = S3Backend.put_bucket_lifecycle_configuration


def mend() -> None:
    """Mends moto's buckets; `s3_notifications` mends the deletion of objects, which it tells of."""
    patch(S3Backend, put_bucket_policy, put_object, put_bucket_lifecycle_configuration)
    patch(FakeBucket, get_permission)
    patch(S3Response, get_bucket_lifecycle)


def put_bucket_policy(backend: S3Backend, bucket_name: str, policy: bytes) -> None:
    """Sets a bucket's policy if each statement has actions."""
    for statement in statements(policy):
        if not statement.get("Action", statement.get("NotAction")):
            raise S3ClientError("MalformedPolicy", "Policy has invalid action")
    _put_policy(backend, bucket_name, policy)


def get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """Returns what a bucket's policy says of an action, its conditional statements left out."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    counting = [statement for statement in statements(bucket.policy) if "Condition" not in statement]
    return IAMPolicy(json.dumps({"Statement": counting})).is_action_permitted(action, resource)


def put_object(backend: S3Backend, bucket_name: str, key_name: str, *arguments: Any, **named: Any) -> FakeKey:
    """Puts an object; its versions stay while versioning is suspended."""
    bucket = backend.get_bucket(bucket_name)
    staying = _others(bucket.keys.getlist(key_name, [])) if bucket.versioning_status == _SUSPENDED else []
    made = _put_object(backend, bucket_name, key_name, *arguments, **named)
    if staying:
        bucket.keys.setlist(key_name, [*staying, made])
    return made


def delete_object(
    backend: S3Backend, bucket_name: str, key_name: str, version_id: str | None, bypass: bool
) -> tuple[bool, dict[str, Any]]:
    """Deletes an object or one of its versions, or marks it as deleted."""
    bucket = backend.get_bucket(bucket_name)
    if bucket.versioning_status != _SUSPENDED:
        return _delete_object(backend, bucket_name, key_name, version_id, bypass)
    bucket.versioning_status = "Enabled"
    try:
        deleted, answered = _delete_object(backend, bucket_name, key_name, version_id, bypass)
    finally:
        bucket.versioning_status = _SUSPENDED
    if deleted and version_id is None:
        *before, marker = bucket.keys.getlist(key_name)
        marker._version_id = answered["version-id"] = _NULL
        bucket.keys.setlist(key_name, [*_others(before), marker])
    return deleted, answered


def _others(versions: list[FakeKey | FakeDeleteMarker]) -> list[FakeKey | FakeDeleteMarker]:
    return [each for each in versions if str(each.version_id) != _NULL]


def put_bucket_lifecycle_configuration(
    backend: S3Backend, bucket_name: str, rules: list[dict[str, Any]]
) -> None:
    """Sets the lifecycle of a bucket if S3 takes its rules."""
    if len(rules) > _MOST_RULES:
        raise invalid_argument(
            f"The number of lifecycle rules must not exceed the allowed limit of {_MOST_RULES} rules"
        )
    names = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(names) != len(set(names)):
        raise invalid_argument("Rule ID must be unique. Found same ID for more than one rule")
    given = copy.deepcopy(rules)
    for rule in rules:
        if not any(rule.get(action) for action in _ACTIONS):
            raise S3ClientError("InvalidRequest", "At least one action needs to be specified in a rule")
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise MalformedXML()
        _check(rule, "Transition", "Days", rule.get("Expiration"))
        _check(rule, "NoncurrentVersionTransition", "NoncurrentDays", rule.get("NoncurrentVersionExpiration"))
    _put_lifecycle(backend, bucket_name, rules)
    bucket = backend.get_bucket(bucket_name)
    vars(bucket)["given_rules"] = [{"ID": str(mock_random.uuid4()), **rule} for rule in given]


def get_bucket_lifecycle(response: S3Response) -> TYPE_RESPONSE:
    """S3's GetBucketLifecycleConfiguration: the rules as they were given."""
    response.data["Action"] = "GetBucketLifecycleConfiguration"
    bucket = response.backend.get_bucket(response.bucket_name)
    if not bucket.rules:
        raise NoSuchLifecycleConfiguration(bucket_name=response.bucket_name)
    rules = [_answered(rule) for rule in vars(bucket)["given_rules"]]
    # The minimum size that every bucket has, unless it asks for another one.
    smallest = {"TransitionDefaultMinimumObjectSize": "all_storage_classes_128K"}
    return response.serialized(ActionResult({"Rules": rules, **smallest}))


def _answered(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a rule by the names that botocore has for its parts, which the XML names in the singular."""
    found = {
        name: value
        for name, value in rule.items()
        if name not in ("Transition", "NoncurrentVersionTransition")
    }
    for name in ("Transition", "NoncurrentVersionTransition"):
        if rule.get(name):
            found[f"{name}s"] = _listed(rule[name])
    if "Prefix" in rule:
        found["Prefix"] = rule["Prefix"] or ""
    if "Filter" in rule:
        found["Filter"] = conditions = {**(rule["Filter"] or {})}
        if "Prefix" in conditions:
            conditions["Prefix"] = conditions["Prefix"] or ""
        if together := conditions.get("And"):
            conditions["And"] = {**together, "Tags": _listed(together.get("Tag"))}
    return found


def _check(rule: Mapping[str, Any], action: str, unit: str, expiration: Mapping[str, Any] | None) -> None:
    """Refuses days that S3 refuses, of the transitions of a rule and of the expiration after them."""
    last = 0
    for days, storage_class in _transitions(rule.get(action), unit):
        if storage_class not in _CLASSES:
            raise MalformedXML()
        if days is None:
            continue
        if storage_class in _INFREQUENT and days < _INFREQUENT_DAYS:
            raise invalid_argument(
                f"'{unit}' in {action} action must be greater than or equal to {_INFREQUENT_DAYS} for "
                f"storageClass '{storage_class}'"
            )
        last = max(last, days)
    if expiration and (text := expiration.get(unit)) is not None:
        if int(text) <= 0:
            raise invalid_argument(f"'{unit}' for Expiration action must be a positive integer")
        if int(text) <= last:
            raise invalid_argument(
                f"'{unit}' in the Expiration action must be greater than '{unit}' in the {action} action"
            )


def _transitions(given: Any, unit: str) -> Iterator[tuple[int | None, str]]:
    for each in _listed(given):
        yield int(each[unit]) if unit in each else None, str(each.get("StorageClass"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def invalid_argument(text: str) -> S3ClientError:
    """Returns the error of what S3 refuses in a configuration."""
    return S3ClientError("InvalidArgument", text)
