"""In ECS's stead: on the embedded AWS nothing runs a container, so a deployment there ends with this.

It runs the app as `make up` does, as the task definition in service says. Against any other AWS it is
never used.
"""

import json
import os
from dataclasses import dataclass

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.files import exclusive
from ops.core.progress import Phase
from ops.local.app import read_container, run_app
from ops.local.embedded import Embedded, find_embedded
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
        """Have a service's app run as its task definition says now; returns its address.

        ReleaseFailedError when it does not get ready.
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
        """Where a service's app answers. OpsError when it was never started."""
        try:
            record = json.loads((self.checkout.local / f"{self._name(service)}.json").read_text())
        except FileNotFoundError:
            raise OpsError(f"The app of {service} was not started here; `make deploy` starts it.") from None
        return str(record["address"])

    def _name(self, service: str) -> str:
        return f"app-{self.environment.name}-{service}"


def stand_in(checkout: Checkout, project: Project, environment: Environment) -> StandIn | None:
    """What stands in for ECS when this process acts on the checkout's own embedded AWS, else None."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL", "").rstrip("/")
    embedded = find_embedded(checkout.local) if endpoint else None
    if embedded is None or embedded.endpoint != endpoint:
        return None
    return StandIn(checkout, embedded, project, environment)
