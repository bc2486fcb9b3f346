"""`<env>-network`: where an environment lives, and what may cross its borders."""

from collections.abc import Mapping

from stacks import kinds, naming, stores
from stacks.addressing import Tier, plan_addresses
from stacks.bindings import App
from stacks.constructs import (
    bounded_role,
    connections,
    database_subnets,
    endpoints,
    existing_network,
    flow_logs,
    internet_routes,
    log_group,
    network_acls,
    network_connections,
    platform_stack,
    subnets,
    vpc,
)
from stacks.policies import Statement, of_project, service_linked_roles
from stacks.settings import Environment, ExistingNetwork, Platform, Project

Parts = tuple[str, Mapping[str, str], Mapping[Tier, subnets.Subnets], Mapping[str, str]]
"""The VPC's id, prefix lists of gateway endpoints by service, subnets by tier, and NAT gateways by zone."""


class NetworkStack(platform_stack.PlatformStack):
    """The network of one environment: created, or found in a VPC that is there already."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.NETWORK.of_environment(environment))
        network = environment.network
        self._name = naming.base(project.name, environment.name)
        if network.existing:
            vpc_id, prefix_lists, tiers, gateways = self._find(environment, network.existing)
        else:
            vpc_id, prefix_lists, tiers, gateways = self._create(environment)
        interfaces = endpoints.InterfaceEndpoints(
            self, self._name, environment, vpc_id, tiers[Tier(network.tasks)]
        )
        if tiers[Tier.DATABASE].ids:
            databases = database_subnets.DatabaseSubnets(self, self._name, tiers[Tier.DATABASE])
            self.output(
                "database_subnet_group", databases.name, "What an RDS instance names as its subnet group"
            )
        self.output(
            connections.OUTPUT,
            {
                network_connections.VPC: vpc_id,
                **{
                    network_connections.subnet(tier, zone): subnet_id
                    for tier, subnets_of_tier in tiers.items()
                    for zone, subnet_id in subnets_of_tier.ids.items()
                },
                network_connections.ENDPOINTS_GROUP: interfaces.security_group_id,
                **{
                    network_connections.endpoint(service): interfaces.ids[service]
                    for service in stores.needed_endpoints(environment)
                },
                **{
                    network_connections.prefix_list(gateway): prefix_list
                    for gateway, prefix_list in prefix_lists.items()
                },
                **{network_connections.nat_gateway(zone): gateway for zone, gateway in gateways.items()},
            },
            "What other stacks use of the network",
        )

    def _create(self, environment: Environment) -> Parts:
        """Creates VPC, subnets, gateways, routes, ACLs, gateway endpoints and flow logs."""
        network, region, name = environment.network, environment.region, self._name
        plan = plan_addresses(network.required_cidr, network.availability_zones, network.zone_slots)
        created = vpc.PlatformVpc(self, name, network)
        tiers = {tier: subnets.TierSubnets(self, name, created, plan, tier, region) for tier in Tier}
        tasks = tiers[Tier(network.tasks)]
        routes = internet_routes.InternetRoutes(
            self, name, network, created, tiers[Tier.PUBLIC], tiers[Tier.PRIVATE]
        )
        network_acls.NetworkAcls(self, name, created, tiers, tasks)
        gateways = endpoints.GatewayEndpoints(self, name, region, created, tasks)
        flow_logs.FlowLogs(self, self.project, environment, created)
        self.output(
            "nat_addresses",
            list(routes.addresses.values()),
            "Public addresses that the tasks' calls come from",
        )
        return created.id, gateways.prefix_list_ids, tiers, routes.gateways

    def _find(self, environment: Environment, existing: ExistingNetwork) -> Parts:
        """Reads a VPC and its subnets, and changes nothing of them."""
        region = environment.region
        found = existing_network.ExistingVpc(self, region, environment.network, existing)
        tiers = {tier: existing_network.ExistingSubnets(self, region, existing, tier) for tier in Tier}
        return found.id, found.prefix_list_ids, tiers, {}


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Gathers what applying networks takes beyond reading."""
    project = platform.project
    return (
        *platform_stack.deploy(platform, account_id),
        service_linked_roles(account_id, (database_subnets.LINKED_ROLE,)),
        *of_project(
            project.name,
            (
                *vpc.DEPLOY,
                *subnets.DEPLOY,
                *internet_routes.DEPLOY,
                *network_acls.DEPLOY,
                *endpoints.DEPLOY,
                *flow_logs.DEPLOY,
            ),
        ),
        *existing_network.deploy(platform, account_id),
        *log_group.deploy(project, account_id),
        *bounded_role.deploy(project, account_id),
        *database_subnets.deploy(project, account_id),
    )
