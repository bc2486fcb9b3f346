"""The VPC, with everything that AWS puts into it by default closed."""

from typing import Final

from stacks.bindings import (
    Construct,
    DefaultNetworkAcl,
    DefaultRouteTable,
    DefaultSecurityGroup,
    InternetGateway,
    Vpc,
)
from stacks.policies import Statement
from stacks.settings import Network

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:AttachInternetGateway",
            "ec2:CreateInternetGateway",
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:DeleteInternetGateway",
            "ec2:DeleteNetworkAclEntry",
            "ec2:DeleteRoute",
            "ec2:DeleteTags",
            "ec2:DeleteVpc",
            "ec2:DetachInternetGateway",
            "ec2:ModifyVpcAttribute",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class PlatformVpc:
    """A VPC with DNS and an internet gateway; its default group, ACL and routes admit nothing (EC2.2)."""

    def __init__(self, scope: Construct, name: str, network: Network) -> None:
        vpc = Vpc(
            scope,
            "vpc",
            cidr_block=str(network.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": name},
        )
        self.id = vpc.id
        DefaultSecurityGroup(scope, "closed_group", vpc_id=vpc.id, tags={"Name": f"{name}-default-closed"})
        DefaultNetworkAcl(
            scope,
            "closed_acl",
            default_network_acl_id=vpc.default_network_acl_id,
            tags={"Name": f"{name}-default-closed"},
        )
        DefaultRouteTable(
            scope,
            "closed_routes",
            default_route_table_id=vpc.default_route_table_id,
            tags={"Name": f"{name}-default-closed"},
        )
        self.internet_gateway = InternetGateway(scope, "internet", vpc_id=vpc.id, tags={"Name": name})
