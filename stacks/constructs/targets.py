"""Where a load balancer sends the requests of a service."""

from typing import Final

from stacks.bindings import (
    Construct,
    LbListenerRule,
    LbListenerRuleAction,
    LbListenerRuleCondition,
    LbListenerRuleConditionHostHeader,
    LbListenerRuleConditionPathPattern,
    LbListenerRuleConditionSourceIp,
    LbTargetGroup,
    LbTargetGroupHealthCheck,
    LbTargetGroupStickiness,
    TerraformResourceLifecycle,
)
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.network_connections import NetworkConnections
from stacks.routing import Balancer, Route
from stacks.values import literal
from stacks.workloads import Workload

DAY: Final = 86_400
"""Seconds for which a cookie would be valid, if there were one: the default of AWS."""


class Targets:
    """A target group, and a rule of the listener for each route to it.

    `rules` must be there before an ECS service uses the group: AWS refuses one that no listener uses. They
    are called after what they match, so that another service may take one over in place.
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        balancer: Balancer,
        load_balancer: LoadBalancer,
        network: NetworkConnections,
    ) -> None:
        group = _target_group(scope, workload, network)
        self.arn = group.arn
        self.arn_suffix = group.arn_suffix
        self.load_balancer = load_balancer
        self.rules = [
            LbListenerRule(
                scope,
                f"{load_balancer.prefix}rule_{route.name}",
                listener_arn=load_balancer.listener_arn,
                priority=route.priority,
                action=[LbListenerRuleAction(type="forward", target_group_arn=group.arn)],
                condition=_conditions(route),
            )
            for route in balancer.routes
            if route.service == workload.key
        ]


def _conditions(route: Route) -> list[LbListenerRuleCondition]:
    conditions = []
    if route.host:
        host = LbListenerRuleConditionHostHeader(values=[route.host])
        conditions.append(LbListenerRuleCondition(host_header=host))
    if route.patterns:
        paths = LbListenerRuleConditionPathPattern(values=list(route.patterns))
        conditions.append(LbListenerRuleCondition(path_pattern=paths))
    if route.cidrs:
        sources = LbListenerRuleConditionSourceIp(values=list(route.cidrs))
        conditions.append(LbListenerRuleCondition(source_ip=sources))
    return conditions


def _target_group(scope: Construct, workload: Workload, network: NetworkConnections) -> LbTargetGroup:
    """Returns a target group whose name changes with each argument that replaces it.

    Source: Terraform, "Resource: aws_lb_target_group".
    """
    port, protocol, target_type = workload.port, "HTTP", "ip"
    settings = workload.settings
    return LbTargetGroup(
        scope,
        f"{workload.key}_targets",
        name=workload.target_group(f"{port} {protocol} {target_type}", network.vpc_id),
        vpc_id=network.vpc_id,
        target_type=target_type,
        protocol=protocol,
        port=port,
        deregistration_delay=str(settings.deregistration_delay),
        # Also without it: the provider takes a block that is not there for no change.
        stickiness=LbTargetGroupStickiness(
            type="lb_cookie",
            cookie_duration=settings.stickiness or DAY,
            enabled=settings.stickiness > 0,
        ),
        health_check=_health_check(workload),
        lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
    )


def _health_check(workload: Workload) -> LbTargetGroupHealthCheck:
    check = workload.settings.health_check
    return LbTargetGroupHealthCheck(
        enabled=True,
        protocol="HTTP",
        port="traffic-port",
        path=literal(workload.health_path),
        matcher=workload.health_status,
        interval=check.interval,
        timeout=check.timeout,
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
    )
