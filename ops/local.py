"""The whole platform on one machine: `up` brings it, `down` removes it.

Every phase looks at what is there and does only what is missing, so `up` after an interruption, a
failure or a change resumes where it has to.
"""

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ops import firsts, foundation, image
from ops.app import read_container, run_app, stop_app
from ops.checkout import Checkout
from ops.embedded import Embedded, find_embedded, start_embedded
from ops.engine import find_engine
from ops.errors import OpsError
from ops.locking import exclusive
from ops.progress import Phase, Progress
from ops.release import Releases
from ops.runners import ContainerRunner, ProcessRunner, Runner
from ops.states import StateBucket
from ops.synthesis import synthesize
from ops.terraform import Terraform, find_terraform
from ops.workspace import OnLine, Workspace
from stacks.naming import foundation_stack, network_stack, service_stack, state_bucket
from stacks.settings import Environment, Platform

Run = Literal["process", "image"]
"""What of an app is run: the code in the checkout, as a process, or its image, in a container."""

_APPLIED: Final = re.compile(r"Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed")
_STEP: Final = re.compile(r"[\w.\[\]\"-]+: (Creating|Modifying|Destroying|Still \w+|Refreshing|Reading)")


class PhaseError(OpsError):
    """A phase of `up` failed; `phase` says which, the cause says why."""

    def __init__(self, phase: str, cause: Exception) -> None:
        self.phase = phase
        self.status = cause.status if isinstance(cause, OpsError) else 1
        super().__init__(
            f"The phase {phase} failed. {cause}\n"
            "What was done before stays: `make up` resumes, `make down` removes it."
        )


@dataclass(frozen=True)
class Up:
    """What `up` brought: the embedded AWS, and each service's address."""

    embedded: Embedded
    addresses: Mapping[str, str]


def up(checkout: Checkout, platform: Platform, environment: Environment, run: Run, progress: Progress) -> Up:
    """Apply the platform as far as one environment needs it on an embedded AWS, and run its services.

    PhaseError says which phase failed. An interrupt leaves no process running; what was done stays.
    """
    with _alone(checkout):
        try:
            return _Up(checkout, platform, environment, run, progress).run()
        except KeyboardInterrupt:
            _stop_all_whatever_comes(checkout.local)
            raise


def down(checkout: Checkout) -> bool:
    """Stop everything that `up` started and remove what it left; False when there was nothing."""
    if not checkout.local.exists():
        return False
    with _alone(checkout):
        stop_all(checkout.local)
        # Aside first: whatever happens while files are being removed, nobody finds half of them.
        aside = checkout.state / "local.removed"
        shutil.rmtree(aside, ignore_errors=True)
        checkout.local.replace(aside)
        shutil.rmtree(aside)
    return True


def container_name(checkout: Checkout, name: str) -> str:
    """The name of an app's container, which no other checkout on this machine has."""
    return f"oaktree-{hashlib.sha256(str(checkout.directory).encode()).hexdigest()[:8]}-{name}"


def stop_all(local: Path) -> None:
    """Stop every process that `up` started, the embedded AWS last."""
    names = [path.stem for path in local.glob("*.pid")]
    for name in sorted(names, key=lambda name: (name == "embedded", name)):
        stop_app(name, local)


def _stop_all_whatever_comes(local: Path) -> None:
    """Stop everything, however often somebody presses Ctrl-C meanwhile."""
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
        self._progress = progress

    def run(self) -> Up:
        with self._phase("synthesis"):
            synthesize(self._checkout)
        with self._phase("embedded AWS") as phase:
            terraform = find_terraform(self._checkout.state)
            embedded = self._embedded(phase)
        self._foundations(embedded, terraform)
        with self._phase("images and secrets") as phase:
            images = self._firsts(embedded, phase)
        with self._phase("releases") as phase:
            self._releases(embedded, images, phase)
        name, account_id = self._environment.name, self._environment.account_id
        for stack in (network_stack(name), service_stack(name)):
            with self._phase(stack) as phase:
                workspace = self._workspace(embedded, terraform, stack, account_id)
                with workspace.reserved():
                    workspace.take(self._checkout.configuration(stack))
                    workspace.init("-reconfigure")
                    workspace.apply(on_line=_watch(phase))
        return Up(embedded, dict(self._apps(embedded)))

    def _embedded(self, phase: Phase) -> Embedded:
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
        # Nobody can be at work on an AWS that was not there.
        states = self._states(embedded)
        if states.exists() and states.release_locks():
            phase.result += ", state locks of an interrupted run released"
        return embedded

    def _foundations(self, embedded: Embedded, terraform: Terraform) -> None:
        project = self._project
        states = self._states(embedded)
        for account_id in sorted(
            {project.account_id, self._environment.account_id}, key=lambda a: a != project.account_id
        ):
            stack = foundation_stack(project, account_id)
            with self._phase(stack) as phase:
                workspace = self._workspace(embedded, terraform, stack, account_id)
                with workspace.reserved():
                    workspace.take(self._checkout.configuration(stack))
                    if account_id == project.account_id:
                        foundation.init(workspace, states)
                    else:
                        workspace.init("-reconfigure")
                    workspace.apply(on_line=_watch(phase))
                    foundation.settle(workspace)

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

    def _releases(self, embedded: Embedded, images: Mapping[str, str], phase: Phase) -> None:
        environment = self._environment
        releases = Releases(
            self._project,
            environment,
            embedded.client("ssm", environment.region, environment.account_id),
            embedded.client("ecr", self._project.region),
        )
        missing = [service for service in environment.services if releases.current(service) is None]
        for service in missing:
            releases.record(service, images[service], firsts.COMMIT)
        phase.result = f"recorded for {', '.join(missing)}" if missing else "unchanged"

    def _apps(self, embedded: Embedded) -> Iterator[tuple[str, str]]:
        environment = self._environment
        for service in environment.services:
            with self._phase(f"app {service}") as phase:
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
        wanted = image.named(self._project, service, firsts.COMMIT)
        built = image.build(engine, self._project, wanted, self._checkout.local / "logs" / "image.log")
        return ContainerRunner(engine, built.id, container_name(self._checkout, name))

    def _states(self, embedded: Embedded) -> StateBucket:
        return StateBucket(embedded.client("s3", self._project.region), state_bucket(self._project))

    def _workspace(self, embedded: Embedded, terraform: Terraform, stack: str, account_id: str) -> Workspace:
        region = self._environment.region
        return Workspace(
            stack, self._checkout.local, terraform, embedded.environment(account_id, region, os.environ)
        )

    @contextmanager
    def _phase(self, name: str) -> Iterator[Phase]:
        with self._progress.phase(name) as phase:
            try:
                yield phase
            except (OpsError, ClientError, BotoCoreError, OSError) as error:
                raise PhaseError(name, error) from error


def _watch(phase: Phase) -> OnLine:
    """Let a phase show what Terraform is at, and in the end what it did."""

    def see(line: str) -> None:
        if match := _APPLIED.search(line):
            added, changed, destroyed = match.groups()
            done = f"{added} added, {changed} changed, {destroyed} destroyed"
            phase.result = "unchanged" if match.groups() == ("0", "0", "0") else done
        elif _STEP.match(line):
            phase.detail = line.strip()

    return see
