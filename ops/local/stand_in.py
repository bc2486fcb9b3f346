"""Runs apps and jobs in place of ECS, since the embedded AWS runs no containers.

It runs an app as `make up` does, as the current task definition says. It is never used with any
other AWS.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.files import exclusive
from ops.core.progress import Phase
from ops.local.app import read_container, run_app
from ops.local.embedded import Embedded, find_embedded
from ops.local.jobs import as_process, process_name, run_job
from ops.local.runners import ProcessRunner
from stacks.settings import Environment, Project


@dataclass(frozen=True, slots=True)
class StandIn:
    """The apps of one environment on the embedded AWS of a checkout."""

    checkout: Checkout
    embedded: Embedded
    project: Project
    environment: Environment

    def run(self, service: str, phase: Phase) -> str:
        """Runs a service's app as its task definition says now, and returns its address.

        Raises ReleaseFailedError if it does not get ready.
        """
        refusal = "Another `make up` or `make down` is at work here"
        with exclusive(self.checkout.state / "local.lock", refusal):
            container = read_container(self.embedded, self.project, self.environment, service)
            try:
                app = run_app(
                    self.embedded,
                    container,
                    self._name(service),
                    self.environment.region,
                    self.checkout.local,
                    ProcessRunner(os.environ),
                )
            except OpsError as error:
                raise ReleaseFailedError(f"The app does not run: {error}") from None
        phase.result = f"{'started' if app.started else 'unchanged'} at {app.address}"
        return app.address

    def address(self, service: str) -> str:
        """Returns the address of a service's app.

        Raises OpsError if it was never started.
        """
        try:
            record = json.loads((self.checkout.local / f"{self._name(service)}.json").read_text())
        except FileNotFoundError:
            raise OpsError(f"The app of {service} was not started here; `make deploy` starts it.") from None
        return str(record["address"])

    def run_job(self, job: str, execution: str) -> None:
        """Runs the task of an execution of a job as a process here, until the execution is done."""
        run_job(
            self.embedded,
            self.project,
            self.environment,
            job,
            execution,
            directory=self.checkout.local,
            run=as_process(self.checkout.directory, os.environ),
        )

    def job_log(self, job: str) -> Path:
        """Returns the file that a job's output is appended to."""
        return self.checkout.local / "logs" / f"{process_name(self.environment, job)}.log"

    def _name(self, service: str) -> str:
        return f"app-{self.environment.name}-{service}"


def stand_in(checkout: Checkout, project: Project, environment: Environment) -> StandIn | None:
    """Returns the stand-in for ECS if this process uses the checkout's own embedded AWS, else None."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    embedded = find_embedded(checkout.local) if endpoint else None
    if embedded is None or embedded.endpoint != endpoint:
        return None
    return StandIn(checkout, embedded, project, environment)
