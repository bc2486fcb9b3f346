"""ECS services, their deployments, and what they run.

Source of states and names: Amazon ECS API Reference, "Service", "Deployment" and "ServiceEvent".
"""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

COMMIT: Final = "COMMIT"
"""The container's variable that holds the commit; a name of the app's contract."""


DIGEST: Final = re.compile(r"\bsha256:[0-9a-f]{64}\b")

COMMIT_ID: Final = re.compile(r"[0-9a-f]{7,64}")
"""A commit, in full or shortened."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a container runs: an image, by digest, and the commit it was built from."""

    image: str
    commit: str

    @property
    def digest(self) -> str:
        """`sha256:` and 64 hexadecimal digits; empty for an image that is not named by its digest."""
        return self.image.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One task definition on its way into a service, in it, or on its way out."""

    id: str
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"]
    task_definition: str
    state: Literal["IN_PROGRESS", "COMPLETED", "FAILED", ""]
    """Empty where ECS reports none: services that it does not roll out itself."""

    reason: str
    desired: int
    running: int
    pending: int
    failed: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What ECS reported about a service, and when."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service at one moment; events from the oldest to the newest."""

    status: str
    task_definition: str
    deployments: tuple[Deployment, ...]
    events: tuple[Event, ...]
    desired: int
    running: int
    pending: int
    breaks: bool
    """Whether the circuit breaker is on."""

    takes_commands: bool
    """Whether ECS Exec is on."""

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
    """Describe a service; None when ECS does not have it, or no longer."""
    try:
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    # A deleted service is described for a while yet.
    if not found or found[0]["status"] == "INACTIVE":
        return None
    content = found[0]
    configuration = content.get("deploymentConfiguration") or {}
    return Service(
        status=content["status"],
        task_definition=content.get("taskDefinition", ""),
        deployments=tuple(_deployment(item) for item in content.get("deployments", ())),
        events=tuple(
            Event(item["id"], item["createdAt"], item["message"])
            for item in sorted(content.get("events", ()), key=lambda item: item["createdAt"])
        ),
        desired=content.get("desiredCount", 0),
        running=content.get("runningCount", 0),
        pending=content.get("pendingCount", 0),
        breaks=bool(configuration.get("deploymentCircuitBreaker", {}).get("enable")),
        takes_commands=bool(content.get("enableExecuteCommand")),
    )


def read_image(ecs: Any, task_definition: str, container: str) -> Image | None:
    """Return what a container of a task definition runs; None when it has no container of that name."""
    found = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    for each in found["containerDefinitions"]:
        if each["name"] == container:
            variables = {item["name"]: item["value"] for item in each.get("environment", ())}
            return Image(each["image"], variables.get(COMMIT, ""))
    return None


def revision(task_definition: str) -> str:
    """`family:revision` of an ARN."""
    return task_definition.rpartition("/")[2]


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
        since=item["createdAt"],
    )
