"""ECS services, their deployments, and what they run.

Source of states and names: Amazon ECS API Reference, "Service", "Deployment" and "ServiceEvent".
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

COMMIT: Final = "COMMIT"
"""The container's environment variable that holds the commit, as named in the app's contract."""

DIGEST: Final = re.compile(r"\bsha256:[0-9a-f]{64}\b")

COMMIT_ID: Final = re.compile(r"[0-9a-f]{7,64}")
"""A commit, in full or shortened."""


@dataclass(frozen=True, slots=True)
class Image:
    """The image that a container runs, by digest, and the commit that it was built from."""

    image: str
    commit: str

    @property
    def digest(self) -> str:
        """Returns `sha256:` and 64 hexadecimal digits, or nothing if the image is not named by digest."""
        return self.image.partition("@")[2]


@dataclass(frozen=True, slots=True)
class Deployment:
    """A deployment of one task definition to a service."""

    id: str
    status: Literal["PRIMARY", "ACTIVE", "INACTIVE"]
    task_definition: str
    state: Literal["IN_PROGRESS", "COMPLETED", "FAILED", ""]
    """Empty for services that ECS does not roll out itself, since it reports no state for them."""

    reason: str
    desired: int
    running: int
    pending: int
    failed: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """An event that ECS reported about a service."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Service:
    """A service at one moment, with its events from the oldest to the newest."""

    status: str
    task_definition: str
    deployments: tuple[Deployment, ...]
    events: tuple[Event, ...]
    desired: int
    running: int
    pending: int
    breaks: bool
    """Whether the deployment circuit breaker is on."""

    takes_commands: bool
    """Whether ECS Exec is on."""

    @property
    def primary(self) -> Deployment | None:
        """Returns the deployment that ECS is rolling out or has rolled out last."""
        return next((found for found in self.deployments if found.status == "PRIMARY"), None)

    @property
    def settled(self) -> Deployment | None:
        """Returns the last deployment that completed, or the primary one if none has."""
        return next((found for found in self.deployments if found.state == "COMPLETED"), self.primary)

    def of(self, task_definition: str) -> Deployment | None:
        """Returns the newest deployment of a task definition."""
        return next((found for found in self.deployments if found.task_definition == task_definition), None)


def read_service(ecs: Any, cluster: str, name: str) -> Service | None:
    """Returns a service, or None if ECS does not have it or has deleted it."""
    try:
        found = ecs.describe_services(cluster=cluster, services=[name])["services"]
    except ecs.exceptions.ClusterNotFoundException:
        return None
    # ECS still describes a service for some time after its deletion.
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


def read_tasks(ecs: Any, cluster: str, service: str, status: Literal["RUNNING", "STOPPED"]) -> Iterator[Any]:
    """Yields the tasks of a service that should run, or that have stopped in the last hour.

    Each is as DescribeTasks describes it, which takes a page of ListTasks at once.
    """
    pages = ecs.get_paginator("list_tasks").paginate(
        cluster=cluster, serviceName=service, desiredStatus=status
    )
    for page in pages:
        if page["taskArns"]:
            yield from ecs.describe_tasks(cluster=cluster, tasks=page["taskArns"])["tasks"]


def read_image(ecs: Any, task_definition: str, container: str) -> Image | None:
    """Returns the image of a container of a task definition, or None if no container has that name."""
    found = ecs.describe_task_definition(taskDefinition=task_definition)["taskDefinition"]
    for each in found["containerDefinitions"]:
        if each["name"] == container:
            variables = {item["name"]: item["value"] for item in each.get("environment", ())}
            return Image(each["image"], variables.get(COMMIT, ""))
    return None


def revision(task_definition: str) -> str:
    """Returns `family:revision` of a task definition's ARN."""
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
