"""Network ACLs: what may cross each tier's border, whatever the security groups say.

An ACL has no memory, so answers need rules of their own: they go to the ephemeral ports of whoever
asked. Rules name whole tiers, not subnets, so that a new zone changes none of them. No rule admits
everyone to port 22 or 3389 (FSBP EC2.21).

Source: Amazon VPC User Guide, "Custom network ACLs for your VPC" and "Ephemeral ports".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from stacks.addressing import Tier
from stacks.bindings import Construct, NetworkAcl, NetworkAclAssociation, NetworkAclRule
from stacks.constructs.internet_routes import ANYWHERE
from stacks.constructs.subnets import TierSubnets
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement
from stacks.workloads import STATUS

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:CreateNetworkAcl",
            "ec2:CreateNetworkAclEntry",
            "ec2:CreateTags",
            "ec2:DeleteNetworkAcl",
            "ec2:DeleteNetworkAclEntry",
            "ec2:DeleteTags",
            "ec2:ReplaceNetworkAclAssociation",
            "ec2:ReplaceNetworkAclEntry",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""

HTTP: Final = (80, 80)
HTTPS: Final = (443, 443)
APP: Final = (STATUS.port, STATUS.port)
DATABASES: Final = {"mysql": (3306, 3306), "postgresql": (5432, 5432)}

LINUX_EPHEMERAL: Final = (32768, 65535)
"""Where Linux, and so a Fargate task, asks from."""

ANY_EPHEMERAL: Final = {"ephemeral_low": (1024, 3388), "ephemeral_high": (3390, 65535)}
"""Where load balancers, NAT gateways and the world's clients ask from, without 3389."""


@dataclass(frozen=True)
class Rule:
    """TCP from or to a CIDR, on a range of ports."""

    name: str
    egress: bool
    cidr: str
    ports: tuple[int, int]


class NetworkAcls:
    """One ACL per tier, associated with each of its subnets."""

    def __init__(
        self, scope: Construct, name: str, vpc: PlatformVpc, tiers: Mapping[Tier, TierSubnets]
    ) -> None:
        rules = {
            Tier.PUBLIC: _public(tiers),
            Tier.PRIVATE: _private(tiers),
            Tier.DATABASE: _database(tiers),
        }
        for tier, subnets in tiers.items():
            acl = NetworkAcl(scope, f"{tier}_acl", vpc_id=vpc.id, tags={"Name": f"{name}-{tier}"})
            for zone, subnet in subnets.ids.items():
                NetworkAclAssociation(scope, f"{tier}_{zone}_acl", network_acl_id=acl.id, subnet_id=subnet)
            for direction in (False, True):
                chosen = [rule for rule in rules[tier] if rule.egress == direction]
                for position, rule in enumerate(chosen, start=1):
                    NetworkAclRule(
                        scope,
                        f"{tier}_acl_{'out' if rule.egress else 'in'}_{rule.name}",
                        network_acl_id=acl.id,
                        rule_number=position * 100,
                        egress=rule.egress,
                        protocol="tcp",
                        rule_action="allow",
                        cidr_block=rule.cidr,
                        from_port=rule.ports[0],
                        to_port=rule.ports[1],
                    )


def _public(tiers: Mapping[Tier, TierSubnets]) -> tuple[Rule, ...]:
    private = tiers[Tier.PRIVATE].cidr
    return (
        Rule("http", False, ANYWHERE, HTTP),
        Rule("https", False, ANYWHERE, HTTPS),
        *_answers(False, ANYWHERE),
        Rule("app", True, private, APP),
        Rule("http", True, ANYWHERE, HTTP),
        Rule("https", True, ANYWHERE, HTTPS),
        *_answers(True, ANYWHERE),
    )


def _private(tiers: Mapping[Tier, TierSubnets]) -> tuple[Rule, ...]:
    public, private, database = (tiers[tier].cidr for tier in (Tier.PUBLIC, Tier.PRIVATE, Tier.DATABASE))
    return (
        Rule("app", False, public, APP),
        Rule("endpoints", False, private, HTTPS),
        Rule("answers", False, ANYWHERE, LINUX_EPHEMERAL),
        Rule("https", True, ANYWHERE, HTTPS),
        Rule("answers_to_endpoint_users", True, private, LINUX_EPHEMERAL),
        *(
            Rule(f"answers_to_load_balancer_{name}", True, public, ports)
            for name, ports in ANY_EPHEMERAL.items()
        ),
        *(Rule(name, True, database, ports) for name, ports in DATABASES.items()),
    )


def _database(tiers: Mapping[Tier, TierSubnets]) -> tuple[Rule, ...]:
    private = tiers[Tier.PRIVATE].cidr
    return (
        *(Rule(name, False, private, ports) for name, ports in DATABASES.items()),
        Rule("answers", True, private, LINUX_EPHEMERAL),
    )


def _answers(egress: bool, cidr: str) -> Iterator[Rule]:
    for name, ports in ANY_EPHEMERAL.items():
        yield Rule(f"answers_{name}", egress, cidr, ports)
