"""Flags attached managed policies, and permissions boundaries."""

from collections.abc import Iterator
from dataclasses import replace

from review.flags.access import named
from review.flags.permissions import policy_flags
from review.flags.subject import Subject, hidden
from review.model import ABSENT, UNKNOWN, Concern, Flag, Masked, Tree, is_nothing

ATTRIBUTES = ("policy_arn", "managed_policy_arn", "managed_policy_arns", "policy_arns")

ADMINISTRATION = frozenset(
    {
        "AdministratorAccess",
        "AmazonEKSAdminPolicy",
        "AmazonEKSClusterAdminPolicy",
        "IAMFullAccess",
        "PowerUserAccess",
    }
)
"""AWS's policies with which one can do everything, or get it.

Source: AWS's "Managed Policy Reference".
"""

TARGETS = ("role", "roles", "user", "users", "group", "groups", "permission_set_arn", "principal_arn")
"""Attributes that say what a policy is attached to."""

HARMLESS = frozenset(
    {
        "AWSBackupServiceRolePolicyForBackup",
        "AWSLambdaBasicExecutionRole",
        "AWSLambdaVPCAccessExecutionRole",
        "AWSXRayDaemonWriteAccess",
        "AWSXrayWriteOnlyAccess",
        "AmazonAPIGatewayPushToCloudWatchLogs",
        "AmazonEC2ContainerRegistryPullOnly",
        "AmazonECSTaskExecutionRolePolicy",
        "AmazonEKSClusterPolicy",
        "AmazonEKSWorkerNodePolicy",
        "AmazonEKS_CNI_Policy",
        "AmazonRDSEnhancedMonitoringRole",
        "AmazonSSMManagedInstanceCore",
        "CloudWatchAgentServerPolicy",
    }
)
"""AWS's policies that let a service do its work, and no more."""

BOUNDARY = "permissions_boundary"


def attachments(subject: Subject) -> Iterator[Flag]:
    """Flags managed policies that this plan attaches, except AWS's own for services.

    The ARN of an attached policy is known only after the apply if this plan creates the policy; that
    policy is judged itself, so it raises no flag here.
    """
    if not subject.stays or not subject.change.type.startswith(("aws_iam_", "aws_ssoadmin_", "aws_eks_")):
        return
    for key in ATTRIBUTES:
        before, after = subject.sides(key)
        is_unknown = after is UNKNOWN and not is_nothing(before) and key.endswith("s")
        if (isinstance(after, Masked) and after != before) or is_unknown:
            yield subject.unknown("Attached policy not known", (key,), before, after)
            continue
        yield from _detached(subject, key, before, after)
        known = [] if key == "policy_arn" and _is_moved(subject) else _listed(before)
        holders = named(subject)
        for arn in _listed(after):
            if isinstance(arn, str) and arn not in known:
                for flag in _attached(subject, key, before, arn):
                    yield replace(flag, principal=flag.principal or holders)


def _detached(subject: Subject, key: str, before: Tree, after: Tree) -> Iterator[Flag]:
    """Flags policies that a list no longer has; the attachment of a single one is deleted or replaced."""
    for arn in before if isinstance(before, list) else []:
        if isinstance(arn, str) and arn not in _listed(after):
            reason = "What the policy allows is no longer allowed."
            flag = subject.flag(Concern.RUNTIME, "Policy detached", reason, (key,), arn, weight=56)
            yield replace(flag, principal=named(subject))


def _attached(subject: Subject, key: str, before: Tree, arn: str) -> Iterator[Flag]:
    former = before if isinstance(before, str) else ABSENT
    name = arn.rpartition("/")[2]
    is_of_aws = ":aws:policy/" in arn or ":aws:cluster-access-policy/" in arn
    if is_of_aws and name in HARMLESS:
        return
    if subject.change.attached is not ABSENT:
        yield from policy_flags(subject, (key,), ABSENT, subject.change.attached)
    elif not is_of_aws:
        reason = "What this policy allows is not part of the plan, so it was not looked at."
        yield subject.flag(Concern.PERMISSION, "Policy attached", reason, (key,), former, arn)
    elif name in ADMINISTRATION:
        reason = "AWS's policy for administrators is now attached."
        yield subject.flag(Concern.PERMISSION, "Administration allowed", reason, (key,), former, arn)
    elif name.endswith("FullAccess"):
        reason = "AWS's policy for all of a service is now attached."
        yield subject.flag(
            Concern.PERMISSION, "Every action of a service allowed", reason, (key,), former, arn
        )
    else:
        reason = "AWS's policy is now attached; what it allows is not part of the plan."
        yield subject.flag(Concern.PERMISSION, "Policy attached", reason, (key,), former, arn)


def _is_moved(subject: Subject) -> bool:
    """Returns whether the policy is attached to something else than before."""
    for key in TARGETS:
        known = _listed(subject.before.get(key, ABSENT))
        if any(
            not is_nothing(each) and each not in known for each in _listed(subject.after.get(key, ABSENT))
        ):
            return True
    return False


def _listed(value: Tree) -> list[Tree]:
    return value if isinstance(value, list) else [value]


def boundary(subject: Subject) -> Iterator[Flag]:
    """Flags changes of a role's or user's permissions boundary."""
    if not subject.stays:
        return
    before, after = subject.sides(BOUNDARY)
    if before == after or (is_nothing(before) and (subject.is_new or is_nothing(after))):
        return
    if is_nothing(before):
        reason = "What the boundary does not allow is no longer allowed."
        yield subject.flag(
            Concern.RUNTIME, "Permissions boundary set", reason, (BOUNDARY,), ABSENT, after, weight=50
        )
        return
    if hidden(after):
        yield subject.unknown("Permissions boundary not known", (BOUNDARY,), before, after)
        return
    gone = is_nothing(after)
    yield subject.flag(
        Concern.PERMISSION,
        "Permissions boundary removed" if gone else "Permissions boundary changed",
        "Nothing limits any longer what it can be allowed."
        if gone
        else "Another policy limits what it can be allowed.",
        (BOUNDARY,),
        before,
        after,
    )
