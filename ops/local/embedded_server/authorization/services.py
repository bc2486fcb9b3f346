"""What policies let AWS services do, which act as themselves, with nobody's permissions.

Without a statement for a service nothing is delivered to a queue, topic or bucket, and no role is assumed;
moto itself never looks.
Sources: Amazon S3 User Guide, "Granting permissions to publish event notification messages to a
destination"; Amazon SNS Developer Guide, "Subscribing a queue to a topic"; IAM User Guide, "AWS JSON policy
elements: Principal", "AWS global condition context keys" and "The confused deputy problem".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.inventory import MotoInventory, find_role, statements
from ops.local.embedded_server.authorization.policies import (
    Statement,
    UnknownConditionError,
    listed,
    says,
)


def lets(arn: str, action: str, service: str, source_arn: str, source_account: str) -> bool:
    """Returns whether a queue, topic or bucket lets a service act for the resource `source_arn`."""
    context = {
        "aws:PrincipalIsAWSService": ("true",),
        "aws:SecureTransport": ("true",),
        "aws:SourceAccount": (source_account,),
        "aws:SourceArn": (source_arn,),
    }
    concerned = [each for each in MotoInventory().policy(arn) if _names(each.get("Principal", {}), service)]
    return allowed_by(concerned, Call(action, (arn,), context))


def trusts(role_arn: str, service: str) -> bool:
    """Returns whether a service may assume a role for the role's own account."""
    role = find_role(role_arn)
    if role is None:
        return False
    concerned = [
        each
        for each in statements(role.assume_role_policy_document)
        if isinstance(each.get("Principal"), dict) and service in listed(each["Principal"].get("Service", ()))
    ]
    return allowed_by(concerned, Call("sts:AssumeRole", context={"aws:SourceAccount": (role.account_id,)}))


def allowed_by(concerned: Sequence[Statement], call: Call) -> bool:
    """Returns whether one of the statements allows a call and none denies it.

    A condition that is not evaluated here is a refusal.
    """
    try:
        return says("Allow", concerned, call) and not says("Deny", concerned, call)
    except UnknownConditionError:
        return False


def _names(principal: str | Mapping[str, Any], service: str) -> bool:
    """Returns whether a `Principal` element is everybody or a service."""
    if isinstance(principal, str):
        return principal == "*"
    return "*" in listed(principal.get("AWS", ())) or service in listed(principal.get("Service", ()))
