"""How services of an environment find each other: private DNS names, kept by AWS Cloud Map.

Source: Amazon ECS Developer Guide, "Use service discovery to connect Amazon ECS services with DNS names".
"""

from typing import Final

from stacks import naming
from stacks.bindings import (
    Construct,
    ServiceDiscoveryPrivateDnsNamespace,
    ServiceDiscoveryService,
    ServiceDiscoveryServiceDnsConfig,
    ServiceDiscoveryServiceDnsConfigDnsRecords,
)
from stacks.constructs.network_connections import NetworkConnections
from stacks.policies import Statement
from stacks.settings import Environment, Project

SECONDS_OF_AN_ANSWER: Final = 10
"""For how long a client keeps an address, which may be that of a task that has ended."""


class Namespace:
    """The private DNS domain of an environment."""

    def __init__(
        self, scope: Construct, project: Project, environment: Environment, network: NetworkConnections
    ) -> None:
        name = naming.namespace(project.name, environment.name)
        namespace = ServiceDiscoveryPrivateDnsNamespace(
            scope, "namespace", name=name, description=f"Services of {environment.name}", vpc=network.vpc_id
        )
        self.id = namespace.id


class ServiceAddress:
    """The name of a service there, with the addresses of its tasks."""

    def __init__(self, scope: Construct, key: str, namespace: Namespace) -> None:
        service = ServiceDiscoveryService(
            scope,
            f"{key}_address",
            name=key,
            dns_config=ServiceDiscoveryServiceDnsConfig(
                namespace_id=namespace.id,
                routing_policy="MULTIVALUE",
                dns_records=[ServiceDiscoveryServiceDnsConfigDnsRecords(type="A", ttl=SECONDS_OF_AN_ANSWER)],
            ),
        )
        self.arn = service.arn


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for namespaces, which are hosted zones of Route 53, too.

    Source: AWS Cloud Map Developer Guide, "AWS Cloud Map API permissions".
    """
    tag = {"aws:ResourceTag/project": project.name}
    return (
        Statement(
            "CreateAddresses",
            actions=[
                "servicediscovery:CreatePrivateDnsNamespace",
                "servicediscovery:CreateService",
                "servicediscovery:TagResource",
            ],
            resources=["*"],
            conditions={"StringEquals": {"aws:RequestTag/project": project.name}},
        ),
        Statement(
            "ChangeAddresses",
            actions=[
                "servicediscovery:CreateService",
                "servicediscovery:DeleteNamespace",
                "servicediscovery:DeleteService",
                "servicediscovery:DeregisterInstance",
                "servicediscovery:UntagResource",
                "servicediscovery:UpdatePrivateDnsNamespace",
                "servicediscovery:UpdateService",
            ],
            resources=[
                f"arn:aws:servicediscovery:*:{account_id}:{kind}/*" for kind in ("namespace", "service")
            ],
            conditions={"StringEquals": tag},
        ),
        # Cloud Map calls Route 53 with the rights of whoever calls it; the zone gets no tags of ours.
        Statement(
            "ChangeZonesOfNamespaces",
            actions=[
                "route53:CreateHostedZone",
                "route53:DeleteHostedZone",
                "route53:GetHostedZone",
                "route53:ListHostedZonesByName",
            ],
            resources=["*"],
            conditions={"ForAnyValue:StringEquals": {"aws:CalledVia": "servicediscovery.amazonaws.com"}},
        ),
    )
