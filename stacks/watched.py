"""What is watched of each kind of resource: its alarms, and what the dashboard shows of it.

One function for each kind, here and in `stacks/watched_stores.py`, takes names, ARNs or ids as CloudWatch's
dimensions have them, and returns what `stacks/constructs/alarms.py` creates.

Every alarm says in `missing` what a period without data is taken for. Most metrics have data only while
something happens, so no data is no fault (`notBreaching`, the default); a comment says where that differs,
or why it needs thought. Source: CloudWatch User Guide, "Configuring how CloudWatch alarms treat missing
data".
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

from stacks.alarm_settings import AlarmName, Thresholds
from stacks.metrics import Chart, Metric

Missing = Literal["breaching", "notBreaching"]

ALB: Final = "AWS/ApplicationELB"
ECS: Final = "AWS/ECS"
INSIGHTS: Final = "ECS/ContainerInsights"
LOGS: Final = "AWS/Logs"
NAT: Final = "AWS/NATGateway"
SQS: Final = "AWS/SQS"
STEP_FUNCTIONS: Final = "AWS/States"

DAY: Final = timedelta(days=1)
"""How far an alarm with periods of less than an hour looks back at most.

Source: Amazon CloudWatch API Reference, "PutMetricAlarm", Period.
"""

WEEK: Final = timedelta(days=7)
"""How far one with longer periods does. Source: the same page."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A threshold that the sum of some metrics crosses in each of `periods` periods of `seconds`."""

    name: AlarmName
    description: str
    metrics: tuple[Metric, ...]
    threshold: float
    periods: int
    seconds: int = 60
    below: bool = False
    """Whether it is raised below the threshold, and not above it."""
    missing: Missing = "notBreaching"
    undoes_deployment: bool = False


@dataclass(frozen=True, slots=True)
class Watched:
    """The alarms of a resource, and its lines in the charts of the dashboard."""

    alarms: tuple[Alarm, ...] = ()
    lines: tuple[tuple[Chart, Metric], ...] = ()

    def __add__(self, other: "Watched") -> "Watched":
        return Watched((*self.alarms, *other.alarms), (*self.lines, *other.lines))


def balancer(limits: Thresholds, load_balancer: str) -> Watched:
    """Watches a load balancer, named by the end of its ARN.

    Source: User Guide for Application Load Balancers, "CloudWatch metrics".
    """
    dimensions = {"LoadBalancer": load_balancer}
    errors = Metric(ALB, "HTTPCode_ELB_5XX_Count", "Sum", dimensions)
    # Requests that reach no task count here only: without a task they get a 503, in a first deployment too.
    alarm = Alarm(
        "balancer-errors",
        f"The load balancer itself answered more than {limits.balancer_errors} requests in a minute with 5xx",
        (errors,),
        limits.balancer_errors,
        2,
    )
    units = Metric(ALB, "ConsumedLCUs", "Sum", dimensions)
    return Watched((alarm,), ((Chart.ERRORS, errors), (Chart.BALANCER_UNITS, units)))


def requests(limits: Thresholds, load_balancer: str, target_group: str, without_tasks: Missing) -> Watched:
    """Watches the requests to a service; balancer and target group are named by the ends of their ARNs.

    `without_tasks` is what no data means of the number of healthy tasks. Source: as of `balancer`.
    """
    dimensions = {"LoadBalancer": load_balancer, "TargetGroup": target_group}
    errors = Metric(ALB, "HTTPCode_Target_5XX_Count", "Sum", dimensions)
    alarms = (
        Alarm(
            "server-errors",
            f"More than {limits.server_errors} answers of the app in a minute were 5xx",
            (errors,),
            limits.server_errors,
            2,
            undoes_deployment=True,
        ),
        Alarm(
            "unhealthy-tasks",
            "A task fails the load balancer's health check",
            (Metric(ALB, "UnHealthyHostCount", "Maximum", dimensions),),
            0,
            5,
            undoes_deployment=True,
        ),
        # Also raised before the first task is healthy. ELB reports it only while tasks are registered, so no
        # data means that there is none; CloudWatch takes it so once it finds no older data any more.
        Alarm(
            "no-healthy-task",
            "No task passes the load balancer's health check, or none is registered",
            (Metric(ALB, "HealthyHostCount", "Minimum", dimensions),),
            1,
            3,
            below=True,
            missing=without_tasks,
        ),
        Alarm(
            "slow-answers",
            f"The app's answers take more than {limits.answer_seconds:g} s on average",
            (Metric(ALB, "TargetResponseTime", "Average", dimensions),),
            limits.answer_seconds,
            5,
        ),
    )
    lines = (
        (Chart.REQUESTS, Metric(ALB, "RequestCount", "Sum", dimensions)),
        (Chart.ERRORS, errors),
        (Chart.LATENCY, Metric(ALB, "TargetResponseTime", "p95", dimensions)),
    )
    return Watched(alarms, lines)


def no_requests(cluster: str, service: str, without_tasks: Missing) -> Watched:
    """Watches whether a service has tasks, where no load balancer does. Source: as of `tasks`."""
    # Container Insights reports a service's tasks while it has some, so no data means that there is none.
    alarm = Alarm(
        "no-running-task",
        "No task runs",
        (Metric(INSIGHTS, "RunningTaskCount", "Minimum", _of_service(cluster, service)),),
        1,
        3,
        below=True,
        missing=without_tasks,
    )
    return Watched((alarm,))


def tasks(limits: Thresholds, cluster: str, service: str) -> Watched:
    """Watches the tasks of a service.

    Sources: Amazon ECS Developer Guide, "Amazon ECS CloudWatch metrics"; CloudWatch User Guide, "Amazon ECS
    Container Insights metrics".
    """
    dimensions = _of_service(cluster, service)
    cpu = Metric(ECS, "CPUUtilization", "Average", dimensions)
    memory = Metric(ECS, "MemoryUtilization", "Average", dimensions)
    # Without data there is no task, of which another alarm tells.
    alarms = (
        Alarm(
            "cpu",
            f"CPU use stays above {limits.cpu_percent} %: scaling is at its end",
            (cpu,),
            limits.cpu_percent,
            10,
        ),
        Alarm(
            "memory",
            f"Memory use stays above {limits.memory_percent} %",
            (memory,),
            limits.memory_percent,
            10,
        ),
    )
    lines = (
        (Chart.CPU, cpu),
        (Chart.MEMORY, memory),
        (Chart.TASKS, Metric(INSIGHTS, "RunningTaskCount", "Average", dimensions)),
        (Chart.DESIRED, Metric(INSIGHTS, "DesiredTaskCount", "Average", dimensions)),
        (Chart.DEPLOYMENTS, Metric(INSIGHTS, "DeploymentCount", "Maximum", dimensions)),
    )
    return Watched(alarms, lines)


def cluster(name: str) -> Watched:
    """Shows how many tasks a cluster runs, those of jobs too. Source: as of `tasks`."""
    count = Metric(INSIGHTS, "TaskCount", "Average", {"ClusterName": name})
    return Watched(lines=((Chart.TASK_COUNT, count),))


def job(state_machine: str, dead_letters: str, longest_wait: timedelta | None) -> Watched:
    """Watches a job, by its state machine's ARN and the name of Scheduler's dead-letter queue.

    `longest_wait` is the longest time between the ends of two runs in a row; None if no run has to follow.
    A run that takes too long counts as a failed one, since the state machine stops its task and fails. A
    run that ends at once, because an older one is not done, counts as one that succeeded.

    Sources: Step Functions Developer Guide, "Execution metrics"; Amazon SQS Developer Guide, "Available
    CloudWatch metrics for Amazon SQS".
    """
    runs = {"StateMachineArn": state_machine}
    succeeded, failed, aborted = (
        Metric(STEP_FUNCTIONS, f"Executions{end}", "Sum", runs) for end in ("Succeeded", "Failed", "Aborted")
    )
    letters = Metric(SQS, "ApproximateNumberOfMessagesVisible", "Maximum", {"QueueName": dead_letters})
    alarms = (
        Alarm("failed", "A run failed or took too long", (failed,), 0, 1),
        Alarm("aborted", "A run was stopped before its end", (aborted,), 0, 1),
        # SQS reports nothing of a queue that was empty for six hours.
        Alarm("not-started", "A run could not be started: the dead-letter queue says why", (letters,), 0, 1),
        *_missing_run(succeeded, longest_wait),
    )
    lines = (
        (Chart.SUCCEEDED, succeeded),
        (Chart.FAILED, failed),
        (Chart.RUN_TIME, Metric(STEP_FUNCTIONS, "ExecutionTime", "Maximum", runs)),
    )
    return Watched(alarms, lines)


def _missing_run(succeeded: Metric, longest_wait: timedelta | None) -> Iterator[Alarm]:
    if longest_wait and (window := look_back(longest_wait)):
        seconds, periods = window
        # Step Functions counts only what happens, so no data means that no run succeeded.
        yield Alarm(
            "missing-run",
            f"No run succeeded for {in_words(seconds * periods)}, which is longer than the schedule allows",
            (succeeded,),
            1,
            periods,
            seconds=seconds,
            below=True,
            missing="breaching",
        )


def look_back(wait: timedelta) -> tuple[int, int] | None:
    """Returns a length of periods in seconds, and how many have to be empty until a wait has been too long.

    None if that is more than an alarm looks back. One period more than fill the time, since the wait may
    begin and end within a period.
    """
    for seconds, most in ((300, DAY), (3600, WEEK)):
        periods = math.ceil(wait.total_seconds() / seconds) + 1
        if periods * seconds <= most.total_seconds():
            return seconds, periods
    return None


def nat_gateway(gateway_id: str) -> Watched:
    """Watches a NAT gateway. Source: Amazon VPC User Guide, "NAT gateway metrics and dimensions".

    AWS charges for the bytes that it processes, in both directions.
    """
    dimensions = {"NatGatewayId": gateway_id}
    errors = Metric(NAT, "ErrorPortAllocation", "Sum", dimensions)
    alarm = Alarm(
        "port-errors", "The NAT gateway had no port left for connections to one destination", (errors,), 0, 5
    )
    lines = (
        (Chart.PORT_ERRORS, errors),
        *(
            (Chart.NAT_BYTES, Metric(NAT, name, "Sum", dimensions))
            for name in ("BytesInFromSource", "BytesInFromDestination")
        ),
    )
    return Watched((alarm,), lines)


def log_group(name: str) -> Watched:
    """Shows how much is written to a log group. Source: Amazon CloudWatch Logs User Guide, "CloudWatch Logs
    metrics and dimensions"."""
    written = Metric(LOGS, "IncomingBytes", "Sum", {"LogGroupName": name})
    return Watched(lines=((Chart.LOG_BYTES, written),))


def in_words(seconds: int) -> str:
    """Returns a time in days, or in hours and minutes: "16 hours and 20 minutes"."""
    if seconds > 3600 and seconds % 3600 and not seconds % 60:
        return f"{in_words(seconds - seconds % 3600)} and {in_words(seconds % 3600)}"
    size, name = next(
        unit
        for unit in ((86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))
        if seconds % unit[0] == 0
    )
    count = seconds // size
    return f"{count} {name}" if count == 1 else f"{count} {name}s"


def _of_service(cluster: str, service: str) -> Mapping[str, str]:
    return {"ClusterName": cluster, "ServiceName": service}
