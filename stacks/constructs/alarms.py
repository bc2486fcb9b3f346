"""The alarms of an environment: each notifies the topic, and one that watches them wakes people."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stacks import naming
from stacks.alarm_settings import Thresholds
from stacks.bindings import (
    CloudwatchCompositeAlarm,
    CloudwatchMetricAlarm,
    CloudwatchMetricAlarmMetricQuery,
    CloudwatchMetricAlarmMetricQueryMetric,
    Construct,
    TerraformResourceLifecycle,
)
from stacks.constructs.alarm_topic import AlarmTopics
from stacks.metrics import Chart, Metric
from stacks.policies import Statement
from stacks.problems import QuotaError
from stacks.settings import Environment, Project
from stacks.watched import Alarm, Watched

MOST_CHILDREN: Final = 100
"""Most alarms that a composite alarm watches. Source: CloudWatch API Reference, "PutCompositeAlarm"."""

MOST_CHARACTERS: Final = 10_240
"""Most characters of a composite alarm's rule. Source: the same page."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line in a chart of the dashboard. `label` is the service or store that it is of."""

    chart: Chart
    label: str
    metric: Metric


@dataclass(frozen=True, slots=True)
class Created:
    """The alarms of a service: the names of all, and of those that a deployment is undone for.

    These must be quiet whenever a deployment may begin, the first one included: ECS monitors no alarm during
    a deployment that begins while one of them is raised. Source: Amazon ECS Developer Guide, "How CloudWatch
    alarms detect Amazon ECS deployment failures".
    """

    names: tuple[str, ...]
    undoing: tuple[str, ...]


class Alarms:
    """Creates alarms, and keeps what the dashboard shows: `lines`, and `names` of the alarms."""

    def __init__(
        self, scope: Construct, project: Project, environment: Environment, topics: AlarmTopics
    ) -> None:
        self._scope = scope
        self._project = project.name
        self._environment = environment
        self._topics = topics
        self._children: dict[str, CloudwatchMetricAlarm] = {}
        self.lines: list[Line] = []
        self.names: list[str] = []

    def limits(self, key: str) -> Thresholds:
        """Returns the thresholds of a service, or of a store such as `queues.orders`."""
        return self._environment.alarms.thresholds_of(key)

    def watch(self, key: str, watched: Watched, *, prefix: str | None = None) -> Created:
        """Creates the alarms of a service or store, whose names begin with `prefix`.

        By default that is the environment and the key.
        """
        if prefix is None:
            prefix = f"{naming.environment_alarm_prefix(self._project, self._environment.name)}{key}/"
        self.lines += (Line(chart, key, metric) for chart, metric in watched.lines)
        start = f"{key.replace('.', '_')}_" if key else ""
        created = [
            (alarm, self._create(f"{start}{alarm.name.replace('-', '_')}", f"{prefix}{alarm.name}", alarm))
            for alarm in watched.alarms
        ]
        return Created(
            tuple(each.alarm_name for _, each in created),
            tuple(each.alarm_name for alarm, each in created if alarm.undoes_deployment),
        )

    def _create(self, key: str, name: str, alarm: Alarm) -> CloudwatchMetricAlarm:
        is_child = alarm.name in self._environment.alarms.unhealthy
        single = alarm.metrics[0] if len(alarm.metrics) == 1 else None
        created = CloudwatchMetricAlarm(
            self._scope,
            key,
            alarm_name=name,
            alarm_description=alarm.description,
            namespace=single.namespace if single else None,
            metric_name=single.name if single else None,
            dimensions=dict(single.dimensions) if single else None,
            statistic=single.statistic if single else None,
            period=alarm.seconds if single else None,
            metric_query=None if single else [*_sum(alarm)],
            evaluation_periods=alarm.periods,
            comparison_operator="LessThanThreshold" if alarm.below else "GreaterThanThreshold",
            threshold=alarm.threshold,
            treat_missing_data=alarm.missing,
            alarm_actions=[self._topics.arn],
            ok_actions=[self._topics.arn],
            # CloudWatch deletes no alarm that a composite alarm watches. So Terraform changes that one first
            # (hashicorp/terraform-provider-aws#34807).
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True) if is_child else None,
        )
        self.names.append(name)
        if is_child:
            self._children[name] = created
        return created

    def watch_all(self) -> None:
        """Creates the alarm that says that the environment is unhealthy: that any of some alarms is raised.

        Raises QuotaError if these are more than CloudWatch allows. Call it after every `watch`.
        """
        if not self._children:
            return
        name = naming.unhealthy_alarm(self._project, self._environment.name)
        rule = " OR ".join(f'ALARM("{child}")' for child in self._children)
        if len(self._children) > MOST_CHILDREN or len(rule) > MOST_CHARACTERS:
            raise QuotaError(
                f"The alarm {name} would watch {len(self._children)} alarms, by a rule of {len(rule)} "
                f"characters; CloudWatch allows {MOST_CHILDREN} alarms and {MOST_CHARACTERS} characters. "
                f"Leave some out of alarms.unhealthy in {self._environment.name}, or move services to "
                "another environment."
            )
        CloudwatchCompositeAlarm(
            self._scope,
            "unhealthy",
            alarm_name=name,
            alarm_description=f"{self._environment.name} is unhealthy: users notice, or will soon",
            alarm_rule=rule,
            alarm_actions=[self._topics.arn, self._topics.on_call_arn],
            ok_actions=[self._topics.arn, self._topics.on_call_arn],
            depends_on=[*self._children.values()],
        )
        self.names.insert(0, name)


def _sum(alarm: Alarm) -> Iterator[CloudwatchMetricAlarmMetricQuery]:
    """Yields the metrics of an alarm, and their sum, which is what it compares."""
    yield CloudwatchMetricAlarmMetricQuery(
        id="total", expression="SUM(METRICS())", label=alarm.name, return_data=True
    )
    for number, metric in enumerate(alarm.metrics, start=1):
        yield CloudwatchMetricAlarmMetricQuery(
            id=f"m{number}",
            metric=CloudwatchMetricAlarmMetricQueryMetric(
                namespace=metric.namespace,
                metric_name=metric.name,
                dimensions=dict(metric.dimensions),
                stat=metric.statistic,
                period=alarm.seconds,
            ),
        )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for alarms, and for the topics that they publish to.

    CloudWatch takes a composite alarm only from who may put those of any name. Source: Amazon CloudWatch API
    Reference, "PutCompositeAlarm".
    """
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
        Statement("ChangeCompositeAlarms", actions=["cloudwatch:PutCompositeAlarm"], resources=["*"]),
    )
