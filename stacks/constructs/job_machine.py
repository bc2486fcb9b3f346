"""What Step Functions does for one run of a job: a task of ECS, followed to its end.

    another run? -> Run -> (timed out: find its task, stop it, fail)
        \\-> Skipped

Sources: Step Functions Developer Guide, "Run Amazon ECS or Fargate tasks with Step Functions", "Transforming
data with JSONata", "Handling errors" and "Accessing execution data from the Context object".
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

RUN: Final = "Run"
"""The state that runs the task: what it returns is the task's description, with its exit codes."""

TIMED_OUT: Final = "JobTimedOut"
"""The error of a run that took too long."""

_FIRST_WAIT: Final = 30
"""Seconds until a failed task is run again; doubled with each further time."""

_LONGEST_WAIT: Final = 900

_STARTS: Final = 3
"""How often a task that ECS cannot start, for lack of capacity for example, is tried again."""

_OLDER: Final = (
    "{% $exists($states.result.Executions[ExecutionArn != $states.context.Execution.Id"
    " and $toMillis(StartDate) < $toMillis($states.context.Execution.StartTime)]) %}"
)
"""Whether another run is there that began earlier: of two that begin together, one goes on."""

_OWN_TASKS: Final = "{% [$states.result.Tasks[Group = $states.context.Execution.Name].TaskArn] %}"


@dataclass(frozen=True, slots=True)
class JobTask:
    """The task that a job runs. ARNs and ids may be references."""

    cluster_arn: str
    definition_arn: str
    """With its revision."""
    family: str
    """The task definition's family."""
    subnet_ids: Sequence[str]
    group_id: str
    """Its security group."""
    role_arns: Sequence[str]
    """The execution role and the task role."""
    spot_percent: int = 0
    """Chance that a run is on Fargate Spot, whose tasks AWS may end."""
    public: bool = False
    """Whether it gets a public address."""


def definition(task: JobTask, *, timeout: int, retries: int, overlap: bool) -> str:
    """Returns the state machine of a job in Amazon States Language.

    A run fails if a container ends with an exit code other than 0; it is repeated up to `retries` times. One
    that takes more than `timeout` seconds is not: its task is stopped, since Step Functions promises to stop
    what a state started only if the execution is stopped.
    """
    states: dict[str, Any] = {
        RUN: {
            "Type": "Task",
            "Resource": "arn:aws:states:::ecs:runTask.sync",
            "Arguments": _arguments(task),
            "TimeoutSeconds": timeout,
            "Retry": [*_retries(retries)],
            "Catch": [{"ErrorEquals": ["States.Timeout"], "Next": "List tasks"}],
            "End": True,
        },
        **_stopping(task, timeout),
    }
    if not overlap:
        states |= _alone()
    return json.dumps(
        {"QueryLanguage": "JSONata", "StartAt": RUN if overlap else "List runs", "States": states},
        sort_keys=True,
    )


def longest_run(timeout: int, retries: int) -> timedelta:
    """Returns how long a run takes at most until it has succeeded: its tries and the waits between them."""
    waits = [
        min(_FIRST_WAIT * 2**number, _LONGEST_WAIT) for tries in (retries, _STARTS) for number in range(tries)
    ]
    return timedelta(seconds=timeout * (retries + 1) + sum(waits))


def _arguments(task: JobTask) -> Mapping[str, Any]:
    weights = {"FARGATE": 100 - task.spot_percent, "FARGATE_SPOT": task.spot_percent}
    return {
        "Cluster": task.cluster_arn,
        "TaskDefinition": task.definition_arn,
        "CapacityProviderStrategy": [
            {"CapacityProvider": provider, "Weight": weight} for provider, weight in weights.items() if weight
        ],
        "PlatformVersion": "LATEST",
        "NetworkConfiguration": {
            "AwsvpcConfiguration": {
                "Subnets": list(task.subnet_ids),
                "SecurityGroups": [task.group_id],
                "AssignPublicIp": "ENABLED" if task.public else "DISABLED",
            }
        },
        "EnableECSManagedTags": True,
        "PropagateTags": "TASK_DEFINITION",
        "Group": "{% $states.context.Execution.Name %}",
    }


def _retries(retries: int) -> Sequence[Mapping[str, Any]]:
    """Returns the retriers; the first one that knows an error counts.

    `States.TaskFailed` stands for every error but a time-out.
    """
    waits = {"IntervalSeconds": _FIRST_WAIT, "BackoffRate": 2, "MaxDelaySeconds": _LONGEST_WAIT}
    not_started = {"ErrorEquals": ["AmazonECS.Unknown"], "MaxAttempts": _STARTS, **waits}
    failed = {"ErrorEquals": ["States.TaskFailed"], "MaxAttempts": retries, **waits}
    return (not_started, failed) if retries else (not_started,)


def _alone() -> Mapping[str, Any]:
    """Returns the states that end a run while an older one is not done."""
    return {
        "List runs": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:sfn:listExecutions",
            "Arguments": {
                "StateMachineArn": "{% $states.context.StateMachine.Id %}",
                "StatusFilter": "RUNNING",
            },
            "Output": {"running": _OLDER},
            "Retry": [{"ErrorEquals": ["States.TaskFailed"], "IntervalSeconds": 2, "MaxAttempts": 5}],
            "Next": "Another run?",
        },
        "Another run?": {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $states.input.running %}", "Next": "Skipped"}],
            "Default": RUN,
        },
        "Skipped": {"Type": "Succeed", "Output": {"skipped": "The previous run is not done."}},
    }


def _stopping(task: JobTask, timeout: int) -> Mapping[str, Any]:
    """Returns the states that stop the task of a run that took too long, found by its group."""
    failed = [{"ErrorEquals": ["States.ALL"], "Next": "Timed out"}]
    return {
        "List tasks": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ecs:listTasks",
            "Arguments": {"Cluster": task.cluster_arn, "Family": task.family},
            "Output": "{% $states.result.TaskArns %}",
            "Catch": failed,
            "Next": "Find its task",
        },
        "Find its task": {
            "Type": "Task",
            "Resource": "arn:aws:states:::aws-sdk:ecs:describeTasks",
            "Arguments": {"Cluster": task.cluster_arn, "Tasks": "{% $states.input %}"},
            "Output": _OWN_TASKS,
            "Catch": failed,
            "Next": "Stop it",
        },
        "Stop it": {
            "Type": "Map",
            "Items": "{% $states.input %}",
            "ItemProcessor": {
                "StartAt": "Stop",
                "States": {
                    "Stop": {
                        "Type": "Task",
                        "Resource": "arn:aws:states:::aws-sdk:ecs:stopTask",
                        "Arguments": {
                            "Cluster": task.cluster_arn,
                            "Task": "{% $states.input %}",
                            "Reason": f"The job took more than {timeout} s",
                        },
                        "End": True,
                    }
                },
            },
            "Catch": failed,
            "Next": "Timed out",
        },
        "Timed out": {"Type": "Fail", "Error": TIMED_OUT, "Cause": f"The job took more than {timeout} s"},
    }
