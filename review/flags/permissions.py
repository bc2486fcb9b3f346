"""Flags what this plan lets IAM policies allow, to the role that has them or to principals they name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from review.comparing.policies import Statement, is_policy, is_readable, statements_of
from review.comparing.policy_changes import denials_removed, newly_allowed, work
from review.flags.grants import granted
from review.flags.identities import identities
from review.flags.principals import OTHER_ACCOUNT, resource_policy, trust
from review.flags.subject import Subject, blocks, hidden
from review.model import ABSENT, UNKNOWN, Concern, Document, Flag, Tree, is_nothing

POLICIES = frozenset(
    {
        "access_policies",
        "access_policy",
        "assume_role_policy",
        "content",
        "inline_policy",
        "policy",
        "policy_data",
        "policy_document",
        "policy_text",
        "repository_policy",
        "resource_policy",
    }
)
"""Attributes that carry a policy. Any other one is looked at if it holds what looks like one."""

TRUST = "assume_role_policy"

SILENT_WHEN_NEW = frozenset(
    {
        ("aws_iam_role", "inline_policy"),
        ("aws_s3_bucket", "policy"),
        ("aws_vpc_endpoint", "policy"),
    }
)
"""What AWS fills in when nobody says anything, so that it is unknown in each creation.

Elsewhere an unknown policy of something new may be one that somebody wrote.
"""

NOT_POLICIES = frozenset(
    {
        "aws_appautoscaling_policy",
        "aws_autoscaling_policy",
        "aws_cloudfront_cache_policy",
        "aws_cloudwatch_metric_alarm",
        "aws_dlm_lifecycle_policy",
        "aws_ecr_lifecycle_policy",
        "aws_lb_ssl_negotiation_policy",
        "aws_load_balancer_policy",
        "aws_s3_object",
        "aws_ssm_document",
    }
)
"""Types whose `policy` or `content` is no IAM policy."""

ABOUT = (
    "arn",
    "backup_vault_name",
    "bucket",
    "cluster_arn",
    "domain_name",
    "event_bus_name",
    "file_system_id",
    "key_id",
    "queue_url",
    "repository",
    "repository_name",
    "resource_arn",
    "secret_arn",
    "vault_name",
)
"""Attributes by which a policy that is a resource of its own says what it is about."""

LARGEST: Final = 500_000
"""Comparisons of patterns that are done; what AWS takes needs far fewer, but for odd cases."""

Where = tuple[str, ...]


def permissions(subject: Subject) -> Iterator[Flag]:
    """Flags all policies of a change, and identities that get access without one."""
    yield from identities(subject)
    for where, before, after in _policies(subject):
        if subject.stays:
            yield from policy_flags(subject, where, before, after)
        elif subject.change.deposed is None and _is_policy_itself(subject) and not subject.is_moot:
            yield from _denials(subject, where, statements_of(before) or (), ())


def policy_flags(subject: Subject, where: Where, before: Tree, after: Tree) -> Iterator[Flag]:
    """Flags one policy."""
    if hidden(after):
        if not _is_silent(subject, where) and before != after:
            yield _not_known(subject, where, before, after)
        return
    new = statements_of(after) or []
    if hidden(before):
        if new:
            yield _not_known(subject, where, before, after)
        return
    old = statements_of(before) or []
    if any(statement.hidden for statement in new) and before != after:
        yield _not_known(subject, where, before, after)
    elif not is_nothing(after) and not is_readable(after):
        reason = "Part of it is no IAM policy as it is known here, so nothing can be ruled out."
        yield subject.flag(Concern.UNKNOWN, "Policy not known", reason, where, before, after)
    if work(old, new) > LARGEST:
        reason = "The policy is too large to be judged here, so nothing can be ruled out."
        yield subject.flag(Concern.UNKNOWN, "Too large to judge", reason, where)
        return
    yield from _denials(subject, where, old, new)
    is_new = subject.is_new and not _is_about_what_stays(subject)
    found: list[Flag] = []
    for grant in newly_allowed(old, new):
        if where[-1] == TRUST:
            found += trust(subject, where, grant, old, is_new)
        elif grant.statement.principals:
            found += resource_policy(subject, where, grant, old, is_new)
        else:
            found += granted(subject, where, grant, old)
    yield from _folded(found)


def _folded(flags: Sequence[Flag]) -> Iterator[Flag]:
    """Merges flags of statements that let the same principals of another account in."""
    found: dict[tuple[str, str], list[Flag]] = {}
    for place, flag in enumerate(flags):
        key = repr(flag.after) if flag.title == OTHER_ACCOUNT else str(place)
        found.setdefault((flag.title, key), []).append(flag)
    for first, *more in found.values():
        if not more:
            yield first
            continue
        *where, label, last = first.path
        labels = ", ".join([label, *(flag.path[-2] for flag in more)])
        yield replace(first, path=(*where, labels, last))


def _is_about_what_stays(subject: Subject) -> bool:
    """Returns whether a separate policy is about something that the plan does not create."""
    if not _is_policy_itself(subject):
        return False
    about = [subject.after[key] for key in ABOUT if key in subject.after]
    kind = subject.change.type.removesuffix("_policy")
    return bool(about) and not any(
        hidden(value) or (isinstance(value, str) and (kind, value) in subject.created) for value in about
    )


def _not_known(subject: Subject, where: Where, before: Tree, after: Tree) -> Flag:
    reason = "What the policy allows is known only after the apply, so nothing can be ruled out."
    if after is not UNKNOWN:
        reason = "Part of the policy is sensitive and was not looked at, so nothing can be ruled out."
    return subject.flag(Concern.UNKNOWN, "Policy not known", reason, where, before, after)


def _policies(subject: Subject) -> Iterator[tuple[Where, Tree, Tree]]:
    """Yields each policy with its path, before and after."""
    is_other = subject.change.type in NOT_POLICIES
    for key in sorted(subject.before.keys() | subject.after.keys()):
        before, after = subject.before.get(key, ABSENT), subject.after.get(key, ABSENT)
        if is_other or before is after or before == after:
            continue
        if key == "inline_policy" and (isinstance(before, list) or isinstance(after, list)):
            yield from _inline(before, after)
        elif _is_policy(key, before) or _is_policy(key, after):
            yield (key,), before, after


def _is_policy(key: str, value: Tree) -> bool:
    if is_policy(value):
        return True
    # A policy that cannot be read is flagged as such.
    is_text = isinstance(value, str) and value.lstrip().startswith(("{", "["))
    is_odd = key != "content" and (isinstance(value, Document) or is_text)
    return key in POLICIES and (hidden(value) or is_odd)


def _inline(before: Tree, after: Tree) -> Iterator[tuple[Where, Tree, Tree]]:
    """Yields the inline policies of a role by name."""
    if hidden(after):
        yield ("inline_policy",), before, after
        return
    old = {str(block.get("name")): block.get("policy", ABSENT) for block in blocks(before)}
    for place, block in enumerate(blocks(after)):
        name = block.get("name")
        label = name if isinstance(name, str) and name else str(place)
        yield ("inline_policy", label), old.get(str(name), ABSENT), block.get("policy", ABSENT)


def _is_policy_itself(subject: Subject) -> bool:
    """Returns whether the resource is only a policy on something that stays."""
    return subject.change.type.endswith("_policy")


def _is_silent(subject: Subject, where: Where) -> bool:
    return subject.is_new and len(where) == 1 and (subject.change.type, where[0]) in SILENT_WHEN_NEW


def _denials(
    subject: Subject, where: Where, old: Sequence[Statement], new: Sequence[Statement]
) -> Iterator[Flag]:
    for statement in denials_removed(old, new):
        path = (*where, "Statement", statement.label)
        kept = next((other for other in new if other.label == statement.label), None)
        yield subject.flag(
            Concern.PERMISSION,
            "Deny removed",
            "A statement that denied something is gone or denies less.",
            path,
            statement.source,
            kept.source if kept else ABSENT,
        )
