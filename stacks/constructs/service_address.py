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
    ServiceDiscoveryServiceHealthCheckCustomConfig,
    TerraformResourceLifecycle,
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
            # So that ECS says which tasks are healthy, and the others get no requests. AWS knows only 1.
            health_check_custom_config=ServiceDiscoveryServiceHealthCheckCustomConfig(failure_threshold=1),
            # A name that nobody uses any more goes after the ECS service has let go of it, with what it left.
            force_destroy=True,
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.arn = service.arn


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for namespaces, which are hosted zones of Route 53, too.

    Source: AWS Cloud Map Developer Guide, "AWS Cloud Map API permissions".
    """
    given, own = ({f"aws:{of}Tag/project": project.name} for of in ("Request", "Resource"))
    arns = [f"arn:aws:servicediscovery:*:{account_id}:{kind}/*" for kind in ("namespace", "service")]
    return (
        Statement(
            "CreateNamespaces",
            actions=["servicediscovery:CreatePrivateDnsNamespace"],
            resources=["*"],
            conditions={"StringEquals": given},
        ),
        # Terraform sends the tags that change, of which the project's is one only at first.
        Statement(
            "TagAddresses",
            actions=["servicediscovery:TagResource"],
            resources=["*"],
            conditions={"StringEqualsIfExists": given},
        ),
        Statement(
            "CreateAddresses",
            actions=["servicediscovery:CreateService"],
            resources=arns,
            conditions={"StringEquals": given},
        ),
        Statement(
            "ChangeAddresses",
            actions=[
                "servicediscovery:DeleteNamespace",
                "servicediscovery:DeleteService",
                "servicediscovery:DeregisterInstance",
                "servicediscovery:UpdatePrivateDnsNamespace",
                "servicediscovery:UpdateService",
            ],
            resources=arns,
            conditions={"StringEquals": own},
        ),
        # Cloud Map calls Route 53 with the rights of whoever calls it; its zones get no tags of ours.
        # Route 53 deletes no zone that has records.
        Statement(
            "WithoutResource",
            actions=["route53:CreateHostedZone", "servicediscovery:UntagResource"],
            resources=["*"],
        ),
        Statement(
            "DeleteZonesOfNamespaces",
            actions=["route53:DeleteHostedZone"],
            resources=["arn:aws:route53:::hostedzone/*"],
        ),
    )
