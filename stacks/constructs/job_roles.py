"""Who starts a run of a job, and who runs its task."""

from collections.abc import Iterator

from stacks import naming
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.job_boundary import EVENT_ACTIONS
from stacks.constructs.job_machine import JobTask
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Environment


class JobRoles:
    """The schedule's role starts the state machine, whose own role runs the task and nothing else.

    Source: Step Functions Developer Guide, "Run Amazon ECS or Fargate tasks with Step Functions", IAM
    policies; EventBridge Scheduler User Guide, "Set up the execution role" and "Configuring a dead-letter
    queue".
    """

    def __init__(
        self,
        scope: PlatformStack,
        key: str,
        environment: Environment,
        task: JobTask,
        *,
        queue_arn: str,
        overlap: bool,
    ) -> None:
        project = scope.project.name
        machine = naming.state_machine_arn(project, environment, key)
        self.schedule = BoundedRole(
            scope,
            f"{key}_schedule_role",
            name=naming.role_name(project, environment.name, f"{key}-schedule"),
            description=f"Starts runs of {key}",
            service="scheduler.amazonaws.com",
            statements=[
                Statement("StartRuns", ["states:StartExecution"], [machine]),
                Statement("KeepDeadLetters", ["sqs:SendMessage"], [queue_arn]),
            ],
        )
        self.machine = BoundedRole(
            scope,
            f"{key}_run_role",
            name=naming.role_name(project, environment.name, f"{key}-run"),
            description=f"Runs tasks of {key}",
            service="states.amazonaws.com",
            statements=[*_run(environment, task), *_alone(machine, overlap=overlap)],
        )


def _run(environment: Environment, task: JobTask) -> Iterator[Statement]:
    region, account_id = environment.region, environment.account_id
    own_cluster = {"ArnEquals": {"ecs:cluster": task.cluster_arn}}
    # Of any revision: a release changes the state machine, and not this.
    family = f"arn:aws:ecs:{region}:{account_id}:task-definition/{task.family}:*"
    yield Statement("RunTask", ["ecs:RunTask"], [family], conditions=own_cluster)
    yield Statement("ListTasks", ["ecs:ListTasks"], ["*"], conditions=own_cluster)
    yield Statement(
        "FollowTask",
        ["ecs:DescribeTasks", "ecs:StopTask"],
        [f"arn:aws:ecs:{region}:{account_id}:task/*"],
        conditions=own_cluster,
    )
    yield Statement(
        "TagTask",
        ["ecs:TagResource"],
        [f"arn:aws:ecs:{region}:{account_id}:task/*"],
        conditions={"StringEquals": {"ecs:CreateAction": "RunTask"}},
    )
    yield Statement(
        "PassRoles",
        ["iam:PassRole"],
        task.role_arns,
        conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
    )
    yield Statement("HearOfTasks", EVENT_ACTIONS, [naming.task_events_rule_arn(region, account_id)])


def _alone(machine: str, *, overlap: bool) -> Iterator[Statement]:
    if not overlap:
        yield Statement("ListRuns", ["states:ListExecutions"], [machine])
