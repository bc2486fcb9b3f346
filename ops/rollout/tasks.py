"""Whether the tasks of a service work, as ECS sees it: for services that no address leads to.

Source of the states: Amazon ECS API Reference, "Service" and "Task".
"""

import time
from typing import Any, Final

from ops.core.console import minutes
from ops.core.ecs import read_service
from ops.core.errors import ReleaseFailedError
from ops.core.progress import Phase

INTERVAL: Final = 2.0

_MOST: Final = 100
"""Tasks that DescribeTasks accepts in one request."""


def wait_until_healthy(
    ecs: Any, cluster: str, name: str, phase: Phase, seconds: float, interval: float = INTERVAL
) -> None:
    """Waits until as many tasks of a service run as should, and none is unhealthy or not known to be healthy.

    A task without a health check counts as healthy while it runs. Raises ReleaseFailedError if that is not so
    within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while wrong := wrong_with(ecs, cluster, name, phase):
        phase.detail = wrong
        if time.monotonic() >= deadline:
            raise ReleaseFailedError(f"The smoke test failed after {minutes(seconds)}: {wrong}.")
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())))


def wrong_with(ecs: Any, cluster: str, name: str, phase: Phase) -> str:
    """Returns what is wrong with the tasks of a service right now, or an empty string; sets the result."""
    service = read_service(ecs, cluster, name)
    if service is None:
        return f"ECS has no service {name}"
    if service.running < service.desired:
        return f"{service.running} of {service.desired} tasks run"
    arns = ecs.list_tasks(cluster=cluster, serviceName=name, desiredStatus="RUNNING")["taskArns"][:_MOST]
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
    checked = [
        task
        for task in tasks
        if any(each.get("healthStatus", "UNKNOWN") != "UNKNOWN" for each in task.get("containers", ()))
    ]
    sick = [task for task in checked if task.get("healthStatus") != "HEALTHY"]
    if sick:
        return f"{len(sick)} of {len(tasks)} tasks are not healthy"
    health = "healthy by their health checks" if checked else "without a health check"
    phase.result = f"no address to ask: ECS says {service.running} of {service.desired} tasks run, {health}"
    return ""
