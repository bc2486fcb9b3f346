"""Conditions that say who is meant where a policy's principal is everybody.

Source: AWS's IAM documentation, "AWS global condition context keys"; AWS's S3 documentation, "The
meaning of public".
"""

import re
from ipaddress import ip_network
from typing import Final

from review.comparing.policies import Condition, Statement

ACCOUNTS: Final = frozenset(
    {
        "aws:principalaccount",
        "aws:sourceaccount",
        "aws:sourceowner",
        "kms:calleraccount",
        "s3:dataaccesspointaccount",
    }
)
"""Keys whose values are accounts."""

ARNS: Final = frozenset(
    {
        "aws:principalarn",
        "aws:sourcearn",
        "elasticfilesystem:accesspointarn",
        "s3:dataaccesspointarn",
    }
)
"""Keys whose values are ARNs."""

LIMITING: Final = (
    ACCOUNTS
    | ARNS
    | {
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:sourceip",
        "aws:sourceorgid",
        "aws:sourceorgpaths",
        "aws:sourcevpc",
        "aws:sourcevpce",
        "aws:userid",
        "sns:endpoint",
    }
)
"""Keys that say who is meant.

What whoever asks can choose is none of them: tags of his own principal, an external id, his address
within a VPC of his own.
"""

NAMING: Final = frozenset({"stringequals", "stringequalsignorecase", "stringlike", "arnequals", "arnlike"})
"""Operators that do not hold where the key is missing.

Source: AWS's IAM documentation, "IAM JSON policy elements: Condition operators".
"""

MANY: Final = 2**25
"""With as many IPv4 addresses as this, a condition on addresses limits nobody."""

NAMED: Final = 12
"""Characters of an account's number, and of the shortest ids of organisations and VPCs."""

_ACCOUNT: Final = re.compile(r"arn:[a-z-]+:[a-z0-9-]+:[^:]*:(\d{12}):")


def is_public(statement: Statement) -> bool:
    """Returns whether the statement is about everybody, without a condition that limits who."""
    return "AWS:*" in statement.principals and not any(limits(each) for each in statement.conditions)


def is_within(statement: Statement, accounts: frozenset[str]) -> bool:
    """Returns whether a condition limits the principals to these accounts."""
    return any(
        limits(condition) and values and all(_account(condition[1], value) in accounts for value in values)
        for condition in statement.conditions
        for values in [condition[2]]
    )


def _account(key: str, value: str) -> str:
    """Returns the account that a condition's value names; empty without one."""
    if key in ACCOUNTS:
        return value
    return match[1] if key in ARNS and (match := _ACCOUNT.match(value)) else ""


def limits(condition: Condition) -> bool:
    """Returns whether a condition holds for a few principals only."""
    operator, key, values = condition
    plain = operator.removeprefix("foranyvalue:")
    if key not in LIMITING:
        return False
    if plain == "ipaddress":
        return _addresses(values) < MANY
    return plain in NAMING and not any(_is_open(key, value) for value in values)


def _is_open(key: str, value: str) -> bool:
    """Returns whether a pattern leaves open which account or id it matches."""
    wild = re.search(r"[*?]", value)
    if wild is None:
        return False
    if key == "sns:endpoint":
        return not value.strip("*?")
    if key not in ARNS:
        return wild.start() < NAMED
    # With fewer than six parts the pattern may stand for any account.
    parts = value.split(":", 5)
    if len(parts) < 6 or re.search(r"[*?]", "".join((*parts[:3], parts[4]))):
        return True
    return not parts[4] and parts[5][:1] in ("*", "?")


def _addresses(values: frozenset[str]) -> int:
    """Counts the IPv4 addresses of networks; a value that is not a network counts as all of them."""
    count = 0
    for value in values:
        try:
            network = ip_network(value, strict=False)
        except ValueError:
            return 2**32
        # Of IPv6, the share of all addresses counts.
        count += network.num_addresses if network.version == 4 else network.num_addresses >> 96
    return count
