"""Ways from the VPC to AWS services that do not lead through the internet."""

from typing import Final

from stacks import stores
from stacks.bindings import Construct, SecurityGroup, VpcEndpoint, VpcSecurityGroupIngressRule
from stacks.constructs.network_connections import GATEWAYS
from stacks.constructs.subnets import Subnets, TierSubnets
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement
from stacks.settings import Environment

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateSecurityGroup",
            "ec2:CreateTags",
            "ec2:CreateVpcEndpoint",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteTags",
            "ec2:DeleteVpcEndpoints",
            "ec2:ModifySecurityGroupRules",
            "ec2:ModifyVpcEndpoint",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
            # An interface endpoint with private DNS brings a hosted zone of AWS's own.
            "route53:AssociateVPCWithHostedZone",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class GatewayEndpoints:
    """Gateway endpoints for S3 and DynamoDB, which cost nothing; `prefix_list_ids` are their destinations."""

    def __init__(
        self, scope: Construct, name: str, region: str, vpc: PlatformVpc, tasks: TierSubnets
    ) -> None:
        self.prefix_list_ids: dict[str, str] = {}
        for service in GATEWAYS:
            gateway = VpcEndpoint(
                scope,
                f"{service}_endpoint",
                vpc_id=vpc.id,
                service_name=f"com.amazonaws.{region}.{service}",
                vpc_endpoint_type="Gateway",
                route_table_ids=list(tasks.route_table_ids.values()),
                tags={"Name": f"{name}-{service}"},
            )
            self.prefix_list_ids[service] = gateway.prefix_list_id


class InterfaceEndpoints:
    """The interface endpoints asked for, and those that stores need, in the subnets of the tasks.

    `security_group_id` is their group, which admits HTTPS from there; `ids` are theirs, by service.
    """

    def __init__(
        self, scope: Construct, name: str, environment: Environment, vpc_id: str, tasks: Subnets
    ) -> None:
        group = SecurityGroup(
            scope,
            "endpoints_group",
            name=f"{name}-endpoints",
            description="Interface endpoints of AWS services",
            vpc_id=vpc_id,
            tags={"Name": f"{name}-endpoints"},
        )
        self.security_group_id = group.id
        from_tasks = [
            VpcSecurityGroupIngressRule(
                scope,
                f"endpoints_from_{where}",
                security_group_id=group.id,
                description=f"HTTPS from the {tasks.tier} tier",
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                tags={"Name": f"{name}-endpoints-from-{where.replace('_', '-')}"},
            )
            for where, cidr in tasks.cidrs.items()
        ]
        self.ids: dict[str, str] = {}
        for service in stores.endpoints(environment):
            endpoint = VpcEndpoint(
                scope,
                f"{service.replace('.', '_')}_endpoint",
                vpc_id=vpc_id,
                service_name=f"com.amazonaws.{environment.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=list(tasks.ids.values()),
                security_group_ids=[group.id],
                tags={"Name": f"{name}-{service}"},
                # Private DNS leads every task here as soon as the endpoint exists, so the rules come first.
                depends_on=from_tasks,
            )
            self.ids[service] = endpoint.id
