"""What the policy of a queue or topic lets an AWS service do for one of its resources.

S3 and SNS send as themselves, with nobody's permissions: without a statement for them, nothing arrives.
Sources: Amazon S3 User Guide, "Granting permissions to publish event notification messages to a
destination"; Amazon SNS Developer Guide, "Subscribing a queue to a topic"; IAM User Guide, "AWS JSON policy
elements: Principal" and "AWS global condition context keys".
"""

from collections.abc import Mapping
from typing import Any

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.inventory import MotoInventory
from ops.local.embedded_server.authorization.policies import UnknownConditionError, listed, matching


def lets(arn: str, action: str, service: str, source_arn: str, source_account: str) -> bool:
    """Returns whether a queue or topic lets a service act for the resource `source_arn`."""
    context = {
        "aws:PrincipalIsAWSService": ("true",),
        "aws:SecureTransport": ("true",),
        "aws:SourceAccount": (source_account,),
        "aws:SourceArn": (source_arn,),
    }
    call = Call(action, (arn,), context)
    concerned = [each for each in MotoInventory().policy(arn) if _names(each.get("Principal", {}), service)]
    try:
        denied, allowed = (any(matching(effect, concerned, call)) for effect in ("Deny", "Allow"))
    except UnknownConditionError:
        return False
    return allowed and not denied


def _names(principal: str | Mapping[str, Any], service: str) -> bool:
    """Returns whether a `Principal` element is everybody or a service."""
    if isinstance(principal, str):
        return principal == "*"
    return "*" in listed(principal.get("AWS", ())) or service in listed(principal.get("Service", ()))
