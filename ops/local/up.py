"""The whole platform on one machine: `up` starts it, `down` removes it.

After an interruption, a failure or a change, `up` resumes where it has to.
"""

import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, UsageError
from ops.core.files import exclusive
from ops.core.progress import Phase, Progress
from ops.images import image
from ops.images.engine import find_engine
from ops.images.sources import chosen, sources
from ops.local import firsts
from ops.local.app import read_container, run_app, stop_app
from ops.local.embedded import Embedded, find_embedded, start_embedded
from ops.local.runners import ContainerRunner, ProcessRunner, Runner
from ops.terraform.binary import Terraform, find_terraform
from ops.terraform.phases import Phases, Place
from ops.terraform.workspace import OnLine, Workspace
from stacks.settings import Environment, Platform

Run = Literal["process", "image"]
"""How the app runs: the checkout's code as a process, or its image in a container."""

RUNS: Final[tuple[Run, ...]] = get_args(Run)

_RESUME: Final = "`make up` resumes, `make down` removes it"


@dataclass(frozen=True)
class Up:
    """The result of `up`: the embedded AWS, and each service's address."""

    embedded: Embedded
    addresses: Mapping[str, str]


def checked_run(text: str) -> Run:
    """Returns the way to run the app that `RUN=` names.

    Raises UsageError if it names none.
    """
    for run in RUNS:
        if run == text:
            return run
    raise UsageError(f"RUN={text} is not a way to run the app. Use one of {', '.join(RUNS)}.")


def up(checkout: Checkout, platform: Platform, environment: Environment, run: Run, progress: Progress) -> Up:
    """Applies the stacks that one environment needs on an embedded AWS, and runs its services.

    Raises PhaseError, which names the phase that failed. After an interrupt no process runs, and
    the applied stacks stay.
    """
    with _alone(checkout):
        try:
            return _Up(checkout, platform, environment, run, progress).run()
        except KeyboardInterrupt:
            _stop_all_whatever_comes(checkout.local)
            raise


def down(checkout: Checkout) -> bool:
    """Stops everything that `up` started and removes its files; returns False if there was nothing."""
    if not checkout.local.exists():
        return False
    with _alone(checkout):
        stop_all(checkout.local)
        # Moved away first, so that an interrupted removal does not leave half of the files in place.
        aside = checkout.state / "local.removed"
        shutil.rmtree(aside, ignore_errors=True)
        checkout.local.replace(aside)
        shutil.rmtree(aside)
    return True


def container_name(checkout: Checkout, name: str) -> str:
    """Returns the name of an app's container, unique to this checkout on this machine."""
    return f"oaktree-{hashlib.sha256(str(checkout.directory).encode()).hexdigest()[:8]}-{name}"


def stop_all(local: Path) -> None:
    """Stops every process that `up` started, the embedded AWS last."""
    names = [path.stem for path in local.glob("*.pid")]
    for name in sorted(names, key=lambda name: (name == "embedded", name)):
        stop_app(name, local)


def _stop_all_whatever_comes(local: Path) -> None:
    """Stops everything, however often somebody presses Ctrl-C meanwhile."""
    while True:
        try:
            return stop_all(local)
        except KeyboardInterrupt:
            continue


@contextmanager
def _alone(checkout: Checkout) -> Iterator[None]:
    with exclusive(checkout.state / "local.lock", "Another `make up` or `make down` is at work here"):
        yield


class _Up:
    """One run of `up`."""

    def __init__(
        self, checkout: Checkout, platform: Platform, environment: Environment, run: Run, progress: Progress
    ) -> None:
        self._checkout = checkout
        self._platform = platform
        self._project = platform.project
        self._environment = environment
        self._run = run
        self._phases = Phases(checkout, platform, environment, progress, _RESUME)

    def run(self) -> Up:
        phases = self._phases
        phases.synthesis()
        with phases.phase("embedded AWS") as phase:
            terraform = find_terraform(self._checkout.state)
            embedded = self._embedded(terraform, phase)
        place = self._place(terraform, embedded)
        for account_id in dict.fromkeys((self._project.account_id, self._environment.account_id)):
            phases.foundation(place, account_id, _apply)
        with phases.phase("images and secrets") as phase:
            images = self._firsts(embedded, phase)
        phases.releases(place, {service: (image, firsts.COMMIT) for service, image in images.items()})
        phases.environment(place, _apply)
        return Up(embedded, dict(self._apps(embedded)))

    def _embedded(self, terraform: Terraform, phase: Phase) -> Embedded:
        if found := find_embedded(self._checkout.local):
            if found.account_id != self._project.account_id:
                raise OpsError(
                    f"The embedded AWS that runs is account {found.account_id}, project.toml says "
                    f"{self._project.account_id}. `make down` removes it."
                )
            phase.result = f"runs already at {found.endpoint}"
            return found
        embedded = start_embedded(self._checkout.local, self._project.account_id)
        phase.result = f"at {embedded.endpoint}"
        # No command can be using an AWS that was not running.
        states = self._phases.states(self._place(terraform, embedded))
        if states.exists() and states.release_locks():
            phase.result += ", state locks of an interrupted run released"
        return embedded

    def _place(self, terraform: Terraform, embedded: Embedded) -> Place:
        region = self._environment.region
        return Place(
            terraform=terraform,
            client=embedded.client,
            environment=lambda account_id: embedded.environment(account_id, region, os.environ),
            directory=self._checkout.local,
        )

    def _firsts(self, embedded: Embedded, phase: Phase) -> dict[str, str]:
        project, environment = self._project, self._environment
        ecr = embedded.client("ecr", project.region)
        images: dict[str, str] = {}
        made = 0
        for name, service in environment.services.items():
            images[name] = firsts.put_image(ecr, project, name)
            for secret, reference in service.secrets.items():
                client = embedded.client(reference.store, environment.region, environment.account_id)
                made += firsts.put_secret(client, secret, reference, self._checkout.local / "write-token")
            if service.hosted_zone:
                route53 = embedded.client("route53", environment.region, environment.account_id)
                firsts.put_hosted_zone(route53, service.hosted_zone)
        phase.result = f"for {', '.join(images)}" + (f", secrets made up: {made}" if made else "")
        return images

    def _apps(self, embedded: Embedded) -> Iterator[tuple[str, str]]:
        environment = self._environment
        for service in environment.services:
            with self._phases.phase(f"app {service}") as phase:
                container = read_container(embedded, self._project, environment, service)
                name = f"app-{environment.name}-{service}"
                runner = self._runner(service, name)
                app = run_app(embedded, container, name, environment.region, self._checkout.local, runner)
                phase.result = "started" if app.started else "unchanged"
                yield service, app.address

    def _runner(self, service: str, name: str) -> Runner:
        if self._run == "process":
            return ProcessRunner(os.environ)
        engine = find_engine()
        (source,) = chosen(sources([self._environment]), service)
        wanted = image.named(self._project, source, firsts.COMMIT)
        built = image.build(engine, self._project, wanted, self._checkout.local / "logs" / "image.log")
        return ContainerRunner(engine, built.id, container_name(self._checkout, name))


def _apply(workspace: Workspace, on_line: OnLine) -> None:
    workspace.apply(on_line=on_line)
