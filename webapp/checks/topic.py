"""Checks an SNS topic, and the subscriptions to it."""

from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational if SNS knows the topic.

    Details: the numbers of `subscriptions`, and of those that are `pending` because nobody has confirmed
    them. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "sns:GetTopicAttributes", clients.of("sns").get_topic_attributes(TopicArn=component.resource)
    )
    attributes = answer["Attributes"]
    confirmed = int(attributes.get("SubscriptionsConfirmed", 0))
    pending = int(attributes.get("SubscriptionsPending", 0))
    return Finding(
        State.OPERATIONAL,
        f"Subscriptions: {confirmed} confirmed, {pending} pending.",
        {"subscriptions": confirmed, "pending": pending},
    )


CHECK: Final = Check(
    kind=Kind.TOPIC,
    clients=("sns",),
    grants=(Grant("CheckTopics", ("sns:GetTopicAttributes",), Resource.TOPICS),),
    missing="The topic does not exist.",
    run=check,
)
