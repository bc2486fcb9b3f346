"""Deploys the recorded releases of an environment and tests them, or restores what ran before.

The steps are record, plan, before_deploy, apply, wait for ECS, smoke test, bake. A failure after the
plan is undone: the record names the previous release again, which is then planned, applied and waited
for. If the plan is refused or a command of before_deploy fails, nothing was applied yet, so that only
the record goes back. The record says that a release is in service only once that is known.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.console import minutes
from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Progress
from ops.local.stand_in import stand_in
from ops.releases.records import Releases
from ops.rollout.before_deploy import HAS_TO_FIT, BeforeDeploy, beyond, services_to_run
from ops.rollout.deployed import Deployed
from ops.rollout.plan import applied_task_definition, plan_release
from ops.rollout.recorder import Recorder, Release
from ops.rollout.smoke import SECONDS, short
from ops.rollout.verify import verify
from ops.rollout.watch import Say
from ops.terraform import boundaries
from ops.terraform.binary import TerraformError
from ops.terraform.locks import StateLockedError
from ops.terraform.phases import watch
from ops.terraform.provision import working_on
from ops.terraform.states import states_of
from ops.terraform.workspace import StalePlanError, Workspace
from stacks import kinds
from stacks.images import services_by_image
from stacks.settings import Environment, Platform
from stacks.workloads import in_order_of_use


@dataclass(frozen=True, slots=True)
class Order:
    """What to deploy and how long to wait: durations in seconds.

    `releases`, by the image's name, are recorded first; a commit that is older than the recorded one only
    with `allow_older`. `address` is where the smoke test asks instead of the service's own address.
    """

    services: tuple[str, ...]
    releases: Mapping[str, Image] = field(default_factory=dict)
    bake: float = 0.0
    limit: float = 1200.0
    address: str = ""
    allow_older: bool = False


def deploy(
    checkout: Checkout,
    platform: Platform,
    environment: Environment,
    order: Order,
    progress: Progress,
    say: Say,
    require: Callable[[Workspace], None] | None = None,
) -> None:
    """Deploys what is recorded for the services of an environment, or what `order` names.

    `require` may refuse the saved plan, before it is applied, with an OpsError.

    Raises OpsError if the deployment was not done, or was done and undone; the text says which, and
    what to do. After an interrupt, `say` gets the state that it left.
    """
    deployment = _Deployment(checkout, platform, environment, order, progress, say, require)
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
    """What a deployment concerns: services, and the releases that they run."""

    services: tuple[Deployed, ...]
    releases: tuple[Release, ...]


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
        require: Callable[[Workspace], None] | None,
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
        self._require = require
        ssm, ecr = ambient_client("ssm", environment.region), ambient_client("ecr", project.region)
        self._states = states_of(project)
        self._stand_in = stand_in(checkout, project, environment)
        self._all = [
            Deployed(project, environment, key)
            for key, service in environment.services.items()
            if service.kind != "job"
        ]
        self._images = services_by_image(project, environment)
        releases = Releases(project, environment, ssm, ecr)
        self._recorder = Recorder(name, self._images, self._all, releases, progress, say)
        self._environment = environment
        self._before_deploy = BeforeDeploy(project, environment, progress.phase, order.limit, self._stand_in)
        self._has_run = False
        """Whether a command of before_deploy has succeeded, which no undo takes back."""
        self._rollback = ""

    def run(self, workspace: Workspace) -> None:
        started, order = time.monotonic(), self._order
        self._refuse_destroyed()
        for deployed in self._all:
            deployed.begin(alarms=order.bake > 0)
        for name in self._images:
            self._recorder.note_completed(name)
        if not order.allow_older and self._recorder.superseded(order.releases, self._checkout.directory):
            return
        boundaries.require(self._checkout, self._platform, self.target, self._indented)
        try:
            self._record()
            watched = self._plan(workspace)
            if self._require:
                self._require(workspace)
        except BaseException:
            # What fails here leaves the record as it is, which `stands` says.
            with suppress(OpsError, ClientError, BotoCoreError):
                if self._recorder.withdraw():
                    self._leaves("Nothing was applied, and the record names the previous release again.")
            raise
        self._rollback = self._recorder.rollbacks(each.name for each in watched.releases)
        try:
            self._prepare(workspace, watched)
        except ReleaseFailedError as failure:
            self._take_back(watched, failure)
        try:
            self._apply(workspace)
            self._wait(workspace, watched.services)
            self._test(watched)
            self._bake(watched)
        except ReleaseFailedError as failure:
            self._undo(workspace, watched, failure)
        self._leaves(
            "The release is in service and tested. Its record may not say so: `make deploy "
            f"ENV={self._name}` adds it."
        )
        self._recorder.settle(watched.releases)
        for each in watched.releases:
            unchanged = ", as before" if each.before == each.image else ""
            runs = f"{self._name}: {self._recorder.users(each.name)} {short(each.image)}{unchanged}."
            self._say(f"{runs} It took {minutes(time.monotonic() - started)}.")

    def _refuse_destroyed(self) -> None:
        """Raises OpsError if the stack has a state, but nothing is in it: `make destroy` leaves that."""
        if self._states.has(self.target.name) and not self._states.resources(self.target.name):
            raise OpsError(
                f"{self.target.name} has no resources: it was destroyed, or its first apply failed. A "
                f"release does not create it: `make bootstrap ENV={self._name}` does."
            )

    def _back(self, rollback: str) -> str:
        return f"{rollback} and `make deploy ENV={self._name}` go back to the previous one"

    def _record(self) -> None:
        """Records the releases of the order."""
        of = " SERVICE=<service>" if len(self._images) > 1 else ""
        for _ in self._recorder.record(self._order.releases):
            self._leaves(
                f"The release is recorded and not deployed. `make deploy ENV={self._name}` deploys it; "
                f"`make rollback ENV={self._name}{of}` records the previous one again, if there is one."
            )

    def _plan(self, workspace: Workspace) -> _Watched:
        """Saves a plan and returns what to watch: the services of the order, and those that it changes.

        Services that run the same image are watched together.
        """
        with self._progress.phase(f"plan {self.target.name}") as phase:
            recorded = [self._recorder.current(name) for name in self._images]
            changed = plan_release(self._checkout, self._platform, self.target, workspace, phase)
            self._recorder.require_unchanged(recorded)
        wanted = {*self._order.services, *(each.service for each in self._all if each.name in changed)}
        for users in self._images.values():
            if wanted.intersection(users):
                wanted.update(users)
        watched = _Watched(
            tuple(each for each in self._all if each.service in wanted),
            tuple(each for each in recorded if wanted.intersection(self._images[each.name])),
        )
        for each in watched.releases:
            before = each.before
            place = f" in place of {short(before)}" if before else ", its first release"
            self._indented(f"{each.name}: {short(each.image)}{'' if before == each.image else place}")
        return watched

    def _prepare(self, workspace: Workspace, watched: _Watched) -> None:
        """Runs before_deploy of the services whose task for it the saved plan changes, and plans the rest.

        Raises ReleaseFailedError if a command fails, and OpsError if the rest is not a part of the saved
        plan, which may have been reviewed.
        """
        plan = json.loads(workspace.plan_json.read_bytes())
        changed = services_to_run(plan, self._environment)
        services = [service for service in changed if not self._recorder.goes_back(service)]
        for service in changed:
            if service not in services:
                self._indented(f"{service}: before_deploy is not run, because its release was there before")
        if not services:
            return
        ran = f"before_deploy of {', '.join(services)}"
        again = f"`make deploy ENV={self._name}`"
        self._leaves(f"{ran} may have run, and nothing else was applied. {again} runs it again.")
        self._before_deploy.run(workspace, plan, services)
        self._has_run = True
        self._leaves(f"{ran} has run, and nothing else was applied. {again} applies the rest.")
        with self._progress.phase(f"plan {self.target.name}") as phase:
            plan_release(self._checkout, self._platform, self.target, workspace, phase)
            self._recorder.require_unchanged(watched.releases)
            if found := beyond(plan, json.loads(workspace.plan_json.read_bytes())):
                workspace.discard_plan()
                raise OpsError(
                    f"After before_deploy, the plan of {self.target.name} makes other changes than before: "
                    f"{', '.join(found)}. Look at them with `make plan`, then try again."
                )

    def _apply(self, workspace: Workspace) -> None:
        before = self.stands
        back = f"; {self._back(self._rollback)}" if self._rollback else ""
        self._leaves(
            "The apply was running, so part of it may be in force. "
            f"`make deploy ENV={self._name}` applies the rest{back}."
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
            f"`make deploy ENV={self._name}` waits for it and tests it{back}."
        )

    def _wait(self, workspace: Workspace, services: Iterable[Deployed]) -> None:
        """Waits for ECS; on the embedded AWS, runs the services in its place."""
        waited = list(services)
        for each in waited:
            wanted = applied_task_definition(workspace, each.name)
            with _failing(each), self._progress.phase(f"rollout {each.service}") as phase:
                each.wait(wanted, self._order.limit, phase, self._indented, live=self._progress.live)
        if self._stand_in:
            order = in_order_of_use(self._environment)
            for each in sorted(waited, key=lambda each: order.index(each.service)):
                with _failing(each), self._progress.phase(f"app {each.service}") as phase:
                    self._stand_in.run(each.service, phase)

    def _test(self, watched: _Watched) -> None:
        for each in watched.services:
            with _failing(each), self._progress.phase(f"smoke test {each.service}") as phase:
                image = next((found.image for found in watched.releases if found.name == each.released), None)
                limit = min(SECONDS, self._order.limit)
                # Others that run the same image have addresses of their own.
                address = self._order.address if each.service in self._order.services else ""
                verify(each, image, address, self._stand_in, phase, limit)

    def _bake(self, watched: _Watched) -> None:
        for each in watched.services if self._order.bake else ():
            with _failing(each), self._progress.phase(f"bake {each.service}") as phase:
                each.bake(self._order.bake, phase, self._indented)

    def _undo(self, workspace: Workspace, watched: _Watched, failure: ReleaseFailedError) -> NoReturn:
        """Restores what ran before and worked; always raises an error that reports the outcome."""
        name = self._name
        failing, failed, undone = self._mark_failed(watched, failure)
        stay = [each for each in failed if each not in undone]
        stays = (
            f" {', '.join(stay)} ran nothing before that worked, so this release stays in force."
            if stay
            else ""
        )
        reason = f"{failure.reason}\n{HAS_TO_FIT}" if self._has_run else failure.reason
        if undone:
            self._restore(workspace, undone, stay, failure)
            runs = ", ".join(
                f"{self._recorder.users(name)} {short(image)}" for name, (_, image) in undone.items()
            )
            raise _ReportedError(f"{name}: the release failed and was undone: {runs} again.{stays}\n{reason}")
        rollback = self._recorder.rollbacks(sorted(failing))
        advice = f"{self._back(rollback)}." if rollback else "Fix what is wrong and deploy again."
        if len(stay) == len(self._images):
            advice += f" `make destroy ENV={name} STACK=service` removes it all."
        same = "" if stay else " The same release ran before, so nothing was undone."
        raise _ReportedError(f"{name}: the release failed.{stays}{same} {advice}\n{reason}")

    def _take_back(self, watched: _Watched, failure: ReleaseFailedError) -> NoReturn:
        """Records what ran before and worked, after a before_deploy that failed: nothing else was applied."""
        _, failed, undone = self._mark_failed(watched, failure)
        self._recorder.record_again(undone, failure)
        for name in undone:
            self._recorder.note_completed(name)
        found = [
            f"{self._recorder.users(name)} {short(image)} as before." for name, (_, image) in undone.items()
        ]
        found += [f"{name} has no release to go back to." for name in failed if name not in undone]
        told = " ".join((failure.reason, *found, "Fix it and deploy again."))
        raise _ReportedError(f"{self._name}: {told}\n{HAS_TO_FIT}")

    def _mark_failed(
        self, watched: _Watched, failure: ReleaseFailedError
    ) -> tuple[set[str], Mapping[str, int], Mapping[str, tuple[int, Image]]]:
        """Says what failed, and returns what `Recorder.mark_failed` does."""
        self._say("\n" + "\n  ".join((failure.reason, *failure.details)))
        self._leaves(
            f"The release failed ({failure.reason.rstrip('.')}) and is not undone, or only in part. `make "
            f"releases ENV={self._name}` shows what is recorded, `make deploy ENV={self._name}` deploys it."
        )
        self._undoing = True
        return self._recorder.mark_failed(watched.releases, failure)

    def _restore(
        self,
        workspace: Workspace,
        undone: Mapping[str, tuple[int, Image]],
        stay: list[str],
        failure: ReleaseFailedError,
    ) -> None:
        """Records, deploys and waits for previous releases; services that run those in `stay` are left alone.

        `undone` has for each image the version that failed, and the release to go back to.
        """
        self._say("\nUndoing the release:")
        self._recorder.record_again(undone, failure)
        again = self._plan(workspace)
        others = {user for name, users in self._images.items() if name not in stay for user in users}
        kept = {user for name in stay for user in self._images[name]} - others
        try:
            self._apply(workspace)
            self._wait(workspace, (each for each in again.services if each.service not in kept))
        except ReleaseFailedError as second:
            raise OpsError(f"Undoing it failed too: {second}") from None
        self._recorder.settle(each for each in again.releases if each.name in undone)

    def _leaves(self, words: str) -> None:
        if not self._undoing:
            self.stands = words

    def _indented(self, line: str) -> None:
        self._say(f"    {line}")


@contextmanager
def _failing(deployed: Deployed) -> Iterator[None]:
    """Names the service in the failure of a step that is about one."""
    try:
        yield
    except ReleaseFailedError as failure:
        failure.service = deployed.service
        raise
