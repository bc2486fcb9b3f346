"""Deploys the recorded releases of an environment and tests them, or restores what ran before.

The steps are record, plan, apply, wait for ECS, smoke test, bake. A failure after the plan is
undone: the record names the previous release again, which is then planned, applied and waited for.
The record says that a release is in service only once that is known.
"""

import time
from dataclasses import dataclass
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.console import minutes
from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Progress
from ops.local.stand_in import stand_in
from ops.releases.choice import restored
from ops.releases.records import FAILED, IN_SERVICE, RECORDED, Releases
from ops.rollout.deployed import Deployed
from ops.rollout.plan import applied_task_definition, plan_release
from ops.rollout.smoke import SECONDS, Expected, short, smoke_test
from ops.rollout.watch import Say
from ops.terraform.binary import TerraformError
from ops.terraform.locks import StateLockedError
from ops.terraform.phases import watch
from ops.terraform.provision import working_on
from ops.terraform.states import StateBucket
from ops.terraform.workspace import StalePlanError, Workspace
from stacks import kinds
from stacks.naming import state_bucket
from stacks.settings import Environment, Platform

_LONGEST_WHY: Final = 200


@dataclass(frozen=True, slots=True)
class Order:
    """What to deploy and how long to wait: durations in seconds.

    `image` and `commit`, unless empty, are recorded first, for the only one of `services`;
    `address` is where the smoke test sends its requests instead of the service's own address.
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
    """Deploys what is recorded for the services of an environment, or what `order` names.

    Raises OpsError if the deployment was not done, or was done and undone; the text says which, and
    what to do. After an interrupt, `say` gets the state that it left.
    """
    deployment = _Deployment(checkout, platform, environment, order, progress, say)
    try:
        with working_on(checkout, deployment.target) as workspace:
            deployment.run(workspace)
    except KeyboardInterrupt:
        say(deployment.stands)
        raise
    except _ReportedError:
        raise
    except (OpsError, ClientError, BotoCoreError, OSError) as error:
        words = f"AWS: {error}" if isinstance(error, ClientError | BotoCoreError) else str(error)
        failed = OpsError(f"{words}\n{deployment.stands}")
        failed.status = error.status if isinstance(error, OpsError) else 1
        raise failed from error


class _ReportedError(OpsError):
    """An error whose text already includes the state that the deployment left."""


@dataclass(frozen=True, slots=True)
class _Watched:
    """A service, the version of its record that is being deployed, and the image of that version."""

    deployed: Deployed
    version: int
    image: Image

    @property
    def service(self) -> str:
        return self.deployed.service


class _Deployment:
    """One run; `stands` is at any time what an interruption would leave, and each step sets it."""

    def __init__(
        self,
        checkout: Checkout,
        platform: Platform,
        environment: Environment,
        order: Order,
        progress: Progress,
        say: Say,
    ) -> None:
        project, name = platform.project, environment.name
        (released,) = kinds.RELEASED
        self.target = released.of_environment(environment)
        self.stands = "Nothing was changed."
        self._undoing = False
        self._checkout = checkout
        self._platform = platform
        self._name = name
        self._order = order
        self._progress = progress
        self._say = say
        ssm, ecr = ambient_client("ssm", environment.region), ambient_client("ecr", project.region)
        self._releases = Releases(project, environment, ssm, ecr)
        self._states = StateBucket(ambient_client("s3", project.region), state_bucket(project))
        self._stand_in = stand_in(checkout, project, environment)
        self._all = [Deployed(project, environment, service) for service in environment.services]
        self._go_back = f"`make rollback ENV={name}` and `make deploy ENV={name}` go back to the previous one"

    def run(self, workspace: Workspace) -> None:
        started = time.monotonic()
        self._refuse_destroyed()
        for deployed in self._all:
            deployed.begin(alarms=self._order.bake > 0)
            self._note_completed(deployed)
        self._record()
        watched = self._plan(workspace)
        try:
            self._apply(workspace)
            self._wait(workspace, watched)
            self._test(watched)
            self._bake(watched)
        except ReleaseFailedError as failure:
            self._undo(workspace, watched, failure)
        self._leaves(
            "The release is in service and tested. Its record may not say so: `make deploy "
            f"ENV={self._name}` adds it."
        )
        self._settle(watched)
        for each in watched:
            unchanged = ", as before" if each.deployed.before == each.image else ""
            runs = f"{self._name}: {each.service} runs {_short(each.image)}{unchanged}."
            self._say(f"{runs} It took {minutes(time.monotonic() - started)}.")

    def _refuse_destroyed(self) -> None:
        """Raises OpsError if the stack has a state, but nothing is in it: `make destroy` leaves that."""
        if self._states.has(self.target.name) and not self._states.resources(self.target.name):
            raise OpsError(
                f"{self.target.name} has no resources: it was destroyed, or its first apply failed. A "
                f"release does not create it: `make bootstrap ENV={self._name}` does."
            )

    def _note_completed(self, deployed: Deployed) -> None:
        """Records that the current release is in service, if only ECS knows so far.

        That is so after `make bootstrap`, `make apply`, and a deployment that was interrupted.
        """
        latest = self._releases.latest(deployed.service)
        if latest is None or latest.release is None or latest.release.state != RECORDED:
            return
        if deployed.completed and deployed.before == Image(latest.release.image, latest.release.commit):
            self._releases.settle(deployed.service, latest.version, IN_SERVICE)

    def _settle(self, watched: list[_Watched]) -> None:
        """Records that the services' releases are in service."""
        for each in watched:
            if not self._releases.settle(each.service, each.version, IN_SERVICE):
                self._indented(f"{each.service}: somebody recorded another release meanwhile")

    def _record(self) -> None:
        """Records the image of the order, if it has one."""
        order, name = self._order, self._name
        if not order.image:
            return
        (service,) = order.services
        with self._progress.phase(f"record {service}") as phase:
            changed = self._releases.record(service, order.image, order.commit)
            unchanged = "" if changed else ", unchanged"
            phase.result = f"{_short(Image(order.image, order.commit))}{unchanged}"
        self._leaves(
            f"The release is recorded and not deployed. `make deploy ENV={name}` deploys it; "
            f"`make rollback ENV={name}` records the previous one again."
        )

    def _plan(self, workspace: Workspace) -> list[_Watched]:
        """Saves a plan and returns the services to watch: those of the order and those it changes."""
        with self._progress.phase(f"plan {self.target.name}") as phase:
            recorded = [self._recorded(deployed) for deployed in self._all]
            changed = plan_release(self._checkout, self._platform, self.target, workspace, phase)
            if recorded != [self._recorded(deployed) for deployed in self._all]:
                raise OpsError("Somebody recorded another release meanwhile. Try again.")
        watched = [
            each for each in recorded if each.service in self._order.services or each.deployed.name in changed
        ]
        for each in watched:
            before = each.deployed.before
            place = f" in place of {_short(before)}" if before else ", its first release"
            self._indented(f"{each.service}: {_short(each.image)}{'' if before == each.image else place}")
        return watched

    def _recorded(self, deployed: Deployed) -> _Watched:
        found = self._releases.latest(deployed.service)
        if found is None or found.release is None:
            raise OpsError(
                f"{self._name} has no release of {deployed.service} that can be read. Make one: "
                f"`make deploy ENV={self._name} SERVICE={deployed.service} IMAGE=<repository>@<digest>`."
            )
        return _Watched(deployed, found.version, Image(found.release.image, found.release.commit))

    def _apply(self, workspace: Workspace) -> None:
        before = self.stands
        self._leaves(
            "The apply was running, so part of it may be in force. "
            f"`make deploy ENV={self._name}` applies the rest; {self._go_back}."
        )
        with self._progress.phase(f"apply {self.target.name}") as phase:
            try:
                workspace.apply_plan(on_line=watch(phase))
            except TerraformError as error:
                raise ReleaseFailedError("The apply failed.", str(error).splitlines()) from None
            except (StateLockedError, StalePlanError):
                self._leaves(before)
                raise
        self._leaves(
            "The release is applied; ECS continues to roll it out, and it is not tested. "
            f"`make deploy ENV={self._name}` waits for it and tests it; {self._go_back}."
        )

    def _wait(self, workspace: Workspace, watched: list[_Watched]) -> None:
        """Waits for ECS; on the embedded AWS, runs the apps in its place."""
        for each in watched:
            wanted = applied_task_definition(workspace, each.deployed.name)
            with self._progress.phase(f"rollout {each.service}") as phase:
                each.deployed.wait(wanted, self._order.limit, phase, self._indented, live=self._progress.live)
            if self._stand_in:
                with self._progress.phase(f"app {each.service}") as phase:
                    self._stand_in.run(each.service, phase)

    def _test(self, watched: list[_Watched]) -> None:
        for each in watched:
            own = self._stand_in.address(each.service) if self._stand_in else ""
            address = self._order.address or own or each.deployed.address()
            with self._progress.phase(f"smoke test {each.service}") as phase:
                smoke_test(address, Expected.of(each.image), phase, min(SECONDS, self._order.limit))

    def _bake(self, watched: list[_Watched]) -> None:
        for each in watched if self._order.bake else ():
            with self._progress.phase(f"bake {each.service}") as phase:
                each.deployed.bake(self._order.bake, phase, self._indented)

    def _undo(self, workspace: Workspace, watched: list[_Watched], failure: ReleaseFailedError) -> None:
        """Restores what ran before; always raises an error that reports the outcome."""
        name, told = self._name, "\n  ".join((failure.reason, *failure.details))
        previous = [(each, each.deployed.before) for each in watched]
        changed = [(each, before) for each, before in previous if before and before != each.image]
        if not changed and all(before is None for _, before in previous):
            for each in watched:
                why = f"failed: {failure.reason[:_LONGEST_WHY]}"
                self._releases.settle(each.service, each.version, FAILED, why)
            raise _ReportedError(
                f"{name}: the release failed. It is the first one, so there is no previous release to go "
                "back to: it stays in force. Fix what is wrong and deploy again, or remove it all with "
                f"`make destroy ENV={name} STACK=service`.\n{told}"
            )
        if not changed:
            raise _ReportedError(
                f"{name}: the release failed. The same release ran before, so nothing was undone; "
                f"{self._go_back}.\n{told}"
            )
        self._say(f"\n{told}\n\nUndoing the release:")
        self._leaves(
            f"The release failed ({failure.reason.rstrip('.')}) and is not undone, or only in part. `make "
            f"releases ENV={name}` shows what is recorded, `make deploy ENV={name}` deploys it."
        )
        self._undoing = True
        for each, before in changed:
            with self._progress.phase(f"record {each.service}") as phase:
                why = f"undoes version {each.version}: {failure.reason[:_LONGEST_WHY]}"
                restores = restored(self._releases.history(each.service), before.image, before.commit)
                self._releases.record(
                    each.service, before.image, before.commit, why, each.version, restores, each.version
                )
                phase.result = f"{_short(before)} again"
        again = self._plan(workspace)
        try:
            self._apply(workspace)
            self._wait(workspace, again)
        except ReleaseFailedError as second:
            raise OpsError(f"Undoing it failed too: {second}") from None
        self._settle(again)
        runs = ", ".join(f"{each.service} runs {_short(before)}" for each, before in changed)
        raise _ReportedError(f"{name}: the release failed and was undone: {runs} again.\n{failure.reason}")

    def _leaves(self, words: str) -> None:
        if not self._undoing:
            self.stands = words

    def _indented(self, line: str) -> None:
        self._say(f"    {line}")


def _short(image: Image) -> str:
    return short(Expected.of(image))
