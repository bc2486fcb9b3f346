"""A task that runs on a schedule: EventBridge Scheduler starts a state machine, which runs it in ECS."""

import json
from collections.abc import Sequence
from typing import Any

from stacks import naming, schedules, watched
from stacks.bindings import (
    SchedulerSchedule,
    SchedulerScheduleFlexibleTimeWindow,
    SchedulerScheduleTarget,
    SchedulerScheduleTargetDeadLetterConfig,
    SchedulerScheduleTargetRetryPolicy,
    SfnStateMachine,
    SqsQueue,
)
from stacks.constructs.alarms import Alarms
from stacks.constructs.job_machine import JobTask, definition, longest_run
from stacks.constructs.job_roles import JobRoles
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Environment, Project

_INVOCATION_SECONDS = 3600
"""For how long Scheduler tries to start a run before it gives up."""

_INVOCATION_TRIES = 10

_LETTERS_SECONDS = 1_209_600
"""For how long what it gave up is kept: 14 days, the most.

Source: Amazon SQS API Reference, "CreateQueue".
"""


class Job:
    """The schedule of a job, its state machine and its alarms.

    A release changes the state machine, which names the revision of the task definition. `needed` are what
    tasks start with and Terraform cannot see: the policies of the task's roles, the cluster's providers.
    """

    def __init__(
        self,
        scope: PlatformStack,
        key: str,
        environment: Environment,
        task: JobTask,
        alarms: Alarms,
        *,
        schedule: str,
        timezone: str,
        timeout: int,
        retries: int,
        overlap: bool,
        needed: Sequence[Any] = (),
    ) -> None:
        project = scope.project.name
        letters = SqsQueue(
            scope,
            f"{key}_dead_letters",
            name=naming.dead_letter_queue(project, environment.name, key),
            message_retention_seconds=_LETTERS_SECONDS,
            sqs_managed_sse_enabled=True,
        )
        roles = JobRoles(scope, key, environment, task, queue_arn=letters.arn, overlap=overlap)
        machine = SfnStateMachine(
            scope,
            f"{key}_state_machine",
            name=naming.job_name(project, environment.name, key),
            role_arn=roles.machine.arn,
            definition=definition(task, timeout=timeout, retries=retries, overlap=overlap),
            depends_on=[*roles.machine.policies, *needed],
        )
        SchedulerSchedule(
            scope,
            f"{key}_schedule",
            name=naming.job_name(project, environment.name, key),
            description=f"Starts runs of {key}",
            schedule_expression=schedules.parse(schedule).expression,
            schedule_expression_timezone=timezone,
            flexible_time_window=SchedulerScheduleFlexibleTimeWindow(mode="OFF"),
            target=SchedulerScheduleTarget(
                arn=machine.arn,
                role_arn=roles.schedule.arn,
                # Which run it is, in the execution's input.
                input=json.dumps({"scheduled_time": "<aws.scheduler.scheduled-time>"}),
                retry_policy=SchedulerScheduleTargetRetryPolicy(
                    maximum_event_age_in_seconds=_INVOCATION_SECONDS,
                    maximum_retry_attempts=_INVOCATION_TRIES,
                ),
                dead_letter_config=SchedulerScheduleTargetDeadLetterConfig(arn=letters.arn),
            ),
            depends_on=[*roles.schedule.policies],
        )
        # A run may end at once, and the next one as late as the settings allow.
        gap = schedules.longest_gap(schedule, schedules.time_zone(timezone))
        wait = gap + longest_run(timeout, retries) if gap else None
        alarms.watch(
            key,
            watched.job(machine.arn, letters.name, wait),
            prefix=naming.alarm_prefix(project, environment.name, key),
        )
        self.state_machine_arn = machine.arn


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for schedules and state machines.

    Terraform has AWS check a state machine's definition when it plans, which `permissions.read` allows.
    """
    name = project.name
    return (
        Statement(
            "ChangeJobs",
            actions=[
                "scheduler:CreateSchedule",
                "scheduler:DeleteSchedule",
                "scheduler:UpdateSchedule",
                "states:CreateStateMachine",
                "states:DeleteStateMachine",
                "states:TagResource",
                "states:UntagResource",
                "states:UpdateStateMachine",
            ],
            resources=[
                f"arn:aws:scheduler:*:{account_id}:schedule/default/{name}-*",
                f"arn:aws:states:*:{account_id}:stateMachine:{name}-*",
            ],
        ),
    )
