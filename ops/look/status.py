"""How the services of an environment are: tasks, image, deployments, alarms, last release."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from ops.releases.records import Releases
from stacks.naming import alarm_prefix, base, load_balancer_name
from stacks.settings import Environment, Project

COMMIT: Final = "COMMIT"
"""The container's variable that holds the commit; a name of the app's contract."""


@dataclass(frozen=True, slots=True)
class Image:
    """What a task definition runs: an image by digest, and the commit it was built from."""

    image: str
    commit: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """One of a service's deployments. `state` and `reason` are ECS's rollout state and its reason.

    `primary` is the one that ECS brings in or keeps; any other is on its way out. `revision` is
    `<family>:<number>` of its task definition.
    """

    primary: bool
    revision: str
    runs: Image
    state: str
    reason: str
    running: int
    pending: int
    desired: int
    failed: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What ECS says about a service."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Tasks:
    """How many tasks there are, and how many there should be."""

    running: int
    pending: int
    desired: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """Names of a service's alarms, without what they have in common, by state."""

    raised: tuple[str, ...]
    unknown: tuple[str, ...]
    """Those that have seen too little to tell (INSUFFICIENT_DATA)."""

    fine: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastRelease:
    """The version of the release record in force; `image` and the rest are empty when nobody can read it."""

    version: int
    image: str = ""
    commit: str = ""
    by: str = ""
    at: str = ""
    why: str = ""


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """A service; `tasks` and `deployments` are empty when ECS has no such service yet."""

    service: str
    tasks: Tasks | None
    deployments: tuple[Deployment, ...]
    last_event: Event | None
    alarms: Alarms
    release: LastRelease | None

    @property
    def runs(self) -> Image | None:
        """What the deployment that ECS brings in or keeps runs."""
        return next((deployment.runs for deployment in self.deployments if deployment.primary), None)

    @property
    def is_deployed(self) -> bool:
        """Whether what is recorded is what ECS was told to run."""
        recorded = Image(self.release.image, self.release.commit) if self.release else None
        return recorded == self.runs


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks AWS about one environment; `ecs` and `cloudwatch` act in its account and region."""

    project: Project
    environment: Environment
    ecs: Any
    cloudwatch: Any
    releases: Releases

    def read(self, service: str) -> ServiceStatus:
        """How a service is. ClientError when AWS does not say."""
        found = self._service(service)
        return ServiceStatus(
            service=service,
            tasks=_tasks(found) if found else None,
            deployments=self._deployments(service, found) if found else (),
            last_event=_last_event(found) if found else None,
            alarms=self._alarms(service),
            release=self._release(service),
        )

    def _service(self, service: str) -> Mapping[str, Any] | None:
        cluster = base(self.project.name, self.environment.name)
        name = load_balancer_name(self.project.name, self.environment.name, service)
        try:
            found = self.ecs.describe_services(cluster=cluster, services=[name])["services"]
        except self.ecs.exceptions.ClusterNotFoundException:
            return None
        # A deleted service is described for a while yet.
        return next((each for each in found if each["status"] != "INACTIVE"), None)

    def _deployments(self, service: str, found: Mapping[str, Any]) -> tuple[Deployment, ...]:
        definitions = {each["taskDefinition"] for each in found["deployments"]}
        images = {definition: self._image(service, definition) for definition in definitions}
        deployments = [
            Deployment(
                primary=each["status"] == "PRIMARY",
                revision=each["taskDefinition"].rpartition("/")[2],
                runs=images[each["taskDefinition"]],
                state=each.get("rolloutState", "IN_PROGRESS"),
                reason=each.get("rolloutStateReason", ""),
                running=each["runningCount"],
                pending=each["pendingCount"],
                desired=each["desiredCount"],
                failed=each.get("failedTasks", 0),
                since=each["createdAt"],
            )
            for each in found["deployments"]
        ]
        return tuple(sorted(deployments, key=lambda each: not each.primary))

    def _image(self, service: str, definition: str) -> Image:
        described = self.ecs.describe_task_definition(taskDefinition=definition)["taskDefinition"]
        containers = described["containerDefinitions"]
        container = next((each for each in containers if each["name"] == service), containers[0])
        variables = {each["name"]: each["value"] for each in container.get("environment", ())}
        return Image(container["image"], variables.get(COMMIT, ""))

    def _alarms(self, service: str) -> Alarms:
        prefix = alarm_prefix(self.project.name, self.environment.name, service)
        pages = self.cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=prefix)
        found = [
            (alarm["StateValue"], alarm["AlarmName"].removeprefix(prefix))
            for page in pages
            for alarm in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))
        ]
        states = ("ALARM", "INSUFFICIENT_DATA", "OK")
        return Alarms(*(tuple(sorted(name for state, name in found if state == each)) for each in states))

    def _release(self, service: str) -> LastRelease | None:
        latest = self.releases.latest(service)
        if latest is None:
            return None
        release = latest.release
        if release is None:
            return LastRelease(latest.version)
        return LastRelease(latest.version, release.image, release.commit, release.by, release.at, release.why)


def _tasks(found: Mapping[str, Any]) -> Tasks:
    return Tasks(found["runningCount"], found["pendingCount"], found["desiredCount"])


def _last_event(found: Mapping[str, Any]) -> Event | None:
    events = found.get("events") or ()
    newest = max(events, key=lambda event: event["createdAt"], default=None)
    return Event(newest["createdAt"], newest["message"]) if newest else None
