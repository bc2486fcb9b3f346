"""An alarm such as the platform's, of which a test says the state."""

from typing import Any


def make_alarm(cloudwatch: Any, name: str, **settings: Any) -> None:
    """Make an alarm about the CPU of a service; it has no data yet."""
    cloudwatch.put_metric_alarm(
        **{
            "AlarmName": name,
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Statistic": "Average",
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 90,
            "ComparisonOperator": "GreaterThanThreshold",
            **settings,
        }
    )
