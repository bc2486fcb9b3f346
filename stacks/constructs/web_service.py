"""What keeps the tasks running and brings new releases in."""

from stacks import naming
from stacks.bindings import (
    Construct,
    EcsService,
    EcsServiceAlarms,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    TerraformResourceLifecycle,
)
from stacks.constructs.alarms import Alarms
from stacks.constructs.cluster import Cluster
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.service_groups import ServiceGroups
from stacks.constructs.service_roles import ServiceRoles
from stacks.constructs.task_definition import TaskDefinition
from stacks.network import NetworkStack
from stacks.settings import Environment, Project
from webapp import contract

TASKS_NEVER_ON_SPOT = 2


class WebService:
    """An ECS service in the private tier; a failed deployment is undone by itself.

    How many tasks there are is for autoscaling to say: Terraform sets the number once and then
    leaves it alone.
    """

    def __init__(
        self,
        scope: Construct,
        key: str,
        project: Project,
        environment: Environment,
        network: NetworkStack,
        cluster: Cluster,
        balancer: LoadBalancer,
        groups: ServiceGroups,
        roles: ServiceRoles,
        task: TaskDefinition,
        alarms: Alarms,
    ) -> None:
        service = environment.services[key]
        ecs_service = EcsService(
            scope,
            f"{key}_service",
            name=naming.load_balancer_name(project.name, environment.name, key),
            cluster=cluster.arn,
            task_definition=task.arn,
            platform_version="LATEST",
            desired_count=service.scaling.min_capacity,
            capacity_provider_strategy=_capacity(service.spot_percent),
            # Without it the provider replaces the service when the strategy changes.
            force_new_deployment=True,
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=list(network.private.ids.values()),
                security_groups=[groups.task_id],
                assign_public_ip=False,
            ),
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=balancer.target_group_arn,
                    container_name=key,
                    container_port=contract.PORT,
                )
            ],
            health_check_grace_period_seconds=service.health_check.grace_period,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            alarms=EcsServiceAlarms(alarm_names=alarms.deployment_alarm_names, enable=True, rollback=True),
            availability_zone_rebalancing="ENABLED",
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            enable_execute_command=service.exec,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]),
            # What Terraform cannot see: AWS refuses a target group that no listener uses, tasks start
            # with what their roles may do at that moment, and both providers must be in the cluster.
            depends_on=[
                balancer.listener,
                cluster.capacity_providers,
                roles.execution.policy,
                roles.task.policy,
            ],
        )
        self.name = ecs_service.name


def _capacity(spot_percent: int) -> list[EcsServiceCapacityProviderStrategy]:
    strategy = []
    if spot_percent < 100:
        strategy.append(
            EcsServiceCapacityProviderStrategy(
                capacity_provider="FARGATE",
                base=TASKS_NEVER_ON_SPOT if spot_percent else 0,
                weight=100 - spot_percent,
            )
        )
    if spot_percent:
        strategy.append(
            EcsServiceCapacityProviderStrategy(capacity_provider="FARGATE_SPOT", base=0, weight=spot_percent)
        )
    return strategy
