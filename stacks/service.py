"""`<env>-service`: what an environment runs."""

from stacks import kinds
from stacks.bindings import App
from stacks.constructs.access_log_bucket import AccessLogBucket
from stacks.constructs.alarm_topic import AlarmTopic
from stacks.constructs.alarms import Alarms
from stacks.constructs.autoscaling import Autoscaling
from stacks.constructs.cluster import Cluster
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.log_group import LogGroup
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
from stacks.workloads import Reference, Workload, workloads


class ServiceStack(PlatformStack):
    """Cluster, table and topic of one environment, and all that each of its services needs."""

    def __init__(self, app: App, project: Project, environment: Environment, network: NetworkStack) -> None:
        super().__init__(app, project, kinds.SERVICE.of_environment(environment))
        self._network = network
        self._cluster = Cluster(self, project, environment)
        self._table = Table(self, project, environment)
        self._topic = AlarmTopic(self, project, environment)
        self._access_logs = AccessLogBucket(self, project, environment)
        services = workloads(project, environment)
        self._releases = Releases(self, project, environment, services)
        for workload in services:
            self._add(workload)

        self.output("cluster", self._cluster.name, "The ECS cluster")
        self.output("table", self._table.name, "The app's DynamoDB table")
        self.output("alarm_topic", self._topic.arn, "The SNS topic that alarms are published to")

    def _add(self, workload: Workload) -> None:
        key = workload.key
        log_group = LogGroup(self, f"{key}_log", workload.log_group, workload.environment)
        groups = ServiceGroups(self, workload, self._network)
        balancer = LoadBalancer(self, workload, self._network, groups, self._access_logs)
        secrets = SecretReferences(self, workload)
        roles = ServiceRoles(self, workload, log_group, secrets, self._table)
        references = {
            Reference.IMAGE: self._releases.images[key],
            Reference.COMMIT: self._releases.commits[key],
            Reference.TABLE: self._table.name,
            Reference.LOG_GROUP: log_group.name,
        }
        task = TaskDefinition(self, workload, references, roles, secrets)
        alarms = Alarms(self, workload, self._cluster, balancer, self._topic)
        service = WebService(self, workload, self._cluster, balancer, task, alarms)
        Autoscaling(self, workload, self._cluster, service, balancer)

        self.output(f"{key}_url", balancer.url, f"Where {key} is reached")
        self.output(f"{key}_load_balancer", balancer.dns_name, f"The load balancer of {key}")
        self.output(f"{key}_service", service.name, f"The ECS service of {key}")
        self.output(f"{key}_log_group", log_group.name, f"Where {key} logs to")
