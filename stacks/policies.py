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

POLICIES_OF_A_ROLE: Final = 10
"""Most managed policies of a role, unless AWS raises the quota. Source: the same page."""

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
    """The policy document of some statements, in their order."""
    return json.dumps({"Version": "2012-10-17", "Statement": [_element(item) for item in statements]})


def managed_document(name: str, *statements: Statement) -> str:
    """Returns the policy document of a managed policy.

    Raises QuotaError when it is longer than IAM allows.
    """
    text = document(*statements)
    size = len(re.sub(r"\s", "", text))
    if size > MANAGED_POLICY_CHARACTERS:
        raise QuotaError(
            f"The IAM policy {name} would have {size} characters without white space; AWS allows "
            f"{MANAGED_POLICY_CHARACTERS}. Policies grow with the environments of an account: move some to "
            "another account."
        )
    return text


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


def service_trust(service: str, account_id: str) -> str:
    """Lets an AWS service assume a role on behalf of one account only.

    Source: IAM User Guide, "The confused deputy problem".
    """
    return document(
        Statement(
            "AssumeRole",
            actions=["sts:AssumeRole"],
            principals={"Service": service},
            conditions={"StringEquals": {"aws:SourceAccount": account_id}},
        )
    )


def tls_only(bucket_arn: str) -> Statement:
    """Refuses every request to a bucket that does not come over TLS."""
    return Statement(
        "TlsOnly",
        effect="Deny",
        actions=["s3:*"],
        resources=[bucket_arn, f"{bucket_arn}/*"],
        principals={"AWS": "*"},
        conditions={"Bool": {"aws:SecureTransport": "false"}},
    )


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
