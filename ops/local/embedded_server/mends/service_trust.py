"""Which AWS services a role of moto's IAM trusts; moto itself never looks.

Source: IAM User Guide, "AWS JSON policy elements: Principal" and "The confused deputy problem".
"""

from moto.iam.models import Role, iam_backends

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.inventory import statements
from ops.local.embedded_server.authorization.policies import UnknownConditionError, listed, matching


def trusts(role_arn: str, service: str) -> bool:
    """Returns whether a service may assume a role for the role's own account."""
    account_id = role_arn.split(":")[4] if role_arn.startswith("arn:aws:iam::") else ""
    role = _role(account_id, role_arn)
    if role is None:
        return False
    call = Call("sts:AssumeRole", context={"aws:SourceAccount": (account_id,)})
    concerned = [
        each
        for each in statements(role.assume_role_policy_document)
        if isinstance(each.get("Principal"), dict) and service in listed(each["Principal"].get("Service", ()))
    ]
    try:
        denied, allowed = (any(matching(effect, concerned, call)) for effect in ("Deny", "Allow"))
    except UnknownConditionError:
        return False
    return allowed and not denied


def _role(account_id: str, arn: str) -> Role | None:
    if account_id not in iam_backends:
        return None
    return next((role for role in iam_backends[account_id]["aws"].get_roles() if role.arn == arn), None)
