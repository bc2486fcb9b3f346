"""Queues on the embedded AWS: what SQS refuses, who gets a message when, and how dead letters move back."""

import json
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from ops.core.clients import isolated_client
from ops.local.embedded import Embedded, start_embedded, stop_embedded
from tests.ops.conftest import ACCOUNT, REGION


def arn(name: str) -> str:
    return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"


def redrive(target: str, receives: object = 2) -> str:
    return json.dumps({"deadLetterTargetArn": arn(target), "maxReceiveCount": receives})


class Queues:
    """Queues of an embedded AWS by their names."""

    def __init__(self, embedded: Embedded) -> None:
        self.client = embedded.client("sqs", REGION)

    def create(self, name: str, **attributes: str) -> str:
        """Create a queue and return its URL."""
        return str(self.client.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"])

    def attributes(self, url: str) -> dict[str, str]:
        """All attributes of a queue."""
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return dict(found["Attributes"])

    def send(self, url: str, body: str, **settings: Any) -> Any:
        """Send a message."""
        return self.client.send_message(QueueUrl=url, MessageBody=body, **settings)

    def receive(self, url: str, **settings: Any) -> list[dict[str, Any]]:
        """Receive up to ten messages that stay visible, unless the settings say otherwise."""
        wanted = {"MaxNumberOfMessages": 10, "VisibilityTimeout": 0, "AttributeNames": ["All"], **settings}
        found: list[dict[str, Any]] = self.client.receive_message(QueueUrl=url, **wanted).get("Messages", [])
        return found

    def bodies(self, url: str, **settings: Any) -> list[str]:
        """The bodies of the messages that are received."""
        return [each["Body"] for each in self.receive(url, **settings)]

    def with_dead_letters(self, name: str, *bodies: str) -> tuple[str, str]:
        """A queue and its dead-letter queue, with messages that were received too often."""
        dead = self.create(f"{name}-dlq")
        url = self.create(name, RedrivePolicy=redrive(f"{name}-dlq", 1))
        for body in bodies:
            self.send(url, body)
        assert sorted(self.bodies(url)) == sorted(bodies)
        return url, dead


@pytest.fixture(scope="module")
def queues(embedded: Embedded) -> Queues:
    """Queues of the embedded AWS, among them one of each type and a dead-letter queue that takes nobody's."""
    made = Queues(embedded)
    made.create("standard")
    made.create("first.fifo", FifoQueue="true")
    made.create("closed", RedriveAllowPolicy=json.dumps({"redrivePermission": "denyAll"}))
    listed = {"redrivePermission": "byQueue", "sourceQueueArns": [arn("listed")]}
    made.create("chosen", RedriveAllowPolicy=json.dumps(listed))
    return made


VALUE = "InvalidAttributeValue"
NAME = "InvalidAttributeName"
PARAMETER = "InvalidParameterValue"


@pytest.mark.parametrize(
    ("attributes", "code"),
    [
        ({"DelaySeconds": "901"}, VALUE),
        ({"DelaySeconds": "-1"}, VALUE),
        ({"VisibilityTimeout": "43201"}, VALUE),
        ({"VisibilityTimeout": "long"}, VALUE),
        ({"MessageRetentionPeriod": "59"}, VALUE),
        ({"MessageRetentionPeriod": "1209601"}, VALUE),
        ({"ReceiveMessageWaitTimeSeconds": "21"}, VALUE),
        ({"MaximumMessageSize": "1023"}, VALUE),
        ({"MaximumMessageSize": "1048577"}, VALUE),
        ({"SqsManagedSseEnabled": "yes"}, VALUE),
        ({"SqsManagedSseEnabled": "true", "KmsMasterKeyId": "alias/aws/sqs"}, VALUE),
        ({"Policy": "{}"}, VALUE),
        ({"Policy": '{"Statement": [{"Effect": "Allow", "Action": "sqs:*"}]}'}, VALUE),
        ({"QueueArn": arn("other")}, NAME),
        ({"Colour": "green"}, NAME),
        ({"ContentBasedDeduplication": "true"}, NAME),
        ({"RedrivePolicy": "[]"}, VALUE),
        ({"RedrivePolicy": redrive("nowhere")}, PARAMETER),
        ({"RedrivePolicy": redrive("first.fifo")}, PARAMETER),
        ({"RedrivePolicy": redrive("closed")}, PARAMETER),
        ({"RedrivePolicy": redrive("chosen")}, PARAMETER),
        ({"RedrivePolicy": redrive("standard", 0)}, PARAMETER),
        ({"RedrivePolicy": redrive("standard", 1001)}, PARAMETER),
        ({"RedrivePolicy": json.dumps({"maxReceiveCount": 3})}, PARAMETER),
        ({"RedriveAllowPolicy": json.dumps({"redrivePermission": "some"})}, PARAMETER),
        ({"RedriveAllowPolicy": json.dumps({"redrivePermission": "byQueue"})}, PARAMETER),
    ],
)
def test_attributes_that_sqs_refuses_are_refused(
    queues: Queues, attributes: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as created:
        queues.create("refused", **attributes)
    assert created.value.response["Error"]["Code"] == code
    url = queues.create("standard")
    with pytest.raises(ClientError) as changed:
        queues.client.set_queue_attributes(QueueUrl=url, Attributes=attributes)
    assert changed.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("name", "attributes", "code"),
    [
        ("plain.fifo", {}, PARAMETER),
        ("fifo", {"FifoQueue": "true"}, PARAMETER),
        ("f.fifo", {"FifoQueue": "true", "RedrivePolicy": redrive("standard")}, PARAMETER),
        ("f.fifo", {"FifoQueue": "true", "FifoThroughputLimit": "perMessageGroupId"}, VALUE),
        ("f.fifo", {"FifoQueue": "true", "DeduplicationScope": "account"}, VALUE),
        ("standard2", {"FifoQueue": "false"}, NAME),
        ("x" * 81, {}, PARAMETER),
    ],
)
def test_a_queue_of_the_wrong_type_is_refused(
    queues: Queues, name: str, attributes: dict[str, str], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        queues.create(name, **attributes)
    assert caught.value.response["Error"]["Code"] == code


def test_the_type_of_a_queue_does_not_change(queues: Queues) -> None:
    url = queues.create("standard")
    with pytest.raises(ClientError, match="Modifying queue type is not supported"):
        queues.client.set_queue_attributes(QueueUrl=url, Attributes={"FifoQueue": "true"})


def test_attributes_are_answered_as_they_were_set(queues: Queues) -> None:
    statement = {"Effect": "Allow", "Principal": "*", "Action": "sqs:*", "Resource": arn("listed")}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    url = queues.create("listed", RedrivePolicy=redrive("chosen", "3"), Policy=policy)
    queues.client.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "60"})
    found = queues.attributes(url)
    assert found["RedrivePolicy"] == f'{{"deadLetterTargetArn":"{arn("chosen")}","maxReceiveCount":3}}'
    assert json.loads(found["Policy"])["Statement"] == [statement]
    assert (found["VisibilityTimeout"], found["SqsManagedSseEnabled"]) == ("60", "true")
    allowing = json.loads(queues.attributes(queues.create("chosen"))["RedriveAllowPolicy"])
    assert allowing == {"redrivePermission": "byQueue", "sourceQueueArns": [arn("listed")]}


def test_a_queue_with_a_kms_key_is_not_encrypted_by_sqs(queues: Queues) -> None:
    url = queues.create("with-key", KmsMasterKeyId="alias/aws/sqs")
    assert queues.attributes(url)["SqsManagedSseEnabled"] == "false"
    queues.client.set_queue_attributes(QueueUrl=url, Attributes={"SqsManagedSseEnabled": "true"})
    assert "KmsMasterKeyId" not in queues.attributes(url)


TEXT = {"DataType": "String", "StringValue": "x"}


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"MessageBody": "ä" * 513}, PARAMETER),
        ({"MessageBody": "x" * 1020, "MessageAttributes": {"name": TEXT}}, PARAMETER),
        ({"MessageBody": "x", "MessageAttributes": {f"a{number}": TEXT for number in range(11)}}, PARAMETER),
        ({"MessageBody": "\x00"}, "InvalidMessageContents"),
        ({"MessageBody": ""}, "MissingParameter"),
        ({"MessageBody": "x", "MessageDeduplicationId": "d"}, PARAMETER),
        ({"MessageBody": "x", "DelaySeconds": 901}, PARAMETER),
        ({"MessageBody": "x", "DelaySeconds": -1}, PARAMETER),
    ],
)
def test_a_message_that_sqs_refuses_is_refused(queues: Queues, settings: dict[str, Any], code: str) -> None:
    url = queues.create("small", MaximumMessageSize="1024")
    with pytest.raises(ClientError) as caught:
        queues.client.send_message(QueueUrl=url, **settings)
    assert caught.value.response["Error"]["Code"] == code


def test_of_a_batch_only_the_bad_messages_fail(queues: Queues) -> None:
    url = queues.create("small", MaximumMessageSize="1024")
    entries = [{"Id": "good", "MessageBody": "x"}, {"Id": "bad", "MessageBody": "x" * 1025}]
    answered = queues.client.send_message_batch(QueueUrl=url, Entries=entries)
    assert [each["Id"] for each in answered["Successful"]] == ["good"]
    assert [(each["Id"], each["Code"]) for each in answered["Failed"]] == [("bad", PARAMETER)]


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([{"Id": str(number), "MessageBody": "x"} for number in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
        ([{"Id": name, "MessageBody": "ä" * 2**18} for name in "abc"], "BatchRequestTooLong"),
    ],
)
def test_a_batch_that_sqs_refuses_is_refused(
    queues: Queues, entries: list[dict[str, Any]], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        queues.client.send_message_batch(QueueUrl=queues.create("standard"), Entries=entries)
    assert caught.value.response["Error"]["Code"].endswith(code)


def test_a_message_that_was_received_too_often_is_a_dead_letter(queues: Queues) -> None:
    dead = queues.create("lost-dlq")
    url = queues.create("lost", RedrivePolicy=redrive("lost-dlq", 2))
    queues.send(url, "order 1")
    assert [queues.bodies(url) for _ in range(3)] == [["order 1"], ["order 1"], []]
    (found,) = queues.receive(dead)
    assert found["Body"] == "order 1"
    assert found["Attributes"]["DeadLetterQueueSourceArn"] == arn("lost")


def test_a_fifo_queue_takes_a_message_once_in_five_minutes(queues: Queues) -> None:
    url = queues.create("once.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    first = queues.send(url, "a", MessageGroupId="g")
    (received,) = queues.receive(url)
    queues.client.delete_message(QueueUrl=url, ReceiptHandle=received["ReceiptHandle"])
    again = queues.send(url, "a", MessageGroupId="g")
    assert (again["MessageId"], again["SequenceNumber"]) == (first["MessageId"], first["SequenceNumber"])
    later = queues.send(url, "b", MessageGroupId="g")
    assert int(later["SequenceNumber"]) > int(first["SequenceNumber"])
    assert queues.bodies(url) == ["b"]
    with pytest.raises(ClientError, match="MessageGroupId"):
        queues.send(url, "c")


def test_groups_are_deduplicated_apart_when_the_queue_says_so(queues: Queues) -> None:
    url = queues.create("groups.fifo", FifoQueue="true", DeduplicationScope="messageGroup")
    for group in ("g", "h", "g"):
        queues.send(url, group, MessageGroupId=group, MessageDeduplicationId="same")
    assert sorted(queues.bodies(url)) == ["g", "h"]


def test_dead_letters_move_back_to_where_they_came_from(queues: Queues) -> None:
    url, dead = queues.with_dead_letters("back", "a", "b")
    before = {each["MessageId"] for each in queues.receive(dead)}
    queues.client.start_message_move_task(SourceArn=arn("back-dlq"))
    (task,) = queues.client.list_message_move_tasks(SourceArn=arn("back-dlq"))["Results"]
    assert (task["Status"], task["ApproximateNumberOfMessagesMoved"]) == ("COMPLETED", 2)
    assert queues.receive(dead) == []
    received = queues.receive(url)
    assert sorted(each["Body"] for each in received) == ["a", "b"]
    assert [each["Attributes"]["ApproximateReceiveCount"] for each in received] == ["1", "1"]
    assert before.isdisjoint({each["MessageId"] for each in received})


def test_dead_letters_move_to_another_queue_at_a_rate_until_somebody_cancels(queues: Queues) -> None:
    _, dead = queues.with_dead_letters("slow", *"abcd")
    other = queues.create("elsewhere")
    settings = {"SourceArn": arn("slow-dlq"), "DestinationArn": arn("elsewhere")}
    task = queues.client.start_message_move_task(**settings, MaxNumberOfMessagesPerSecond=1)["TaskHandle"]
    with pytest.raises(ClientError, match="already a task running"):
        queues.client.start_message_move_task(**settings)
    assert queues.bodies(other, WaitTimeSeconds=20) == ["a"]
    (found,) = queues.client.list_message_move_tasks(SourceArn=arn("slow-dlq"))["Results"]
    assert (found["Status"], found["TaskHandle"], found["MaxNumberOfMessagesPerSecond"]) == (
        "RUNNING",
        task,
        1,
    )
    assert queues.client.cancel_message_move_task(TaskHandle=task)["ApproximateNumberOfMessagesMoved"] < 4
    (found,) = queues.client.list_message_move_tasks(SourceArn=arn("slow-dlq"))["Results"]
    assert (found["Status"], found.get("TaskHandle")) == ("CANCELLED", None)
    assert queues.bodies(dead)[-1] == "d"
    with pytest.raises(ClientError, match="Only active tasks can be cancelled"):
        queues.client.cancel_message_move_task(TaskHandle=task)


def test_a_message_that_was_sent_to_a_dead_letter_queue_has_no_way_back(queues: Queues) -> None:
    _, dead = queues.with_dead_letters("unknown")
    queues.send(dead, "sent there")
    queues.client.start_message_move_task(SourceArn=arn("unknown-dlq"))
    (task,) = queues.client.list_message_move_tasks(SourceArn=arn("unknown-dlq"))["Results"]
    assert (task["Status"], task["FailureReason"]) == ("FAILED", "CouldNotDetermineMessageSource")
    assert queues.bodies(dead) == ["sent there"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"SourceArn": arn("standard")}, PARAMETER),
        ({"SourceArn": arn("nowhere")}, "ResourceNotFoundException"),
        ({"SourceArn": arn("shut-dlq"), "DestinationArn": arn("nowhere")}, "ResourceNotFoundException"),
        ({"SourceArn": arn("shut-dlq"), "DestinationArn": arn("first.fifo")}, PARAMETER),
        ({"SourceArn": arn("shut-dlq"), "MaxNumberOfMessagesPerSecond": 501}, PARAMETER),
    ],
)
def test_a_move_that_sqs_refuses_is_refused(queues: Queues, settings: dict[str, Any], code: str) -> None:
    if not queues.client.list_queues(QueueNamePrefix="shut").get("QueueUrls"):
        queues.with_dead_letters("shut")
    with pytest.raises(ClientError) as caught:
        queues.client.start_message_move_task(**settings)
    assert caught.value.response["Error"]["Code"] == code
    with pytest.raises(ClientError, match="Task does not exist"):
        queues.client.cancel_message_move_task(TaskHandle="x")


def statement(effect: str, action: str, name: str, role: str = "") -> dict[str, Any]:
    made = {"Effect": effect, "Action": action, "Resource": arn(name)}
    return {**made, "Principal": {"AWS": role}} if role else made


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_role_may_do_what_its_policies_and_the_queues_say(embedded: Embedded, queues: Queues) -> None:
    iam = embedded.client("iam", REGION)
    role = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=document())["Role"]["Arn"]
    own = document(statement("Allow", "sqs:*", "own"), statement("Allow", "sqs:SendMessage", "denied"))
    iam.put_role_policy(RoleName="worker", PolicyName="p", PolicyDocument=own)
    granting = document(statement("Allow", "sqs:SendMessage", "granted", role))
    denying = document(statement("Deny", "sqs:*", "denied", role))
    urls = {
        "own": queues.create("own"),
        "granted": queues.create("granted", Policy=granting),
        "denied": queues.create("denied", Policy=denying),
        "others": queues.create("others"),
    }
    sqs = isolated_client("sqs", REGION, embedded.endpoint, embedded.assume(role))
    for name in ("own", "granted"):
        sqs.send_message_batch(QueueUrl=urls[name], Entries=[{"Id": "a", "MessageBody": "x"}])
    for name in ("denied", "others"):
        with pytest.raises(ClientError, match="AccessDenied"):
            sqs.send_message(QueueUrl=urls[name], MessageBody="x")
    with pytest.raises(ClientError, match="AccessDenied"):
        sqs.receive_message(QueueUrl=urls["granted"])


def test_others_are_answered_while_somebody_waits_for_a_message(queues: Queues) -> None:
    url = queues.create("waited-for", ReceiveMessageWaitTimeSeconds="20")
    found: list[str] = []
    waiting = threading.Thread(target=lambda: found.extend(queues.bodies(url)))
    waiting.start()
    queues.send(url, "at last")
    waiting.join(timeout=60)
    assert found == ["at last"]


def test_nobody_receives_for_a_client_that_has_gone(embedded: Embedded, queues: Queues) -> None:
    """A worker that is stopped while it waits must not take the next message with it."""
    url = queues.create("abandoned")
    credential = f"AKIA{ACCOUNT}/20300101/{REGION}/sqs/aws4_request"
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-amz-json-1.0",
        "X-Amz-Target": "AmazonSQS.ReceiveMessage",
    }
    with pytest.raises(httpx.ReadTimeout), httpx.Client(trust_env=False, timeout=0.5) as client:
        client.post(embedded.endpoint, headers=headers, json={"QueueUrl": url, "WaitTimeSeconds": 20})
    queues.send(url, "kept")
    assert queues.bodies(url, WaitTimeSeconds=5) == ["kept"]


def test_polling_an_empty_queue_does_not_grow_the_journal(queues: Queues, embedded_directory: Path) -> None:
    url = queues.create("polled")
    journal = embedded_directory / "journal.jsonl"
    size = journal.stat().st_size
    for _ in range(5):
        assert queues.receive(url) == []
        queues.attributes(url)
    assert journal.stat().st_size == size
    queues.send(url, "x")
    assert journal.stat().st_size > size


def test_messages_outlive_the_embedded_aws(tmp_path: Path) -> None:
    queues = Queues(start_embedded(tmp_path, ACCOUNT))
    url, dead = queues.with_dead_letters("kept", "a")
    queues.send(url, "b")
    (held,) = queues.receive(url, VisibilityTimeout=600)
    stop_embedded(tmp_path)
    try:
        queues = Queues(start_embedded(tmp_path, ACCOUNT))
        assert queues.bodies(dead) == ["a"]
        assert queues.receive(url) == []
        queues.client.delete_message(QueueUrl=url, ReceiptHandle=held["ReceiptHandle"])
        assert queues.attributes(url)["ApproximateNumberOfMessagesNotVisible"] == "0"
    finally:
        stop_embedded(tmp_path)
