"""What is measured of a service, and when somebody is told."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from stacks.bindings import CloudwatchMetricAlarm, Construct
from stacks.constructs.alarm_topic import AlarmTopic
from stacks.constructs.cluster import Cluster
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.targets import Targets
from stacks.policies import Statement
from stacks.settings import Project
from stacks.workloads import Workload

ELB: Final = "AWS/ApplicationELB"


@dataclass(frozen=True)
class Alarm:
    """A threshold on one metric over `minutes` in a row."""

    name: str
    description: str
    namespace: str
    metric: str
    statistic: str
    comparison: Literal["GreaterThanThreshold", "LessThanThreshold"]
    threshold: float
    minutes: int
    dimensions: Mapping[str, str]
    undoes_deployment: bool = False
    missing: Literal["breaching", "notBreaching"] = "notBreaching"
    """What a minute without data is taken for; most metrics have none while nothing happens."""


def metric_alarm(scope: Construct, prefix: str, before: str, alarm: Alarm, topic: AlarmTopic) -> str:
    """Creates an alarm that publishes to a topic, and returns its name.

    Its id in Terraform begins with `prefix`, its name with `before`.
    """
    created = CloudwatchMetricAlarm(
        scope,
        f"{prefix}{alarm.name.replace('-', '_')}",
        alarm_name=f"{before}{alarm.name}",
        alarm_description=alarm.description,
        namespace=alarm.namespace,
        metric_name=alarm.metric,
        dimensions=dict(alarm.dimensions),
        statistic=alarm.statistic,
        period=60,
        evaluation_periods=alarm.minutes,
        comparison_operator=alarm.comparison,
        threshold=alarm.threshold,
        treat_missing_data=alarm.missing,
        alarm_actions=[topic.arn],
        ok_actions=[topic.arn],
    )
    return created.alarm_name


class Alarms:
    """The alarms of a service: `names` of all, `deployment_alarm_names` of those that undo a deployment.

    Those must be quiet whenever a deployment may begin, the first one included: ECS monitors no alarm
    during a deployment that begins while one of them is raised. Source: Amazon ECS Developer Guide,
    "How CloudWatch alarms detect Amazon ECS deployment failures".
    """

    def __init__(
        self,
        scope: Construct,
        workload: Workload,
        cluster: Cluster,
        targets: Targets | None,
        topic: AlarmTopic,
    ) -> None:
        self.names: list[str] = []
        self.deployment_alarm_names: list[str] = []
        alarms = (
            *(_of_requests(workload, targets) if targets else _without_requests(workload, cluster)),
            *_of_tasks(workload, cluster),
        )
        for alarm in alarms:
            name = metric_alarm(scope, f"{workload.key}_", workload.alarm_prefix, alarm, topic)
            self.names.append(name)
            if alarm.undoes_deployment:
                self.deployment_alarm_names.append(name)


def watch_balancer(scope: Construct, balancer: LoadBalancer, topic: AlarmTopic) -> None:
    """Creates the alarm of a load balancer."""
    # Requests that reach no task count here only: without a task they get a 503, in a first deployment too.
    alarm = Alarm(
        "balancer-errors",
        "The load balancer itself answered more than ten requests in a minute with 5xx",
        ELB,
        "HTTPCode_ELB_5XX_Count",
        "Sum",
        "GreaterThanThreshold",
        10,
        2,
        {"LoadBalancer": balancer.arn_suffix},
    )
    metric_alarm(scope, balancer.prefix, f"{balancer.name}/", alarm, topic)


def _of_requests(workload: Workload, targets: Targets) -> Iterator[Alarm]:
    """Source: User Guide for Application Load Balancers, "CloudWatch metrics"."""
    dimensions = {"LoadBalancer": targets.load_balancer.arn_suffix, "TargetGroup": targets.arn_suffix}
    above: Literal["GreaterThanThreshold"] = "GreaterThanThreshold"
    yield Alarm(
        "server-errors",
        "More than ten answers of the app in a minute were 5xx",
        ELB,
        "HTTPCode_Target_5XX_Count",
        "Sum",
        above,
        10,
        2,
        dimensions,
        undoes_deployment=True,
    )
    yield Alarm(
        "unhealthy-tasks",
        "A task fails the load balancer's health check",
        ELB,
        "UnHealthyHostCount",
        "Maximum",
        above,
        0,
        5,
        dimensions,
        undoes_deployment=True,
    )
    # Also raised before the first task is healthy. ELB reports it only while tasks are registered, so no
    # data means that there is none; CloudWatch takes it so once it finds no older data any more. Sources:
    # User Guide for Application Load Balancers, "CloudWatch metrics"; CloudWatch User Guide, "Configuring
    # how CloudWatch alarms treat missing data".
    yield Alarm(
        "no-healthy-task",
        "No task passes the load balancer's health check, or none is registered",
        ELB,
        "HealthyHostCount",
        "Minimum",
        "LessThanThreshold",
        1,
        3,
        dimensions,
        missing=_without_tasks(workload),
    )
    yield Alarm(
        "slow-answers",
        "The app's answers take more than a second on average",
        ELB,
        "TargetResponseTime",
        "Average",
        above,
        1,
        5,
        dimensions,
    )


def _without_requests(workload: Workload, cluster: Cluster) -> Iterator[Alarm]:
    """Source: CloudWatch User Guide, "Amazon ECS Container Insights metrics"."""
    yield Alarm(
        "no-running-task",
        "No task runs",
        "ECS/ContainerInsights",
        "RunningTaskCount",
        "Minimum",
        "LessThanThreshold",
        1,
        3,
        {"ClusterName": cluster.name, "ServiceName": workload.name},
        missing=_without_tasks(workload),
    )


def _without_tasks(workload: Workload) -> Literal["breaching", "notBreaching"]:
    """What no data means: an outage, unless an empty queue or a schedule leaves it without tasks at times."""
    scaling = workload.scaling
    at_zero = not scaling.min_capacity or any(not each.max_capacity for each in scaling.schedule)
    return "notBreaching" if at_zero else "breaching"


def _of_tasks(workload: Workload, cluster: Cluster) -> Iterator[Alarm]:
    """Source: Amazon ECS Developer Guide, "Amazon ECS CloudWatch metrics"."""
    tasks = {"ClusterName": cluster.name, "ServiceName": workload.name}
    above: Literal["GreaterThanThreshold"] = "GreaterThanThreshold"
    yield Alarm(
        "cpu",
        "CPU use stays high: scaling is at its end",
        "AWS/ECS",
        "CPUUtilization",
        "Average",
        above,
        90,
        10,
        tasks,
    )
    yield Alarm(
        "memory", "Memory is nearly used up", "AWS/ECS", "MemoryUtilization", "Average", above, 90, 10, tasks
    )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for alarms, and for the topic that they publish to."""
    name = project.name
    return (
        Statement(
            "ChangeAlarms",
            actions=[
                "cloudwatch:DeleteAlarms",
                "cloudwatch:PutMetricAlarm",
                "cloudwatch:TagResource",
                "cloudwatch:UntagResource",
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:UntagResource",
            ],
            resources=[
                f"arn:aws:cloudwatch:*:{account_id}:alarm:{name}-*",
                f"arn:aws:sns:*:{account_id}:{name}-*",
            ],
        ),
    )
