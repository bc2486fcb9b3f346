"""How many tasks there are."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from stacks import naming
from stacks.bindings import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingScheduledAction,
    AppautoscalingScheduledActionScalableTargetAction,
    AppautoscalingTarget,
    Construct,
    TerraformResourceLifecycle,
)
from stacks.constructs.cluster import Cluster
from stacks.constructs.ecs_service import Service
from stacks.constructs.targets import Targets
from stacks.policies import Statement
from stacks.schedules import parse
from stacks.service_settings import Scaling
from stacks.settings import Project
from stacks.workloads import Workload

SECONDS_BETWEEN_ADDING = 60
SECONDS_BETWEEN_REMOVING = 300

_CONFIGURATION: Final = "target_tracking_scaling_policy_configuration"

LINKED_ROLE: Final = "ecs.application-autoscaling.amazonaws.com"
"""The service whose linked role comes with the first scalable target of an account."""


class Autoscaling:
    """Target tracking on each figure that the settings name; the largest demand wins.

    Source: Application Auto Scaling User Guide, "Target tracking scaling policies".
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        cluster: Cluster,
        service: Service,
        targets: Targets | None,
    ) -> None:
        key, scaling = workload.key, workload.scaling
        target = AppautoscalingTarget(
            scope,
            f"{key}_scaling",
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=f"service/{cluster.name}/{service.name}",
            min_capacity=scaling.min_capacity,
            max_capacity=scaling.max_capacity,
            # A scheduled action changes both.
            lifecycle=TerraformResourceLifecycle(ignore_changes=["min_capacity", "max_capacity"])
            if scaling.schedule
            else None,
        )
        for each in scaling.schedule:
            expression = parse(each.at).expression
            name = sha256(f"{expression} {each.timezone}".encode()).hexdigest()[:6]
            AppautoscalingScheduledAction(
                scope,
                f"{key}_scaling_at_{name}",
                name=f"at-{name}",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                schedule=expression,
                timezone=each.timezone,
                scalable_target_action=AppautoscalingScheduledActionScalableTargetAction(
                    min_capacity=str(each.min_capacity), max_capacity=str(each.max_capacity)
                ),
            )
        figures = (
            ("cpu", "ECSServiceAverageCPUUtilization", scaling.cpu_percent, None),
            ("memory", "ECSServiceAverageMemoryUtilization", scaling.memory_percent, None),
            (
                "requests",
                "ALBRequestCountPerTarget",
                scaling.requests_per_target,
                f"{targets.load_balancer.arn_suffix}/{targets.arn_suffix}" if targets else None,
            ),
        )
        for name, metric, value, label in figures:
            if value and not _left_to_the_queue(scaling, name):
                policy = _track(scope, key, target, name, value)
                policy.add_override(
                    f"{_CONFIGURATION}.predefined_metric_specification",
                    {"predefined_metric_type": metric, **({"resource_label": label} if label else {})},
                )
        if scaling.queue:
            queue = naming.queue_name(workload.project.name, workload.environment, scaling.queue)
            policy = _track(scope, key, target, "backlog", scaling.messages_per_task)
            policy.add_override(
                f"{_CONFIGURATION}.customized_metric_specification",
                {"metrics": _backlog(queue, cluster.name, workload.name, scaling.messages_per_task)},
            )


def _left_to_the_queue(scaling: Scaling, figure: str) -> bool:
    """Whether a figure would keep the last task, which is never idle enough to need none of it."""
    from_zero = scaling.queue and not scaling.min_capacity
    return bool(from_zero) and f"{figure}_percent" not in scaling.model_fields_set


def _track(
    scope: Construct, key: str, target: AppautoscalingTarget, name: str, value: int
) -> AppautoscalingPolicy:
    """Creates a policy that aims at a value; the caller adds the metric."""
    return AppautoscalingPolicy(
        scope,
        f"{key}_scaling_by_{name}",
        name=f"by-{name}",
        policy_type="TargetTrackingScaling",
        service_namespace=target.service_namespace,
        scalable_dimension=target.scalable_dimension,
        resource_id=target.resource_id,
        target_tracking_scaling_policy_configuration=AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration(
            target_value=value,
            scale_out_cooldown=SECONDS_BETWEEN_ADDING,
            scale_in_cooldown=SECONDS_BETWEEN_REMOVING,
        ),
    )


def _backlog(queue: str, cluster: str, service: str, per_task: int) -> list[dict[str, object]]:
    """Returns the messages per task, those included that tasks are working on, as Terraform's JSON.

    Without tasks, the first message counts for more than one task is to have, so that there will be one; the
    last task counts as busy until there is no message left. Neither the queue nor the cluster reports
    anything while nothing happens: no data is none of them.

    Sources: Application Auto Scaling User Guide, "Create a target tracking scaling policy using metric math";
    Amazon SQS Developer Guide, "Available CloudWatch metrics for Amazon SQS"; CloudWatch User Guide, "Amazon
    ECS Container Insights metrics" and "Using math expressions with CloudWatch metrics".
    """
    in_queue = [("QueueName", queue)]
    return [
        _metric("visible", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Sum", in_queue),
        _metric("taken", "AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "Sum", in_queue),
        _metric(
            "running",
            "ECS/ContainerInsights",
            "RunningTaskCount",
            "Average",
            [("ClusterName", cluster), ("ServiceName", service)],
        ),
        _term("messages", "FILL(visible, 0) + FILL(taken, 0)"),
        _term("tasks", "FILL(running, 0)"),
        _term("last", f"IF(messages > {per_task}, messages, IF(messages > 0, {per_task}, 0))"),
        _term("none", f"IF(messages > 0, messages + {per_task}, 0)"),
        {
            **_term("backlog", "IF(tasks > 1, messages / tasks, IF(tasks > 0, last, none))"),
            "label": "Messages per task",
            "return_data": True,
        },
    ]


def _term(name: str, expression: str) -> dict[str, object]:
    return {"id": name, "expression": expression, "return_data": False}


def _metric(
    name: str, namespace: str, metric: str, statistic: str, dimensions: Sequence[tuple[str, str]]
) -> dict[str, object]:
    return {
        "id": name,
        "metric_stat": {
            "metric": {
                "namespace": namespace,
                "metric_name": metric,
                "dimensions": [{"name": key, "value": value} for key, value in dimensions],
            },
            "stat": statistic,
        },
        "return_data": False,
    }


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for scaling.

    Target tracking creates and deletes its alarms with the rights of whoever puts or deletes the policy.
    Source: Application Auto Scaling User Guide, "Permissions required for API actions on target services
    and CloudWatch".
    """
    alarms = f"arn:aws:cloudwatch:*:{account_id}:alarm:TargetTracking-service/{project.name}-*"
    return (
        Statement(
            "ChangeScalingAlarms",
            actions=["cloudwatch:DeleteAlarms", "cloudwatch:PutMetricAlarm"],
            resources=[alarms],
        ),
        # Scalable targets have ids that no policy can name.
        Statement(
            "ChangeScaling",
            actions=[
                "application-autoscaling:DeleteScalingPolicy",
                "application-autoscaling:DeleteScheduledAction",
                "application-autoscaling:DeregisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
                "application-autoscaling:PutScheduledAction",
                "application-autoscaling:RegisterScalableTarget",
            ],
            resources=["*"],
            conditions={"StringEquals": {"application-autoscaling:service-namespace": "ecs"}},
        ),
        Statement(
            "ChangeTasksAndScaling",
            actions=[
                "application-autoscaling:TagResource",
                "application-autoscaling:UntagResource",
            ],
            resources=["*"],
        ),
    )
