"""Runs services, jobs and `before_deploy` in place of ECS, since the embedded AWS runs no containers.

It runs them as the last `make up` did, in containers or as processes, and as the current task definitions
say. It is never used with any other AWS.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.local.balancers import Balancers
from ops.local.caches import Caches
from ops.local.databases import Databases
from ops.local.embedded import Embedded, find_embedded
from ops.local.jobs import process_name, run_job, run_task
from ops.local.names import app_name
from ops.local.services import NotRunError, Services, alone, noted_engine
from stacks.settings import Environment, Project


@dataclass(frozen=True, slots=True)
class StandIn:
    """The services of one environment on the embedded AWS of a checkout."""

    checkout: Checkout
    embedded: Embedded
    project: Project
    environment: Environment

    def run(self, service: str, phase: Phase) -> str:
        """Runs a service as its task definition says now, and returns its address.

        That is empty if it listens nowhere, or is not run here, which the phase's result says. Raises
        ReleaseFailedError if it does not get ready.
        """
        with alone(self.checkout):
            try:
                self._run_stores()
                ran = self._services.run(service)
            except NotRunError as reason:
                phase.result = f"not run: {reason}"
                return ""
            except OpsError as error:
                raise ReleaseFailedError(f"The app does not run: {error}") from None
            if ran.address:
                Balancers(self.environment, self.checkout.local).update(service, ran.address)
            self._follow(service)
        phase.result = f"{ran.what}{f' at {ran.address}' if ran.address else ''}"
        return ran.address

    def address(self, service: str) -> str:
        """Returns the address of a service, or an empty string if it listens nowhere or is not run here."""
        return self._services.address(service)

    def state(self, service: str) -> str:
        """Returns whether a service runs on this machine, or why it is not run here.

        Raises OpsError if it was never started, or has ended.
        """
        if self._services.runs(service):
            return "runs on this machine"
        if reason := self._services.reason(self.environment.services[service]):
            return f"not run on this machine: {reason}"
        raise OpsError(f"The app of {service} was not started here; `make deploy` starts it.")

    def job(self, job: str) -> Callable[[str], None]:
        """Returns what runs the tasks of an execution of a job as processes here, until it is done.

        Raises NotRunError if the job is not run here, so ask before the execution is started.
        """
        run = self._services.one_off(job)
        self._run_stores()

        def until_done(execution: str) -> None:
            try:
                run_job(
                    self.embedded,
                    self.project,
                    self.environment,
                    job,
                    execution,
                    directory=self.checkout.local,
                    run=run,
                )
            finally:
                self._services.end_one_off(job)

        return until_done

    def reason(self, service: str) -> str:
        """Returns why a service is not run here, or an empty string."""
        return self._services.reason(self.environment.services[service])

    def run_before_deploy(self, service: str, task: Mapping[str, Any], timeout: float) -> str:
        """Runs a task of `before_deploy` as a process here, and returns the last line it printed.

        It is ended after `timeout` seconds. Raises OpsError if it cannot be started.
        """
        name = f"before-{self.environment.name}-{service}"
        log = self.checkout.local / "logs" / f"{name}.log"
        start = log.stat().st_size if log.exists() else 0
        self._run_stores()
        try:
            run_task(
                self.embedded,
                self.environment,
                service,
                task,
                name=name,
                directory=self.checkout.local,
                run=self._services.one_off(service),
                timeout=timeout,
            )
        finally:
            self._services.end_one_off(service)
        lines = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def log(self, service: str) -> Path:
        """Returns the file that the output of a service or a job is appended to."""
        is_job = self.environment.services[service].kind == "job"
        name = (process_name if is_job else app_name)(self.environment, service)
        return self.checkout.local / "logs" / f"{name}.log"

    def _follow(self, service: str) -> None:
        """Restarts status apps that run here and ask a service at an address where it is no more."""
        for key, each in self.environment.services.items():
            if each.kind == "status" and key != service and self._services.runs(key):
                self._services.run(key)

    def _run_stores(self) -> None:
        Databases(self.checkout, self.embedded, self.project, self.environment).run_all()
        Caches(self.checkout, self.environment).run_all()

    @property
    def _services(self) -> Services:
        return Services(
            self.checkout,
            self.embedded,
            self.project,
            self.environment,
            noted_engine(self.checkout, self.environment),
            runs_before_deploy=False,
        )


def stand_in(checkout: Checkout, project: Project, environment: Environment) -> StandIn | None:
    """Returns the stand-in for ECS if this process uses the checkout's own embedded AWS, else None."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    embedded = find_embedded(checkout.local) if endpoint else None
    if embedded is None or embedded.endpoint != endpoint:
        return None
    return StandIn(checkout, embedded, project, environment)
