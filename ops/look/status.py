"""How the services of an environment are: tasks, image, deployments, alarms, last release."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.core.ecs import Deployment, Image, read_image, read_service, revision
from ops.releases.records import Releases
from stacks.naming import alarm_prefix, base, load_balancer_name
from stacks.settings import Environment, Project


@dataclass(frozen=True, slots=True)
class Rollout:
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
class LastEvent:
    """What ECS reported last about a service."""

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
    deployments: tuple[Rollout, ...]
    last_event: LastEvent | None
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
        cluster = base(self.project.name, self.environment.name)
        name = load_balancer_name(self.project.name, self.environment.name, service)
        found = read_service(self.ecs, cluster, name)
        newest = found.events[-1] if found and found.events else None
        return ServiceStatus(
            service=service,
            tasks=Tasks(found.running, found.pending, found.desired) if found else None,
            deployments=self._rollouts(service, found.deployments) if found else (),
            last_event=LastEvent(newest.at, newest.message) if newest else None,
            alarms=self._alarms(service),
            release=self._release(service),
        )

    def _rollouts(self, service: str, deployments: Sequence[Deployment]) -> tuple[Rollout, ...]:
        definitions = {each.task_definition for each in deployments}
        images = {definition: read_image(self.ecs, definition, service) for definition in definitions}
        rollouts = [
            Rollout(
                primary=each.status == "PRIMARY",
                revision=revision(each.task_definition),
                runs=images[each.task_definition] or Image("", ""),
                state=each.state or "IN_PROGRESS",
                reason=each.reason,
                running=each.running,
                pending=each.pending,
                desired=each.desired,
                failed=each.failed,
                since=each.since,
            )
            for each in deployments
        ]
        return tuple(sorted(rollouts, key=lambda each: not each.primary))

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
