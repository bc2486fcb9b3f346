"""Flags access without a policy, by accounts that a resource names."""

import re
from collections.abc import Iterator
from typing import Final

from review.flags.subject import Subject
from review.model import ABSENT, Concern, Flag, Masked

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

_ACCOUNT: Final = re.compile(r"(?:arn:[a-z-]+:[a-z0-9-]+:[^:]*:)?(\d+)(?::|$)")


def identities(subject: Subject) -> Iterator[Flag]:
    """Flags accounts that get access in this plan."""
    kind = subject.change.type
    if not subject.stays:
        return
    for key in ACCOUNTS.get(kind, ()):
        yield from _other_account(subject, key)


def _flag(subject: Subject, title: str, reason: str, key: str, weight: int | None = None) -> Flag:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    return subject.flag(Concern.PERMISSION, title, reason, (key,), before, after, weight=weight)


def _other_account(subject: Subject, key: str) -> Iterator[Flag]:
    before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
    if before == after:
        return
    if isinstance(after, Masked):
        yield subject.unknown("Access for another account", (key,), before, after)
    elif isinstance(after, str) and (match := _ACCOUNT.match(after)):
        if match[1] not in subject.accounts:
            reason = "An AWS account that the plan does not show to be its own gets access."
            yield _flag(subject, "Access for another account", reason, key)
        else:
            reason = "A principal of the plan's own account gets access."
            yield _flag(subject, "Access", reason, key, weight=20)
