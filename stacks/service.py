"""`<env>-service`: what an environment runs."""

from stacks import naming
from stacks.bindings import App, CloudwatchLogGroup
from stacks.constructs.access_log_bucket import AccessLogBucket
from stacks.constructs.alarm_topic import AlarmTopic
from stacks.constructs.alarms import Alarms
from stacks.constructs.autoscaling import Autoscaling
from stacks.constructs.cluster import Cluster
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.releases import Releases
from stacks.constructs.secret_references import SecretReferences
from stacks.constructs.service_groups import ServiceGroups
from stacks.constructs.service_roles import ServiceRoles
from stacks.constructs.table import Table
from stacks.constructs.task_definition import TaskDefinition
from stacks.constructs.web_service import WebService
from stacks.network import NetworkStack
from stacks.settings import Environment, Project


class ServiceStack(PlatformStack):
    """Cluster, table and topic of one environment, and all that each of its services needs."""

    def __init__(self, app: App, project: Project, environment: Environment, network: NetworkStack) -> None:
        super().__init__(
            app,
            naming.service_stack(environment.name),
            project=project,
            account_id=environment.account_id,
            region=environment.region,
            tags=naming.environment_tags(project, environment),
        )
        self._project = project
        self._environment = environment
        self._network = network
        self._cluster = Cluster(self, project, environment)
        self._table = Table(self, project, environment)
        self._topic = AlarmTopic(self, project, environment)
        self._access_logs = AccessLogBucket(self, project, environment)
        self._releases = Releases(self, project, environment)
        for key in environment.services:
            self._add_service(key)

        self.output("cluster", self._cluster.name, "The ECS cluster")
        self.output("table", self._table.name, "The app's DynamoDB table")
        self.output("alarm_topic", self._topic.arn, "The SNS topic that alarms are published to")

    def _add_service(self, key: str) -> None:
        project, environment, network = self._project, self._environment, self._network
        name = naming.load_balancer_name(project.name, environment.name, key)
        log_group = CloudwatchLogGroup(
            self,
            f"{key}_log",
            name=naming.log_group(project.name, environment.name, key),
            retention_in_days=environment.logs.retention_days,
        )
        groups = ServiceGroups(self, key, name, environment, network)
        balancer = LoadBalancer(self, key, project, environment, network, groups, self._access_logs)
        secrets = SecretReferences(self, key, environment)
        roles = ServiceRoles(self, key, project, environment, log_group.arn, secrets, self._table)
        task = TaskDefinition(
            self,
            key,
            project,
            environment,
            image=self._releases.images[key],
            commit=self._releases.commits[key],
            table_name=self._table.name,
            log_group_name=log_group.name,
            roles=roles,
            secrets=secrets,
        )
        alarms = Alarms(self, key, project, environment, self._cluster, balancer, self._topic)
        service = WebService(
            self,
            key,
            project,
            environment,
            network,
            self._cluster,
            balancer,
            groups,
            roles,
            task,
            alarms,
        )
        scaling = environment.services[key].scaling
        Autoscaling(self, key, scaling, self._cluster, service, balancer)

        self.output(f"{key}_url", balancer.url, f"Where {key} is reached")
        self.output(f"{key}_load_balancer", balancer.dns_name, f"The load balancer of {key}")
        self.output(f"{key}_service", service.name, f"The ECS service of {key}")
        self.output(f"{key}_log_group", log_group.name, f"Where {key} logs to")
