"""The roles that workflows assume: a job's OIDC token, exchanged for AWS credentials.

Source: GitHub Docs, "OpenID Connect reference", requesting the token; AWS STS API Reference,
AssumeRoleWithWebIdentity.
"""

import base64
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.clients import ambient_client
from ops.core.console import complaints, printable
from ops.core.errors import OpsError, UsageError
from stacks.naming import GITHUB_AUDIENCE, GITHUB_SESSION_SECONDS, github_role
from stacks.settings import Project

T = TypeVar("T")

ROLE: Final = "GITHUB_ROLE"
"""The variable that a workflow sets: plan, push, deploy, or the ARN of a custom role."""

_SECONDS: Final = 3600
"""Seconds that the session of a custom role lasts: IAM's default maximum."""

_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role/[\w+=,.@/-]+")
_REQUEST: Final = ("ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
_IMMUTABLE: Final = re.compile(r"repo:[^/@:]+@(\d+)/[^/@:]+@(\d+):.*")

_DELAYS: Final = (1.0, 2.0, 4.0)
"""Seconds before each retry, so that a job that is really refused knows it after seven."""

_TRANSIENT_STATUSES: Final = frozenset({403, 429, *range(500, 600)})
"""Statuses of GitHub that may go away: it answers 403 or 429 to too many requests.

Source: GitHub Docs, "Rate limits for the REST API".
"""

_TRANSIENT_CODES: Final = frozenset({"AccessDenied", "IDPCommunicationError", "InvalidIdentityToken"})
"""Errors of STS that may go away: it cannot reach GitHub's keys, or does not know a new role or provider yet.

Source: AWS STS API Reference, AssumeRoleWithWebIdentity, errors; IAM User Guide, "Troubleshoot IAM", changes
are not always immediately visible.
"""


def act_in(project: Project, account_id: str, region: str) -> None:
    """Makes this process and its children act in an account, with the role that `GITHUB_ROLE` names.

    Without that variable the credentials stay as they are. Raises UsageError if it does not name a
    role, and OpsError if GitHub gives no token or AWS refuses it, a few retries included.
    """
    named = os.environ.get(ROLE, "")
    if not named:
        return
    arn = _arn(project, account_id, named)
    token = _token(os.environ)
    sts = ambient_client("sts", region)
    try:
        answer = _retried(
            f"AWS did not let this job assume {arn}",
            lambda: sts.assume_role_with_web_identity(
                RoleArn=arn,
                RoleSessionName=f"{project.name}-{os.environ.get('GITHUB_RUN_ID', 'desk')}",
                WebIdentityToken=token,
                DurationSeconds=GITHUB_SESSION_SECONDS.get(named, _SECONDS),
            ),
            _is_transient_refusal,
        )
    except (ClientError, BotoCoreError) as error:
        raise OpsError(
            f"AWS did not let this job assume {arn}: {error}\nThe foundation of account {account_id} creates "
            f"the role, which admits only the jobs of {project.repository} that docs/delivery.md lists."
            f"{_advice(project, account_id, arn, _subject(token))}"
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

    # Imported here because it takes long to load, and only workflows need it.
    import httpx

    def ask() -> str:
        answer = httpx.get(
            httpx.URL(address).copy_merge_params({"audience": GITHUB_AUDIENCE}),
            headers={"Authorization": f"bearer {key}"},
            timeout=30,
        )
        answer.raise_for_status()
        return str(answer.json()["value"])

    def is_transient(error: Exception) -> bool:
        if isinstance(error, httpx.HTTPStatusError):
            return error.response.status_code in _TRANSIENT_STATUSES
        return isinstance(error, httpx.TransportError)

    def reason(error: Exception) -> str:
        if isinstance(error, httpx.HTTPStatusError):
            return f"status {error.response.status_code}"
        return str(error)

    what = "GitHub gave no token for this job"
    try:
        return _retried(what, ask, is_transient, reason)
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, KeyError, TypeError) as error:
        raise OpsError(f"{what}: {reason(error)}") from None


def _retried(
    what: str,
    ask: Callable[[], T],
    is_transient: Callable[[Exception], bool],
    reason: Callable[[Exception], str] = str,
) -> T:
    """Returns the answer, with retries after errors that may go away; says so before each of them."""
    for delay in _DELAYS:
        try:
            return ask()
        except Exception as error:
            if not is_transient(error):
                raise
            complaints.print(f"{what}: {reason(error)}. Trying again in {delay:g} s.", markup=False)
            time.sleep(delay)
    return ask()


def _is_transient_refusal(error: Exception) -> bool:
    return isinstance(error, ClientError) and error.response["Error"]["Code"] in _TRANSIENT_CODES


def _subject(token: str) -> str:
    """Returns the token's `sub`, which is no secret; an empty string if it cannot be read."""
    try:
        claims: Any = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        return printable(str(claims["sub"]))
    except (IndexError, ValueError, KeyError, TypeError):
        return ""


def _advice(project: Project, account_id: str, arn: str, subject: str) -> str:
    """Returns what to compare the token's subject with, and the ids in it that the settings do not have."""
    if not subject:
        return ""
    told = (
        f"\nThe token's subject is {subject}. The trust policy has to name exactly that: aws iam get-role "
        f"--role-name {arn.rpartition('/')[2]} --query Role.AssumeRolePolicyDocument"
    )
    found = _IMMUTABLE.fullmatch(subject)
    if found and found.groups() != (str(project.repository_owner_id), str(project.repository_id)):
        told += (
            f"\nSet repository_owner_id = {found[1]} and repository_id = {found[2]} in "
            f"environments/project.toml, and apply the foundation of account {account_id}."
        )
    return told
