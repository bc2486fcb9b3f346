"""The subnets and route tables of one tier, one of each in every zone."""

from typing import Final, Protocol

from stacks import addressing
from stacks.addressing import AddressPlan, Tier
from stacks.bindings import Construct, RouteTable, RouteTableAssociation, Subnet
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:AssociateRouteTable",
            "ec2:CreateRouteTable",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:DeleteRouteTable",
            "ec2:DeleteSubnet",
            "ec2:DeleteTags",
            "ec2:DisassociateRouteTable",
            "ec2:ModifySubnetAttribute",
            "ec2:ReplaceRouteTableAssociation",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class Subnets(Protocol):
    """The subnets of a tier, whoever manages them.

    `ids` are keyed by the zone's letter, in alphabetical order; `cidrs` hold all its hosts, by a name.
    """

    tier: Tier
    ids: dict[str, str]
    cidrs: dict[str, str]


class TierSubnets:
    """`ids` and `route_table_ids` are keyed by the zone's letter, in alphabetical order."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        vpc: PlatformVpc,
        plan: AddressPlan,
        tier: Tier,
        region: str,
    ) -> None:
        self.tier = tier
        self.cidr = str(plan.tiers[tier])
        self.cidrs = {str(tier): self.cidr}
        self.ids: dict[str, str] = {}
        self.route_table_ids: dict[str, str] = {}
        for zone, cidr in plan.subnets[tier].items():
            key = addressing.subnet_id(tier, zone)
            tags = {"Name": f"{name}-{tier}-{zone}", "tier": str(tier)}
            subnet = Subnet(
                scope,
                key,
                vpc_id=vpc.id,
                cidr_block=str(cidr),
                availability_zone=addressing.availability_zone(region, zone),
                # EC2.15: what needs a public address asks for one itself.
                map_public_ip_on_launch=False,
                tags=tags,
            )
            table = RouteTable(scope, f"{key}_routes", vpc_id=vpc.id, tags=tags)
            RouteTableAssociation(scope, f"{key}_routing", subnet_id=subnet.id, route_table_id=table.id)
            self.ids[zone] = subnet.id
            self.route_table_ids[zone] = table.id
