"""Flags access without a policy: keys, groups, identity providers, named accounts."""

import re
from collections.abc import Iterator
from typing import Final

from review.flags.subject import Subject, hidden
from review.model import ABSENT, Concern, Flag, Masked, is_nothing

ACCOUNTS: Final = {
    "aws_cloudwatch_event_permission": ("principal",),
    "aws_eks_access_entry": ("principal_arn",),
    "aws_eks_access_policy_association": ("principal_arn",),
    "aws_kms_grant": ("grantee_principal", "retiring_principal"),
    "aws_lambda_layer_version_permission": ("principal",),
    "aws_lambda_permission": ("principal", "source_account", "source_arn"),
    "aws_ram_principal_association": ("principal",),
    "aws_vpc_endpoint_service_allowed_principal": ("principal_arn",),
}
"""Attributes that name who gets access: an account, an ARN, or a service of AWS's."""

MEMBERSHIPS: Final = {
    "aws_iam_group_membership": "users",
    "aws_iam_user_group_membership": "groups",
    "aws_identitystore_group_membership": "member_id",
}
"""Attributes that add users to a group, with its permissions."""

CREDENTIALS: Final = {
    "aws_iam_access_key": ("user", "A key that does not expire lets whoever has it act as the user."),
    "aws_iam_service_specific_credential": (
        "user_name",
        "A password that lets whoever has it act as the user.",
    ),
    "aws_iam_user_login_profile": ("user", "A password that lets whoever has it act as the user."),
}

PROVIDERS: Final = {
    "aws_iam_openid_connect_provider": ("url", "client_id_list", "thumbprint_list"),
    "aws_iam_saml_provider": ("saml_metadata_document",),
    "aws_rolesanywhere_trust_anchor": ("source",),
}
"""Attributes that say whose word is taken for who somebody is."""

_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:[a-z0-9-]+:[^:]*:)?(\d+)(?::|$)")


def identities(subject: Subject) -> Iterator[Flag]:
    """Flags identities that get access in this plan."""
    kind = subject.change.type
    if not subject.stays:
        return
    for key in ACCOUNTS.get(kind, ()):
        yield from _other_account(subject, key)
    if kind in MEMBERSHIPS:
        yield from _member(subject, MEMBERSHIPS[kind])
    if kind in CREDENTIALS:
        key, reason = CREDENTIALS[kind]
        if subject.before.get(key, ABSENT) != subject.after.get(key, ABSENT):
            yield _flag(subject, "New credentials", reason, key)
    for key in PROVIDERS.get(kind, ()):
        before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
        if before != after and not is_nothing(after):
            reason = "Roles may let in whom this provider, or another one than before, says somebody is."
            yield _flag(subject, "Identity provider changed", reason, key)
            return


def _flag(subject: Subject, title: str, reason: str, key: str) -> Flag:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    return subject.flag(Concern.PERMISSION, title, reason, (key,), before, after)


def _other_account(subject: Subject, key: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    if before == after:
        return
    if isinstance(after, Masked):
        yield subject.unknown("Access for another account", (key,), before, after)
    elif isinstance(after, str) and (match := _ACCOUNT.match(after)) and match[1] not in subject.accounts:
        reason = "An AWS account other than the plan's own, as far as the plan tells, newly gets access."
        yield _flag(subject, "Access for another account", reason, key)


def _member(subject: Subject, key: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    known = before if isinstance(before, list) else [before]
    named = after if isinstance(after, list) else [after]
    if hidden(after) or any(name not in known for name in named if not is_nothing(name)):
        reason = "Somebody newly has all permissions of a group, which the plan does not show."
        yield _flag(subject, "Member of a group", reason, key)
