"""What runs: the containers of a task, as a workload says."""

import json
from hashlib import sha256

from stacks import naming
from stacks.bindings import (
    Construct,
    EcsTaskDefinition,
    EcsTaskDefinitionEphemeralStorage,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
    TerraformResourceLifecycle,
)
from stacks.constructs.service_roles import ServiceRoles
from stacks.constructs.task_values import TaskValues
from stacks.containers import Container
from stacks.policies import Statement
from stacks.problems import QuotaError
from stacks.service_settings import ContainerHealth
from stacks.settings import Project
from stacks.values import literal
from stacks.workloads import Workload

LARGEST = 65_536
"""Most bytes of a task definition. Source: Amazon ECS Developer Guide, "Amazon ECS service quotas"."""

LOG_BUFFER = "25m"
"""Room for log events while CloudWatch is slow; beyond it events are lost rather than requests."""


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs to change task definitions, and to run those of `before_deploy`."""
    ecs, name = f"arn:aws:ecs:*:{account_id}", project.name
    return (
        Statement(
            "ChangeTasksAndScaling",
            actions=["ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"],
            resources=["*"],
        ),
        Statement(
            "RunBeforeDeploy",
            actions=["ecs:RunTask"],
            resources=[f"{ecs}:task-definition/{naming.before_deploy_family(name, '*', '*')}:*"],
            conditions={"ArnLike": {"ecs:cluster": f"{ecs}:cluster/{name}-*"}},
        ),
        Statement(
            "StopBeforeDeploy",
            actions=["ecs:StopTask"],
            resources=[f"{ecs}:task/{name}-*"],
        ),
    )


class TaskDefinition:
    """A Fargate task definition with the containers of a workload, the first named like the service.

    A container has a read-only root unless told otherwise, an init process, no Linux capability unless
    told otherwise, and no secret by value. `roles` must be able to do what they may before a task starts.
    `before_deploy` makes that of the task that runs before each deployment.
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        values: TaskValues,
        roles: ServiceRoles,
        *,
        before_deploy: bool = False,
    ) -> None:
        service = workload.settings
        containers = [workload.before_deploy] if before_deploy else workload.containers
        volumes = sorted(
            _volume(workload, container, path)
            for container in containers
            for path in container.writable_paths
        )
        definition = EcsTaskDefinition(
            scope,
            f"{workload.key}_before_deploy" if before_deploy else f"{workload.key}_task",
            family=workload.before_deploy_family if before_deploy else workload.name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(service.cpu),
            memory=str(service.memory),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                operating_system_family="LINUX", cpu_architecture=service.architecture.upper()
            ),
            ephemeral_storage=EcsTaskDefinitionEphemeralStorage(size_in_gib=service.ephemeral_storage)
            if service.ephemeral_storage
            else None,
            execution_role_arn=roles.execution.arn,
            task_role_arn=roles.task.arn,
            container_definitions=_within_limit(
                workload,
                json.dumps(
                    [_definition(workload, container, values) for container in containers], sort_keys=True
                ),
            ),
            volume=[
                *(EcsTaskDefinitionVolume(name=volume) for volume in volumes),
                *values.mounts.volumes(),
            ]
            or None,
            # A rollback needs the previous revision, which ECS does not start again once it is deregistered.
            skip_destroy=True,
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.arn = definition.arn
        self.roles = roles


def _within_limit(workload: Workload, text: str) -> str:
    """Returns the containers of a task definition. Raises QuotaError if AWS takes it for too large."""
    size = len(text.encode())
    if size > LARGEST:
        raise QuotaError(
            f"{workload.environment.name}.toml: services.{workload.key}: the task definition {workload.name} "
            f"would have {size} bytes; AWS allows {LARGEST}. It grows with the variables of its containers "
            "and, of a status app, with the services and stores of the environment: shorten variables, or "
            "titles and groups of rows."
        )
    return text


def _definition(workload: Workload, container: Container, values: TaskValues) -> dict[str, object]:
    """Returns a container as ECS knows it. Source: Amazon ECS API Reference, ContainerDefinition."""
    # ECS answers both lists; without one of them, every plan would replace the task definition.
    capabilities = {"capabilities": {"add": [], "drop": ["ALL"]}} if container.capabilities == "none" else {}
    optional: dict[str, object] = {
        "command": [literal(word) for word in container.command],
        "entryPoint": [literal(word) for word in container.entry_point],
        "user": container.user,
        "workingDirectory": container.working_directory,
        "healthCheck": _health_check(container.health) if container.health else None,
    }
    return {
        "name": container.name,
        "image": values.image(container),
        "essential": container.essential,
        "readonlyRootFilesystem": container.read_only_root,
        "linuxParameters": {"initProcessEnabled": True, **capabilities},
        "stopTimeout": container.stop_timeout,
        "portMappings": [{"containerPort": container.port, "hostPort": container.port, "protocol": "tcp"}]
        if container.port
        else [],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": workload.log_group,
                "awslogs-region": workload.environment.region,
                "awslogs-stream-prefix": workload.key,
                "mode": "non-blocking",
                "max-buffer-size": LOG_BUFFER,
            },
        },
        "environment": [
            {"name": name, "value": value} for name, value in sorted(values.variables(container).items())
        ],
        "secrets": [
            {"name": name, "valueFrom": source}
            for name, source in sorted(values.value_from[container.name].items())
        ],
        "mountPoints": [
            {"sourceVolume": _volume(workload, container, path), "containerPath": path, "readOnly": False}
            for path in sorted(container.writable_paths)
        ]
        + values.mounts.points(),
        "systemControls": [],
        "volumesFrom": [],
        **{key: value for key, value in optional.items() if value},
    }


def _health_check(health: ContainerHealth) -> dict[str, object]:
    return {
        "command": ["CMD", *(literal(word) for word in health.command)],
        "interval": health.interval,
        "timeout": health.timeout,
        "retries": health.retries,
        "startPeriod": health.start_period,
    }


def _volume(workload: Workload, container: Container, path: str) -> str:
    """A name for a path's volume; the digest tells /a/b from /a-b."""
    whose = "" if container.name == workload.key else f"{container.name}:"
    readable = f"{whose}{path.strip('/')}".replace("/", "-").replace(".", "-").replace(":", "-")
    return f"{readable}-{sha256(f'{whose}{path}'.encode()).hexdigest()[:4]}"
