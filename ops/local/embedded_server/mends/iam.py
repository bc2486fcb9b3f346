"""Quotas of IAM, which moto does not count, and access keys, on which it spends too much.

White space does not count. Source of the numbers: IAM User Guide, "IAM and AWS STS quotas".

For the account of an access key, moto looks into the IAM of every partition of AWS, and makes up each IAM
that is not there yet, thousands of managed policies included: the first request with a key of another account
than the first took three seconds, longer than the app waits.

With every request, whatever it asks for, moto writes down when its key or role was last used. So reads
changed what IAM says, also those that no journal has, and a replay answered `GetRole` otherwise than before.
AWS lags behind by hours itself, and here nothing asks, so nobody is seen to use anything. Source: AWS IAM
User Guide, "Refine permissions in AWS using last accessed information".
"""

import re
from typing import Final

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam import models
from moto.iam.exceptions import LimitExceededException
from moto.iam.models import IAMBackend, ManagedPolicy, PolicyVersion, Role

from ops.local.embedded_server.patching import patch

_POLICY_CHARACTERS: Final = 6144
_TRUST_CHARACTERS: Final = 2048
_INLINE_CHARACTERS: Final = 10240
_POLICIES_OF_A_ROLE: Final = 10

_create_policy = IAMBackend.create_policy
_create_policy_version = IAMBackend.create_policy_version
_create_role = IAMBackend.create_role
_update_trust = IAMBackend.update_assume_role_policy
_put_role_policy = IAMBackend.put_role_policy
_attach_role_policy = IAMBackend.attach_role_policy


def mend() -> None:
    """Has moto refuse what is over a quota, and look up keys without a trace."""
    patch(
        IAMBackend,
        create_policy,
        create_policy_version,
        create_role,
        update_assume_role_policy,
        put_role_policy,
        attach_role_policy,
    )
    patch(models, get_account_id_from, mark_account_as_visited)


def get_account_id_from(access_key: str) -> str:
    """Returns the account that an access key was made in, or moto's first."""
    for account_id, partitions in list(models.iam_backends.items()):
        if any(access_key in iam.access_keys for iam in list(partitions.values())):
            return account_id
    return DEFAULT_ACCOUNT_ID


def mark_account_as_visited(account_id: str, access_key: str, service: str, region: str) -> None:
    """Takes moto's arguments and does nothing."""
    del account_id, access_key, service, region


def create_policy(
    backend: IAMBackend,
    description: str,
    path: str,
    policy_document: str,
    policy_name: str,
    tags: list[dict[str, str]],
) -> ManagedPolicy:
    """Creates a managed policy that is not too long."""
    _refuse_over("PolicySize", _size(policy_document), _POLICY_CHARACTERS)
    return _create_policy(backend, description, path, policy_document, policy_name, tags)


def create_policy_version(
    backend: IAMBackend, policy_arn: str, policy_document: str, set_as_default: bool
) -> PolicyVersion:
    """Creates a version of a managed policy that is not too long."""
    _refuse_over("PolicySize", _size(policy_document), _POLICY_CHARACTERS)
    return _create_policy_version(backend, policy_arn, policy_document, set_as_default)


def create_role(
    backend: IAMBackend, role_name: str, assume_role_policy_document: str, *arguments: object, **named: object
) -> Role:
    """Creates a role whose trust policy is not too long."""
    _refuse_over("ACLSizePerRole", _size(assume_role_policy_document), _TRUST_CHARACTERS)
    # mypy cannot match the rest, which is passed on as it came, with moto's parameters.
    return _create_role(backend, role_name, assume_role_policy_document, *arguments, **named)  # type: ignore[arg-type]


def update_assume_role_policy(backend: IAMBackend, role_name: str, policy_document: str) -> None:
    """Changes a trust policy to one that is not too long."""
    _refuse_over("ACLSizePerRole", _size(policy_document), _TRUST_CHARACTERS)
    _update_trust(backend, role_name, policy_document)


def put_role_policy(backend: IAMBackend, role_name: str, policy_name: str, policy_json: str) -> None:
    """Puts an inline policy into a role whose inline policies are not too long together."""
    others = [text for name, text in backend.get_role(role_name).policies.items() if name != policy_name]
    if sum(map(_size, [*others, policy_json])) > _INLINE_CHARACTERS:
        raise LimitExceededException(
            f"Maximum policy size of {_INLINE_CHARACTERS} bytes exceeded for role {role_name}"
        )
    _put_role_policy(backend, role_name, policy_name, policy_json)


def attach_role_policy(backend: IAMBackend, policy_arn: str, role_name: str) -> None:
    """Attaches a policy to a role that has room for it."""
    attached = {*backend.get_role(role_name).managed_policies, policy_arn}
    _refuse_over("PoliciesPerRole", len(attached), _POLICIES_OF_A_ROLE)
    _attach_role_policy(backend, policy_arn, role_name)


def _refuse_over(quota: str, found: int, most: int) -> None:
    if found > most:
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {most}")


def _size(document: str) -> int:
    return len(re.sub(r"\s", "", document))
