"""IAM policy documents as text. Source: IAM User Guide, "IAM JSON policy element reference"."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from stacks.problems import QuotaError

MANAGED_POLICY_CHARACTERS: Final = 6144
"""Most characters of a managed policy, white space not counted.

Source: IAM User Guide, "IAM and AWS STS quotas".
"""

TRUST_POLICY_CHARACTERS: Final = 2048
"""Most characters of a role's trust policy, unless AWS raises the quota. Source: the same page."""

INLINE_POLICY_CHARACTERS: Final = 10240
"""Most characters of a role's inline policies together, white space not counted. Source: the same page."""

REFERENCE_CHARACTERS: Final = 256
"""What a reference to another resource counts for before Terraform resolves it: more than any ARN of ours."""

POLICIES_OF_A_ROLE: Final = 10
"""Most managed policies of a role, unless AWS raises the quota. Source: the same page."""

_CREATES: Final = re.compile(r"ec2:(Allocate|Authorize|Create(?!Tags|Route$|NetworkAclEntry))")
"""EC2 actions that create something with tags of its own."""

Condition = Mapping[str, Mapping[str, str | Sequence[str]]]


@dataclass(frozen=True)
class Statement:
    """One statement. `principals` by kind (`Service`, `AWS`, `Federated`) belong in resource policies."""

    sid: str
    actions: Sequence[str]
    resources: Sequence[str] = ()
    effect: Literal["Allow", "Deny"] = "Allow"
    principals: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    conditions: Condition = field(default_factory=dict)


def document(*statements: Statement) -> str:
    """The policy document of some statements, in their order.

    Raises ValueError for a statement without actions, which AWS refuses.
    """
    if empty := [statement.sid for statement in statements if not statement.actions]:
        raise ValueError(f"statements without actions: {', '.join(empty)}")
    return json.dumps({"Version": "2012-10-17", "Statement": [_element(item) for item in statements]})


def managed_document(name: str, *statements: Statement, largest: str = "") -> str:
    """Returns the policy document of a managed policy.

    Raises QuotaError when it is longer than IAM allows, which ends in `largest`: what takes the most.
    """
    return _within(MANAGED_POLICY_CHARACTERS, f"IAM policy {name}", document(*statements), largest)


def trust_document(role: str, *statements: Statement) -> str:
    """Returns the trust policy of a role.

    Raises QuotaError when it is longer than IAM allows.
    """
    return _within(TRUST_POLICY_CHARACTERS, f"trust policy of the IAM role {role}", document(*statements))


def inline_document(role: str, *statements: Statement) -> str:
    """Returns the only inline policy of a role.

    Raises QuotaError when it is longer than IAM allows.
    """
    return _within(INLINE_POLICY_CHARACTERS, f"inline policy of the IAM role {role}", document(*statements))


def packed(statements: Iterable[Statement]) -> tuple[tuple[Statement, ...], ...]:
    """Distributes statements over as few managed policies as they fill, in their order."""
    policies: list[tuple[Statement, ...]] = [()]
    for statement in statements:
        joined = (*policies[-1], statement)
        if policies[-1] and _size(document(*joined)) > MANAGED_POLICY_CHARACTERS:
            policies.append((statement,))
        else:
            policies[-1] = joined
    return tuple(policies)


def merged(statements: Iterable[Statement]) -> tuple[Statement, ...]:
    """Joins statements of the same Sid into one with the actions of all, sorted.

    Raises ValueError when statements of the same Sid differ in more than their actions.
    """
    found: dict[str, Statement] = {}
    for statement in statements:
        first = found.setdefault(statement.sid, statement)
        if replace(first, actions=()) != replace(statement, actions=()):
            raise ValueError(f"two statements {statement.sid} differ in more than their actions")
        found[statement.sid] = replace(first, actions=sorted({*first.actions, *statement.actions}))
    return tuple(found.values())


WITHOUT_SOURCE: Final = ("chatbot.amazonaws.com",)
"""Services that AWS does not document to say on whose behalf they assume a role."""


def service_trust(role: str, service: str, account_id: str) -> str:
    """Lets an AWS service assume a role, on behalf of one account only if it says of which.

    Source: IAM User Guide, "The confused deputy problem".
    """
    own: Condition = {"StringEquals": {"aws:SourceAccount": account_id}}
    return trust_document(
        role,
        Statement(
            "AssumeRole",
            actions=["sts:AssumeRole"],
            principals={"Service": service},
            conditions={} if service in WITHOUT_SOURCE else own,
        ),
    )


def tls_only(action: str, *arns: str) -> Statement:
    """Refuses every request to a resource that does not come over TLS."""
    return Statement(
        "TlsOnly",
        effect="Deny",
        actions=[action],
        resources=arns,
        principals={"AWS": "*"},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


def of_project(project: str, statements: Sequence[Statement]) -> tuple[Statement, ...]:
    """Limits what statements say of EC2 to resources with the project's tag, and to new ones that get it.

    EC2 asks for permission on every resource of a request: on those that are there with their tags,
    on a new one with the tags of the request. The default groups, ACLs and route tables of a VPC come
    without tags; taking such a one over gives it the project's.
    Sources: AWS Service Authorization Reference, "Condition keys for Amazon EC2"; Amazon EC2 User
    Guide, "Grant permission to tag Amazon EC2 resources during creation".
    """
    own, given = ({f"aws:{of}Tag/project": project} for of in ("Resource", "Request"))
    actions = sorted({each for item in statements for each in item.actions if each.startswith("ec2:")})
    created = [each for each in actions if _CREATES.match(each)]
    others = [
        replace(item, actions=[each for each in item.actions if each not in actions]) for item in statements
    ]
    defaults = [f"arn:aws:ec2:*:*:{kind}/*" for kind in ("network-acl", "route-table", "security-group")]
    return (
        Statement("Create", created, ["*"], conditions={"StringEquals": given}),
        Statement("ChangeOwn", actions, ["*"], conditions={"StringEquals": own}),
        Statement(
            "TagNew",
            ["ec2:CreateTags"],
            ["*"],
            conditions={"StringEquals": given, "Null": {"ec2:CreateAction": "false"}},
        ),
        Statement(
            "TagDefaults",
            ["ec2:CreateTags"],
            defaults,
            conditions={"StringEquals": given, "Null": {"aws:ResourceTag/project": "true"}},
        ),
        # Those of gateway endpoints are AWS's own, and have no tags.
        Statement("ReferToPrefixLists", ["ec2:ModifySecurityGroupRules"], ["arn:aws:ec2:*:*:prefix-list/*"]),
        # Terraform disassociates the address of a NAT gateway that is gone, and so of nothing that has tags.
        Statement(
            "ReleaseAddresses",
            ["ec2:DisassociateAddress"],
            ["*"],
            conditions={"Null": {"aws:ResourceTag/project": "true"}},
        ),
        # Terraform empties the default ACL before it gives it tags.
        Statement(
            "EmptyDefaults",
            ["ec2:DeleteNetworkAclEntry"],
            defaults[:1],
            conditions={"Null": {"aws:ResourceTag/project": "true"}},
        ),
        *(item for item in others if item.actions),
    )


def _size(text: str) -> int:
    """Returns how many characters of a document count, which white space does not."""
    return len(re.sub(r"(?<!\$)\$\{[^}]*\}", "x" * REFERENCE_CHARACTERS, re.sub(r"\s", "", text)))


def _within(limit: int, what: str, text: str, largest: str = "") -> str:
    size = _size(text)
    if size > limit:
        raise QuotaError(
            f"The {what} would have {size} characters without white space; AWS allows {limit}. Policies grow "
            "with the environments of an account and the permissions of its services: move some to another "
            f"account.{largest}"
        )
    return text


def _element(statement: Statement) -> dict[str, object]:
    element: dict[str, object] = {
        "Sid": statement.sid,
        "Effect": statement.effect,
        "Action": list(statement.actions),
    }
    if statement.principals:
        element["Principal"] = dict(statement.principals)
    if statement.resources:
        element["Resource"] = list(statement.resources)
    if statement.conditions:
        element["Condition"] = {operator: dict(keys) for operator, keys in statement.conditions.items()}
    return element


def service_linked_roles(account_id: str, services: Sequence[str]) -> Statement:
    """Lets AWS create the roles that come with an account's first resource of each service."""
    return Statement(
        "CreateServiceLinkedRoles",
        actions=["iam:CreateServiceLinkedRole"],
        resources=[f"arn:aws:iam::{account_id}:role/aws-service-role/*"],
        conditions={"StringEquals": {"iam:AWSServiceName": services}},
    )
