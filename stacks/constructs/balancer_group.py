"""Who may reach a load balancer."""

from typing import Final

from stacks.bindings import (
    Construct,
    SecurityGroup,
    TerraformIterator,
    TerraformVariable,
    TerraformVariableValidationConfig,
    Token,
    VpcSecurityGroupIngressRule,
)
from stacks.constructs.internet_routes import ANYWHERE
from stacks.constructs.network_acls import FRAGMENTATION_NEEDED
from stacks.constructs.network_connections import NetworkConnections
from stacks.policies import Statement
from stacks.routing import Balancer

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:AuthorizeSecurityGroupEgress",
            "ec2:AuthorizeSecurityGroupIngress",
            "ec2:CreateSecurityGroup",
            "ec2:CreateTags",
            "ec2:DeleteSecurityGroup",
            "ec2:DeleteTags",
            "ec2:ModifySecurityGroupRules",
            "ec2:RevokeSecurityGroupEgress",
            "ec2:RevokeSecurityGroupIngress",
            "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
            "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs for groups and their rules. AWS chooses the ids, so no ARN can be named."""


class BalancerGroup:
    """The security group of a load balancer.

    Who it admits is a Terraform variable, `allowed_cidrs` for the shared one and `<service>_allowed_cidrs`
    for a service's own, so that it can be narrowed at apply time without a synthesis.

    Source of the rule for ICMP: Application Load Balancers guide, "Security groups for your Application
    Load Balancer", considerations; of its type and code in place of ports: Amazon EC2 API Reference,
    IpPermission.
    """

    def __init__(
        self, scope: Construct, prefix: str, name: str, balancer: Balancer, network: NetworkConnections
    ) -> None:
        icmp_type, icmp_code = FRAGMENTATION_NEEDED
        group = SecurityGroup(
            scope,
            f"{prefix}balancer_group",
            name=f"{name}-balancer",
            description=f"Load balancer {name}",
            vpc_id=network.vpc_id,
            tags={"Name": f"{name}-balancer"},
        )
        self.id = group.id

        # A name that a shell can export: TF_VAR_<name>.
        variable = f"{prefix.replace('-', '_')}allowed_cidrs"
        allowed = TerraformVariable(
            scope,
            variable,
            type="list(string)",
            nullable=False,
            description=f"IPv4 CIDRs that may reach the load balancer {name}",
            default=list(balancer.cidrs),
            validation=[
                TerraformVariableValidationConfig(
                    condition=(
                        f"${{length(var.{variable}) > 0 && "
                        f"alltrue([for cidr in var.{variable} : "
                        "can(cidrnetmask(cidr)) ? cidrsubnet(cidr, 0, 0) == cidr : false])}"
                    ),
                    error_message=(
                        f"{variable} must be a list of one or more IPv4 CIDRs without host bits, "
                        'such as "203.0.113.0/24".'
                    ),
                )
            ],
        )
        each = TerraformIterator.from_list(allowed.list_value)
        for protocol, port in (("http", 80), *((("https", 443),) if balancer.domains else ())):
            VpcSecurityGroupIngressRule(
                scope,
                f"{prefix}balancer_from_{protocol}",
                for_each=each,
                security_group_id=group.id,
                description=f"{protocol.upper()} from those who may",
                cidr_ipv4=Token.as_string(each.value),
                ip_protocol="tcp",
                from_port=port,
                to_port=port,
                tags={"Name": f"{name}-balancer-from-{protocol}"},
            )
        # From everyone: a router on the way to a client has an address of its own.
        VpcSecurityGroupIngressRule(
            scope,
            f"{prefix}balancer_path_mtu",
            security_group_id=group.id,
            description="Path MTU Discovery",
            cidr_ipv4=ANYWHERE,
            ip_protocol="icmp",
            from_port=icmp_type,
            to_port=icmp_code,
            tags={"Name": f"{name}-balancer-path-mtu"},
        )
