"""The roles that workflows assume: a job's OIDC token, exchanged for AWS credentials.

Source: GitHub Docs, "OpenID Connect reference", requesting the token; AWS STS API Reference,
AssumeRoleWithWebIdentity.
"""

import os
import re
from collections.abc import Mapping
from typing import Final

import httpx
from botocore.exceptions import BotoCoreError, ClientError

from ops.core.clients import ambient_client
from ops.core.errors import OpsError, UsageError
from stacks.naming import GITHUB_SESSION_SECONDS, github_role
from stacks.settings import Project

ROLE: Final = "GITHUB_ROLE"
"""The variable that a workflow sets: plan, push, deploy, or the ARN of a custom role."""

AUDIENCE: Final = "sts.amazonaws.com"

_SECONDS: Final = 3600
"""Seconds that the session of a custom role lasts: IAM's default maximum."""

_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")
_REQUEST: Final = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")


def act_in(project: Project, account_id: str, region: str) -> None:
    """Makes this process and its children act in an account, with the role that `GITHUB_ROLE` names.

    Without that variable the credentials stay as they are. Raises UsageError if it does not name a
    role, and OpsError if GitHub gives no token or AWS refuses it.
    """
    named = os.environ.get(ROLE, "")
    if not named:
        return
    arn = _arn(project, account_id, named)
    token = _token(os.environ)
    try:
        answer = ambient_client("sts", region).assume_role_with_web_identity(
            RoleArn=arn,
            RoleSessionName=f"{project.name}-{os.environ.get('GITHUB_RUN_ID', 'desk')}",
            WebIdentityToken=token,
            DurationSeconds=GITHUB_SESSION_SECONDS.get(named, _SECONDS),
        )
    except (ClientError, BotoCoreError) as error:
        raise OpsError(
            f"AWS did not let this job assume {arn}: {error}\nThe foundation of account {account_id} creates "
            f"the role, which admits only the jobs of {project.repository} that docs/delivery.md lists."
        ) from None
    found = answer["Credentials"]
    os.environ.update(
        AWS_ACCESS_KEY_ID=found["AccessKeyId"],
        AWS_SECRET_ACCESS_KEY=found["SecretAccessKey"],
        AWS_SESSION_TOKEN=found["SessionToken"],
    )


def _arn(project: Project, account_id: str, named: str) -> str:
    if named in GITHUB_SESSION_SECONDS:
        return f"arn:aws:iam::{account_id}:role/{github_role(project.name, named)}"
    found = _ARN.fullmatch(named)
    if not found:
        raise UsageError(
            f"{ROLE}={named} is not a role. Use one of {', '.join(GITHUB_SESSION_SECONDS)}, or the ARN of an "
            "IAM role."
        )
    if found[1] != account_id:
        raise UsageError(f"{ROLE}={named} is a role of account {found[1]}; this belongs to {account_id}.")
    return named


def _token(variables: Mapping[str, str]) -> str:
    """Returns a token, signed by GitHub, that identifies the job and its repository."""
    address, key = (variables.get(name, "") for name in _REQUEST)
    if not address or not key:
        raise OpsError(
            f"{ROLE} is set, but GitHub gives this job no token. The job needs `permissions: id-token: "
            "write`; pull requests from forks never get one."
        )
    try:
        with httpx.Client(transport=httpx.HTTPTransport(retries=3), timeout=30) as client:
            answer = client.get(
                httpx.URL(address).copy_merge_params({"audience": AUDIENCE}),
                headers={"Authorization": f"bearer {key}"},
            )
        answer.raise_for_status()
        value = answer.json()["value"]
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        reason = f"status {error.response.status_code}" if isinstance(error, httpx.HTTPStatusError) else error
        raise OpsError(f"GitHub gave no token for this job: {reason}") from None
    return str(value)
