"""An ECS service as ECS tells of it.

Source of states and names: Amazon ECS API Reference, "Service", "Deployment" and "ServiceEvent".
"""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Deployment:
    """One task definition on its way into a service, in it, or on its way out."""

    id: str
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"]
    task_definition: str
    state: Literal["IN_PROGRESS", "COMPLETED", "FAILED", ""]
    """Empty where ECS tells none: services that it does not roll out itself."""

    reason: str
    desired: int
    running: int
    pending: int
    failed: int


@dataclass(frozen=True, slots=True)
class Event:
    """What ECS said of a service, and when, as local time of day."""

    id: str
    at: str
    message: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service at one moment; events from the oldest to the newest."""

    status: str
    deployments: tuple[Deployment, ...]
    events: tuple[Event, ...]
    breaks: bool
    """Whether the circuit breaker is on."""

    @property
    def primary(self) -> Deployment | None:
        """What ECS is bringing in, or has brought in."""
        return next((found for found in self.deployments if found.status == "PRIMARY"), None)

    @property
    def settled(self) -> Deployment | None:
        """What last came into service as a whole; while nothing has, what is being brought in."""
        return next((found for found in self.deployments if found.state == "COMPLETED"), self.primary)

    def of(self, task_definition: str) -> Deployment | None:
        """The newest deployment of a task definition."""
        return next((found for found in self.deployments if found.task_definition == task_definition), None)


def read_service(ecs: Any, cluster: str, name: str) -> Service | None:
    """What ECS says of a service, or None when there is none, or no longer."""
    try:
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    if not found or found[0]["status"] == "INACTIVE":
        return None
    content = found[0]
    configuration = content.get("deploymentConfiguration") or {}
    return Service(
        status=content["status"],
        deployments=tuple(_deployment(item) for item in content.get("deployments", ())),
        events=tuple(
            Event(item["id"], f"{item['createdAt'].astimezone():%H:%M:%S}", item["message"])
            for item in sorted(content.get("events", ()), key=lambda item: item["createdAt"])
        ),
        breaks=bool(configuration.get("deploymentCircuitBreaker", {}).get("enable")),
    )


def _deployment(item: Any) -> Deployment:
    return Deployment(
        id=item["id"],
        status=item["status"],
        task_definition=item["taskDefinition"],
        state=item.get("rolloutState", ""),
        reason=item.get("rolloutStateReason", ""),
        desired=item.get("desiredCount", 0),
        running=item.get("runningCount", 0),
        pending=item.get("pendingCount", 0),
        failed=item.get("failedTasks", 0),
    )
