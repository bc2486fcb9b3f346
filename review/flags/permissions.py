"""Flags what this plan lets IAM policies allow, to the role that has them or to principals they name."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from review.comparing.policies import (
    Statement,
    holds,
    is_policy,
    is_readable,
    labelled,
    sentence_of,
    statements_of,
)
from review.comparing.policy_changes import Grant, denials_removed, matches, newly_allowed, work
from review.flags.access import LOST, gained, lost, named
from review.flags.grants import granted, tightened
from review.flags.principals import EVERYTHING, LIMITS_ONLY, OTHER_ACCOUNT, resource_policy, trust
from review.flags.subject import Subject, hidden, is_about_what_stays
from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    Concern,
    Document,
    Flag,
    Holder,
    Masked,
    Plan,
    Tree,
    blocks,
    is_nothing,
)

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

STANDARD: Final = frozenset(
    {
        "cloudwatch:putmetricdata",
        "ecr:getauthorizationtoken",
        "logs:createloggroup",
        "logs:createlogstream",
        "logs:putlogevents",
        "xray:puttelemetryrecords",
        "xray:puttracesegments",
    }
)
"""Actions that only write what a service says of itself, or log in to pull images."""

_ROOT: Final = re.compile(r"AWS:arn:aws[a-z-]*:iam::(\d{12}):root")

KEYS: Final = ("aws_kms_key", "aws_kms_key_policy")

KNOWN_IN_PART: Final = "Policy known in part"

LARGEST: Final = 500_000
"""Comparisons of patterns that are done; what AWS takes needs far fewer, but for odd cases."""

Where = tuple[str, ...]


def permissions(subject: Subject) -> Iterator[Flag]:
    """Flags all policies of a change."""
    if former := _former_holder(subject):
        yield from policy_flags(subject, ("policy",), ABSENT, subject.after.get("policy", ABSENT))
        previous = replace(subject, change=replace(subject.change, holders=(former,)))
        yield from lost(
            previous, newly_allowed([], statements_of(subject.before.get("policy", ABSENT)) or [])
        )
        return
    for where, before, after in _policies(subject):
        if subject.stays:
            yield from policy_flags(subject, where, before, after)
        elif subject.change.deposed is None and _is_policy_itself(subject) and not subject.is_moot:
            yield from _denials(subject, where, statements_of(before) or (), ())


def policy_flags(subject: Subject, where: Where, before: Tree, after: Tree) -> Iterator[Flag]:
    """Flags one policy."""
    if subject.change.type in LIMITS_ONLY and not subject.is_new:
        before, after = (EVERYTHING if is_nothing(side) else side for side in (before, after))
    if hidden(after):
        if not _is_silent(subject, where) and before != after:
            yield _not_known(subject, where, before, after)
        return
    new = statements_of(after) or []
    if hidden(before):
        if new:
            yield _not_known(subject, where, before, after)
        return
    old = _renamed(subject, statements_of(before) or [])
    is_partial = any(statement.hidden for statement in new) and before != after
    if is_partial:
        yield _not_known(subject, where, before, after)
    elif not is_nothing(after) and not is_readable(after):
        reason = "Part of it is no IAM policy as it is known here, so nothing can be ruled out."
        yield subject.flag(Concern.UNKNOWN, "Policy not known", reason, where, before, after)
    if work(old, new) > LARGEST:
        reason = "The policy is too large to be judged here, so nothing can be ruled out."
        yield subject.flag(Concern.UNKNOWN, "Too large to judge", reason, where)
        return
    if subject.change.type in KEYS and _is_managed(old) and new and not _is_managed(new):
        reason = "Nobody may change the key's policy any more; only AWS Support can help."
        yield subject.flag(Concern.PROTECTION, "Key locked", reason, where, weight=88)
    yield from _denials(subject, where, old, new)
    is_new = subject.is_new and not (_is_policy_itself(subject) and is_about_what_stays(subject))
    more = newly_allowed(old, new)
    yield from _granted(subject, where, more, old, is_new)
    if not is_new and subject.change.action is not Action.REPLACE:
        yield from _more_denied(subject, where, old, new)
    if before != after and not is_partial:
        less = newly_allowed(new, old)
        yield from lost(subject, [each for each in less if not each.only_loosened])
        # A statement that is both is shown once, as what it now allows.
        told = {each.statement.label for each in more}
        narrowed = [each for each in less if each.only_loosened and each.statement.label not in told]
        yield from (tightened(subject, where, each, new) for each in narrowed)


def _renamed(subject: Subject, statements: list[Statement]) -> list[Statement]:
    """Returns statements about what is replaced under another name as if they were about the new one."""
    own = subject.before.get("arn")
    if subject.change.action is not Action.REPLACE or not isinstance(own, str):
        return statements
    for key in ("name", "bucket"):
        old, new = subject.before.get(key), subject.after.get(key)
        if isinstance(old, str) and isinstance(new, str) and own.endswith(old):
            renamed = own.removesuffix(old) + new
            return [replace(each, resources=_moved(each.resources, own, renamed)) for each in statements]
    return statements


def _moved(resources: frozenset[str], own: str, renamed: str) -> frozenset[str]:
    return frozenset(
        renamed + each.removeprefix(own) if each == own or each.startswith(f"{own}/") else each
        for each in resources
    )


def _is_managed(statements: Sequence[Statement]) -> bool:
    """Returns whether somebody may change the policy of a key.

    Source: KMS Developer Guide, "Key policies in AWS KMS".
    """
    return any(
        each.allow and any(matches(action, "kms:putkeypolicy") for action in each.actions)
        for each in statements
    )


def _former_holder(subject: Subject) -> Holder | None:
    """Returns the role, user or group that the change takes an inline policy from, to give it to another."""
    kind = subject.change.type.removeprefix("aws_iam_").removesuffix("_policy")
    before, after = subject.before.get(kind), subject.after.get(kind)
    is_moved = isinstance(before, str) and isinstance(after, str) and before != after
    return Holder(f"{kind} {before}", is_new=False) if is_moved else None


def loose_documents(stack: str, plan: Plan) -> Iterator[Flag]:
    """Flags what policy documents allow that the apply reads, and whose use the plan does not tell."""
    changes = {change.address: change for change in plan.changes if change.is_data}
    reason = "The plan does not tell which resource takes these statements, so who gets them is not known."
    for each in plan.documents:
        subject = Subject(stack, changes[each.address], {}, {}, frozenset())
        yield subject.flag(Concern.UNKNOWN, "Use of a policy not known", reason, weight=42)
        for flag in policy_flags(subject, ("policy",), ABSENT, each.policy):
            if flag.title != KNOWN_IN_PART:
                yield replace(flag, principal=flag.principal or "whoever gets it")


def _granted(
    subject: Subject, where: Where, grants: Sequence[Grant], old: Sequence[Statement], is_new: bool
) -> Iterator[Flag]:
    """Flags what is allowed now and was not: grave permissions each by its rule, all others by principal."""
    found: list[Flag] = []
    rest: list[Grant] = []
    holders = named(subject)
    for grant in grants:
        if _is_standard(subject, grant):
            continue
        if where[-1] == TRUST:
            flags = list(trust(subject, where, grant, old, is_new))
            services = all(each.startswith("Service:") for each in grant.statement.principals)
            rest += [] if flags or (is_new and services) else [grant]
        elif grant.statement.principals:
            flags = list(resource_policy(subject, where, grant, old, is_new))
            rest += _untold(grant, flags)
        else:
            flags = [replace(each, principal=holders) for each in granted(subject, where, grant, old)]
            rest += _untold(grant, flags)
        found += flags
    yield from _folded(found)
    if not (is_new and subject.change.type in LIMITS_ONLY):
        yield from gained(subject, rest, is_new)


def _untold(grant: Grant, flags: Sequence[Flag]) -> Iterator[Grant]:
    """Yields what is left of a grant without what flags tell already."""
    told: set[str] = set()
    for flag in flags:
        if flag.path[-1] in ("Condition", "NotAction", "NotPrincipal", "NotResource"):
            return
        if flag.path[-1] == "Action":
            listed = flag.after if isinstance(flag.after, list) else [flag.after]
            told |= {each.lower() for each in listed if isinstance(each, str)}
    new = {
        principal: left
        for principal, actions in grant.new.items()
        if (left := {action: resources for action, resources in actions.items() if action not in told})
    }
    if new:
        yield replace(grant, new=new)


def _is_standard(subject: Subject, grant: Grant) -> bool:
    if not grant.statement.principals and grant.actions <= STANDARD:
        return True
    return _is_default_key_policy(subject, grant.statement)


def _is_default_key_policy(subject: Subject, statement: Statement) -> bool:
    """Returns whether a statement is the one that AWS gives every key: its account decides by IAM policies.

    Source: KMS Developer Guide, "Default key policy". Unless the plan shows another account, it is its own.
    """
    names = [_ROOT.fullmatch(principal) for principal in statement.principals]
    return (
        subject.change.type in KEYS
        and len(names) == 1
        and names[0] is not None
        and statement.actions == {"kms:*"}
        and subject.seen <= {names[0][1]}
    )


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


def _not_known(subject: Subject, where: Where, before: Tree, after: Tree) -> Flag:
    who = "" if where[-1] == TRUST else named(subject)
    reason = "What the policy allows is known only after the apply, so nothing can be ruled out."
    if holds(after, Masked):
        reason = "Part of the policy is sensitive and was not looked at, so nothing can be ruled out."
    elif after is not UNKNOWN and statements_of(after):
        reason = "The apply reads the rest; what is known of it is judged."
        flag = subject.flag(Concern.PERMISSION, KNOWN_IN_PART, reason, where, weight=30)
        return replace(flag, principal=who)
    flag = subject.flag(Concern.UNKNOWN, "Policy not known", reason, where, before, after)
    return replace(flag, principal=who)


def _policies(subject: Subject) -> Iterator[tuple[Where, Tree, Tree]]:
    """Yields each policy with its path, before and after."""
    is_other = subject.change.type in NOT_POLICIES
    is_of_aws = subject.change.type.startswith("aws_")
    for key in sorted(subject.before.keys() | subject.after.keys()):
        before, after = subject.sides(key)
        if is_other or before is after or before == after:
            continue
        if key == "inline_policy" and (isinstance(before, list) or isinstance(after, list)):
            yield from _inline(before, after)
        elif _is_policy(key, before, is_of_aws) or _is_policy(key, after, is_of_aws):
            yield (key,), before, after


def _is_policy(key: str, value: Tree, is_of_aws: bool) -> bool:
    if is_policy(value):
        return True
    # A policy that cannot be read is flagged as such.
    is_text = isinstance(value, str) and value.lstrip().startswith(("{", "["))
    is_odd = key != "content" and (isinstance(value, Document) or is_text)
    return key in POLICIES and ((hidden(value) and is_of_aws) or is_odd)


def _inline(before: Tree, after: Tree) -> Iterator[tuple[Where, Tree, Tree]]:
    """Yields the inline policies of a role by name."""
    if hidden(after):
        yield ("inline_policy",), before, after
        return
    old = {str(block.get("name")): block.get("policy", ABSENT) for block in blocks(before)}
    kept = {str(block.get("name")) for block in blocks(after)}
    for gone in sorted(old.keys() - kept):
        yield ("inline_policy", gone), old[gone], ABSENT
    for place, block in enumerate(blocks(after)):
        name = block.get("name")
        label = name if isinstance(name, str) and name else str(place)
        yield ("inline_policy", label), old.get(str(name), ABSENT), block.get("policy", ABSENT)


def _is_policy_itself(subject: Subject) -> bool:
    """Returns whether the resource is only a policy on something that stays."""
    return subject.change.type.endswith("_policy")


def _is_silent(subject: Subject, where: Where) -> bool:
    """Returns whether AWS fills in the policy of something new, as nobody wrote one."""
    if not subject.is_new or len(where) != 1:
        return False
    written = subject.change.written
    return (subject.change.type, where[0]) in SILENT_WHEN_NEW or (
        written is not None and where[0] not in written
    )


def _more_denied(
    subject: Subject, where: Where, old: Sequence[Statement], new: Sequence[Statement]
) -> Iterator[Flag]:
    for statement in denials_removed(new, old):
        path = (*where, "Statement", statement.label)
        reason = "Whoever needs the permission fails."
        flag = subject.flag(
            Concern.RUNTIME, "More is denied", reason, path, ABSENT, sentence_of(statement), weight=LOST
        )
        yield replace(flag, principal=named(subject))


def _denials(
    subject: Subject, where: Where, old: Sequence[Statement], new: Sequence[Statement]
) -> Iterator[Flag]:
    for statement in denials_removed(old, new):
        path = (*where, "Statement", statement.label)
        kept = labelled(statement.label, new)
        flag = subject.flag(
            Concern.PERMISSION,
            "Deny removed",
            "A statement that denied something is gone or denies less.",
            path,
            statement.source,
            kept.source if kept else ABSENT,
        )
        yield replace(flag, principal="" if statement.principals else named(subject))
