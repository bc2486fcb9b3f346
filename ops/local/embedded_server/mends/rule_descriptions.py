"""Descriptions of security group rules, which moto keeps for rules on CIDRs only.

A rule that refers to a group or to a prefix list has a description as well, and Terraform wants to
write it again as long as it cannot read it. Source: Amazon EC2 API Reference, SecurityGroupRule.
"""

import inspect
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

_create = SecurityGroupRule.__init__
_SIGNATURE = inspect.signature(_create)
_MEMBERS = ("ip_range", "source_group", "prefix_list_id")


def keep_rule_descriptions() -> None:
    """Mend moto's rules; call it before the server answers."""
    for name, mended in (("__init__", create), ("description", property(description))):
        setattr(SecurityGroupRule, name, mended)


def create(rule: SecurityGroupRule, *arguments: Any, **named: Any) -> None:
    """Make a rule, and keep the description of whatever it lets pass."""
    given = _SIGNATURE.bind(rule, *arguments, **named).arguments
    described = [given.get(member) or {} for member in _MEMBERS]
    kept = next((item["Description"] for item in described if item.get("Description")), None)
    _create(rule, *arguments, **named)
    # Not in the member itself: moto compares rules by their members.
    vars(rule)["described_as"] = kept


def description(rule: SecurityGroupRule) -> str | None:
    """A rule's description; one that was changed later is kept by moto with the CIDR."""
    changed: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return changed or vars(rule)["described_as"]
