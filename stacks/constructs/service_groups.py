"""Who may talk to whom: internet -> load balancer -> task -> AWS, each step a rule with a name."""

from typing import Final

from stacks.bindings import (
    Construct,
    SecurityGroup,
    TerraformIterator,
    TerraformVariable,
    TerraformVariableValidationConfig,
    Token,
    VpcSecurityGroupEgressRule,
    VpcSecurityGroupIngressRule,
)
from stacks.constructs.internet_routes import ANYWHERE
from stacks.constructs.network_acls import FRAGMENTATION_NEEDED
from stacks.network import NetworkStack
from stacks.policies import Statement
from stacks.workloads import Workload

HTTPS = 443

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
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class ServiceGroups:
    """The security groups of a service's load balancer and of its tasks, which run in `task_subnet_ids`.

    Who may reach the load balancer is a Terraform variable, `<service>_allowed_cidrs`, so that it
    can be narrowed at apply time without a synthesis.

    Source of the rule for ICMP: Application Load Balancers guide, "Security groups for your Application
    Load Balancer", considerations; of its type and code in place of ports: Amazon EC2 API Reference,
    IpPermission.
    """

    def __init__(self, scope: Construct, workload: Workload, network: NetworkStack) -> None:
        key, name, port = workload.key, workload.name, workload.program.port
        service, environment = workload.settings, workload.environment
        icmp_type, icmp_code = FRAGMENTATION_NEEDED
        balancer = SecurityGroup(
            scope,
            f"{key}_balancer_group",
            name=f"{name}-balancer",
            description=f"Load balancer of {name}",
            vpc_id=network.vpc.id,
            tags={"Name": f"{name}-balancer"},
        )
        task = SecurityGroup(
            scope,
            f"{key}_task_group",
            name=f"{name}-task",
            description=f"Tasks of {name}",
            vpc_id=network.vpc.id,
            tags={"Name": f"{name}-task"},
        )
        self.balancer_id = balancer.id
        self.task_id = task.id
        self.task_subnet_ids = list(network.private.ids.values())

        # A name that a shell can export: TF_VAR_<name>.
        variable = f"{key.replace('-', '_')}_allowed_cidrs"
        allowed = TerraformVariable(
            scope,
            variable,
            type="list(string)",
            nullable=False,
            description=f"IPv4 CIDRs that may reach the load balancer of {key}",
            default=[str(cidr) for cidr in service.allowed_cidrs],
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
        for protocol, open_port in (("http", 80), *((("https", HTTPS),) if service.domain else ())):
            VpcSecurityGroupIngressRule(
                scope,
                f"{key}_balancer_from_{protocol}",
                for_each=each,
                security_group_id=balancer.id,
                description=f"{protocol.upper()} from those who may",
                cidr_ipv4=Token.as_string(each.value),
                ip_protocol="tcp",
                from_port=open_port,
                to_port=open_port,
                tags={"Name": f"{name}-balancer-from-{protocol}"},
            )
        # From everyone: a router on the way to a client has an address of its own.
        VpcSecurityGroupIngressRule(
            scope,
            f"{key}_balancer_path_mtu",
            security_group_id=balancer.id,
            description="Path MTU Discovery",
            cidr_ipv4=ANYWHERE,
            ip_protocol="icmp",
            from_port=icmp_type,
            to_port=icmp_code,
            tags={"Name": f"{name}-balancer-path-mtu"},
        )
        VpcSecurityGroupEgressRule(
            scope,
            f"{key}_balancer_to_task",
            security_group_id=balancer.id,
            description="To the tasks",
            referenced_security_group_id=task.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{name}-balancer-to-task"},
        )
        VpcSecurityGroupIngressRule(
            scope,
            f"{key}_task_from_balancer",
            security_group_id=task.id,
            description="From the load balancer",
            referenced_security_group_id=balancer.id,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            tags={"Name": f"{name}-task-from-balancer"},
        )
        for gateway, prefix_list in network.endpoints.prefix_list_ids.items():
            VpcSecurityGroupEgressRule(
                scope,
                f"{key}_task_to_{gateway}",
                security_group_id=task.id,
                description=f"To {gateway} by its gateway endpoint",
                prefix_list_id=prefix_list,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                tags={"Name": f"{name}-task-to-{gateway}"},
            )
        # Even without interface endpoints, so that the first one, or the loss of NAT, cuts no task off.
        VpcSecurityGroupEgressRule(
            scope,
            f"{key}_task_to_endpoints",
            security_group_id=task.id,
            description="To AWS by interface endpoints",
            referenced_security_group_id=network.endpoints.security_group_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            tags={"Name": f"{name}-task-to-endpoints"},
        )
        if environment.network.nat != "none":
            VpcSecurityGroupEgressRule(
                scope,
                f"{key}_task_to_internet",
                security_group_id=task.id,
                description="To AWS and others over HTTPS by NAT",
                cidr_ipv4=ANYWHERE,
                ip_protocol="tcp",
                from_port=HTTPS,
                to_port=HTTPS,
                tags={"Name": f"{name}-task-to-internet"},
            )
