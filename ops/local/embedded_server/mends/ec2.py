"""Networks: what moto takes and AWS refuses, and what moto loses or leaves behind.

moto takes subnets in zones of other regions. Sources: Amazon EC2 API Reference, "CreateSubnet", and its error
codes, "InvalidParameterValue". Every region is enabled here, without anybody asking for it.

moto keeps the descriptions of security group rules for CIDRs and groups only. A rule that refers to a prefix
list has a description as well, and Terraform wants to write it again as long as it cannot read it. Source:
Amazon EC2 API Reference, "SecurityGroupRule".

moto looks for the ICMP types and codes of network ACL entries under another name, and so loses them. Source:
Amazon EC2 API Reference, "CreateNetworkAclEntry" and "NetworkAclEntry".

moto makes the routes of a gateway endpoint for the route tables that it begins with only. A table that is
added later gets none, and deleting the endpoint then fails for want of it. Sources: Amazon EC2 API Reference,
"ModifyVpcEndpoint"; AWS PrivateLink Guide, "Gateway endpoints", Routing.

moto leaves the address of a NAT gateway associated with the gateway when that is deleted. On AWS the
association ends with it, and Terraform's own request to end it gets an error that it ignores. Source: Amazon
VPC User Guide, "NAT gateways": deleting one disassociates its Elastic IP address.
"""

import inspect
from typing import Any, Final

from moto.ec2.exceptions import InvalidAvailabilityZoneError
from moto.ec2.models import EC2Backend
from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend
from moto.ec2.models.nat_gateways import NatGateway, NatGatewayBackend
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.models.vpcs import VPCBackend
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.ec2.responses.network_acls import NetworkACLs

from ops.local.embedded_server.patching import patch

_create_subnet = SubnetBackend.create_subnet
_create_rule = SecurityGroupRule.__init__
_get_param = EC2BaseResponse._get_param
_modify_vpc_endpoint = VPCBackend.modify_vpc_endpoint
_delete_nat_gateway = NatGatewayBackend.delete_nat_gateway

_RULE: Final = inspect.signature(_create_rule)


def mend() -> None:
    """Mends moto's networks, and enables every region."""
    patch(SubnetBackend, create_subnet)
    patch(SecurityGroupRule, __init__=create_rule, description=property(description))
    patch(NetworkACLs, _get_param=get_parameter)
    patch(VPCBackend, modify_vpc_endpoint)
    patch(NatGatewayBackend, delete_nat_gateway)
    for region in RegionsAndZonesBackend.regions:
        if region.opt_in_status == "not-opted-in":
            region.opt_in_status = "opted-in"


def create_subnet(
    backend: EC2Backend,
    vpc_id: str,
    cidr_block: str,
    ipv6_cidr_block: str | None = None,
    availability_zone: str | None = None,
    *arguments: Any,
    **named: Any,
) -> Subnet:
    """Creates a subnet, unless its zone is not one of the region's."""
    zones = [zone.name for zone in backend.describe_availability_zones()]
    if availability_zone and availability_zone not in zones:
        raise InvalidAvailabilityZoneError(availability_zone, ", ".join(zones))
    return _create_subnet(
        backend, vpc_id, cidr_block, ipv6_cidr_block, availability_zone, *arguments, **named
    )


def create_rule(rule: SecurityGroupRule, *arguments: Any, **named: Any) -> None:
    """Makes a rule, and keeps the description of a prefix list, of which moto keeps the id only."""
    prefix_list = _RULE.bind(rule, *arguments, **named).arguments.get("prefix_list_id") or {}
    _create_rule(rule, *arguments, **named)
    vars(rule)["described_as"] = prefix_list.get("Description")


def description(rule: SecurityGroupRule) -> str | None:
    """Returns a rule's description, whatever it lets pass."""
    found: str | None = rule.ip_range.get("Description") or rule.source_group.get("Description")
    return found or vars(rule)["described_as"]


def get_parameter(response: EC2BaseResponse, name: str, *arguments: Any, **named: Any) -> Any:
    """Returns a parameter of a request; moto asks for `Icmp.Type`, and has parsed `IcmpTypeCode.Type`."""
    return _get_param(response, name.replace("Icmp.", "IcmpTypeCode."), *arguments, **named)


def modify_vpc_endpoint(backend: Any, vpc_id: str, *arguments: Any, **named: Any) -> None:
    """Changes an endpoint, and the routes that lead to it; moto calls the endpoint's id `vpc_id`."""
    (endpoint,) = backend.describe_vpc_endpoints(vpc_end_point_ids=[vpc_id])
    before = set(endpoint.route_table_ids or ())
    _modify_vpc_endpoint(backend, vpc_id, *arguments, **named)
    after = set(endpoint.route_table_ids or ())
    prefix_list = endpoint.destination_prefix_list_id
    for table in sorted(after - before):
        backend.create_route(table, None, gateway_id=vpc_id, destination_prefix_list_id=prefix_list)
    for table in sorted(before - after):
        backend.delete_route(table, prefix_list)


def delete_nat_gateway(backend: NatGatewayBackend, nat_gateway_id: str) -> NatGateway:
    """Deletes a NAT gateway, after which its address is nobody's."""
    gateway = _delete_nat_gateway(backend, nat_gateway_id)
    for address in gateway.ec2_backend.addresses:
        if address.eni is gateway._eni:
            gateway.ec2_backend.disassociate_address(association_id=address.association_id)
    return gateway
