"""Watches ECS roll out a task definition to a service.

Source of the states: Amazon ECS API Reference, "Deployment".
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.console import minutes, printable
from ops.core.ecs import Deployment, Service, read_service, revision
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase

Say = Callable[[str], None]
"""Prints a line that stays on the screen."""

INTERVAL: Final = 2.0
"""Seconds between two requests."""

_ABSENCE: Final = 15
"""Consecutive answers in which ECS may not have a deployment yet: it is eventually consistent."""

_SILENCE: Final = 15
"""Consecutive requests that ECS may leave unanswered."""

_FEWEST_FAILURES, _MOST_FAILURES = 3, 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of a rollout, and the reason of a failure."""

    state: Literal["unknown", "under way", "completed", "failed"]
    reason: str = ""


@dataclass
class Watch:
    """A watched service; it reports the events that were not there at `begin`."""

    ecs: Any
    cluster: str
    name: str
    interval: float = INTERVAL
    _known: set[str] = field(default_factory=set)

    def begin(self) -> Service | None:
        """Reads the service before it is changed, and returns it, or None if it does not exist yet."""
        service = read_service(self.ecs, self.cluster, self.name)
        if service:
            self._known.update(event.id for event in service.events)
        return service

    def wait(self, task_definition: str, seconds: float, phase: Phase, say: Say, *, live: bool) -> Service:
        """Waits until a task definition is in service, and returns the service.

        `say` gets ECS's events and, unless the phase is live on a terminal, its progress.

        Raises ReleaseFailedError if the rollout fails or is not complete after `seconds`. Raises
        OpsError if ECS stops answering, which leaves the outcome unknown.
        """
        deadline = time.monotonic() + seconds
        seen = False
        absent = silent = 0
        shown = ""
        while True:
            try:
                service = read_service(self.ecs, self.cluster, self.name)
                silent = 0
            except (ClientError, BotoCoreError) as error:
                silent += 1
                phase.detail = f"ECS does not answer: {error}"
                if silent >= _SILENCE:
                    raise OpsError(f"The rollout's state could not be read from ECS: {error}") from None
                self._pause(deadline)
                continue
            if service is None:
                raise OpsError(f"The cluster {self.cluster} has no service {self.name}.")
            self._tell_events(service, say)
            outcome = outcome_of(service, task_definition)
            phase.detail = progress_of(service, task_definition)
            if phase.detail != shown and not live:
                say(phase.detail)
            shown = phase.detail
            if outcome.state == "unknown":
                absent += 1
                if seen or absent >= _ABSENCE:
                    raise ReleaseFailedError(_elsewhere(service, task_definition), [shown])
            else:
                seen, absent = True, 0
            if outcome.state == "completed":
                return service
            if outcome.state == "failed":
                raise ReleaseFailedError(outcome.reason, [shown])
            if time.monotonic() >= deadline:
                raise ReleaseFailedError(
                    f"The rollout was not complete after {minutes(seconds)}: {phase.detail}."
                )
            self._pause(deadline)

    def _pause(self, deadline: float) -> None:
        time.sleep(max(0.0, min(self.interval, deadline - time.monotonic())))

    def _tell_events(self, service: Service, say: Say) -> None:
        for event in service.events:
            if event.id not in self._known:
                self._known.add(event.id)
                say(f"{event.at.astimezone():%H:%M:%S} {printable(event.message)}")


def outcome_of(service: Service, task_definition: str) -> Outcome:
    """Returns the outcome of a task definition's rollout; `unknown` if ECS has no deployment of it."""
    primary, ours = service.primary, service.of(task_definition)
    if ours is None:
        return Outcome("unknown")
    if primary is None or primary.task_definition != task_definition:
        if ours.state == "FAILED" and primary:
            went_back = f"ECS went back to {revision(primary.task_definition)}."
            return Outcome("failed", f"{_reason(ours)} {went_back}")
        return Outcome("failed", _elsewhere(service, task_definition))
    if primary.state == "FAILED":
        return Outcome("failed", _reason(primary))
    steady = len(service.deployments) == 1 and primary.running == primary.desired
    if primary.state == "COMPLETED" or (not primary.state and steady):
        return Outcome("completed")
    return Outcome("under way")


def progress_of(service: Service, task_definition: str) -> str:
    """Returns the new and old tasks, and how near the circuit breaker is, in one line."""
    ours = service.of(task_definition)
    old = sum(found.running for found in service.deployments if found is not ours)
    parts = []
    if ours:
        pending = f", {ours.pending} starting" if ours.pending else ""
        parts.append(f"new tasks: {ours.running} of {ours.desired} running{pending}")
        if ours.failed:
            limit = f" (ECS gives up at {failures_allowed(ours.desired)})" if service.breaks else ""
            parts.append(f"failed: {ours.failed}{limit}")
    else:
        parts.append("new tasks: none yet")
    parts.append(f"old tasks: {old} running")
    return "; ".join(parts)


def failures_allowed(desired: int) -> int:
    """Returns how many failed tasks make the circuit breaker undo a deployment of `desired` tasks.

    Source: Amazon ECS Developer Guide, "How the Amazon ECS deployment circuit breaker detects
    failures": half of the tasks, rounded up, but not less than 3 and not more than 200.
    """
    return min(max((desired + 1) // 2, _FEWEST_FAILURES), _MOST_FAILURES)


def _reason(deployment: Deployment) -> str:
    reason = printable(deployment.reason) or f"ECS gave up on the deployment {deployment.id}."
    return reason if reason.endswith(".") else f"{reason}."


def _elsewhere(service: Service, task_definition: str) -> str:
    primary = service.primary
    now = revision(primary.task_definition) if primary else "nothing"
    return f"ECS is rolling out {now} instead of {revision(task_definition)}."
