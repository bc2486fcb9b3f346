"""Checks the app's credentials, and which role they belong to."""

from typing import TYPE_CHECKING, Final

from webapp.services import Check, Grant, Resource, ServiceName
from webapp.states import Finding, State

if TYPE_CHECKING:
    from types_aiobotocore_sts import STSClient

    from webapp.settings import Settings


async def check(sts: "STSClient", _settings: "Settings") -> Finding:
    """Returns operational if AWS accepts the app's credentials. Raises `AwsError`.

    Detail: `role`, None if the credentials do not belong to a role.
    """
    from webapp.calls import call_aws

    answer = await call_aws("sts:GetCallerIdentity", sts.get_caller_identity())
    role = _role(answer["Arn"])
    message = f"The app acts as {role}." if role else "The app has valid credentials, which are no role's."
    return Finding(State.OPERATIONAL, message, {"role": role})


def _role(arn: str) -> str | None:
    """Returns the role's name from the ARN of an assumed-role session; None for other ARNs.

    Source of the format: IAM User Guide, "IAM identifiers", assumed roles.
    """
    match arn.rpartition(":")[2].split("/"):
        case ["assumed-role", role, _]:
            return role
    return None


CHECK: Final = Check(
    name=ServiceName.STS,
    title="STS",
    purpose="Identity",
    missing="The app's identity does not exist.",
    client="sts",
    grants=(Grant("CheckIdentity", ("sts:GetCallerIdentity",), Resource.ANY),),
    run=check,
)
