"""Flags for who may do something: trust policies of roles, and policies on resources.

Source: AWS's IAM documentation, "AWS JSON policy elements: Principal", "AWS global condition
context keys".
"""

from collections.abc import Iterator, Sequence

from review.flags.grants import exclusion, loosened, whole_services
from review.flags.subject import Subject
from review.model import Concern, Flag
from review.policies import Condition, Statement
from review.policy_changes import Grant, matches
from review.trees import ABSENT, Tree

Where = tuple[str, ...]

LIMITING = (
    "aws:principalaccount",
    "aws:principalarn",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:principaltag/",
    "aws:sourceaccount",
    "aws:sourcearn",
    "aws:sourceip",
    "aws:sourceorgid",
    "aws:sourceorgpaths",
    "aws:sourceowner",
    "aws:sourcevpc",
    "aws:sourcevpce",
    "aws:userid",
    "aws:vpcsourceip",
    "elasticfilesystem:accesspointarn",
    "kms:calleraccount",
    "kms:viaservice",
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "sns:endpoint",
    "sts:externalid",
)
"""Condition keys that say who is meant where the principal is everybody."""

PUBLIC_ADDRESSES = frozenset({"0.0.0.0/0", "::/0", "0.0.0.0/1", "128.0.0.0/1"})

LIMITS_ONLY = frozenset({"aws_vpc_endpoint", "aws_vpc_endpoint_policy"})
"""Types whose policy allows nothing by itself, but limits what goes through."""


def trust(
    subject: Subject, where: Where, grant: Grant, old: Sequence[Statement], is_new: bool
) -> Iterator[Flag]:
    """Flags about who may newly take on a role."""
    statement = grant.statement
    path = (*where, "Statement", statement.label)
    if statement.not_principals:
        yield _not_principal(subject, path, statement)
    elif _is_public(statement):
        reason = "Everybody with an AWS account may newly take on the role."
        yield subject.flag(
            Concern.PERMISSION, "Role open to everybody", reason, (*path, "Principal"), ABSENT, "*"
        )
    elif (wide := _open_subjects(statement)) is not None:
        former = next((other for other in old if other.label == statement.label), None)
        known = [condition for other in old for condition in other.conditions]
        if not _had_subjects(known, wide):
            yield subject.flag(
                Concern.PERMISSION,
                "Trust widened",
                "The identity provider's subjects that may newly take on the role are not named one by one.",
                (*path, "Condition"),
                former.source.get("Condition", ABSENT) if former else ABSENT,
                statement.source.get("Condition", ABSENT),
            )
            return
    if is_new or _is_public(statement):
        return
    if grant.principals:
        yield subject.flag(
            Concern.PERMISSION,
            "Trust widened",
            "Another principal may newly take on the role.",
            (*path, "Principal"),
            _former_principals(old, statement),
            _names(grant.principals),
        )
    elif grant.only_loosened:
        yield loosened(subject, where, statement, old)


def resource_policy(
    subject: Subject, where: Where, grant: Grant, old: Sequence[Statement], is_new: bool
) -> Iterator[Flag]:
    """Flags about who may newly use a resource."""
    statement = grant.statement
    path = (*where, "Statement", statement.label)
    if subject.change.type in LIMITS_ONLY:
        return
    if statement.not_principals:
        yield _not_principal(subject, path, statement)
        return
    if _is_public(statement):
        reason = "The policy newly allows something to everybody, under no condition that says who."
        yield subject.flag(Concern.EXPOSURE, "Public by policy", reason, (*path, "Principal"), ABSENT, "*")
        return
    if is_new:
        return
    if statement.not_actions or statement.not_resources:
        yield exclusion(subject, where, statement)
    elif grant.principals:
        yield subject.flag(
            Concern.PERMISSION,
            "Access for another principal",
            "The policy newly allows something to a principal that it did not name.",
            (*path, "Principal"),
            _former_principals(old, statement),
            _names(grant.principals),
        )
    elif grant.only_loosened:
        yield loosened(subject, where, statement, old)
    else:
        yield from whole_services(subject, where, grant)


def _not_principal(subject: Subject, path: Where, statement: Statement) -> Flag:
    return subject.flag(
        Concern.EXPOSURE,
        "Public by exclusion",
        "The policy newly allows something to everybody but those it names.",
        (*path, "NotPrincipal"),
        ABSENT,
        statement.source.get("NotPrincipal", ABSENT),
    )


def _is_public(statement: Statement) -> bool:
    return any(principal == "AWS:*" for principal in statement.principals) and not any(
        _limits(condition) for condition in statement.conditions
    )


def _limits(condition: Condition) -> bool:
    operator, key, values = condition
    if "Not" in operator or "IfExists" in operator or operator == "Null":
        return False
    if "*" in values or values & PUBLIC_ADDRESSES:
        return False
    return key.startswith(LIMITING)


def _open_subjects(statement: Statement) -> frozenset[str] | None:
    """The patterns of subjects that are let in from an OIDC provider; None if each one is named."""
    if not any(
        principal.startswith("Federated:") and ":saml-provider/" not in principal
        for principal in statement.principals
    ):
        return None
    subjects = [
        (operator, values)
        for operator, key, values in statement.conditions
        if key.endswith((":sub", ":job_workflow_ref", ":repository", ":aud")) and "Not" not in operator
        if not key.endswith(":aud")
    ]
    if not subjects:
        return frozenset({"*"})
    for operator, values in subjects:
        if "Like" not in operator or not any("*" in value or "?" in value for value in values):
            return None
    return frozenset(value for _, values in subjects for value in values if "*" in value or "?" in value)


def _had_subjects(known: Sequence[Condition], wide: frozenset[str]) -> bool:
    """Whether as many subjects were let in before."""
    patterns = [
        value
        for operator, key, values in known
        if key.endswith(":sub") and "Like" in operator
        for value in values
    ]
    return all(any(matches(pattern, value) for pattern in patterns) for value in wide)


def _former_principals(old: Sequence[Statement], statement: Statement) -> Tree:
    former = next((other for other in old if other.label == statement.label), None)
    return _names(former.principals) if former else ABSENT


def _names(principals: frozenset[str]) -> Tree:
    names: list[Tree] = [principal.partition(":")[2] for principal in sorted(principals)]
    return names[0] if len(names) == 1 else names
