"""Checks a worker: its tasks, and the messages that wait in its queue."""

from typing import TYPE_CHECKING, Final

from webapp.check import Check
from webapp.checks import queue, tasks
from webapp.components import Component, Kind
from webapp.states import Finding

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings


async def check(clients: "Clients", component: Component, settings: "Settings") -> Finding:
    """Returns the finding for its tasks, with the messages in its queue if it has one.

    Details: those of the tasks, and the numbers of messages `waiting` and `in_flight`. Raises `AwsError`.
    """
    from webapp.calls import AwsError

    _, found = await tasks.look(clients, component, settings)
    if component.queue is None:
        return found
    try:
        waiting, in_flight = await queue.messages(clients.of("sqs"), component.queue)
    except AwsError:
        return Finding(found.state, f"{found.message} SQS does not tell what is in its queue.", found.details)
    return Finding(
        found.state,
        f"{found.message} In its queue: {waiting} waiting, {in_flight} in flight.",
        {**found.details, "waiting": waiting, "in_flight": in_flight},
    )


CHECK: Final = Check(
    kind=Kind.WORKER,
    clients=("ecs", "sqs"),
    grants=(*tasks.GRANTS, *queue.CHECK.grants),
    run=check,
    missing=tasks.MISSING,
)
