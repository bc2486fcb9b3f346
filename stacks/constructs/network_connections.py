"""What the stacks of an environment use of its network."""

from collections.abc import Mapping
from typing import Final

from stacks import kinds, stores
from stacks.addressing import Tier
from stacks.constructs.connections import Connections
from stacks.constructs.platform_stack import PlatformStack
from stacks.settings import Environment

VPC: Final = "vpc_id"
ENDPOINTS_GROUP: Final = "endpoints_group"
GATEWAYS: Final = ("s3", "dynamodb")
"""The AWS services that have a gateway endpoint in every network."""


def subnet(tier: Tier, zone: str) -> str:
    """Returns the key of a tier's subnet in a zone, such as `private_subnet_a`."""
    return f"{tier}_subnet_{zone}"


def endpoint(service: str) -> str:
    """Returns the key of an interface endpoint."""
    return f"endpoint_{service.replace('.', '_')}"


def prefix_list(gateway: str) -> str:
    """Returns the key of a gateway endpoint's prefix list."""
    return f"prefix_list_{gateway}"


def nat_gateway(zone: str) -> str:
    """Returns the key of a zone's NAT gateway."""
    return f"nat_gateway_{zone}"


class NetworkConnections:
    """The ids of an environment's network, read from its state; subnets in the order of their zones.

    `prefix_list_ids` are the destinations of the gateway endpoints, by service, `nat_gateway_ids` those of
    NAT gateways, by zone.
    """

    def __init__(self, scope: PlatformStack, environment: Environment) -> None:
        network = environment.network
        subnets = {tier: [subnet(tier, zone) for zone in network.zones_of(tier)] for tier in Tier}
        read = Connections(
            scope,
            kinds.NETWORK.name_in(environment.name),
            (
                VPC,
                *(key for keys in subnets.values() for key in keys),
                ENDPOINTS_GROUP,
                # Nothing refers to them, but tasks would wait for an answer without them.
                *(endpoint(service) for service in stores.needed_endpoints(environment)),
                *(prefix_list(gateway) for gateway in GATEWAYS),
                *(nat_gateway(zone) for zone in network.nat_zones),
            ),
        ).values
        self.vpc_id = read[VPC]
        self.public_subnet_ids = [read[key] for key in subnets[Tier.PUBLIC]]
        self.task_subnet_ids = [read[key] for key in subnets[Tier(network.tasks)]]
        self.database_subnet_ids = [read[key] for key in subnets[Tier.DATABASE]]
        self.database_zones = network.zones_of(Tier.DATABASE)
        self.endpoints_group_id = read[ENDPOINTS_GROUP]
        self.prefix_list_ids: Mapping[str, str] = {
            gateway: read[prefix_list(gateway)] for gateway in GATEWAYS
        }
        self.nat_gateway_ids: Mapping[str, str] = {
            zone: read[nat_gateway(zone)] for zone in network.nat_zones
        }
