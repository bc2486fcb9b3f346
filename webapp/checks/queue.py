"""Checks an SQS queue: how many messages wait and for how long, and how many are worked on or given up."""

from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.checks import alarms
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_WAITING: Final = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final = "ApproximateNumberOfMessagesNotVisible"
"""Approximate, since SQS is distributed. Source: Amazon SQS API Reference, "GetQueueAttributes"."""

_AGE: Final = "old-messages"
"""The alarm on the age of a queue's oldest message: SQS itself tells it as a metric only."""


async def check(clients: "Clients", component: Component, settings: "Settings") -> Finding:
    """Returns degraded while messages wait for too long, or are in its dead-letter queue, if it has one.

    Details: the numbers of messages `waiting` and `in_flight`, and of `dead_letters`; and the state of the
    alarm on the `age` of the oldest one, None if that is not known. Raises `AwsError`.
    """
    sqs = clients.of("sqs")
    waiting, in_flight = await messages(sqs, component.resource)
    dead = sum(await messages(sqs, component.dead_letters)) if component.dead_letters else None
    return found(waiting, in_flight, dead, await age_alarm(clients, component.resource, settings))


async def age_alarm(clients: "Clients", url: str, settings: "Settings") -> str | None:
    """Returns the state of the alarm on a queue's age; None without one, or if CloudWatch does not tell."""
    from webapp.calls import AwsError

    watched = settings.watched.values()
    queue = next((each.id for each in watched if each.kind is Kind.QUEUE and each.resource == url), None)
    base = next((each.resource for each in watched if each.kind is Kind.ALARMS), None)
    if queue is None or base is None:
        return None
    try:
        return await alarms.state_of(clients, f"{base}/{queue}/{_AGE}")
    except AwsError:
        return None


async def messages(sqs: Any, url: str) -> tuple[int, int]:
    """Returns how many messages wait in a queue, and how many somebody works on. Raises `AwsError`."""
    from webapp.calls import call_aws

    answer = await call_aws(
        "sqs:GetQueueAttributes",
        sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING, _IN_FLIGHT]),
    )
    counts = answer["Attributes"]
    return int(counts[_WAITING]), int(counts[_IN_FLIGHT])


def found(waiting: int, in_flight: int, dead: int | None, age: str | None) -> Finding:
    """Returns the finding for numbers of messages; `dead` is None without a dead-letter queue."""
    message = f"Messages: {waiting} waiting, {in_flight} in flight."
    if age == alarms.RAISED:
        message += f" {TOO_OLD}"
    if dead:
        message += f" In the dead-letter queue: {dead}."
    details = {"waiting": waiting, "in_flight": in_flight, "dead_letters": dead, "age": age}
    state = State.DEGRADED if dead or age == alarms.RAISED else State.OPERATIONAL
    return Finding(state, message, details)


TOO_OLD: Final = "The oldest waits for too long."


CHECK: Final = Check(
    kind=Kind.QUEUE,
    clients=("sqs", "cloudwatch"),
    # It asks for an alarm only if the alarms are a component, too, which has the grant.
    grants=(Grant("CheckQueues", ("sqs:GetQueueAttributes",), Resource.QUEUES),),
    missing="The queue, or its dead-letter queue, does not exist.",
    run=check,
)
