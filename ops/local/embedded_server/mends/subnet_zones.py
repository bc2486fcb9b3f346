"""Zones of subnets, which moto accepts from any region.

Source of what should happen: Amazon EC2 API Reference, CreateSubnet, and its error codes,
InvalidParameterValue.
"""

from typing import Any

from moto.ec2.exceptions import InvalidAvailabilityZoneError
from moto.ec2.models import EC2Backend
from moto.ec2.models.subnets import Subnet, SubnetBackend

_create = SubnetBackend.create_subnet


def refuse_zones_of_other_regions() -> None:
    """Mend moto's CreateSubnet; call it before the server answers."""
    setattr(SubnetBackend, _create.__name__, create_subnet)


def create_subnet(
    backend: EC2Backend,
    vpc_id: str,
    cidr_block: str,
    ipv6_cidr_block: str | None = None,
    availability_zone: str | None = None,
    *arguments: Any,
    **named: Any,
) -> Subnet:
    """Create a subnet, unless its zone is not one of the region's."""
    zones = [zone.name for zone in backend.describe_availability_zones()]
    if availability_zone and availability_zone not in zones:
        raise InvalidAvailabilityZoneError(availability_zone, ", ".join(zones))
    return _create(backend, vpc_id, cidr_block, ipv6_cidr_block, availability_zone, *arguments, **named)
