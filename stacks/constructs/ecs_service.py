"""What keeps the tasks running and brings new releases in."""

from stacks.bindings import (
    Construct,
    EcsService,
    EcsServiceAlarms,
    EcsServiceCapacityProviderStrategy,
    EcsServiceDeploymentCircuitBreaker,
    EcsServiceLoadBalancer,
    EcsServiceNetworkConfiguration,
    EcsServiceServiceRegistries,
    TerraformResourceLifecycle,
)
from stacks.constructs.alarms import Created
from stacks.constructs.cluster import Cluster
from stacks.constructs.service_address import ServiceAddress
from stacks.constructs.targets import Targets
from stacks.constructs.task_definition import TaskDefinition
from stacks.constructs.task_group import TaskGroup
from stacks.fargate import TASKS_NEVER_ON_SPOT
from stacks.policies import Statement
from stacks.settings import Project


class Service:
    """An ECS service; a failed deployment is undone by itself.

    How many tasks there are is for autoscaling to say: Terraform sets the number once and then
    leaves it alone.
    """

    def __init__(
        self,
        scope: Construct,
        cluster: Cluster,
        task: TaskDefinition,
        group: TaskGroup,
        alarms: Created,
        *,
        targets: Targets | None,
        address: ServiceAddress | None,
    ) -> None:
        workload = group.workload
        key, service = workload.key, workload.settings
        ecs_service = EcsService(
            scope,
            f"{key}_service",
            name=workload.name,
            cluster=cluster.arn,
            task_definition=task.arn,
            platform_version="LATEST",
            desired_count=workload.scaling.min_capacity,
            capacity_provider_strategy=_capacity(service.spot_percent),
            # Without it the provider replaces the service when the strategy changes.
            force_new_deployment=True,
            network_configuration=EcsServiceNetworkConfiguration(
                subnets=group.subnet_ids,
                security_groups=[group.id],
                assign_public_ip=group.public,
            ),
            load_balancer=[
                EcsServiceLoadBalancer(
                    target_group_arn=targets.arn,
                    container_name=workload.target.name,
                    container_port=workload.port,
                )
            ]
            if targets
            else None,
            service_registries=EcsServiceServiceRegistries(registry_arn=address.arn) if address else None,
            health_check_grace_period_seconds=service.health_check.grace_period if targets else None,
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            deployment_circuit_breaker=EcsServiceDeploymentCircuitBreaker(enable=True, rollback=True),
            alarms=_undoing(alarms),
            availability_zone_rebalancing="ENABLED",
            enable_ecs_managed_tags=True,
            propagate_tags="SERVICE",
            enable_execute_command=service.exec,
            lifecycle=TerraformResourceLifecycle(ignore_changes=["desired_count"]),
            # What Terraform cannot see: AWS refuses a target group that no listener uses, tasks start
            # with what their roles may do at that moment, and both providers must be in the cluster.
            depends_on=[
                *(targets.rules if targets else ()),
                cluster.capacity_providers,
                *task.roles.policies,
            ],
        )
        self.name = ecs_service.name


def _undoing(alarms: Created) -> EcsServiceAlarms:
    """Returns the alarms for which ECS undoes a deployment, or that it does so for none.

    Without the block, a service keeps the alarms that it had, and every plan removes them again: the
    provider sends nothing for a block that is gone, and UpdateService changes only what it is given. It
    sends no empty list of names either.
    Sources: terraform-provider-aws 5.100, `aws_ecs_service`; aws/copilot-cli pull request 4565.
    """
    if names := alarms.undoing:
        return EcsServiceAlarms(alarm_names=[*names], enable=True, rollback=True)
    return EcsServiceAlarms(alarm_names=[*alarms.names[:1]], enable=False, rollback=False)


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


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for cluster and service, and to see why a deployment failed."""
    name = project.name
    return (
        Statement(
            "ChangeServices",
            actions=[
                "ecs:CreateCluster",
                "ecs:CreateService",
                "ecs:DeleteCluster",
                "ecs:DeleteService",
                "ecs:PutClusterCapacityProviders",
                "ecs:TagResource",
                "ecs:UntagResource",
                "ecs:UpdateCluster",
                "ecs:UpdateClusterSettings",
                "ecs:UpdateService",
            ],
            resources=[
                f"arn:aws:ecs:*:{account_id}:{kind}/{name}-*"
                for kind in ("cluster", "service", "task-definition")
            ],
        ),
        # Why a deployment failed: its stopped tasks, and the last lines of their logs.
        Statement(
            "ListTasks",
            actions=["ecs:ListTasks"],
            resources=["*"],
            conditions={"ArnLike": {"ecs:cluster": f"arn:aws:ecs:*:{account_id}:cluster/{name}-*"}},
        ),
        Statement(
            "ReadLogs",
            actions=["logs:GetLogEvents"],
            resources=[f"arn:aws:logs:*:{account_id}:log-group:/{name}/*:log-stream:*"],
        ),
    )
