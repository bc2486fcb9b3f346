"""`<env>-service`: what an environment runs."""

from collections.abc import Mapping, Sequence

from stacks import kinds, naming, routing, stores, watched, watched_stores
from stacks.bindings import App, TerraformLocal
from stacks.constructs import (
    access_log_bucket,
    alarm_topic,
    alarms,
    autoscaling,
    balancer_group,
    bounded_role,
    certificate,
    chat,
    cluster,
    dashboard,
    data_connections,
    ecs_service,
    existing_network,
    job,
    job_machine,
    load_balancer,
    log_group,
    network_connections,
    platform_stack,
    private_bucket,
    queue,
    releases,
    saved_queries,
    secret_rotation,
    service_address,
    service_roles,
    targets,
    task_definition,
    task_group,
    task_values,
    web_acl,
)
from stacks.policies import Statement, of_project, service_linked_roles
from stacks.settings import Environment, Platform, Project
from stacks.workloads import Workload, workloads


class ServiceStack(platform_stack.PlatformStack):
    """Cluster, topic and load balancers of one environment, and all that each of its services needs."""

    def __init__(self, app: App, project: Project, environment: Environment) -> None:
        super().__init__(app, project, kinds.SERVICE.of_environment(environment))
        services = workloads(project, environment)
        self._log_groups: dict[str, str] = {}
        self._network = network_connections.NetworkConnections(self, environment)
        self._data = data_connections.DataConnections(self, environment, services)
        self._cluster = cluster.Cluster(self, project, environment)
        self._topics = alarm_topic.AlarmTopics(self, project, environment)
        self._alarms = alarms.Alarms(self, project, environment, self._topics)
        self._balancers: dict[str, str] = {}
        self._targets = self._balance(environment, services)
        self._releases = releases.Releases(self, project, environment, services)
        self._addresses = self._address(services)
        self._groups = {each.key: task_group.TaskGroup(self, each, self._network) for each in services}
        for workload in services:
            self._connect(workload)
            self._add(workload)
        self._follow_rotations(environment, services)
        self._watch(environment)

        self.output("cluster", self._cluster.name, "The ECS cluster")
        self.output("alarm_topic", self._topics.arn, "The SNS topic that alarms are published to")

    def _balance(
        self, environment: Environment, services: Sequence[Workload]
    ) -> Mapping[str, targets.Targets]:
        """Creates the load balancers, and returns where they send the requests of each service."""
        found: dict[str, targets.Targets] = {}
        balancers = tuple(routing.balancers(environment))
        if not balancers:
            return found
        access_logs = access_log_bucket.AccessLogBucket(self, self.project, environment)
        zones = load_balancer.hosted_zones(self, balancers)
        for each in balancers:
            balancer = load_balancer.LoadBalancer(self, environment, each, self._network, access_logs, zones)
            self._balancers[balancer.key] = balancer.dns_name
            limits = self._alarms.limits(balancer.key)
            self._alarms.watch(
                balancer.key,
                watched.balancer(limits, balancer.arn_suffix),
                prefix=f"{balancer.name}/",
            )
            if waf := environment.load_balancer.waf:
                web_acl.WebAcl(self, balancer, waf)
            self.output(f"{balancer.prefix}load_balancer", balancer.dns_name, "A load balancer")
            served = {route.service for route in each.routes}
            found |= {
                workload.key: targets.Targets(self, workload, each, balancer, self._network)
                for workload in services
                if workload.key in served
            }
        return found

    def _address(self, services: Sequence[Workload]) -> Mapping[str, service_address.ServiceAddress]:
        """Creates the private names of the services that others call, by service."""
        used = {name for each in services for name in each.called}
        if not used:
            return {}
        environment = services[0].environment
        namespace = service_address.Namespace(self, self.project, environment, self._network)
        return {name: service_address.ServiceAddress(self, name, namespace) for name in sorted(used)}

    def _connect(self, workload: Workload) -> None:
        group = self._groups[workload.key]
        if workload.key in self._targets:
            group.admit_balancer(self._targets[workload.key].load_balancer.group_id)
        for name in workload.called:
            group.connect_to(self._groups[name])
        for connection in workload.connections:
            if way := connection.way:
                group.connect_to_store(connection.use, way.port, self._data.values[way.group.key])

    def _follow_rotations(self, environment: Environment, services: Sequence[Workload]) -> None:
        """Redeploys what uses a database when its password changes; a job gets it with its next run."""
        for database in environment.databases:
            using = [
                each.name
                for each in services
                if each.settings.kind != "job"
                and any((use.kind, use.name) == ("databases", database) for use in each.settings.uses)
            ]
            if using:
                secret = self._data.values[stores.stored_key("databases", database, "secret")]
                rotation = secret_rotation.SecretRotation(
                    self, environment, database, secret, self._cluster, using
                )
                self._alarms.watch(
                    f"databases.{database}", watched_stores.rotation(rotation.state_machine_arn)
                )

    def _add(self, workload: Workload) -> None:
        key, requests = workload.key, self._targets.get(workload.key)
        log = log_group.LogGroup(self, f"{key}_log", workload.log_group, workload.environment)
        values = task_values.TaskValues(self, workload, self._releases, self._data, self._balancers)
        roles = service_roles.ServiceRoles(self, workload, log, values)
        task = task_definition.TaskDefinition(self, workload, values, roles)
        if workload.settings.before_deploy:
            task_definition.TaskDefinition(self, workload, values, roles, before_deploy=True)
        self._log_groups[key] = log.name
        self.output(f"{key}_log_group", log.name, f"Where {key} logs to")
        if workload.settings.kind == "job":
            self._start_at_times(workload, task)
            return
        service = ecs_service.Service(
            self,
            self._cluster,
            task,
            self._groups[key],
            self._watch_service(workload),
            targets=requests,
            address=self._addresses.get(key),
        )
        autoscaling.Autoscaling(self, workload, self._cluster, service, requests)

        if requests:
            where = routing.url(workload.environment, workload.settings, requests.load_balancer.dns_name)
            self.output(f"{key}_url", where, f"Where {key} is reached")
        self.output(f"{key}_service", service.name, f"The ECS service of {key}")

    def _watch_service(self, workload: Workload) -> alarms.Created:
        """Creates the alarms of a service."""
        limits, targets = self._alarms.limits(workload.key), self._targets.get(workload.key)
        cluster, name = self._cluster.name, workload.name
        scaling = workload.scaling
        # No data is an outage, unless an empty queue or a schedule leaves it without tasks at times.
        at_zero = not scaling.min_capacity or any(not each.min_capacity for each in scaling.schedule)
        without_tasks: watched.Missing = "notBreaching" if at_zero else "breaching"
        seen = (
            watched.requests(
                limits, targets.load_balancer.arn_suffix, targets.arn_suffix, without_tasks=without_tasks
            )
            if targets
            else watched.no_requests(cluster, name, without_tasks=without_tasks)
        )
        return self._alarms.watch(
            workload.key, seen + watched.tasks(limits, cluster, name), prefix=workload.alarm_prefix
        )

    def _watch(self, environment: Environment) -> None:
        """Watches what belongs to no single service, and then all of it."""
        project, watch = self.project, self._alarms.watch
        for zone, gateway in self._network.nat_gateway_ids.items():
            # A local has no quotes, which the JSON of the dashboard could not hold.
            gateway_id = TerraformLocal(self, f"nat_gateway_{zone}", gateway).as_string
            watch(f"nat.{zone}", watched.nat_gateway(gateway_id))
        for key, store in watched_stores.of_environment(project.name, environment):
            watch(key, store)
        watch("", watched.cluster(self._cluster.name))
        for key, name in self._log_groups.items():
            watch(key, watched.log_group(name))
        if environment.network.flow_logs != "off" and not environment.network.existing:
            name = naming.log_group(project.name, environment.name, "flow-logs")
            watch("flow-logs", watched.log_group(name))
        self._alarms.watch_all()
        chat.ChatChannels(self, environment, self._topics)
        saved_queries.SavedQueries(self, project, environment, [*self._log_groups.values()])
        shown = dashboard.Dashboard(self, project, environment, self._alarms)
        self.output("dashboard", shown.url, "The dashboard of the environment")

    def _start_at_times(self, workload: Workload, task: task_definition.TaskDefinition) -> None:
        settings, group = workload.settings, self._groups[workload.key]
        started = job.Job(
            self,
            workload.key,
            workload.environment,
            job_machine.JobTask(
                cluster_arn=self._cluster.arn,
                definition_arn=task.arn,
                family=workload.name,
                subnet_ids=group.subnet_ids,
                group_id=group.id,
                role_arns=[task.roles.execution.arn, task.roles.task.arn],
                spot_percent=settings.spot_percent,
                public=group.public,
            ),
            self._alarms,
            schedule=settings.schedule or "",
            timezone=settings.timezone,
            timeout=settings.timeout,
            retries=settings.retries,
            overlap=settings.overlap,
            needed=[self._cluster.capacity_providers, *task.roles.policies],
        )
        self.output(f"{workload.key}_state_machine", started.state_machine_arn, f"What runs {workload.key}")


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Gathers what applying services takes beyond reading."""
    project = platform.project
    linked = (
        cluster.LINKED_ROLE,
        autoscaling.LINKED_ROLE,
        load_balancer.LINKED_ROLE,
        chat.LINKED_ROLE,
    )
    return (
        *platform_stack.deploy(platform, account_id),
        service_linked_roles(account_id, linked),
        *alarm_topic.DEPLOY,
        *private_bucket.deploy(project, account_id),
        *releases.deploy(project, account_id),
        *log_group.deploy(project, account_id),
        *of_project(project.name, balancer_group.DEPLOY),
        *existing_network.deploy(platform, account_id),
        *load_balancer.deploy(project, account_id),
        *web_acl.deploy(project, account_id),
        *service_address.deploy(project, account_id),
        *certificate.deploy(platform, account_id),
        *bounded_role.deploy(project, account_id),
        *task_definition.deploy(project, account_id),
        *alarms.deploy(project, account_id),
        *chat.deploy(project, account_id),
        *dashboard.deploy(project, account_id),
        *saved_queries.DEPLOY,
        *ecs_service.deploy(project, account_id),
        *autoscaling.deploy(project, account_id),
        *job.deploy(project, account_id),
        *queue.deploy(project, account_id),
        *secret_rotation.deploy(project, account_id),
    )
