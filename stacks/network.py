"""`<env>-network`: where an environment lives, and what may cross its borders."""

from stacks import kinds, naming
from stacks.addressing import Tier, plan_addresses
from stacks.bindings import App
from stacks.constructs.database_subnets import DatabaseSubnets
from stacks.constructs.endpoints import Endpoints
from stacks.constructs.flow_logs import FlowLogs
from stacks.constructs.internet_routes import InternetRoutes
from stacks.constructs.network_acls import NetworkAcls
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.subnets import TierSubnets
from stacks.constructs.vpc import PlatformVpc
from stacks.settings import Environment, Project


class NetworkStack(PlatformStack):
    """VPC, subnets, gateways, routes, ACLs, endpoints and flow logs of one environment."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.NETWORK.of_environment(environment))
        network, region = environment.network, environment.region
        name = naming.base(project.name, environment.name)
        plan = plan_addresses(network.cidr, network.availability_zones, network.zone_slots)

        self.vpc = PlatformVpc(self, name, network)
        self.public = TierSubnets(self, name, self.vpc, plan, Tier.PUBLIC, region)
        self.private = TierSubnets(self, name, self.vpc, plan, Tier.PRIVATE, region)
        self.database = TierSubnets(self, name, self.vpc, plan, Tier.DATABASE, region)
        routes = InternetRoutes(self, name, network, self.vpc, self.public, self.private)
        NetworkAcls(
            self,
            name,
            self.vpc,
            {Tier.PUBLIC: self.public, Tier.PRIVATE: self.private, Tier.DATABASE: self.database},
        )
        self.endpoints = Endpoints(self, name, region, network, self.vpc, self.private)
        FlowLogs(self, project, environment, self.vpc)
        databases = DatabaseSubnets(self, name, self.database)

        self.output("vpc_id", self.vpc.id, "The VPC")
        for subnets in (self.public, self.private, self.database):
            self.output(
                f"{subnets.tier}_subnet_ids",
                list(subnets.ids.values()),
                f"Subnets of the {subnets.tier} tier, by zone in alphabetical order",
            )
        self.output(
            "nat_addresses",
            list(routes.addresses.values()),
            "Public addresses that the tasks' calls come from",
        )
        self.output("database_subnet_group", databases.name, "What an RDS instance names as its subnet group")
