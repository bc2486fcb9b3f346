"""Tokens of web identities, for any of which moto gives credentials of any role, for any time.

AWS reads the token and asks the role: the account has an OIDC provider for the token's issuer and
audience, and the role's trust policy admits the token's claims. Here nobody can check the signature, nor
whether the token has expired; all else is as on AWS, the messages included.
Sources: AWS STS API Reference, AssumeRoleWithWebIdentity; IAM User Guide, "Available keys for AWS OIDC
federation" and "IAM JSON policy elements: Condition operators".
"""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any, Final

from moto.core.responses import ActionResult
from moto.iam.models import Role, iam_backends
from moto.sts.exceptions import STSClientError
from moto.sts.responses import TokenResponse

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.inventory import find_role, statements
from ops.local.embedded_server.authorization.policies import listed
from ops.local.embedded_server.authorization.services import allowed_by
from ops.local.embedded_server.patching import patch

ACTION: Final = "sts:AssumeRoleWithWebIdentity"
_ARN: Final = re.compile(r"arn:aws:iam::(\d{12}):role/")
_assume = TokenResponse.assume_role_with_web_identity


def mend() -> None:
    """Mends moto's AssumeRoleWithWebIdentity."""
    patch(TokenResponse, assume_role_with_web_identity)


def assume_role_with_web_identity(response: TokenResponse) -> ActionResult:
    """moto's AssumeRoleWithWebIdentity, for a token that the role admits."""
    arn = str(response._get_param("RoleArn"))
    claims = _claims(str(response._get_param("WebIdentityToken")))
    if not (match := _ARN.match(arn)):
        raise STSClientError("ValidationError", f"{arn} is invalid")
    account_id = match[1]
    issuer = str(claims.get("iss", ""))
    host = issuer.removeprefix("https://")
    provider_arn = f"arn:aws:iam::{account_id}:oidc-provider/{host}"
    provider = iam_backends[account_id]["aws"].open_id_providers.get(provider_arn)
    if provider is None:
        text = f"No OpenIDConnect provider found in your account for {issuer}"
        raise STSClientError("InvalidIdentityToken", text)
    if claims.get("aud") not in provider.client_id_list:
        raise STSClientError("InvalidIdentityToken", "Incorrect token audience")
    role = find_role(arn)
    context = {f"{host}:{claim}": (str(value),) for claim, value in claims.items()}
    if role is None or not _admits(role, provider_arn, context):
        raise STSClientError("AccessDenied", f"Not authorized to perform {ACTION}")
    if response._get_int_param("DurationSeconds", 3600) > int(role.max_session_duration or 3600):
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise STSClientError("ValidationError", text)
    return _assume(response)


def _claims(token: str) -> Mapping[str, Any]:
    try:
        _, claims, _ = token.split(".")
        found: Any = json.loads(base64.urlsafe_b64decode(claims + "=="))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise STSClientError("InvalidIdentityToken", "The ID Token provided is not a valid JWT.")
    return found


def _admits(role: Role, provider_arn: str, context: Mapping[str, tuple[str, ...]]) -> bool:
    """Whether a statement of the trust policy allows tokens with these claims, and none denies them."""
    trusting = [
        each
        for each in statements(role.assume_role_policy_document)
        if isinstance(each.get("Principal"), dict)
        and provider_arn in listed(each["Principal"].get("Federated", ()))
    ]
    return allowed_by(trusting, Call(ACTION, context=context))
