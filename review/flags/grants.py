"""Flags what this plan lets a policy allow to its principals."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from review.comparing.policies import Condition, Statement, labelled
from review.comparing.policy_changes import Grant
from review.flags import actions as acts
from review.flags.access import LOST
from review.flags.limits import NAMING
from review.flags.subject import Subject
from review.model import ABSENT, Concern, Flag, Tree

Where = tuple[str, ...]


def granted(subject: Subject, where: Where, grant: Grant, old: Sequence[Statement]) -> Iterator[Flag]:
    """Flags what a statement without principals allows that was not allowed before."""
    statement = grant.statement
    if statement.not_actions or statement.not_resources:
        yield exclusion(subject, where, statement)
        return
    if grant.only_loosened:
        yield loosened(subject, where, statement, old)
    whole = list(whole_services(subject, where, grant))
    yield from whole
    if any(acts.is_everything(action) for action in grant.actions):
        return
    title, reason = (
        "iam:PassRole allowed",
        "Who can pass a role to a service can now do what that role can.",
    )
    yield from _on_actions(subject, where, grant, acts.passes_roles, title, reason)
    if not _is_bounded(statement):
        title = "Permissions can be raised"
        reason = "Who can now do this can get more permissions than are written here."
        yield from _on_actions(subject, where, grant, acts.raises_permissions, title, reason)
    everywhere = any(acts.is_every_resource(resource) for resource in statement.resources)
    if everywhere and not whole and not _is_narrowed(statement):
        title = "Every resource can be changed"
        reason = "Actions that change things are now allowed on every resource, or every one of a kind."
        yield from _on_actions(subject, where, grant, acts.writes, title, reason)
        title = "All data can be read"
        reason = "Reading what is stored or secret is now allowed on every resource, or every one of a kind."
        yield from _on_actions(subject, where, grant, acts.reads_data, title, reason)


def whole_services(subject: Subject, where: Where, grant: Grant) -> Iterator[Flag]:
    """Flags `*` and `service:*` as actions."""
    yield from _on_actions(
        subject,
        where,
        grant,
        acts.is_everything,
        "Every action allowed",
        "The policy now allows every action of every service.",
    )
    takes_in = any(acts.is_service(action) and acts.takes_in_raising(action) for action in grant.actions)
    raised = " With it one can get more permissions than are written here." if takes_in else ""
    yield from _on_actions(
        subject,
        where,
        grant,
        acts.is_service,
        "Every action of a service allowed",
        f"The policy now allows all that a service can do, also what AWS adds later.{raised}",
    )


def exclusion(subject: Subject, where: Where, statement: Statement) -> Flag:
    """Builds the flag for a statement that allows everything except what it names."""
    key = "NotAction" if statement.not_actions else "NotResource"
    return subject.flag(
        Concern.PERMISSION,
        "Allowed by exclusion",
        "The statement now allows all but what it names, so also what AWS adds later.",
        (*where, "Statement", statement.label, key),
        ABSENT,
        statement.source.get(key, ABSENT),
    )


def condition_of(label: str, statements: Sequence[Statement]) -> Tree:
    """Returns the conditions of the statement with a label; ABSENT without it or them."""
    found = labelled(label, statements)
    return found.source.get("Condition", ABSENT) if found else ABSENT


def loosened(subject: Subject, where: Where, statement: Statement, old: Sequence[Statement]) -> Flag:
    """Builds the flag for a condition that is removed or wider than before."""
    return subject.flag(
        Concern.PERMISSION,
        "Condition loosened",
        "What was allowed under a condition is now allowed under a weaker one or none.",
        (*where, "Statement", statement.label, "Condition"),
        condition_of(statement.label, old),
        statement.source.get("Condition", ABSENT),
    )


def tightened(subject: Subject, where: Where, grant: Grant, new: Sequence[Statement]) -> Flag:
    """Builds the flag for what is allowed under a stronger condition than before."""
    statement = grant.statement
    return subject.flag(
        Concern.RUNTIME,
        "Condition tightened",
        "Whoever does not meet the condition fails.",
        (*where, "Statement", statement.label, "Condition"),
        statement.source.get("Condition", ABSENT),
        condition_of(statement.label, new),
        weight=LOST,
    )


def _on_actions(
    subject: Subject, where: Where, grant: Grant, rule: Callable[[str], bool], title: str, reason: str
) -> Iterator[Flag]:
    """Yields a flag if the rule matches some of the actions that this plan allows."""
    named = grant.statement.source.get("Action")
    if not isinstance(named, list):
        return
    said = [
        action
        for action in named
        if isinstance(action, str) and action.lower() in grant.actions and rule(action.lower())
    ]
    if said:
        path = (*where, "Statement", grant.statement.label, "Action")
        after: Tree = said[0] if len(said) == 1 else [*said]
        yield subject.flag(Concern.PERMISSION, title, reason, path, ABSENT, after)


def _is_narrowed(statement: Statement) -> bool:
    """Returns whether a condition limits the resources: by tag, or by one of IAM's own keys."""
    return any(
        _names(condition, NARROWING) and not any(_is_wide(value) for value in condition[2])
        for condition in statement.conditions
    )


def _is_bounded(statement: Statement) -> bool:
    """Returns whether a condition requires a boundary, or names the services a role is passed to."""
    return any(
        _names(condition, BOUNDING) and not any("*" in value or "?" in value for value in condition[2])
        for condition in statement.conditions
    )


def _names(condition: Condition, keys: tuple[str, ...]) -> bool:
    """Returns whether a condition requires one of these keys with one of the values."""
    operator, key, values = condition
    return operator.removeprefix("foranyvalue:") in NAMING and key.startswith(keys) and bool(values)


def _is_wide(value: str) -> bool:
    """Returns whether a condition's value is a pattern that matches about everything."""
    if value.startswith("arn:"):
        # A pattern of policies names none if it leaves open whose they are, or which.
        parts = value.split(":", 5)
        is_any = acts.is_every_resource(value) or value.endswith((":policy/*", ":role/*", ":cluster/*"))
        return is_any or (len(parts) == 6 and "*" in parts[4])
    return value.startswith(("*", "?"))


BOUNDING: Final = ("iam:permissionsboundary", "iam:passedtoservice")
NARROWING: Final = (
    *BOUNDING,
    "aws:requesttag/",
    "aws:resourcetag/",
    "dynamodb:leadingkeys",
    "ec2:resourcetag/",
    "ec2:vpc",
    "ecs:cluster",
    "elasticloadbalancing:resourcetag/",
    "iam:awsservicename",
    "iam:policyarn",
    "iam:resourcetag/",
    "kms:encryptioncontext:",
    "kms:requestalias",
    "kms:resourcealiases",
    "s3:prefix",
    "secretsmanager:resourcetag/",
    "ssm:resourcetag/",
)
"""Condition keys that say which things are meant."""
