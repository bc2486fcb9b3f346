"""Conditions in bucket policies, which moto takes for refusals.

moto answers 403 to every request that a statement with a `Condition` concerns, whether the condition
holds or not, so that a policy refusing what does not come over TLS refuses everything. On AWS a
statement whose condition does not hold is as good as absent. Here the loopback stands for TLS, and
nothing else of a request's context is known: statements with a condition take no part.
Source of the rule: IAM User Guide, "IAM JSON policy elements: Condition".
"""

import json
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


def leave_out_conditions() -> None:
    """Mend moto's evaluation of bucket policies; call it before the server answers."""
    setattr(FakeBucket, get_permission.__name__, get_permission)


def get_permission(bucket: FakeBucket, action: str, resource: str) -> PermissionResult:
    """What a bucket's policy says of an action, its conditional statements left out."""
    if bucket.policy is None:
        return PermissionResult.NEUTRAL
    policy: dict[str, Any] = json.loads(bucket.policy)
    found = policy["Statement"]
    statements = found if isinstance(found, list) else [found]
    kept = [statement for statement in statements if "Condition" not in statement]
    return IAMPolicy(json.dumps({**policy, "Statement": kept})).is_action_permitted(action, resource)
