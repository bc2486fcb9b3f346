"""Shows the state of services and jobs: a table, and what is wrong with the command that fixes it."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from rich.table import Table
from rich.text import Text

from ops.core.console import rfc_3339
from ops.core.ecs import Image
from ops.look.jobs import upcoming_words
from ops.look.status import Alarms, JobStatus, LastRelease, Rollout, ServiceStatus
from stacks.settings import Environment

_DIGITS: Final = 12
"""Digits of a digest or commit that are shown."""

_COLOURS: Final = {"COMPLETED": "green", "IN_PROGRESS": "yellow", "FAILED": "red"}


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
            f"{service}: {_what(release.what)} is recorded, not deployed: "
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
