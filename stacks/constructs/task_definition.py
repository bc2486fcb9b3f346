"""What runs: one container, as a workload says."""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from stacks.bindings import (
    Construct,
    EcsTaskDefinition,
    EcsTaskDefinitionRuntimePlatform,
    EcsTaskDefinitionVolume,
    TerraformResourceLifecycle,
)
from stacks.constructs.secret_references import SecretReferences
from stacks.constructs.service_roles import ServiceRoles
from stacks.policies import Statement
from stacks.workloads import Reference, Workload

LOG_BUFFER = "25m"
"""Room for log events while CloudWatch is slow; beyond it events are lost rather than requests."""

DEPLOY: Final = (
    Statement(
        "ChangeTasksAndScaling",
        actions=["ecs:DeregisterTaskDefinition", "ecs:RegisterTaskDefinition"],
        resources=["*"],
    ),
)
"""What the deploy role needs to register and deregister revisions."""


class TaskDefinition:
    """A Fargate task definition with one container, named like the service.

    The container runs as the program's user, with a read-only root unless told otherwise, an init
    process, no Linux capability, and no secret by value. `references` are what its variables may say;
    `roles` must be able to do what they may before a task starts.
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        references: Mapping[Reference, str],
        roles: ServiceRoles,
        secrets: SecretReferences,
    ) -> None:
        key, service, program = workload.key, workload.settings, workload.program
        variables = {
            name: references[value] if isinstance(value, Reference) else value
            for name, value in workload.variables.items()
        }
        container = {
            "name": key,
            "image": references[Reference.IMAGE],
            "essential": True,
            "command": list(program.command),
            "user": program.user,
            "readonlyRootFilesystem": service.read_only_root,
            # ECS answers both lists; without one of them, every plan would replace the task definition.
            "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}},
            "stopTimeout": service.stop_timeout,
            "portMappings": [{"containerPort": program.port, "hostPort": program.port, "protocol": "tcp"}],
            "healthCheck": _health_check(workload),
            "logConfiguration": {
                "logDriver": "awslogs",
                "options": {
                    "awslogs-group": references[Reference.LOG_GROUP],
                    "awslogs-region": workload.environment.region,
                    "awslogs-stream-prefix": key,
                    "mode": "non-blocking",
                    "max-buffer-size": LOG_BUFFER,
                },
            },
            "environment": [{"name": name, "value": value} for name, value in sorted(variables.items())],
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
            family=workload.name,
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
        self.roles = roles


def _health_check(workload: Workload) -> dict[str, object]:
    check = workload.settings.health_check
    return {
        "command": ["CMD", *workload.program.health_command],
        "interval": check.interval,
        "timeout": check.timeout,
        "retries": check.unhealthy_threshold,
        "startPeriod": min(check.grace_period, 300),
    }


def _volume(path: str) -> str:
    """A name for a path's volume; the digest tells /a/b from /a-b."""
    readable = path.strip("/").replace("/", "-").replace(".", "-")
    return f"{readable}-{sha256(path.encode()).hexdigest()[:4]}"
