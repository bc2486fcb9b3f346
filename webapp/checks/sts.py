"""Whether the app has credentials that AWS knows, and of which role."""

from webapp.aws import Clients, answered
from webapp.results import Finding
from webapp.settings import Settings
from webapp.states import State


async def check(clients: Clients, _settings: Settings) -> Finding:
    """Operational when AWS knows the app's credentials. Detail: `role`, None when they are no role's.

    Raises `AwsError`.
    """
    answer = await answered("sts:GetCallerIdentity", clients.sts.get_caller_identity())
    role = _role(answer["Arn"])
    message = f"The app acts as {role}." if role else "The app has valid credentials, which are no role's."
    return Finding(State.OPERATIONAL, message, {"role": role})


def _role(arn: str) -> str | None:
    """Name of the role in the ARN of its session; None for anything else.

    Source of the form: IAM User Guide, "IAM identifiers", assumed roles.
    """
    match arn.rpartition(":")[2].split("/"):
        case ["assumed-role", role, _]:
            return role
    return None
