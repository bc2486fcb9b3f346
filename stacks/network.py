"""`<env>-network`: where an environment lives, and what may cross its borders."""

from stacks import kinds, naming
from stacks.addressing import Tier, plan_addresses
from stacks.bindings import App
from stacks.constructs import (
    bounded_role,
    connections,
    database_subnets,
    endpoints,
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
from stacks.settings import Environment, Platform, Project


class NetworkStack(platform_stack.PlatformStack):
    """VPC, subnets, gateways, routes, ACLs, endpoints and flow logs of one environment."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.NETWORK.of_environment(environment))
        network, region = environment.network, environment.region
        name = naming.base(project.name, environment.name)
        plan = plan_addresses(network.cidr, network.availability_zones, network.zone_slots)

        self.vpc = vpc.PlatformVpc(self, name, network)
        self.public = subnets.TierSubnets(self, name, self.vpc, plan, Tier.PUBLIC, region)
        self.private = subnets.TierSubnets(self, name, self.vpc, plan, Tier.PRIVATE, region)
        self.database = subnets.TierSubnets(self, name, self.vpc, plan, Tier.DATABASE, region)
        tiers = {each.tier: each for each in (self.public, self.private, self.database)}
        tasks = tiers[Tier(network.tasks)]
        routes = internet_routes.InternetRoutes(self, name, network, self.vpc, self.public, self.private)
        network_acls.NetworkAcls(self, name, self.vpc, tiers, tasks)
        self.endpoints = endpoints.Endpoints(self, name, region, network, self.vpc, tasks)
        flow_logs.FlowLogs(self, project, environment, self.vpc)
        databases = database_subnets.DatabaseSubnets(self, name, self.database)

        self.output(
            connections.OUTPUT,
            {
                network_connections.VPC: self.vpc.id,
                **{
                    network_connections.subnet(tier, zone): subnet_id
                    for tier, subnets_of_tier in tiers.items()
                    for zone, subnet_id in subnets_of_tier.ids.items()
                },
                network_connections.ENDPOINTS_GROUP: self.endpoints.security_group_id,
                **{
                    network_connections.prefix_list(gateway): prefix_list
                    for gateway, prefix_list in self.endpoints.prefix_list_ids.items()
                },
            },
            "What other stacks use of the network",
        )
        self.output(
            "nat_addresses",
            list(routes.addresses.values()),
            "Public addresses that the tasks' calls come from",
        )
        self.output("database_subnet_group", databases.name, "What an RDS instance names as its subnet group")


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
        *log_group.deploy(project, account_id),
        *bounded_role.deploy(project, account_id),
        *database_subnets.deploy(project, account_id),
    )
