"""`<env>-service`: what an environment runs."""

from stacks import kinds, naming
from stacks.bindings import App
from stacks.constructs import (
    access_log_bucket,
    alarm_topic,
    alarms,
    autoscaling,
    bounded_role,
    certificate,
    cluster,
    load_balancer,
    log_group,
    platform_stack,
    releases,
    secret_references,
    service_groups,
    service_roles,
    task_definition,
    web_service,
)
from stacks.network import NetworkStack
from stacks.policies import Statement, of_project, service_linked_roles
from stacks.settings import Environment, Platform, Project
from stacks.workloads import Reference, Workload, workloads


class ServiceStack(platform_stack.PlatformStack):
    """Cluster and topic of one environment, and all that each of its services needs."""

    def __init__(self, app: App, project: Project, environment: Environment, network: NetworkStack) -> None:
        super().__init__(app, project, kinds.SERVICE.of_environment(environment))
        self._network = network
        self._cluster = cluster.Cluster(self, project, environment)
        self._topic = alarm_topic.AlarmTopic(self, project, environment)
        self._access_logs = access_log_bucket.AccessLogBucket(self, project, environment)
        services = workloads(project, environment)
        self._releases = releases.Releases(self, project, environment, services)
        for workload in services:
            self._add(workload)

        self.output("cluster", self._cluster.name, "The ECS cluster")
        self.output("alarm_topic", self._topic.arn, "The SNS topic that alarms are published to")

    def _add(self, workload: Workload) -> None:
        key = workload.key
        log = log_group.LogGroup(self, f"{key}_log", workload.log_group, workload.environment)
        groups = service_groups.ServiceGroups(self, workload, self._network)
        balancer = load_balancer.LoadBalancer(self, workload, self._network, groups, self._access_logs)
        secrets = secret_references.SecretReferences(self, workload)
        roles = service_roles.ServiceRoles(self, workload, log, secrets)
        references = {
            Reference.IMAGE: self._releases.images[key],
            Reference.COMMIT: self._releases.commits[key],
            Reference.TABLE: naming.table_name(workload.project.name, workload.environment),
            Reference.LOG_GROUP: log.name,
        }
        task = task_definition.TaskDefinition(self, workload, references, roles, secrets)
        watched = alarms.Alarms(self, workload, self._cluster, balancer, self._topic)
        service = web_service.WebService(self, workload, self._cluster, balancer, task, watched)
        autoscaling.Autoscaling(self, workload, self._cluster, service, balancer)

        self.output(f"{key}_url", balancer.url, f"Where {key} is reached")
        self.output(f"{key}_load_balancer", balancer.dns_name, f"The load balancer of {key}")
        self.output(f"{key}_service", service.name, f"The ECS service of {key}")
        self.output(f"{key}_log_group", log.name, f"Where {key} logs to")


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Gathers what applying services takes beyond reading."""
    project = platform.project
    linked = (cluster.LINKED_ROLE, autoscaling.LINKED_ROLE, load_balancer.LINKED_ROLE)
    return (
        *platform_stack.deploy(platform, account_id),
        service_linked_roles(account_id, linked),
        *alarm_topic.DEPLOY,
        *access_log_bucket.deploy(project, account_id),
        *releases.deploy(project, account_id),
        *log_group.deploy(project, account_id),
        *of_project(project.name, service_groups.DEPLOY),
        *load_balancer.deploy(project, account_id),
        *certificate.deploy(platform, account_id),
        *bounded_role.deploy(project, account_id),
        *task_definition.DEPLOY,
        *alarms.deploy(project, account_id),
        *web_service.deploy(project, account_id),
        *autoscaling.deploy(project, account_id),
    )
