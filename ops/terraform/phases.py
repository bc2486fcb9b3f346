"""The phases that bring up an environment, shared by `make up` and `make bootstrap`.

Each phase looks at what exists and does only what is missing, so that a run after an interruption,
a failure or a change resumes where it has to.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.core.progress import Phase, Progress
from ops.releases.records import Releases
from ops.terraform import foundation
from ops.terraform.binary import Terraform
from ops.terraform.states import StateBucket
from ops.terraform.synthesis import synthesize
from ops.terraform.workspace import OnLine, Workspace
from stacks import kinds
from stacks.images import services_by_image
from stacks.naming import state_bucket
from stacks.settings import Environment, Platform

_APPLIED: Final = re.compile(r"Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed")
_STEP: Final = re.compile(r"[\w.\[\]\"-]+: (Creating|Modifying|Destroying|Still \w+|Refreshing|Reading)")


class PhaseError(OpsError):
    """A phase failed; `phase` names it, and the text gives the cause and how to resume."""

    def __init__(self, phase: str, cause: Exception, resume: str) -> None:
        self.phase = phase
        self.status = cause.status if isinstance(cause, OpsError) else 1
        super().__init__(f"The phase {phase} failed. {cause}\nWhat was done before stays: {resume}.")


@dataclass(frozen=True, slots=True)
class Place:
    """An AWS to deploy to: clients and Terraform's environment by account, and the working directories.

    `client` takes service, region and account.
    """

    terraform: Terraform
    client: Callable[[str, str, str], Any]
    environment: Callable[[str], Mapping[str, str]]
    directory: Path


Apply = Callable[[Workspace, OnLine], None]
"""Applies a stack whose directory is initialized: `Workspace.apply`, or a more careful function."""


class Phases:
    """One run: the environment, where progress is shown, and how to resume after a failure."""

    def __init__(
        self,
        checkout: Checkout,
        platform: Platform,
        environment: Environment,
        progress: Progress,
        resume: str,
    ) -> None:
        self._checkout = checkout
        self._platform = platform
        self._project = platform.project
        self._environment = environment
        self._progress = progress
        self._resume = resume

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Shows a phase while the block runs.

        Raises PhaseError if it fails with an expected error.
        """
        with self._progress.phase(name) as phase:
            try:
                yield phase
            except (OpsError, ClientError, BotoCoreError, OSError) as error:
                raise PhaseError(name, error, self._resume) from error

    def synthesis(self) -> None:
        """Writes every stack's Terraform JSON."""
        with self.phase("synthesis"):
            synthesize(self._checkout)

    def foundation(self, place: Place, account_id: str, apply: Apply) -> None:
        """Applies an account's foundation; the project's keeps its state on disk until its bucket exists."""
        stack = kinds.FOUNDATION.of_account(self._project, account_id).name
        with self.phase(stack) as phase:
            workspace = self.workspace(place, stack, account_id)
            with workspace.reserved():
                workspace.take(self._checkout.configuration(stack))
                if account_id == self._project.account_id:
                    foundation.init(workspace, self.states(place))
                else:
                    workspace.init("-reconfigure")
                apply(workspace, watch(phase))
                foundation.settle(workspace)

    def releases(self, place: Place, images: Mapping[str, tuple[str, str]], why: str = "") -> None:
        """Records image and commit of each image without a release, or whose release no longer exists."""
        with self.phase("releases") as phase:
            releases = self.records(place)
            wanted = services_by_image(self._project, self._environment)
            missing = [name for name in wanted if releases.deployable(name) is None]
            for name in missing:
                releases.record(name, *images[name], why)
            phase.result = f"recorded for {', '.join(missing)}" if missing else "unchanged"

    def environment(
        self, place: Place, apply: Apply, prepare: Callable[[Workspace], None] | None = None
    ) -> None:
        """Applies the stacks of the environment; `prepare` goes before each that a release applies."""
        for kind in kinds.OF_ENVIRONMENT:
            stack = kind.name_in(self._environment.name)
            workspace = self.workspace(place, stack, self._environment.account_id)
            if prepare and kind.released:
                prepare(workspace)
            with self.phase(stack) as phase, workspace.reserved():
                workspace.take(self._checkout.configuration(stack))
                workspace.init("-reconfigure")
                apply(workspace, watch(phase))

    def workspace(self, place: Place, stack: str, account_id: str) -> Workspace:
        """Returns a stack's working directory."""
        return Workspace(stack, place.directory, place.terraform, place.environment(account_id))

    def states(self, place: Place) -> StateBucket:
        """Returns the state bucket, which belongs to the project's account."""
        project = self._project
        return StateBucket(place.client("s3", project.region, project.account_id), state_bucket(project))

    def records(self, place: Place) -> Releases:
        """Returns the environment's release records."""
        project, environment = self._project, self._environment
        ssm = place.client("ssm", environment.region, environment.account_id)
        ecr = place.client("ecr", project.region, project.account_id)
        return Releases(project, environment, ssm, ecr)


def watch(phase: Phase) -> OnLine:
    """Returns a function that shows in a phase what Terraform is doing, and at the end what it did."""

    def see(line: str) -> None:
        if match := _APPLIED.search(line):
            added, changed, destroyed = match.groups()
            done = f"{added} added, {changed} changed, {destroyed} destroyed"
            phase.result = "unchanged" if match.groups() == ("0", "0", "0") else done
        elif _STEP.match(line):
            phase.detail = line.strip()

    return see
