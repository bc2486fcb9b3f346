"""Clients of AWS APIs, and checks of whose credentials they use.

What creates clients is imported where that is done: it takes as long to load as the settings.
"""

import functools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from ops.core.errors import OpsError

if TYPE_CHECKING:
    from botocore.session import Session

SIGN_IN: Final = (
    "aws sso login, or set AWS_PROFILE, or new AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
)
GET_KEYS: Final = "Set AWS_PROFILE, or sign in with aws sso login or aws configure."

REFUSALS: Final = {
    "ExpiredToken": "the credentials have expired",
    "ExpiredTokenException": "the credentials have expired",
    "InvalidClientTokenId": "AWS does not know these credentials",
    "UnrecognizedClientException": "AWS does not know these credentials",
    "SignatureDoesNotMatch": "the secret key does not belong to the key id, or this machine's clock is wrong",
    "RequestTimeTooSkewed": "this machine's clock is wrong",
}
"""What the error codes say with which AWS refuses credentials.

Source: AWS STS API Reference, "Common Error Types"; Amazon S3 API Reference, "Error Responses".
"""


@dataclass(frozen=True)
class Credentials:
    """An access key that signs requests."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.access_key_id!r})"


def ambient_client(service: str, region: str) -> Any:
    """Returns a client with the credentials and endpoint of the process's environment, as Terraform has."""
    from botocore.session import Session

    return Session().create_client(service, region_name=region)


def ambient_region() -> str | None:
    """Returns the region that the AWS CLI would use; None if none is set."""
    from botocore.session import Session

    region: str | None = Session().get_config_variable("region")
    return region


def isolated_client(service: str, region: str, endpoint: str, credentials: Credentials) -> Any:
    """Returns a client for one endpoint that ignores the process's environment and the user's AWS files."""
    from botocore.config import Config

    return _isolated_session().create_client(
        service,
        region_name=region,
        endpoint_url=endpoint,
        aws_access_key_id=credentials.access_key_id,
        aws_secret_access_key=credentials.secret_access_key,
        aws_session_token=credentials.session_token,
        config=Config(proxies={}, s3={"addressing_style": "path"}),
    )


@functools.cache
def _isolated_session() -> "Session":
    from botocore.session import Session

    # Cached: botocore takes longer to load its API models than most requests take.
    nothing = (None, None, None, None)
    devnull = (None, None, os.devnull, None)
    return Session(
        session_vars={
            "profile": nothing,
            "config_file": devnull,
            "credentials_file": devnull,
            "ca_bundle": nothing,
        }
    )


def caller_account(region: str) -> str:
    """Returns the id of the account that the ambient credentials belong to.

    Raises OpsError if there are none, or AWS refuses them.
    """
    try:
        return str(ambient_client("sts", region).get_caller_identity()["Account"])
    except (ClientError, BotoCoreError) as error:
        if problem := credentials_problem(error):
            raise OpsError(problem) from None
        raise


def credentials_problem(error: Exception) -> str:
    """Returns what is wrong with the credentials and what to do; empty for any other error."""
    match error:
        case NoCredentialsError() | PartialCredentialsError():
            return f"{error}. {GET_KEYS}"
        case ProfileNotFound():
            return f"AWS_PROFILE: {error}. `aws configure list-profiles` lists the profiles."
        case SSOError() | TokenRetrievalError():
            return f"{str(error).rstrip('.')}. Sign in: aws sso login"
        case ClientError() if refusal := REFUSALS.get(error.response["Error"]["Code"]):
            return f"AWS refuses the credentials in use: {refusal}. Sign in again: {SIGN_IN}."
    return ""


def require_account(account_id: str, region: str) -> None:
    """Raises OpsError unless the ambient credentials belong to the account `account_id`."""
    found = caller_account(region)
    if found != account_id:
        raise OpsError(
            f"The AWS credentials in use are those of account {found}; this belongs to account {account_id}. "
            "Use that account's credentials (AWS_PROFILE, for example) and try again."
        )
