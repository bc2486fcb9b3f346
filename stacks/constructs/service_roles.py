"""What starts a task, and what runs in it, each with a role of its own."""

from collections.abc import Iterator

from stacks import components
from stacks.bindings import IamRolePolicy
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.image_repository import PULL_ACTIONS
from stacks.constructs.log_group import LogGroup
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.task_values import TaskValues
from stacks.constructs.workload_boundary import EXEC_ACTIONS
from stacks.policies import Statement
from stacks.workloads import Workload


class ServiceRoles:
    """What starts the tasks of a service, and what its program acts as.

    The execution role pulls the images, reads the secrets and writes the log; the task role allows what
    the workload's grants and permissions say and nothing else.
    """

    def __init__(
        self,
        scope: PlatformStack,
        workload: Workload,
        log_group: LogGroup,
        values: TaskValues,
    ) -> None:
        key = workload.key
        self.execution = BoundedRole(
            scope,
            f"{key}_execution_role",
            name=workload.execution_role,
            description=f"Starts tasks of {key}",
            service="ecs-tasks.amazonaws.com",
            statements=[*_execution(workload, log_group, values)],
        )
        self.task = BoundedRole(
            scope,
            f"{key}_task_role",
            name=workload.task_role,
            description=f"What {key} itself may do",
            service="ecs-tasks.amazonaws.com",
            statements=[*_task(workload), *values.mounts.statements()],
        )

    @property
    def policies(self) -> list[IamRolePolicy]:
        """Returns what both roles may do, for what must wait until they may."""
        return [*self.execution.policies, *self.task.policies]


def _execution(workload: Workload, log_group: LogGroup, values: TaskValues) -> Iterator[Statement]:
    yield Statement("Login", ["ecr:GetAuthorizationToken"], ["*"])
    if repositories := workload.repository_arns:
        yield Statement("PullImage", PULL_ACTIONS, repositories)
    yield Statement("WriteLog", ["logs:CreateLogStream", "logs:PutLogEvents"], [f"{log_group.arn}:*"])
    if values.ssm_arns:
        yield Statement("ReadParameters", ["ssm:GetParameters"], values.ssm_arns)
    if values.secretsmanager_arns:
        yield Statement("ReadSecrets", ["secretsmanager:GetSecretValue"], values.secretsmanager_arns)


def _task(workload: Workload) -> Iterator[Statement]:
    resources = components.resources(workload.project, workload.environment, workload.key)
    yield from workload.permissions
    for connection in workload.connections:
        yield from connection.statements
    for grant in workload.grants:
        if arns := resources[grant.resource]:
            yield Statement(grant.sid, grant.actions, arns)
    if workload.settings.exec:
        yield Statement("Exec", EXEC_ACTIONS, ["*"])
