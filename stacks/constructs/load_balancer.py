"""A service's load balancer, what it listens to, and where it sends requests."""

from typing import Final

from stacks.bindings import (
    Construct,
    DataAwsRoute53Zone,
    Lb,
    LbAccessLogs,
    LbListener,
    LbListenerDefaultAction,
    LbListenerDefaultActionRedirect,
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    Route53Record,
    Route53RecordAlias,
    TerraformResourceLifecycle,
)
from stacks.constructs.access_log_bucket import AccessLogBucket
from stacks.constructs.certificate import Certificate
from stacks.constructs.service_groups import ServiceGroups
from stacks.network import NetworkStack
from stacks.policies import Statement
from stacks.settings import Project
from stacks.workloads import Workload

TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""TLS 1.2 and 1.3 without weak ciphers (ELB.17)."""

LINKED_ROLE: Final = "elasticloadbalancing.amazonaws.com"
"""The service whose linked role comes with the first load balancer of an account."""


class LoadBalancer:
    """An Application Load Balancer in the public tier: HTTPS with a redirect, or HTTP without a domain.

    `url` is where the service is reached; `listener` is what forwards to `target_group_arn`; `groups`
    are the security groups of both ends.
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        network: NetworkStack,
        groups: ServiceGroups,
        access_logs: AccessLogBucket,
    ) -> None:
        key, service = workload.key, workload.settings
        balancer = Lb(
            scope,
            f"{key}_balancer",
            name=workload.name,
            load_balancer_type="application",
            internal=False,
            subnets=list(network.public.ids.values()),
            security_groups=[groups.balancer_id],
            idle_timeout=service.idle_timeout,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=workload.environment.protected,
            access_logs=LbAccessLogs(bucket=access_logs.name, prefix=key, enabled=True),
            # AWS tries to write to the bucket at once; Terraform cannot see that it needs the policy for it.
            depends_on=[access_logs.policy],
        )
        self.arn_suffix = balancer.arn_suffix
        self.dns_name = balancer.dns_name
        self.groups = groups
        target_group = _target_group(scope, workload, network)
        self.target_group_arn = target_group.arn
        self.target_group_arn_suffix = target_group.arn_suffix

        forward = LbListenerDefaultAction(type="forward", target_group_arn=target_group.arn)
        if service.domain and service.hosted_zone:
            zone = DataAwsRoute53Zone(scope, f"{key}_zone", name=service.hosted_zone, private_zone=False)
            certificate = Certificate(scope, key, service.domain, zone.zone_id)
            self.listener = LbListener(
                scope,
                f"{key}_https",
                load_balancer_arn=balancer.arn,
                port=443,
                protocol="HTTPS",
                ssl_policy=TLS_POLICY,
                certificate_arn=certificate.arn,
                default_action=[forward],
            )
            LbListener(
                scope,
                f"{key}_http",
                load_balancer_arn=balancer.arn,
                port=80,
                protocol="HTTP",
                default_action=[_to_https()],
            )
            Route53Record(
                scope,
                f"{key}_name",
                zone_id=zone.zone_id,
                name=service.domain,
                type="A",
                alias=Route53RecordAlias(
                    name=balancer.dns_name, zone_id=balancer.zone_id, evaluate_target_health=True
                ),
            )
            self.url = f"https://{service.domain}"
        else:
            self.listener = LbListener(
                scope,
                f"{key}_http",
                load_balancer_arn=balancer.arn,
                port=80,
                protocol="HTTP",
                default_action=[forward],
            )
            self.url = f"http://{balancer.dns_name}"


def _target_group(scope: Construct, workload: Workload, network: NetworkStack) -> LbTargetGroup:
    """Returns a target group whose name changes with each argument that replaces it.

    Source: Terraform, "Resource: aws_lb_target_group".
    """
    port, protocol, target_type = workload.program.port, "HTTP", "ip"
    return LbTargetGroup(
        scope,
        f"{workload.key}_targets",
        name=workload.target_group(f"{port} {protocol} {target_type}", network.vpc.id),
        vpc_id=network.vpc.id,
        target_type=target_type,
        protocol=protocol,
        port=port,
        deregistration_delay=str(workload.settings.deregistration_delay),
        health_check=_health_check(workload),
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def _health_check(workload: Workload) -> LbTargetGroupHealthCheck:
    check = workload.settings.health_check
    return LbTargetGroupHealthCheck(
        enabled=True,
        protocol="HTTP",
        port="traffic-port",
        path=workload.program.health_path,
        matcher="200",
        interval=check.interval,
        timeout=check.timeout,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
    )


def _to_https() -> LbListenerDefaultAction:
    return LbListenerDefaultAction(
        type="redirect",
        redirect=LbListenerDefaultActionRedirect(port="443", protocol="HTTPS", status_code="HTTP_301"),
    )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for a balancer, its listeners and its target groups."""
    name = project.name
    return (
        Statement(
            "ChangeLoadBalancers",
            actions=[
                *(
                    f"elasticloadbalancing:{verb}{thing}"
                    for verb in ("Create", "Delete", "Modify")
                    for thing in ("Listener", "TargetGroup")
                ),
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            resources=[
                f"arn:aws:elasticloadbalancing:*:{account_id}:{kind}/{name}-*"
                for kind in ("loadbalancer/app", "listener/app", "targetgroup")
            ],
        ),
    )
