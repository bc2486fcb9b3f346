"""CloudWatch metrics as alarms and the dashboard name them, and the charts that show them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Literal

Statistic = Literal["Average", "Maximum", "Minimum", "Sum", "p95"]


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one resource; values of dimensions may be references."""

    namespace: str
    name: str
    statistic: Statistic
    dimensions: Mapping[str, str]


class Chart(StrEnum):
    """A chart of the dashboard, by its title: one line for each resource. `CHARTS` has their order."""

    REQUESTS = "Requests a minute"
    ERRORS = "Answers with 5xx a minute"
    LATENCY = "Response time (seconds, p95)"
    CPU = "CPU (%)"
    MEMORY = "Memory (%)"
    PORT_ERRORS = "Connections that NAT had no port for"
    TASKS = "Running tasks"
    DESIRED = "Desired tasks"
    DEPLOYMENTS = "Deployments"
    SUCCEEDED = "Runs of jobs that succeeded"
    FAILED = "Runs of jobs that failed"
    RUN_TIME = "Time of runs (milliseconds)"
    WAITING = "Messages in queues"
    AGE = "Age of the oldest message (seconds)"
    DEAD_LETTERS = "Dead letters"
    DATABASE_CPU = "CPU of databases (%)"
    DATABASE_STORAGE = "Free storage of databases (bytes)"
    DATABASE_CONNECTIONS = "Connections to databases"
    TABLE_CAPACITY = "Capacity that tables consumed (units)"
    TABLE_THROTTLES = "Throttled requests to tables"
    CACHE_CPU = "CPU of cache engines (%)"
    CACHE_MEMORY = "Memory of caches (%)"
    CACHE_EVICTIONS = "Evictions of caches"
    TASK_COUNT = "Tasks in the cluster"
    BALANCER_UNITS = "Load balancer capacity units"
    NAT_BYTES = "Bytes through NAT gateways"
    LOG_BYTES = "Bytes written to logs"


CHARTS: Final[Mapping[str, tuple[Chart, ...]]] = MappingProxyType(
    {
        "What users see": (Chart.REQUESTS, Chart.ERRORS, Chart.LATENCY),
        "Saturation": (Chart.CPU, Chart.MEMORY, Chart.PORT_ERRORS),
        "Rollout": (Chart.TASKS, Chart.DESIRED, Chart.DEPLOYMENTS),
        "Jobs": (Chart.SUCCEEDED, Chart.FAILED, Chart.RUN_TIME),
        "Queues": (Chart.WAITING, Chart.AGE, Chart.DEAD_LETTERS),
        "Databases": (Chart.DATABASE_CPU, Chart.DATABASE_STORAGE, Chart.DATABASE_CONNECTIONS),
        "Tables": (Chart.TABLE_CAPACITY, Chart.TABLE_THROTTLES),
        "Caches": (Chart.CACHE_CPU, Chart.CACHE_MEMORY, Chart.CACHE_EVICTIONS),
        "What costs money": (Chart.TASK_COUNT, Chart.BALANCER_UNITS, Chart.NAT_BYTES, Chart.LOG_BYTES),
    }
)
"""The sections of the dashboard, in order."""
