"""IAM policy documents as text. Source: IAM User Guide, "IAM JSON policy element reference"."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

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
