"""What runs: one container, as the app's contract and the service's settings say."""

import json
from hashlib import sha256

from stacks import naming
from stacks.bindings import (
    Construct,
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
    TerraformResourceLifecycle,
)
from stacks.constructs.secret_references import SecretReferences
from stacks.constructs.service_roles import ServiceRoles
from stacks.settings import Environment, Project, Service
from webapp import contract

LOG_BUFFER = "25m"
"""Room for log events while CloudWatch is slow; beyond it events are lost rather than requests."""

SECONDS_KEPT_FOR_STOPPING = 5
"""Of the stop timeout, what the app does not spend on requests in flight."""


class TaskDefinition:
    """A Fargate task definition with one container, named like the service.

    The container runs as the contract's user, with a read-only root unless told otherwise, an init
    process, no Linux capability, and no secret by value.
    """

    def __init__(
        self,
        scope: Construct,
        key: str,
        project: Project,
        environment: Environment,
        *,
        image: str,
        commit: str,
        table_name: str,
        log_group_name: str,
        roles: ServiceRoles,
        secrets: SecretReferences,
    ) -> None:
        service = environment.services[key]
        name = naming.load_balancer_name(project.name, environment.name, key)
        environment_variables = contract.environment_of(
            contract.Configuration(
                environment=environment.name,
                service=key,
                aws_region=environment.region,
                table=table_name,
                # Names and no references: the ECS service refers to this task definition.
                cluster=naming.base(project.name, environment.name),
                ecs_service=name,
                alarm_prefix=naming.alarm_prefix(project.name, environment.name, key),
                log_group=log_group_name,
                image=image,
                commit=commit,
                keep_alive=service.keep_alive,
                shutdown_timeout=service.stop_timeout - SECONDS_KEPT_FOR_STOPPING,
            )
        )
        container = {
            "name": key,
            "image": image,
            "essential": True,
            "command": list(contract.COMMAND),
            "user": contract.USER,
            "readonlyRootFilesystem": service.read_only_root,
            "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
            "stopTimeout": service.stop_timeout,
            "portMappings": [{"containerPort": contract.PORT, "hostPort": contract.PORT, "protocol": "tcp"}],
            "healthCheck": _health_check(service),
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": log_group_name,
                    "awslogs-region": environment.region,
                    "awslogs-stream-prefix": key,
                    "mode": "non-blocking",
                    "max-buffer-size": LOG_BUFFER,
                },
            },
            "environment": [
                {"name": name, "value": value} for name, value in sorted(environment_variables.items())
            ],
            "secrets": [
                {"name": name, "valueFrom": source} for name, source in sorted(secrets.value_from.items())
            ],
            "mountPoints": [
                {"sourceVolume": _volume(path), "containerPath": path, "readOnly": False}
                for path in sorted(service.writable_paths)
            ],
            "systemControls": [],
            "volumesFrom": [],
        }
        definition = EcsTaskDefinition(
            scope,
            f"{key}_task",
            family=name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(service.cpu),
            memory=str(service.memory),
            runtime_platform=EcsTaskDefinitionRuntimePlatform(
                operating_system_family="LINUX", cpu_architecture=service.architecture.upper()
            ),
            execution_role_arn=roles.execution.arn,
            task_role_arn=roles.task.arn,
            container_definitions=json.dumps([container], sort_keys=True),
            volume=[EcsTaskDefinitionVolume(name=_volume(path)) for path in sorted(service.writable_paths)]
            or None,
            # A rollback needs the former revision, which ECS does not start again once it is deregistered.
            skip_destroy=True,
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        self.arn = definition.arn


def _health_check(service: Service) -> dict[str, object]:
    check = service.health_check
    return {
        "command": ["CMD", *contract.HEALTH_COMMAND],
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.unhealthy_threshold,
        "startPeriod": min(check.grace_period, 300),
    }


def _volume(path: str) -> str:
    """A name for a path's volume; the digest tells /a/b from /a-b."""
    readable = path.strip("/").replace("/", "-").replace(".", "-")
    return f"{readable}-{sha256(path.encode()).hexdigest()[:4]}"
