"""Flags for who may do something: trust policies of roles, and policies on resources.

Source: AWS's IAM documentation, "AWS JSON policy elements: Principal", "AWS global condition
context keys".
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_network
from typing import Final

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
    "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn",
    "sns:endpoint",
    "sts:externalid",
)
"""Condition keys that say who is meant where the principal is everybody."""

MANY: Final = 2**25
"""With as many IPv4 addresses as this, a condition on addresses limits nobody."""

SUBJECT_OPERATORS: Final = frozenset({"stringequals", "stringequalsignorecase", "stringlike"})

_AWS_ACCOUNT: Final = re.compile(r"AWS:(?:arn:aws[a-z-]*:(?:iam|sts)::)?(\d{12})(?::|$)")

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
    if is_new and not _is_public(statement) and (foreign := _foreign(subject, grant)):
        reason = "An AWS account other than the plan's own, as far as the plan tells, may take on the role."
        path = (*path, "Principal")
        yield subject.flag(Concern.PERMISSION, "Role open to another account", reason, path, ABSENT, foreign)
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
        if foreign := _foreign(subject, grant):
            reason = "The policy lets in an AWS account other than the plan's own, as far as the plan tells."
            path = (*path, "Principal")
            yield subject.flag(
                Concern.PERMISSION, "Access for another account", reason, path, ABSENT, foreign
            )
        return
    if statement.not_actions or statement.not_resources:
        yield exclusion(subject, where, statement)
    elif grant.principals and grant.principals <= {each for other in old for each in other.principals}:
        yield subject.flag(
            Concern.PERMISSION,
            "More access for a principal",
            "The policy newly allows something more to a principal that it named before.",
            (*path, "Action"),
            ABSENT,
            statement.source.get("Action", ABSENT),
        )
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
    plain = operator.lower()
    if "not" in plain or "ifexists" in plain or plain == "null" or plain.startswith("forallvalues"):
        return False
    if plain.endswith("ipaddress"):
        return key.startswith(LIMITING) and _addresses(values) < MANY
    if any(_is_open(value) for value in values):
        return False
    return key.startswith(LIMITING)


def _is_open(value: str) -> bool:
    """Whether a pattern leaves open which account, or whatever it names, is meant."""
    if not value.strip("*?"):
        return True
    parts = value.split(":")
    if value.startswith("arn"):
        return len(parts) < 5 or "*" in parts[4] or "?" in parts[4] or "*" in parts[0]
    return False


def _addresses(values: frozenset[str]) -> int:
    """How many IPv4 addresses some networks have; what is no such network counts as all of them."""
    count = 0
    for value in values:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            return 2**32
        # Of IPv6, the share of all addresses counts.
        count += network.num_addresses if network.version == 4 else network.num_addresses >> 96
    return count


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
        if key.endswith((":sub", ":job_workflow_ref", ":repository"))
        if operator.lower().removeprefix("foranyvalue:") in SUBJECT_OPERATORS
    ]
    if not subjects:
        return frozenset({"*"})
    for operator, values in subjects:
        if "like" not in operator.lower() or not any("*" in value or "?" in value for value in values):
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


def _foreign(subject: Subject, grant: Grant) -> Tree:
    """The principals of other accounts than the plan's own; nothing if there are none."""
    found = sorted(
        principal
        for principal in grant.principals or grant.statement.principals
        if (match := _AWS_ACCOUNT.match(principal)) and match[1] not in subject.accounts
    )
    return _names(frozenset(found)) if found else None


def _former_principals(old: Sequence[Statement], statement: Statement) -> Tree:
    former = next((other for other in old if other.label == statement.label), None)
    return _names(former.principals) if former else ABSENT


def _names(principals: frozenset[str]) -> Tree:
    names: list[Tree] = [principal.partition(":")[2] for principal in sorted(principals)]
    return names[0] if len(names) == 1 else names
