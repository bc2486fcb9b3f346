"""Bucket policies: conditions, which moto takes for refusals, and statements that AWS refuses.

moto answers 403 to every request that a statement with a `Condition` concerns, whether the condition
holds or not, so that a policy refusing what does not come over TLS refuses everything. On AWS a
statement whose condition does not hold is as good as absent. Here the loopback stands for TLS, and
nothing else of a request's context is known: statements with a condition take no part.
Source of the rule: IAM User Guide, "IAM JSON policy elements: Condition".

moto also takes a policy with a statement without actions, as it does not in IAM and ECR. Source: IAM User
Guide, "Grammar of the IAM JSON policy language".
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.exceptions import S3ClientError
from moto.s3.models import FakeBucket, S3Backend

_put_bucket_policy = S3Backend.put_bucket_policy


def refuse_statements_without_actions() -> None:
    """Mend moto's PutBucketPolicy; call it before the server answers."""
    setattr(S3Backend, _put_bucket_policy.__name__, put_bucket_policy)


def put_bucket_policy(backend: S3Backend, bucket_name: str, policy: bytes) -> None:
    """Sets a bucket's policy if each statement has actions."""
    for statement in _statements(json.loads(policy)):
        if not statement.get("Action", statement.get("NotAction")):
            raise S3ClientError("MalformedPolicy", "Policy has invalid action")
    _put_bucket_policy(backend, bucket_name, policy)


def leave_out_conditions() -> None:
    """Mend moto's evaluation of bucket policies; call it before the server answers."""
    setattr(FakeBucket, get_permission.__name__, get_permission)


def get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What a bucket's policy says of an action, its conditional statements left out."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy: dict[str, Any] = json.loads(bucket.policy)
    kept = [statement for statement in _statements(policy) if "Condition" not in statement]
    return IAMPolicy(json.dumps({**policy, "Statement": kept})).is_action_permitted(action, resource)


def _statements(policy: dict[str, Any]) -> list[dict[str, Any]]:
    found = policy["Statement"]
    return found if isinstance(found, list) else [found]
