"""Checks a worker: its tasks, and the messages that wait in its queue."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from webapp.check import Check
from webapp.checks import alarms, queue, tasks
from webapp.components import Component, Kind
from webapp.states import Finding, State, worst

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings


_SCALING: Final = timedelta(minutes=5)
"""How long messages may wait until a worker has a task: those that scale from zero need some minutes."""


class WorkerCheck:
    """Checks workers, and remembers since when messages wait for those without a task."""

    def __init__(self) -> None:
        self._waiting_since: dict[str, datetime] = {}

    async def check(self, clients: "Clients", component: Component, settings: "Settings") -> Finding:
        """Returns the finding for its tasks, with the messages in its queue if it has one.

        Degraded if messages wait for too long, or for minutes while no task is desired. Details: those of the
        tasks, the numbers of messages `waiting` and `in_flight`, and the state of the alarm on the `age` of
        the oldest one, None if that is not known. Raises `AwsError`.
        """
        from webapp.calls import AwsError

        service, found = await tasks.look(clients, component, settings)
        if component.queue is None:
            return found
        try:
            waiting, in_flight = await queue.messages(clients.of("sqs"), component.queue)
        except AwsError:
            told = f"{found.message} SQS does not tell what is in its queue."
            return Finding(found.state, told, found.details)
        now = datetime.now(UTC)
        if not waiting or service is None or service["runningCount"] or service["desiredCount"]:
            self._waiting_since.pop(component.id, None)
            waited = None
        else:
            waited = now - self._waiting_since.setdefault(component.id, now)
        age = await queue.age_alarm(clients, component.queue, settings)
        return with_messages(found, waiting, in_flight, age, waited)


def with_messages(
    found: Finding, waiting: int, in_flight: int, age: str | None, waited: timedelta | None
) -> Finding:
    """Returns the finding for tasks and messages; `waited` is how long some wait and no task is desired."""
    message = f"{found.message} In its queue: {waiting} waiting, {in_flight} in flight."
    state = found.state
    if age == alarms.RAISED:
        message += f" {queue.TOO_OLD}"
        state = worst((state, State.DEGRADED))
    details = {**found.details, "waiting": waiting, "in_flight": in_flight, "age": age}
    if waited is None or waited < _SCALING or found.state is not State.OPERATIONAL:
        return Finding(state, message, details)
    minutes = int(waited.total_seconds() // 60)
    return Finding(
        State.DEGRADED, f"Messages wait for {minutes} minutes, and no task is desired. {message}", details
    )


CHECK: Final = Check(
    kind=Kind.WORKER,
    clients=("ecs", *queue.CHECK.clients),
    grants=(*tasks.GRANTS, *queue.CHECK.grants),
    run=WorkerCheck().check,
    missing=tasks.MISSING,
)
