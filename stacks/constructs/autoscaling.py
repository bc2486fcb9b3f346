"""How many tasks there are."""

from hashlib import sha256
from typing import Final

from stacks.bindings import (
    AppautoscalingPolicy,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfiguration,
    AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification,
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
from stacks.settings import Project
from stacks.workloads import Workload

SECONDS_BETWEEN_ADDING = 60
SECONDS_BETWEEN_REMOVING = 300

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
            if not value:
                continue
            AppautoscalingPolicy(
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
                    predefined_metric_specification=AppautoscalingPolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecification(
                        predefined_metric_type=metric, resource_label=label
                    ),
                ),
            )


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
