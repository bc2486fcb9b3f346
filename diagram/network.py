"""Finds subnets by what they reach, and VPC endpoints."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from diagram.configuration import Configuration, Resource, blocks

_TARGETS: Final = (
    "gateway_id",
    "nat_gateway_id",
    "egress_only_gateway_id",
    "transit_gateway_id",
    "network_interface_id",
    "vpc_endpoint_id",
)
_DESTINATIONS: Final = (
    "destination_cidr_block",
    "cidr_block",
    "destination_ipv6_cidr_block",
    "ipv6_cidr_block",
)
_EVERYWHERE: Final = frozenset({"0.0.0.0/0", "::/0"})
PUBLIC: Final = "Public subnets"
PRIVATE: Final = "Private subnets"
DATABASE: Final = "Database subnets"
ISOLATED: Final = "Isolated subnets"
_TIERS: Final = (PUBLIC, PRIVATE, DATABASE, ISOLATED)


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet with its tier, its way out (`ways`) and the NAT gateways in it."""

    resource: Resource
    zone: str
    cidr: str
    tier: str
    ways: tuple[Resource, ...]
    nat_gateways: tuple[Resource, ...]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A VPC endpoint: the AWS service, such as `ecr.api`, and whether it is a gateway or an interface."""

    resource: Resource
    service: str
    kind: str


def subnets(configuration: Configuration) -> list[Subnet]:
    """Returns all subnets by tier (public, private, database, isolated), then zone and range.

    A subnet is public when its default route goes to an internet gateway, private when it goes
    elsewhere. Source: Amazon VPC's user guide, "Subnet types".
    """
    tables = _tables(configuration)
    databases = {
        subnet.key
        for group in configuration.all("aws_db_subnet_group", "aws_elasticache_subnet_group")
        for subnet in configuration.references(group, "subnet_ids")
    }
    found = []
    for subnet in configuration.all("aws_subnet"):
        ways = tuple(tables.get(subnet.key, ()))
        if any(way.type == "aws_internet_gateway" for way in ways):
            tier = PUBLIC
        elif ways:
            tier = PRIVATE
        else:
            tier = DATABASE if subnet.key in databases else ISOLATED
        zone, cidr = (
            configuration.text(subnet.stack, subnet.body.get(key)) or ""
            for key in ("availability_zone", "cidr_block")
        )
        nat_gateways = tuple(
            each
            for each in configuration.all("aws_nat_gateway")
            if configuration.refers(each, ("subnet_id",), subnet)
        )
        found.append(Subnet(subnet, zone, cidr, tier, ways, nat_gateways))
    return sorted(found, key=lambda each: (_TIERS.index(each.tier), each.zone, each.resource.key))


def endpoints(configuration: Configuration) -> list[Endpoint]:
    """Returns the VPC endpoints, gateways first, then by service."""
    found = []
    for resource in configuration.all("aws_vpc_endpoint"):
        name = str(resource.body.get("service_name", ""))
        name = configuration.text(resource.stack, name) or name
        # com.amazonaws.<region>.<service>, the region perhaps not known.
        service = name.rpartition("}.")[2] if "}." in name else name.split(".", 3)[-1]
        kind = str(resource.body.get("vpc_endpoint_type", "Gateway"))
        found.append(Endpoint(resource, service, kind.casefold()))
    return sorted(found, key=lambda each: (each.kind, each.service, each.resource.key))


def _tables(configuration: Configuration) -> dict[str, list[Resource]]:
    """Maps each subnet's key to the targets of its default routes."""
    routes: dict[str, list[Resource]] = {}
    for route in configuration.all("aws_route"):
        if _is_default(configuration, route, route.body):
            for table in configuration.references(route, "route_table_id"):
                routes.setdefault(table.key, []).extend(configuration.references(route, *_TARGETS))
    for table in configuration.all("aws_route_table", "aws_default_route_table"):
        for block in blocks(table.body.get("route")):
            if _is_default(configuration, table, block):
                values = [block.get(key) for key in _TARGETS]
                routes.setdefault(table.key, []).extend(configuration.references_in(table.stack, values))
    found: dict[str, list[Resource]] = {}
    for association in configuration.all("aws_route_table_association"):
        for subnet in configuration.references(association, "subnet_id"):
            for table in configuration.references(association, "route_table_id"):
                found.setdefault(subnet.key, []).extend(routes.get(table.key, []))
    return found


def _is_default(configuration: Configuration, owner: Resource, block: object) -> bool:
    return any(
        configuration.text(owner.stack, each.get(key)) in _EVERYWHERE
        for each in blocks(block)
        for key in _DESTINATIONS
    )


def tiers(found: list[Subnet]) -> Iterator[tuple[str, list[Subnet]]]:
    """Yields each tier that has subnets, with its subnets."""
    for tier in _TIERS:
        if members := [subnet for subnet in found if subnet.tier == tier]:
            yield tier, members
