"""Topics on the embedded AWS: what reaches the queues that are subscribed to them."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION

TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:events"


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


class Topics:
    """A topic, and queues that are subscribed to it one test at a time."""

    def __init__(self, embedded: Embedded) -> None:
        self.sns, self.sqs = (embedded.client(service, REGION) for service in ("sns", "sqs"))
        self.sns.create_topic(Name="events")

    def queue(self, name: str, *, source: str = TOPIC, **attributes: str) -> str:
        """Create a queue that lets a topic in, and return its URL."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn(name),
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        wanted = {"Policy": policy, **attributes}
        return str(self.sqs.create_queue(QueueName=name, Attributes=wanted)["QueueUrl"])

    def subscribe(self, name: str, **attributes: str) -> str:
        """Subscribe a queue in place of all others."""
        for each in self.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"]:
            self.sns.unsubscribe(SubscriptionArn=each["SubscriptionArn"])
        made = self.sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn(name), Attributes=attributes)
        return str(made["SubscriptionArn"])

    def publish(self, message: str, **attributes: tuple[str, str]) -> None:
        """Publish a message with attributes, which have a type and a value."""
        given = {name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()}
        self.sns.publish(TopicArn=TOPIC, Message=message, Subject="s", MessageAttributes=given)

    def received(self, url: str) -> list[dict[str, Any]]:
        """What a queue has, and has no more."""
        found: list[dict[str, Any]] = []
        wanted = {"MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        while messages := self.sqs.receive_message(QueueUrl=url, **wanted).get("Messages"):
            for each in messages:
                found.append(each)
                self.sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return found


@pytest.fixture(scope="module")
def topics(embedded: Embedded) -> Topics:
    """Topics of the embedded AWS."""
    return Topics(embedded)


@pytest.mark.parametrize("raw", ["false", None])
def test_a_message_arrives_in_an_envelope(topics: Topics, raw: str | None) -> None:
    url = topics.queue("enveloped")
    topics.subscribe("enveloped", **({"RawMessageDelivery": raw} if raw else {}))
    topics.publish("hello", kind=("String", "order"))
    (message,) = topics.received(url)
    body = json.loads(message["Body"])
    assert (body["Type"], body["TopicArn"], body["Subject"]) == ("Notification", TOPIC, "s")
    assert body["Message"] == "hello"
    assert body["MessageAttributes"] == {"kind": {"Type": "String", "Value": "order"}}
    assert "MessageAttributes" not in message


def test_a_raw_message_arrives_as_it_was_published(topics: Topics) -> None:
    url = topics.queue("raw")
    topics.subscribe("raw", RawMessageDelivery="true")
    topics.publish("hello", kind=("String", "order"), price=("Number", "3"))
    (message,) = topics.received(url)
    assert message["Body"] == "hello"
    assert message["MessageAttributes"] == {
        "kind": {"DataType": "String", "StringValue": "order"},
        "price": {"DataType": "Number", "StringValue": "3"},
    }


def test_a_filter_lets_pass_what_it_names(topics: Topics) -> None:
    url = topics.queue("filtered")
    policy = {"kind": ["order"], "price": [{"numeric": [">=", 100]}]}
    subscription = topics.subscribe("filtered", RawMessageDelivery="true", FilterPolicy=json.dumps(policy))
    topics.publish("a", kind=("String", "order"), price=("Number", "100"))
    topics.publish("b", kind=("String", "order"), price=("Number", "99"))
    topics.publish("c", kind=("String", "refund"), price=("Number", "100"))
    topics.publish("d")
    assert [each["Body"] for each in topics.received(url)] == ["a"]
    body = {"order": {"state": ["open"]}}
    for name, value in (("FilterPolicyScope", "MessageBody"), ("FilterPolicy", json.dumps(body))):
        topics.sns.set_subscription_attributes(
            SubscriptionArn=subscription, AttributeName=name, AttributeValue=value
        )
    for state in ("open", "closed"):
        topics.publish(json.dumps({"order": {"state": state}}))
    assert [json.loads(each["Body"])["order"]["state"] for each in topics.received(url)] == ["open"]


def test_nothing_reaches_a_queue_that_does_not_let_the_topic_in(topics: Topics) -> None:
    url = topics.queue("closed", source=f"{TOPIC}-2")
    dead = topics.queue("undelivered")
    redrive = json.dumps({"deadLetterTargetArn": arn("undelivered")})
    topics.subscribe("closed", RawMessageDelivery="true", RedrivePolicy=redrive)
    topics.publish("hello")
    assert topics.received(url) == []
    assert [each["Body"] for each in topics.received(dead)] == ["hello"]


def test_publishing_goes_on_when_a_queue_is_gone(topics: Topics) -> None:
    url = topics.queue("short-lived")
    topics.subscribe("short-lived")
    topics.sqs.delete_queue(QueueUrl=url)
    topics.publish("hello")


def test_a_fifo_topic_delivers_a_message_once(topics: Topics) -> None:
    settings = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = topics.sns.create_topic(Name="bills.fifo", Attributes=settings)["TopicArn"]
    urls = [
        topics.queue("bills.fifo", source=topic, FifoQueue="true", ContentBasedDeduplication="true"),
        topics.queue("all-bills", source=topic),
    ]
    for name in ("bills.fifo", "all-bills"):
        topics.sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn(name))
    for message in ("a", "a", "b"):
        topics.sns.publish(TopicArn=topic, Message=message, MessageGroupId="g")
    first, second = ([json.loads(each["Body"])["Message"] for each in topics.received(url)] for url in urls)
    assert first == ["a", "b"]
    assert sorted({*second}) == ["a", "b"]


@pytest.mark.parametrize(
    "attributes",
    [
        {"RawMessageDelivery": "yes"},
        {"FilterPolicyScope": "Subject", "FilterPolicy": "{}"},
        {"FilterPolicy": "{"},
        {"FilterPolicy": json.dumps({"a": {"b": ["c"]}})},
        {"FilterPolicy": json.dumps({name: ["x"] for name in "abcdef"})},
        {"RedrivePolicy": "[]"},
        {"RedrivePolicy": json.dumps({"deadLetterTargetArn": "queue"})},
        {"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn("nowhere")})},
    ],
)
def test_a_subscription_that_sns_refuses_leaves_nothing(topics: Topics, attributes: dict[str, str]) -> None:
    topics.queue("refused")
    with pytest.raises(ClientError, match="InvalidParameter"):
        topics.subscribe("refused", **attributes)
    assert topics.sns.list_subscriptions_by_topic(TopicArn=TOPIC)["Subscriptions"] == []
