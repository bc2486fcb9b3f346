"""The most that the roles which start jobs can do, whatever their own policies say."""

from typing import Final

from stacks import naming, policies
from stacks.bindings import Construct, IamPolicy
from stacks.policies import Statement
from stacks.settings import Project

EVENT_ACTIONS: Final = ("events:DescribeRule", "events:PutRule", "events:PutTargets")
"""How Step Functions hears that a task has ended. Source: Step Functions Developer Guide, "Run Amazon ECS or
Fargate tasks with Step Functions", IAM policies."""


class JobBoundary:
    """The permissions boundary of the roles of EventBridge Scheduler and Step Functions in this account."""

    def __init__(self, scope: Construct, project: Project, account_id: str) -> None:
        name = project.name
        IamPolicy(
            scope,
            "job_boundary",
            name=naming.job_boundary(name),
            description="The most that a role that starts jobs and deployments can do",
            policy=policies.managed_document(
                naming.job_boundary(name),
                Statement(
                    "StartRuns",
                    actions=["states:ListExecutions", "states:StartExecution"],
                    resources=[f"arn:aws:states:*:{account_id}:stateMachine:{name}-*"],
                ),
                Statement(
                    "KeepDeadLetters",
                    actions=["sqs:SendMessage"],
                    resources=[f"arn:aws:sqs:*:{account_id}:{name}-*"],
                ),
                Statement(
                    "RunTasks",
                    actions=["ecs:RunTask"],
                    resources=[f"arn:aws:ecs:*:{account_id}:task-definition/{name}-*"],
                ),
                Statement(
                    "FollowTasks",
                    actions=["ecs:DescribeTasks", "ecs:StopTask", "ecs:TagResource"],
                    resources=[f"arn:aws:ecs:*:{account_id}:task/{name}-*"],
                ),
                Statement(
                    "ListTasks",
                    actions=["ecs:ListTasks"],
                    resources=["*"],
                    conditions={"ArnLike": {"ecs:cluster": f"arn:aws:ecs:*:{account_id}:cluster/{name}-*"}},
                ),
                Statement(
                    "PassRolesToTasks",
                    actions=["iam:PassRole"],
                    resources=[f"arn:aws:iam::{account_id}:role/{name}-*"],
                    conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
                ),
                Statement(
                    "DeployAnew",
                    actions=["ecs:UpdateService"],
                    resources=[f"arn:aws:ecs:*:{account_id}:service/{name}-*"],
                ),
                Statement(
                    "HearOfTasks",
                    actions=EVENT_ACTIONS,
                    resources=[naming.task_events_rule_arn("*", account_id)],
                ),
            ),
        )
