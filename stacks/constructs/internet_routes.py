"""The ways to the internet: from the public tier by the gateway, from the private tier by NAT."""

from typing import Final

from stacks.bindings import Construct, Eip, NatGateway, Route
from stacks.constructs.subnets import TierSubnets
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement
from stacks.settings import Network

ANYWHERE = "0.0.0.0/0"

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:AllocateAddress",
            "ec2:CreateNatGateway",
            "ec2:CreateRoute",
            "ec2:CreateTags",
            "ec2:DeleteNatGateway",
            "ec2:DeleteRoute",
            "ec2:DeleteTags",
            "ec2:DisassociateAddress",
            "ec2:ReleaseAddress",
            "ec2:ReplaceRoute",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class InternetRoutes:
    """Default routes of both tiers; the database tier gets none.

    `gateways` are the ids of the NAT gateways, `addresses` the public addresses that tasks call from, both by
    zone.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        network: Network,
        vpc: PlatformVpc,
        public: TierSubnets,
        private: TierSubnets,
    ) -> None:
        self.addresses: dict[str, str] = {}
        self.gateways = gateways = dict[str, str]()
        for zone, table in public.route_table_ids.items():
            Route(
                scope,
                f"public_{zone}_default",
                route_table_id=table,
                destination_cidr_block=ANYWHERE,
                gateway_id=vpc.internet_gateway.id,
            )
        for zone in sorted(network.nat_zones):
            tags = {"Name": f"{name}-nat-{zone}"}
            address = Eip(scope, f"nat_{zone}_address", domain="vpc", tags=tags)
            gateway = NatGateway(
                scope,
                f"nat_{zone}",
                allocation_id=address.id,
                subnet_id=public.ids[zone],
                tags=tags,
                # Terraform cannot see that a NAT gateway needs the VPC's way out.
                depends_on=[vpc.internet_gateway],
            )
            gateways[zone] = gateway.id
            self.addresses[zone] = address.public_ip
        for zone, table in private.route_table_ids.items() if gateways else ():
            Route(
                scope,
                f"private_{zone}_default",
                route_table_id=table,
                destination_cidr_block=ANYWHERE,
                nat_gateway_id=gateways.get(zone) or gateways[network.availability_zones[0]],
            )
