"""Quotas of IAM, which moto does not count.

Source of the numbers: IAM User Guide, "IAM and AWS STS quotas". White space does not count.
"""

import re
from typing import Final

from moto.iam.exceptions import LimitExceededException
from moto.iam.models import IAMBackend, ManagedPolicy, PolicyVersion, Role

POLICY_CHARACTERS: Final = 6144
TRUST_CHARACTERS: Final = 2048
INLINE_CHARACTERS: Final = 10240
POLICIES_OF_A_ROLE: Final = 10

_create_policy = IAMBackend.create_policy
_create_policy_version = IAMBackend.create_policy_version
_create_role = IAMBackend.create_role
_update_trust = IAMBackend.update_assume_role_policy
_put_role_policy = IAMBackend.put_role_policy
_attach_role_policy = IAMBackend.attach_role_policy


def count_quotas() -> None:
    """Have moto refuse what is over a quota; call it before the server answers."""
    for mended in (
        create_policy,
        create_policy_version,
        create_role,
        update_assume_role_policy,
        put_role_policy,
        attach_role_policy,
    ):
        setattr(IAMBackend, mended.__name__, mended)


def create_policy(
    backend: IAMBackend,
    description: str,
    path: str,
    policy_document: str,
    policy_name: str,
    tags: list[dict[str, str]],
) -> ManagedPolicy:
    """Create a managed policy that is not too long."""
    _refuse_over("PolicySize", _size(policy_document), POLICY_CHARACTERS)
    return _create_policy(backend, description, path, policy_document, policy_name, tags)


def create_policy_version(
    backend: IAMBackend, policy_arn: str, policy_document: str, set_as_default: bool
) -> PolicyVersion:
    """Create a version of a managed policy that is not too long."""
    _refuse_over("PolicySize", _size(policy_document), POLICY_CHARACTERS)
    return _create_policy_version(backend, policy_arn, policy_document, set_as_default)


def create_role(
    backend: IAMBackend, role_name: str, assume_role_policy_document: str, *arguments: object, **named: object
) -> Role:
    """Create a role whose trust policy is not too long."""
    _refuse_over("ACLSizePerRole", _size(assume_role_policy_document), TRUST_CHARACTERS)
    # mypy cannot match the rest, which is passed on as it came, with moto's parameters.
    return _create_role(backend, role_name, assume_role_policy_document, *arguments, **named)  # type: ignore[arg-type]


def update_assume_role_policy(backend: IAMBackend, role_name: str, policy_document: str) -> None:
    """Change a trust policy to one that is not too long."""
    _refuse_over("ACLSizePerRole", _size(policy_document), TRUST_CHARACTERS)
    _update_trust(backend, role_name, policy_document)


def put_role_policy(backend: IAMBackend, role_name: str, policy_name: str, policy_json: str) -> None:
    """Put an inline policy into a role whose inline policies are not too long together."""
    others = [text for name, text in backend.get_role(role_name).policies.items() if name != policy_name]
    if sum(map(_size, [*others, policy_json])) > INLINE_CHARACTERS:
        raise LimitExceededException(
            f"Maximum policy size of {INLINE_CHARACTERS} bytes exceeded for role {role_name}"
        )
    _put_role_policy(backend, role_name, policy_name, policy_json)


def attach_role_policy(backend: IAMBackend, policy_arn: str, role_name: str) -> None:
    """Attach a policy to a role that has room for it."""
    attached = {*backend.get_role(role_name).managed_policies, policy_arn}
    _refuse_over("PoliciesPerRole", len(attached), POLICIES_OF_A_ROLE)
    _attach_role_policy(backend, policy_arn, role_name)


def _refuse_over(quota: str, found: int, most: int) -> None:
    if found > most:
        raise LimitExceededException(f"Cannot exceed quota for {quota}: {most}")


def _size(document: str) -> int:
    return len(re.sub(r"\s", "", document))
