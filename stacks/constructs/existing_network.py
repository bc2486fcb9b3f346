"""A VPC that somebody else manages: read, checked, and left as it is."""

from typing import Final

from stacks import addressing
from stacks.addressing import Tier
from stacks.bindings import (
    Construct,
    DataAwsPrefixList,
    DataAwsSubnet,
    DataAwsVpc,
    Postcondition,
    TerraformResourceLifecycle,
)
from stacks.constructs.network_connections import GATEWAYS
from stacks.policies import Statement
from stacks.settings import ExistingNetwork as Existing
from stacks.settings import Network, Platform

_DNS: Final = {
    "enable_dns_support": "enable-dns-support",
    "enable_dns_hostnames": "enable-dns-hostnames",
}
"""Attributes of a VPC, and the options of `aws ec2 modify-vpc-attribute` that set them.

Source: AWS Cloud Map Developer Guide, "Creating namespaces"; Amazon VPC User Guide, "DNS attributes for your
VPC".
"""


class ExistingVpc:
    """The VPC; `prefix_list_ids` are the destinations of gateway endpoints, whether it has them or not."""

    def __init__(self, scope: Construct, region: str, network: Network, existing: Existing) -> None:
        where = f"network.existing.vpc_id = {existing.vpc_id}"
        conditions = [
            Postcondition(
                condition=f"${{self.{attribute}}}",
                error_message=(
                    f"{where}: {attribute} is off, so private names of services and endpoints would not be "
                    f"found. `aws ec2 modify-vpc-attribute --region {region} --vpc-id {existing.vpc_id} "
                    f"--{option}` sets it."
                ),
            )
            for attribute, option in _DNS.items()
        ]
        if network.cidr:
            conditions.append(
                Postcondition(
                    condition=f'${{contains(self.cidr_block_associations[*].cidr_block, "{network.cidr}")}}',
                    error_message=(
                        f"{where}: network.cidr = {network.cidr} is none of its CIDRs, which are "
                        '${join(", ", self.cidr_block_associations[*].cidr_block)}. '
                        "Correct it or leave it out."
                    ),
                )
            )
        vpc = DataAwsVpc(
            scope,
            "vpc",
            id=existing.vpc_id,
            lifecycle=TerraformResourceLifecycle(postcondition=conditions),
        )
        self.id = vpc.id
        self.prefix_list_ids = {
            gateway: DataAwsPrefixList(
                scope, f"prefix_list_{gateway}", name=f"com.amazonaws.{region}.{gateway}"
            ).id
            for gateway in GATEWAYS
        }


class ExistingSubnets:
    """The subnets of one tier: `ids` by the zone's letter, and the CIDRs that its hosts are in, by name."""

    def __init__(self, scope: Construct, region: str, existing: Existing, tier: Tier) -> None:
        self.tier = tier
        self.ids: dict[str, str] = {}
        self.cidrs: dict[str, str] = {}
        for zone, subnet_id in sorted(existing.subnets(tier).items()):
            where = f"network.existing.{tier}_subnets.{zone} = {subnet_id}"
            zone_name = addressing.availability_zone(region, zone)
            key = addressing.subnet_id(tier, zone)
            subnet = DataAwsSubnet(
                scope,
                key,
                id=subnet_id,
                lifecycle=TerraformResourceLifecycle(
                    postcondition=[
                        Postcondition(
                            condition=f'${{self.vpc_id == "{existing.vpc_id}"}}',
                            error_message=f"{where}: is in ${{self.vpc_id}}, not in {existing.vpc_id}.",
                        ),
                        Postcondition(
                            condition=f'${{self.availability_zone == "{zone_name}"}}',
                            error_message=f"{where}: is in ${{self.availability_zone}}, not in {zone_name}.",
                        ),
                    ]
                ),
            )
            self.ids[zone] = subnet.id
            self.cidrs[key] = subnet.cidr_block


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs to put groups and endpoints into VPCs without the project's tag.

    Their owner may be another account that shares them.
    Source: AWS Service Authorization Reference, Amazon EC2, resource types of the actions.
    """
    arns = sorted(
        f"arn:aws:ec2:{environment.region}:*:{resource}"
        for environment in platform.environments.values()
        if environment.account_id == account_id and (existing := environment.network.existing)
        for resource in (
            f"vpc/{existing.vpc_id}",
            *(f"subnet/{each}" for each in existing.subnets(Tier(environment.network.tasks)).values()),
        )
    )
    if not arns:
        return ()
    actions = ["ec2:CreateSecurityGroup", "ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"]
    return (Statement("UseExistingNetworks", actions, sorted(set(arns))),)
