"""A load balancer, and what it listens to."""

from collections.abc import Mapping, Sequence
from typing import Final

from stacks import naming
from stacks.bindings import (
    DataAwsRoute53Zone,
    Lb,
    LbAccessLogs,
    LbListener,
    LbListenerCertificate,
    LbListenerDefaultAction,
    LbListenerDefaultActionFixedResponse,
    LbListenerDefaultActionRedirect,
    Route53Record,
    Route53RecordAlias,
)
from stacks.constructs.access_log_bucket import AccessLogBucket
from stacks.constructs.balancer_group import BalancerGroup
from stacks.constructs.certificate import Certificate
from stacks.constructs.network_connections import NetworkConnections
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.routing import Balancer
from stacks.settings import Environment, Project

TLS_POLICY: Final = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"
"""TLS 1.2 and 1.3 without weak ciphers (ELB.17)."""

LINKED_ROLE: Final = "elasticloadbalancing.amazonaws.com"
"""The service whose linked role comes with the first load balancer of an account."""


class LoadBalancer:
    """An Application Load Balancer in the public tier: HTTPS with a redirect, or HTTP without a domain.

    What no rule of `listener_arn` sends to a service gets a 404. `zones` are the ids of hosted zones by name.
    """

    def __init__(
        self,
        scope: PlatformStack,
        environment: Environment,
        balancer: Balancer,
        network: NetworkConnections,
        access_logs: AccessLogBucket,
        zones: Mapping[str, str],
    ) -> None:
        project, key = scope.project.name, balancer.key
        prefix = f"{key}_" if key else ""
        self.name = (
            naming.service_name(project, environment.name, key)
            if key
            else naming.balancer_name(project, environment.name)
        )
        self.group_id = BalancerGroup(scope, prefix, self.name, balancer, network).id
        resource = Lb(
            scope,
            f"{prefix}balancer",
            name=self.name,
            load_balancer_type="application",
            internal=False,
            subnets=network.public_subnet_ids,
            security_groups=[self.group_id],
            idle_timeout=environment.load_balancer.idle_timeout,
            drop_invalid_header_fields=True,
            desync_mitigation_mode="defensive",
            enable_deletion_protection=environment.protected,
            access_logs=LbAccessLogs(bucket=access_logs.name, prefix=key or "balancer", enabled=True),
            # AWS tries to write to the bucket at once; Terraform cannot see that it needs the policy for it.
            depends_on=[access_logs.policy],
        )
        self.key = key
        self.prefix = prefix
        self.arn = resource.arn
        self.arn_suffix = resource.arn_suffix
        self.dns_name = resource.dns_name

        certificates = [
            Certificate(scope, _slug(domain), domain, zones[zone]).arn
            for domain, zone in balancer.domains.items()
        ]
        plain = LbListener(
            scope,
            f"{prefix}http",
            load_balancer_arn=resource.arn,
            port=80,
            protocol="HTTP",
            default_action=[_to_https() if certificates else _not_found()],
        )
        self.listener_arn = plain.arn
        if certificates:
            self.listener_arn = LbListener(
                scope,
                f"{prefix}https",
                load_balancer_arn=resource.arn,
                port=443,
                protocol="HTTPS",
                ssl_policy=TLS_POLICY,
                certificate_arn=certificates[0],
                default_action=[_not_found()],
            ).arn
        for domain, certificate in zip(list(balancer.domains)[1:], certificates[1:], strict=True):
            LbListenerCertificate(
                scope,
                f"certificate_{_slug(domain)}_shown",
                listener_arn=self.listener_arn,
                certificate_arn=certificate,
            )
        for domain, zone in balancer.domains.items():
            Route53Record(
                scope,
                f"name_{_slug(domain)}",
                zone_id=zones[zone],
                name=domain,
                type="A",
                alias=Route53RecordAlias(
                    name=resource.dns_name, zone_id=resource.zone_id, evaluate_target_health=True
                ),
            )


def hosted_zones(scope: PlatformStack, balancers: Sequence[Balancer]) -> Mapping[str, str]:
    """Looks up the hosted zones of all domains, and returns their ids by name."""
    names = dict.fromkeys(zone for balancer in balancers for zone in balancer.domains.values())
    return {
        name: DataAwsRoute53Zone(scope, f"zone_{_slug(name)}", name=name, private_zone=False).zone_id
        for name in names
    }


def _slug(domain: str) -> str:
    """A part of a Terraform name, which has no dots."""
    return domain.replace(".", "_")


def _to_https() -> LbListenerDefaultAction:
    return LbListenerDefaultAction(
        type="redirect",
        redirect=LbListenerDefaultActionRedirect(port="443", protocol="HTTPS", status_code="HTTP_301"),
    )


def _not_found() -> LbListenerDefaultAction:
    return LbListenerDefaultAction(
        type="fixed-response",
        fixed_response=LbListenerDefaultActionFixedResponse(
            content_type="text/plain", message_body="Not found", status_code="404"
        ),
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
                    for thing in ("Listener", "Rule", "TargetGroup")
                ),
                "elasticloadbalancing:AddListenerCertificates",
                "elasticloadbalancing:AddTags",
                "elasticloadbalancing:CreateLoadBalancer",
                "elasticloadbalancing:DeleteLoadBalancer",
                "elasticloadbalancing:ModifyListenerAttributes",
                "elasticloadbalancing:ModifyLoadBalancerAttributes",
                "elasticloadbalancing:ModifyTargetGroupAttributes",
                "elasticloadbalancing:RemoveListenerCertificates",
                "elasticloadbalancing:RemoveTags",
                "elasticloadbalancing:SetIpAddressType",
                "elasticloadbalancing:SetSecurityGroups",
                "elasticloadbalancing:SetSubnets",
            ],
            resources=[
                f"arn:aws:elasticloadbalancing:*:{account_id}:{kind}/{name}-*"
                for kind in ("loadbalancer/app", "listener/app", "listener-rule/app", "targetgroup")
            ],
        ),
    )
