"""Network ACLs: what may cross each tier's border, whatever the security groups say.

They are coarse and fixed: they name tiers, not services, subnets or the app's port, so that neither
a new service nor a new zone changes one. Public and private tier may ask for anything; what may come
in is limited by tier. Security groups say exactly who may talk to whom.

An ACL has no memory, so answers need rules of their own: they go to the ephemeral ports of whoever
asked. No rule admits everyone to port 22 or 3389 (FSBP EC2.21).

Source: Amazon VPC User Guide, "Custom network ACLs for your VPC", "Ephemeral ports", "Path MTU
Discovery" and "Amazon VPC quotas" (20 rules in each direction).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from stacks.addressing import Tier
from stacks.bindings import Construct, NetworkAcl, NetworkAclAssociation, NetworkAclRule
from stacks.constructs.internet_routes import ANYWHERE
from stacks.constructs.subnets import TierSubnets
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement

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

Ports = tuple[int, int]

HTTP: Final = (80, 80)
HTTPS: Final = (443, 443)
EVERY_PORT: Final = (0, 65535)
MYSQL: Final = (3306, 3306)
POSTGRESQL: Final = (5432, 5432)
REDIS: Final = (6379, 6379)
"""Of Valkey, too."""
NFS: Final = (2049, 2049)
"""Of the mount targets of EFS."""

LINUX_EPHEMERAL: Final = (32768, 65535)
"""Where Linux, and so a Fargate task, asks from."""

EPHEMERAL_LOW: Final = (1024, 3388)
EPHEMERAL_HIGH: Final = (3390, 65535)
"""Where load balancers, NAT gateways and clients ask from, without 3389: these rules admit everyone."""

TASKS: Final = "tasks"
"""The tier that tasks run in."""

FRAGMENTATION_NEEDED: Final = (3, 4)
"""ICMP type and code with which a router asks for smaller packets."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that lets a tier exchange packets with a CIDR, on a range of TCP ports.

    `cidr` is `ANYWHERE`, a tier or `TASKS`. Without `ports` it lets Path MTU Discovery pass.
    """

    number: int
    name: str
    cidr: str
    ports: Ports | None = None


INBOUND: Final[Mapping[Tier, tuple[Rule, ...]]] = {
    Tier.PUBLIC: (
        Rule(110, "http", ANYWHERE, HTTP),
        Rule(120, "https", ANYWHERE, HTTPS),
        Rule(130, "answers_low", ANYWHERE, EPHEMERAL_LOW),
        Rule(140, "answers_high", ANYWHERE, EPHEMERAL_HIGH),
        Rule(150, "path_mtu", ANYWHERE),
        # What tasks send anywhere comes to a NAT gateway first.
        Rule(160, "private", Tier.PRIVATE, EVERY_PORT),
        # From the load balancer to tasks, and from task to task, where they run here.
        Rule(170, "public", Tier.PUBLIC, EVERY_PORT),
    ),
    Tier.PRIVATE: (
        Rule(110, "public", Tier.PUBLIC, EVERY_PORT),
        Rule(120, "private", Tier.PRIVATE, EVERY_PORT),
        Rule(130, "answers", ANYWHERE, LINUX_EPHEMERAL),
        Rule(150, "path_mtu", ANYWHERE),
    ),
    Tier.DATABASE: (
        Rule(110, "mysql", TASKS, MYSQL),
        Rule(120, "postgresql", TASKS, POSTGRESQL),
        Rule(130, "redis", TASKS, REDIS),
        Rule(140, "nfs", TASKS, NFS),
        Rule(150, "path_mtu", TASKS),
    ),
}
OUTBOUND: Final[Mapping[Tier, tuple[Rule, ...]]] = {
    Tier.PUBLIC: (
        Rule(100, "anywhere", ANYWHERE, EVERY_PORT),
        Rule(150, "path_mtu", ANYWHERE),
    ),
    Tier.PRIVATE: (
        Rule(100, "anywhere", ANYWHERE, EVERY_PORT),
        Rule(150, "path_mtu", ANYWHERE),
    ),
    Tier.DATABASE: (
        Rule(110, "answers", TASKS, LINUX_EPHEMERAL),
        Rule(150, "path_mtu", TASKS),
    ),
}


class NetworkAcls:
    """One ACL per tier, associated with each of its subnets."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        vpc: PlatformVpc,
        tiers: Mapping[Tier, TierSubnets],
        tasks: TierSubnets,
    ) -> None:
        cidrs = {
            ANYWHERE: ANYWHERE,
            TASKS: tasks.cidr,
            **{str(tier): subnets.cidr for tier, subnets in tiers.items()},
        }
        for tier, subnets in tiers.items():
            acl = NetworkAcl(scope, f"{tier}_acl", vpc_id=vpc.id, tags={"Name": f"{name}-{tier}"})
            for zone, subnet in subnets.ids.items():
                NetworkAclAssociation(scope, f"{tier}_{zone}_acl", network_acl_id=acl.id, subnet_id=subnet)
            for egress, direction, rules in ((False, "in", INBOUND[tier]), (True, "out", OUTBOUND[tier])):
                for rule in rules:
                    icmp_type, icmp_code = (None, None) if rule.ports else FRAGMENTATION_NEEDED
                    from_port, to_port = rule.ports or (None, None)
                    NetworkAclRule(
                        scope,
                        f"{tier}_acl_{direction}_{rule.name}",
                        network_acl_id=acl.id,
                        rule_number=rule.number,
                        egress=egress,
                        protocol="tcp" if rule.ports else "icmp",
                        rule_action="allow",
                        cidr_block=cidrs[rule.cidr],
                        from_port=from_port,
                        to_port=to_port,
                        icmp_type=icmp_type,
                        icmp_code=icmp_code,
                    )
