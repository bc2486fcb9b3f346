"""The state of services and jobs: tasks, image, deployments, next runs, alarms, last release."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.table import Table
from rich.text import Text

from ops.core.console import rfc_3339
from ops.core.ecs import Deployment, Image, read_image, read_service, revision
from ops.look.jobs import Upcoming, upcoming, upcoming_words
from ops.releases.records import Releases
from ops.rollout.bake import read_alarms
from stacks.naming import alarm_prefix, base, environment_alarm_prefix, service_name
from stacks.settings import Environment, Project
from stacks.workloads import workload

_DIGITS = 12
"""Digits of a digest or commit that are shown."""

_COLOURS = {"COMPLETED": "green", "IN_PROGRESS": "yellow", "FAILED": "red"}


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
        recorded = Image(self.release.image, self.release.commit) if self.release else None
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


def table(statuses: Sequence[ServiceStatus], now: datetime) -> Table:
    """Returns a table with a row for each service."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in ("SERVICE", "TASKS", "IMAGE", "DEPLOYMENTS"):
        made.add_column(title, no_wrap=True)
    for title in ("ALARMS", "LAST RELEASE"):
        made.add_column(title, overflow="fold")
    for status in statuses:
        made.add_row(
            Text(status.service, "bold"),
            _tasks(status),
            _image(status),
            _lines(_rollout(each, now) for each in status.deployments) or Text("none", "dim"),
            _alarms(status.alarms),
            _release(status.release, now) if status.released else Text("third-party image", "dim"),
        )
    return made


def jobs_table(statuses: Sequence[JobStatus], now: datetime) -> Table:
    """Returns a table with a row for each job."""
    made = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    made.add_column("JOB", no_wrap=True)
    for title in ("NEXT RUNS", "ALARMS", "LAST RELEASE"):
        made.add_column(title, overflow="fold")
    for status in statuses:
        made.add_row(
            Text(status.job, "bold"),
            Text(upcoming_words(status.upcoming), "" if status.upcoming else "yellow"),
            _alarms(status.alarms),
            _release(status.release, now) if status.released else Text("third-party image", "dim"),
        )
    return made


def remarks(environment: Environment, status: ServiceStatus) -> Iterator[str]:
    """Yields what is wrong with a service, and the command that fixes it."""
    name, service = environment.name, status.service
    if status.released:
        yield from _release_remarks(name, status)
    for each in status.deployments:
        if each.primary and each.state != "COMPLETED":
            failed = f", {_count(each.failed, 'task')} failed so far" if each.failed else ""
            yield f"{service}: rollout of {each.revision} {each.state}{failed}. {each.reason}".strip()
    if status.tasks and status.tasks.running < status.tasks.desired and status.last_event:
        yield f"{service}: ECS said at {rfc_3339(status.last_event.at)}: {status.last_event.message}"
    yield from _alarm_remarks(name, service, status.alarms)


def job_remarks(environment: Environment, status: JobStatus) -> Iterator[str]:
    """Yields what is wrong with a job, and the command that fixes it."""
    name, job = environment.name, status.job
    if status.released:
        yield from _record_remarks(name, job, status.released, status.release, status.upcoming is not None)
    yield from _alarm_remarks(name, job, status.alarms)


def environment_remarks(environment: Environment, alarms: Alarms) -> Iterator[str]:
    """Yields what is wrong with what services share, and where to look."""
    if alarms.raised:
        yield (
            f"{environment.name}: raised: {', '.join(alarms.raised)}; `make outputs ENV={environment.name}` "
            "prints the link to the dashboard."
        )


def _alarm_remarks(name: str, service: str, alarms: Alarms) -> Iterator[str]:
    if alarms.raised:
        yield (
            f"{service}: raised: {', '.join(alarms.raised)}; `make logs ENV={name} SERVICE={service} "
            "SINCE=1h` shows what the app says."
        )


def _release_remarks(name: str, status: ServiceStatus) -> Iterator[str]:
    service, image, release = status.service, status.released, status.release
    yield from _record_remarks(name, service, image, release, bool(status.deployments))
    if release and release.image and status.deployments and not status.is_deployed:
        yield (
            f"{service}: {_what(Image(release.image, release.commit))} is recorded, not deployed: "
            f"`make deploy ENV={name} SERVICE={image}` deploys it."
        )


def _record_remarks(
    name: str, service: str, image: str, release: LastRelease | None, is_there: bool
) -> Iterator[str]:
    if release is None:
        yield (
            f"{service} was never released: `make release ENV={name} SERVICE={image} IMAGE=` records an "
            f"image, and `make bootstrap ENV={name}` does all that a first deployment takes."
        )
    elif not release.image:
        yield (
            f"{service}: version {release.version} of the release record cannot be read; `make rollback "
            f"ENV={name} SERVICE={image} TO=<version>` restores one that can."
        )
    elif not is_there:
        yield f"{service} is recorded, not deployed: `make bootstrap ENV={name}` does what is missing."


def _tasks(status: ServiceStatus) -> Text:
    if status.tasks is None:
        return Text("not in ECS", "yellow")
    tasks = status.tasks
    text = Text(f"{tasks.running} of {tasks.desired}", "green" if tasks.running >= tasks.desired else "red")
    return text.append(f"\n{tasks.pending} pending", "yellow") if tasks.pending else text


def _image(status: ServiceStatus) -> Text:
    runs = status.runs
    if runs is None:
        return Text("none", "dim")
    text = Text("\nof ".join(_short(runs)))
    return text if status.is_deployed else text.append("\nnot as recorded", "yellow")


def _rollout(each: Rollout, now: datetime) -> Text:
    state = each.state if each.primary else "going away"
    return Text.assemble(
        f"{each.revision.rpartition(':')[2]} ",
        (state, _COLOURS.get(state, "dim")),
        f"\n  {each.running} of {each.desired}, {_ago(each.since, now)}",
    )


def _alarms(alarms: Alarms) -> Text:
    others = [f"{len(alarms.fine)} OK"] if alarms.fine else []
    if alarms.unknown:
        others.append(f"{len(alarms.unknown)} without data")
    raised = (Text(f"ALARM {name}", "red") for name in alarms.raised)
    return _lines((*raised, *map(Text, others))) or Text("none", "dim")


def _release(release: LastRelease | None, now: datetime) -> Text:
    if release is None:
        return Text("never", "yellow")
    text = Text(f"version {release.version}")
    if not release.image:
        return text.append("\ncannot be read", "yellow")
    try:
        when = _ago(datetime.fromisoformat(release.at), now)
    except (ValueError, TypeError):
        when = release.at
    text.append(f", {release.state}\nrecorded {when} by {release.by}")
    return text.append(f"\n{release.why}", "dim") if release.why else text


def _what(image: Image) -> str:
    return " of commit ".join(_short(image))


def _short(image: Image) -> tuple[str, ...]:
    """Returns the beginnings of digest and commit, or the whole image if it is not named by digest."""
    name, _, digest = image.image.rpartition("@sha256:")
    short = digest[:_DIGITS] if name else image.image
    return (short, image.commit[:_DIGITS]) if image.commit else (short,)


def _ago(then: datetime, now: datetime) -> str:
    """Returns how long ago `then` is, in the largest unit that fits at least once."""
    seconds = max(0, int((now - then).total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if count := seconds // size:
            return f"{count} {unit} ago"
    return "just now"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _lines(texts: Iterator[Text] | Sequence[Text]) -> Text:
    return Text("\n").join(texts)
