"""Reads the state of services and jobs: tasks, image, deployments, next runs, alarms, last release."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ops.core.ecs import Deployment, Image, read_image, read_service, revision
from ops.look.jobs import Upcoming, upcoming
from ops.releases.records import Releases
from ops.rollout.bake import read_alarms
from stacks.naming import alarm_prefix, base, environment_alarm_prefix, service_name
from stacks.settings import Environment, Project
from stacks.workloads import workload


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment of a service; `state` and `reason` are ECS's rollout state and its reason.

    `primary` is the one that ECS rolls out or keeps; the others are being replaced. `revision` is
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
    """The last event that ECS reported about a service."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Tasks:
    """How many tasks a service has, and how many it should have."""

    running: int
    pending: int
    desired: int


@dataclass(frozen=True, slots=True)
class Alarms:
    """Names of a service's alarms, without their common prefix, by state."""

    raised: tuple[str, ...]
    unknown: tuple[str, ...]
    """Alarms without enough data (INSUFFICIENT_DATA)."""

    fine: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LastRelease:
    """The current version of the release record; all but `version` is empty if it cannot be read."""

    version: int
    image: str = ""
    commit: str = ""
    by: str = ""
    at: str = ""
    why: str = ""
    state: str = ""
    since: str = ""

    @property
    def what(self) -> Image:
        """Returns the image and the commit of the release."""
        return Image(self.image, self.commit)


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """The state of a service; `tasks` is None and `deployments` is empty until ECS has the service."""

    service: str
    tasks: Tasks | None
    deployments: tuple[Rollout, ...]
    last_event: LastEvent | None
    alarms: Alarms
    release: LastRelease | None
    released: str = ""
    """Name of the image that its own container runs; empty for a third-party image, which has no release."""

    @property
    def runs(self) -> Image | None:
        """Returns the image that the primary deployment runs."""
        return next((deployment.runs for deployment in self.deployments if deployment.primary), None)

    @property
    def is_deployed(self) -> bool:
        """Whether the recorded release is the one that ECS is set to run; a third-party image always is."""
        if not self.released:
            return True
        recorded = self.release.what if self.release else None
        return recorded == self.runs


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The state of a job, which ECS has no service for; `upcoming` is None until it is deployed."""

    job: str
    upcoming: Upcoming | None
    alarms: Alarms
    release: LastRelease | None
    released: str
    """As of a service."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the state of one environment; the clients act in its account and region."""

    project: Project
    environment: Environment
    ecs: Any
    scheduler: Any
    cloudwatch: Any
    releases: Releases

    def read(self, service: str) -> ServiceStatus:
        """Returns the state of a service.

        Raises ClientError if AWS refuses a request.
        """
        cluster = base(self.project.name, self.environment.name)
        name = service_name(self.project.name, self.environment.name, service)
        found = read_service(self.ecs, cluster, name)
        newest = found.events[-1] if found and found.events else None
        released = workload(self.project, self.environment, service).main.release
        return ServiceStatus(
            service=service,
            tasks=Tasks(found.running, found.pending, found.desired) if found else None,
            deployments=self._rollouts(service, found.deployments) if found else (),
            last_event=LastEvent(newest.at, newest.message) if newest else None,
            alarms=self._alarms(service),
            release=self._release(released) if released else None,
            released=released or "",
        )

    def read_job(self, job: str, now: datetime) -> JobStatus:
        """Returns the state of a job.

        Raises ClientError if AWS refuses a request.
        """
        released = workload(self.project, self.environment, job).main.release
        return JobStatus(
            job=job,
            upcoming=upcoming(self.scheduler, self.project, self.environment, job, now),
            alarms=self._alarms(job),
            release=self._release(released) if released else None,
            released=released or "",
        )

    def read_alarms(self) -> Alarms:
        """Returns the alarms that are about no single service, such as `unhealthy`.

        Raises ClientError if AWS refuses the request.
        """
        return self._named(environment_alarm_prefix(self.project.name, self.environment.name))

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
        return self._named(alarm_prefix(self.project.name, self.environment.name, service))

    def _named(self, prefix: str) -> Alarms:
        """Returns the alarms whose names begin with a prefix, by the rest of their names."""
        found = sorted(read_alarms(self.cloudwatch, prefix).items())
        raised, unknown, fine = (
            tuple(name.removeprefix(prefix) for name, alarm in found if alarm.state == state)
            for state in ("ALARM", "INSUFFICIENT_DATA", "OK")
        )
        return Alarms(raised, unknown, fine)

    def _release(self, service: str) -> LastRelease | None:
        latest = self.releases.latest(service)
        if latest is None:
            return None
        release = latest.release
        if release is None:
            return LastRelease(latest.version)
        return LastRelease(
            latest.version,
            release.image,
            release.commit,
            release.by,
            release.at,
            release.why,
            release.state,
            release.since,
        )
