"""Lifecycle rules of buckets: moto takes what S3 refuses, and loses sizes and numbers of versions.

Sources: Amazon S3 User Guide, "Lifecycle configuration elements", "Transitioning objects using Amazon S3
Lifecycle" and "Setting lifecycle configuration"; Amazon S3 API Reference,
"PutBucketLifecycleConfiguration". The texts of the errors are those of users' reports.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Final

from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult
from moto.moto_api._internal import mock_random
from moto.s3.exceptions import MalformedXML, NoSuchLifecycleConfiguration, S3ClientError
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response

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

_put = S3Backend.put_bucket_lifecycle_configuration


def refuse_lifecycles() -> None:
    """Mend moto's lifecycle rules; call it before the server answers."""
    setattr(S3Backend, _put.__name__, put_bucket_lifecycle_configuration)
    setattr(S3Response, get_bucket_lifecycle.__name__, get_bucket_lifecycle)


def put_bucket_lifecycle_configuration(
    backend: S3Backend, bucket_name: str, rules: list[dict[str, Any]]
) -> None:
    """Sets the lifecycle of a bucket if S3 takes its rules."""
    if len(rules) > _MOST_RULES:
        raise _refused(
            f"The number of lifecycle rules must not exceed the allowed limit of {_MOST_RULES} rules"
        )
    names = [rule["ID"] for rule in rules if rule.get("ID")]
    if len(names) != len(set(names)):
        raise _refused("Rule ID must be unique. Found same ID for more than one rule")
    given = copy.deepcopy(rules)
    for rule in rules:
        if not any(rule.get(action) for action in _ACTIONS):
            raise S3ClientError("InvalidRequest", "At least one action needs to be specified in a rule")
        if rule.get("Status") not in ("Enabled", "Disabled"):
            raise MalformedXML()
        _check(rule, "Transition", "Days", rule.get("Expiration"))
        _check(rule, "NoncurrentVersionTransition", "NoncurrentDays", rule.get("NoncurrentVersionExpiration"))
    _put(backend, bucket_name, rules)
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
            raise _refused(
                f"'{unit}' in {action} action must be greater than or equal to {_INFREQUENT_DAYS} for "
                f"storageClass '{storage_class}'"
            )
        last = max(last, days)
    if expiration and (text := expiration.get(unit)) is not None:
        if int(text) <= 0:
            raise _refused(f"'{unit}' for Expiration action must be a positive integer")
        if int(text) <= last:
            raise _refused(
                f"'{unit}' in the Expiration action must be greater than '{unit}' in the {action} action"
            )


def _transitions(given: Any, unit: str) -> Iterator[tuple[int | None, str]]:
    for each in _listed(given):
        yield int(each[unit]) if unit in each else None, str(each.get("StorageClass"))


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] if value else []


def _refused(text: str) -> S3ClientError:
    return S3ClientError("InvalidArgument", text)
