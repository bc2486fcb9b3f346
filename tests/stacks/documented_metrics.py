"""What AWS documents of the metrics in use: for each namespace and metric, dimensions and useful statistics.

Sources, by namespace: User Guide for Application Load Balancers, "CloudWatch metrics"; Amazon ECS Developer
Guide, "Amazon ECS CloudWatch metrics"; CloudWatch User Guide, "Amazon ECS Container Insights metrics"; Step
Functions Developer Guide, "Execution metrics"; Amazon SQS Developer Guide, "Available CloudWatch metrics for
Amazon SQS"; Amazon RDS User Guide, "Amazon CloudWatch instance-level metrics for Amazon RDS"; Amazon DynamoDB
Developer Guide, "DynamoDB metrics and dimensions"; Amazon ElastiCache User Guide, "Metrics for Valkey and
Redis OSS" and "Host-Level Metrics"; Amazon VPC User Guide, "NAT gateway metrics and dimensions"; Amazon
CloudWatch Logs User Guide, "CloudWatch Logs metrics and dimensions".
"""

from typing import Final, NamedTuple

from stacks.metrics import Metric


class Documented(NamedTuple):
    """A metric: the sets of dimensions that it is reported by, and the statistics that AWS names useful."""

    dimensions: tuple[frozenset[str], ...]
    statistics: frozenset[str]


def _by(*dimensions: str) -> frozenset[str]:
    return frozenset(dimensions)


SUM: Final = frozenset({"Sum"})
GAUGE: Final = frozenset({"Average", "Minimum", "Maximum"})
ALL: Final = GAUGE | SUM
BALANCER, TARGETS = _by("LoadBalancer"), _by("LoadBalancer", "TargetGroup")
SERVICE, CLUSTER = _by("ClusterName", "ServiceName"), _by("ClusterName")
MACHINE, QUEUE, INSTANCE = _by("StateMachineArn"), _by("QueueName"), _by("DBInstanceIdentifier")
TABLE, OPERATION = _by("TableName"), _by("TableName", "Operation")
INDEX = _by("TableName", "GlobalSecondaryIndexName")
NODE, GATEWAY, GROUP = _by("CacheClusterId"), _by("NatGatewayId"), _by("LogGroupName")

METRICS: Final = {
    "AWS/ApplicationELB": {
        "ConsumedLCUs": Documented((BALANCER,), ALL),
        "HTTPCode_ELB_5XX_Count": Documented((BALANCER,), SUM),
        "HTTPCode_Target_5XX_Count": Documented((BALANCER, TARGETS), SUM),
        "HealthyHostCount": Documented((TARGETS,), GAUGE),
        "RequestCount": Documented((BALANCER, TARGETS), SUM),
        "TargetResponseTime": Documented((BALANCER, TARGETS), frozenset({"Average", "p95"})),
        "UnHealthyHostCount": Documented((TARGETS,), GAUGE),
    },
    "AWS/ECS": {
        "CPUUtilization": Documented((CLUSTER, SERVICE), GAUGE),
        "MemoryUtilization": Documented((CLUSTER, SERVICE), GAUGE),
    },
    "ECS/ContainerInsights": {
        "DeploymentCount": Documented((SERVICE,), ALL),
        "DesiredTaskCount": Documented((SERVICE,), ALL),
        "RunningTaskCount": Documented((SERVICE,), ALL),
        "TaskCount": Documented((CLUSTER,), ALL),
    },
    "AWS/States": {
        "ExecutionTime": Documented((MACHINE,), GAUGE),
        "ExecutionsAborted": Documented((MACHINE,), SUM),
        "ExecutionsFailed": Documented((MACHINE,), SUM),
        "ExecutionsSucceeded": Documented((MACHINE,), SUM),
    },
    "AWS/SQS": {
        "ApproximateAgeOfOldestMessage": Documented((QUEUE,), ALL),
        "ApproximateNumberOfMessagesVisible": Documented((QUEUE,), ALL),
    },
    "AWS/RDS": {
        "CPUUtilization": Documented((INSTANCE,), ALL),
        "DatabaseConnections": Documented((INSTANCE,), ALL),
        "FreeStorageSpace": Documented((INSTANCE,), ALL),
    },
    "AWS/DynamoDB": {
        "ConsumedReadCapacityUnits": Documented((TABLE,), ALL),
        "ConsumedWriteCapacityUnits": Documented((TABLE,), ALL),
        "ReadThrottleEvents": Documented((TABLE, INDEX), SUM),
        "SystemErrors": Documented((OPERATION,), SUM),
        "WriteThrottleEvents": Documented((TABLE, INDEX), SUM),
    },
    "AWS/ElastiCache": {
        "DatabaseMemoryUsagePercentage": Documented((NODE,), ALL),
        "EngineCPUUtilization": Documented((NODE,), ALL),
        "Evictions": Documented((NODE,), ALL),
    },
    "AWS/NATGateway": {
        "BytesInFromDestination": Documented((GATEWAY,), SUM),
        "BytesInFromSource": Documented((GATEWAY,), SUM),
        "ErrorPortAllocation": Documented((GATEWAY,), SUM),
    },
    "AWS/Logs": {"IncomingBytes": Documented((_by(), GROUP), SUM)},
}


def problem_with(metric: Metric) -> str:
    """What AWS does not document of a metric; nothing if it does."""
    documented = METRICS.get(metric.namespace, {}).get(metric.name)
    where = f"{metric.namespace} {metric.name}"
    if documented is None:
        return f"{where} is no metric"
    if frozenset(metric.dimensions) not in documented.dimensions:
        return f"{where} is not reported by {', '.join(metric.dimensions)}"
    return "" if metric.statistic in documented.statistics else f"{where} has no useful {metric.statistic}"
