"""Flags for who may do something: trust policies of roles, and policies on resources.

Source: AWS's IAM documentation, "AWS JSON policy elements: Principal", "AWS global condition
context keys".
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from review.comparing.policies import LATER, Condition, Statement, labelled
from review.comparing.policy_changes import Grant, matches
from review.flags.grants import condition_of, exclusion, loosened, whole_services
from review.flags.limits import is_public, is_within
from review.flags.subject import Subject
from review.model import ABSENT, Concern, Document, Flag, Tree

Where = tuple[str, ...]

SUBJECT_OPERATORS: Final = frozenset({"stringequals", "stringequalsignorecase", "stringlike"})

_AWS_ACCOUNT: Final = re.compile(r"AWS:(?:arn:aws[a-z-]*:(?:iam|sts)::)?(\d{12})(?::|$)")

_CLOUDFRONT: Final = "AWS:arn:aws:iam::cloudfront:"

OTHER_ACCOUNT: Final = "Access for another account"

LIMITS_ONLY = frozenset({"aws_vpc_endpoint", "aws_vpc_endpoint_policy"})
"""Types whose policy allows nothing by itself, but limits what goes through."""

EVERYTHING: Final = Document(
    {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}
)
"""What goes through such a type without a policy.

Source: AWS PrivateLink documentation, "Default endpoint policy".
"""


def trust(
    subject: Subject, where: Where, grant: Grant, old: Sequence[Statement], is_new: bool
) -> Iterator[Flag]:
    """Flags principals that may assume a role from this plan on."""
    statement = grant.statement
    path = (*where, "Statement", statement.label)
    if statement.not_principals:
        yield _not_principal(subject, path, statement)
    elif is_public(statement):
        reason = "Everybody with an AWS account may now take on the role."
        yield subject.flag(
            Concern.PERMISSION, "Role open to everybody", reason, (*path, "Principal"), ABSENT, "*"
        )
    elif (wide := _open_subjects(statement)) is not None:
        known = [condition for other in old for condition in other.conditions]
        if not _had_subjects(known, wide):
            yield subject.flag(
                Concern.PERMISSION,
                "Trust widened",
                "The identity provider's subjects that may now take on the role are not named one by one.",
                (*path, "Condition"),
                condition_of(statement.label, old),
                statement.source.get("Condition", ABSENT),
            )
            return
    if is_new and not is_public(statement) and (foreign := _foreign(subject, grant)):
        reason = "An AWS account other than the plan's own, as far as the plan tells, may take on the role."
        path = (*path, "Principal")
        yield subject.flag(Concern.PERMISSION, "Role open to another account", reason, path, ABSENT, foreign)
    if is_new or is_public(statement):
        return
    if grant.principals and not _are_known(grant, old):
        reason = "Another principal may now take on the role."
        yield _other_principal(subject, path, "Trust widened", reason, grant, old)
    elif grant.only_loosened:
        yield loosened(subject, where, statement, old)


def resource_policy(
    subject: Subject, where: Where, grant: Grant, old: Sequence[Statement], is_new: bool
) -> Iterator[Flag]:
    """Flags principals that may use a resource from this plan on."""
    statement = grant.statement
    path = (*where, "Statement", statement.label)
    if subject.change.type in LIMITS_ONLY:
        return
    if statement.not_principals:
        yield _not_principal(subject, path, statement)
        return
    if is_public(statement):
        reason = "The policy now allows something to everybody, under no condition that says who."
        yield subject.flag(Concern.EXPOSURE, "Public by policy", reason, (*path, "Principal"), ABSENT, "*")
        return
    if not old and (foreign := _foreign(subject, grant)):
        reason = "The policy lets in an AWS account other than the plan's own, as far as the plan tells."
        path = (*path, "Principal")
        yield subject.flag(Concern.PERMISSION, OTHER_ACCOUNT, reason, path, ABSENT, foreign)
        return
    if is_new:
        return
    if statement.not_actions or statement.not_resources:
        yield exclusion(subject, where, statement)
    elif grant.principals and not _are_known(grant, old):
        reason = "The policy now allows something to a principal that it did not name."
        yield _other_principal(subject, path, "Access for another principal", reason, grant, old)
    elif grant.only_loosened:
        yield loosened(subject, where, statement, old)
    else:
        yield from whole_services(subject, where, grant)


def _other_principal(
    subject: Subject, path: Where, title: str, reason: str, grant: Grant, old: Sequence[Statement]
) -> Flag:
    former = _former_principals(old, grant.statement)
    where = (*path, "Principal")
    return subject.flag(Concern.PERMISSION, title, reason, where, former, _names(grant.principals))


def _not_principal(subject: Subject, path: Where, statement: Statement) -> Flag:
    return subject.flag(
        Concern.EXPOSURE,
        "Public by exclusion",
        "The policy now allows something to everybody but those it names.",
        (*path, "NotPrincipal"),
        ABSENT,
        statement.source.get("NotPrincipal", ABSENT),
    )


def _open_subjects(statement: Statement) -> frozenset[str] | None:
    """Returns the patterns of an OIDC provider's subjects; None if each one is exact."""
    if not any(
        principal.startswith("Federated:") and ":saml-provider/" not in principal
        for principal in statement.principals
    ):
        return None
    subjects = [
        (operator, values)
        for operator, key, values in statement.conditions
        if key.endswith((":sub", ":job_workflow_ref", ":repository"))
        if operator.removeprefix("foranyvalue:") in SUBJECT_OPERATORS
    ]
    if not subjects:
        return frozenset({"*"})
    for operator, values in subjects:
        if "like" not in operator or not any("*" in value or "?" in value for value in values):
            return None
    return frozenset(value for _, values in subjects for value in values if "*" in value or "?" in value)


def _had_subjects(known: Sequence[Condition], wide: frozenset[str]) -> bool:
    """Returns whether as many subjects were allowed before."""
    patterns = [
        value
        for operator, key, values in known
        if key.endswith((":sub", ":job_workflow_ref", ":repository"))
        if operator.removeprefix("foranyvalue:") in SUBJECT_OPERATORS
        for value in values
    ]
    return all(any(matches(pattern, value) for pattern in patterns) for value in wide)


def _foreign(subject: Subject, grant: Grant) -> Tree:
    """Returns the principals that may be in another account than the plan's."""
    statement = grant.statement
    if is_within(statement, subject.accounts):
        return None
    found = {
        principal
        for principal in grant.principals or statement.principals
        if principal.startswith(("AWS:", "CanonicalUser:")) and not principal.startswith(_CLOUDFRONT)
        if principal != f"AWS:{LATER}"
        if not ((match := _AWS_ACCOUNT.match(principal)) and match[1] in subject.accounts)
    }
    return _names(frozenset(found)) if found else None


def _are_known(grant: Grant, old: Sequence[Statement]) -> bool:
    """Returns whether all the principals were named before."""
    return grant.principals <= {each for other in old if other.allow for each in other.principals}


def _former_principals(old: Sequence[Statement], statement: Statement) -> Tree:
    former = labelled(statement.label, old)
    return _names(former.principals) if former else ABSENT


def _names(principals: frozenset[str]) -> Tree:
    names: list[Tree] = [principal.partition(":")[2] for principal in sorted(principals)]
    return names[0] if len(names) == 1 else names
