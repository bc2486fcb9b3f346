"""Brings recorded releases into force and sees to it that they work, or takes them back.

Record, plan, apply, wait for ECS, smoke test, bake. What fails after the plan is undone: the record
names again what ran before, and that is planned, applied and waited for.
"""

import re
import time
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase, Progress
from ops.core.words import minutes
from ops.local.stand_in import stand_in
from ops.releases.records import Releases
from ops.rollout import standing
from ops.rollout.deployed import Deployed, Release
from ops.rollout.plan import applied_task_definition, plan_release
from ops.rollout.smoke import SECONDS, short, smoke_test
from ops.rollout.watch import Say
from ops.terraform.binary import TerraformError
from ops.terraform.provision import working_on
from ops.terraform.targets import target_of
from ops.terraform.workspace import OnLine, Workspace
from stacks.settings import Environment, Platform

_STEP: Final = re.compile(r"[\w.\[\]\"-]+: (Creating|Modifying|Destroying|Still \w+)")

_LONGEST_WHY: Final = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be deployed and how long to wait: durations in seconds.

    `image` and `commit` are recorded first unless empty, for the only one of `services`; `address` is
    where the smoke test asks instead of the service's own.
    """

    services: tuple[str, ...]
    image: str = ""
    commit: str = ""
    bake: float = 0.0
    limit: float = 1200.0
    address: str = ""


def deploy(
    checkout: Checkout,
    platform: Platform,
    environment: Environment,
    order: Order,
    progress: Progress,
    say: Say,
) -> None:
    """Deploy what is recorded for the services of an environment, or what `order` names.

    OpsError when it was not done, or was done and undone; the text says which and what to do. After
    an interrupt, `say` gets where things stand.
    """
    run = _Deploy(checkout, platform, environment, order, progress, say)
    try:
        run.run()
    except KeyboardInterrupt:
        say(run.stands)
        raise
    except _ToldError:
        raise
    except (OpsError, ClientError, BotoCoreError, OSError) as error:
        words = f"AWS: {error}" if isinstance(error, ClientError | BotoCoreError) else str(error)
        told = OpsError(f"{words}\n{run.stands}")
        told.status = error.status if isinstance(error, OpsError) else 1
        raise told from error


class _ToldError(OpsError):
    """Says already where things stand."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """A service, and the version of its record that is being deployed."""

    deployed: Deployed
    version: int
    release: Release


class _Deploy:
    """One run. `stands` says at any time what an interruption leaves."""

    def __init__(
        self,
        checkout: Checkout,
        platform: Platform,
        environment: Environment,
        order: Order,
        progress: Progress,
        say: Say,
    ) -> None:
        self.stands = standing.NOTHING
        self._checkout = checkout
        self._platform = platform
        self._name = environment.name
        self._order = order
        self._progress = progress
        self._say = say
        self._target = target_of(platform, environment.name, "service")
        project = platform.project
        ssm, ecr = ambient_client("ssm", environment.region), ambient_client("ecr", project.region)
        self._releases = Releases(project, environment, ssm, ecr)
        self._stand_in = stand_in(checkout, project, environment)
        self._all = [Deployed(project, environment, service) for service in environment.services]

    def run(self) -> None:
        started = time.monotonic()
        with working_on(self._checkout, self._target) as workspace:
            for deployed in self._all:
                deployed.begin(alarms=self._order.bake > 0)
            self._record()
            watched = self._plan(workspace)
            self.stands = standing.applying(self._name)
            try:
                self._apply(workspace)
                self.stands = standing.applied(self._name)
                self._wait(workspace, watched)
                self._test(watched)
            except ReleaseFailedError as failure:
                self._undo(workspace, watched, failure)
        for each in watched:
            now = f"{self._name}: {each.deployed.service} runs {short(each.release.expected)}"
            unchanged = ", as before" if each.deployed.before == each.release else ""
            self._say(f"{now}{unchanged}. It took {minutes(time.monotonic() - started)}.")

    def _record(self) -> None:
        order = self._order
        if not order.image:
            return
        (service,) = order.services
        with self._progress.phase(f"record {service}") as phase:
            changed = self._releases.record(service, order.image, order.commit)
            told = short(Release(order.image, order.commit).expected)
            phase.result = told if changed else f"{told}, unchanged"
        self.stands = standing.recorded(self._name)

    def _plan(self, workspace: Workspace) -> list[_Watched]:
        """Plan; returns the services to watch: those that were asked for and those that it changes."""
        with self._progress.phase(f"plan {self._target.stack}") as phase:
            recorded = [self._watched(deployed) for deployed in self._all]
            changed = plan_release(self._checkout, self._platform, self._target, workspace, phase)
            if recorded != [self._watched(deployed) for deployed in self._all]:
                raise OpsError("Somebody recorded another release meanwhile. Try again.")
        watched = [
            each
            for each in recorded
            if each.deployed.service in self._order.services or each.deployed.name in changed
        ]
        for each in watched:
            before = each.deployed.before
            now = f"{each.deployed.service}: {short(each.release.expected)}"
            if before != each.release:
                now += f" in place of {short(before.expected)}" if before else ", its first release"
            self._indented(now)
        return watched

    def _watched(self, deployed: Deployed) -> _Watched:
        found = self._releases.latest(deployed.service)
        if found is None or found.release is None:
            raise OpsError(
                f"{self._name} has no release of {deployed.service} that can be read. Make one: "
                f"`make deploy ENV={self._name} SERVICE={deployed.service} IMAGE=<repository>@<digest>`."
            )
        return _Watched(deployed, found.version, Release(found.release.image, found.release.commit))

    def _apply(self, workspace: Workspace) -> None:
        with self._progress.phase(f"apply {self._target.stack}") as phase:
            try:
                workspace.apply_plan(on_line=_steps(phase))
            except TerraformError as error:
                raise ReleaseFailedError("The apply failed.", str(error).splitlines()) from None

    def _wait(self, workspace: Workspace, watched: list[_Watched]) -> None:
        for deployed in (each.deployed for each in watched):
            wanted = applied_task_definition(workspace, deployed.name)
            with self._progress.phase(f"rollout {deployed.service}") as phase:
                deployed.wait(wanted, self._order.limit, phase, self._indented, live=self._progress.live)

    def _test(self, watched: list[_Watched]) -> None:
        for each in watched:
            own = self._run_here(each.deployed.service)
            address = self._order.address or own or each.deployed.address()
            with self._progress.phase(f"smoke test {each.deployed.service}") as phase:
                smoke_test(address, each.release.expected, phase, min(SECONDS, self._order.limit))
        for deployed in (each.deployed for each in watched):
            if self._order.bake:
                with self._progress.phase(f"bake {deployed.service}") as phase:
                    deployed.bake(self._order.bake, phase, self._indented)

    def _run_here(self, service: str) -> str:
        """On the embedded AWS, what ECS does elsewhere; returns the app's address, elsewhere nothing."""
        if not self._stand_in:
            return ""
        with self._progress.phase(f"app {service}") as phase:
            return self._stand_in.run(service, phase)

    def _undo(self, workspace: Workspace, watched: list[_Watched], failure: ReleaseFailedError) -> None:
        """Bring back what ran before; raises in any case, with all there is to tell."""
        told = "\n  ".join((failure.reason, *failure.details))
        changed = [
            (each, before) for each in watched if (before := each.deployed.before) and before != each.release
        ]
        if not changed:
            first = all(each.deployed.before is None for each in watched)
            words = standing.first(self._name) if first else standing.same(self._name)
            raise _ToldError(f"{self._name}: the release failed. {words}\n{told}")
        self._say(f"\n{told}\n\nUndoing the release:")
        self.stands = standing.failed(self._name, failure.reason)
        for each, before in changed:
            service = each.deployed.service
            with self._progress.phase(f"record {service}") as phase:
                why = f"undoes version {each.version}: {failure.reason[:_LONGEST_WHY]}"
                self._releases.record(service, before.image, before.commit, why, each.version)
                phase.result = f"{short(before.expected)} again"
        again = self._plan(workspace)
        try:
            self._apply(workspace)
            self._wait(workspace, again)
            for each in again:
                self._run_here(each.deployed.service)
        except ReleaseFailedError as second:
            raise OpsError(f"Undoing it failed too: {second}") from None
        runs = ", ".join(f"{each.deployed.service} runs {short(before.expected)}" for each, before in changed)
        raise _ToldError(f"{self._name}: the release failed and was undone: {runs} again.\n{failure.reason}")

    def _indented(self, line: str) -> None:
        self._say(f"    {line}")


def _steps(phase: Phase) -> OnLine:
    """Let a phase show what Terraform is at, and in the end what it did."""

    def see(line: str) -> None:
        if line.startswith("Apply complete!"):
            phase.result = line.removeprefix("Apply complete! Resources: ").rstrip(".")
        elif _STEP.match(line):
            phase.detail = line.strip()

    return see
