"""Checks an SQS queue: how many messages wait, how many are being worked on, and how many were given up."""

from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_WAITING: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
"""Approximate, since SQS is distributed. Source: Amazon SQS API Reference, "GetQueueAttributes"."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns degraded while its dead-letter queue, if it has one, holds messages.

    Details: the numbers of messages `waiting` and `in_flight`, and of `dead_letters`. Raises `AwsError`.
    """
    sqs = clients.of("sqs")
    waiting, in_flight = await messages(sqs, component.resource)
    dead = sum(await messages(sqs, component.dead_letters)) if component.dead_letters else None
    return found(waiting, in_flight, dead)


async def messages(sqs: Any, url: str) -> tuple[int, int]:
    """Returns how many messages wait in a queue, and how many somebody works on. Raises `AwsError`."""
    from webapp.calls import call_aws

    answer = await call_aws(
        "sqs:GetQueueAttributes",
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING, _IN_FLIGHT]),
    )
    counts = answer["Attributes"]
    return int(counts[_WAITING]), int(counts[_IN_FLIGHT])


def found(waiting: int, in_flight: int, dead: int | None) -> Finding:
    """Returns the finding for numbers of messages; `dead` is None without a dead-letter queue."""
    message = f"Messages: {waiting} waiting, {in_flight} in flight."
    details = {"waiting": waiting, "in_flight": in_flight, "dead_letters": dead}
    if dead:
        return Finding(State.DEGRADED, f"{message} In the dead-letter queue: {dead}.", details)
    return Finding(State.OPERATIONAL, message, details)


CHECK: Final = Check(
    kind=Kind.QUEUE,
    clients=("sqs",),
    grants=(Grant("CheckQueues", ("sqs:GetQueueAttributes",), Resource.QUEUES),),
    missing="The queue, or its dead-letter queue, does not exist.",
    run=check,
)
