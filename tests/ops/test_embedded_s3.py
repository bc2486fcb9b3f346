"""Buckets on the embedded AWS: who hears of their objects, and the lifecycle rules that S3 refuses."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION

BUCKET = "uploads"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:objects"


def policy(**condition: Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "s3.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ALLOWED = policy(
    ArnLike={"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}, StringEquals={"aws:SourceAccount": ACCOUNT}
)


class Buckets:
    """A bucket with versions, and a queue for its events."""

    def __init__(self, embedded: Embedded) -> None:
        self.s3 = embedded.client("s3", REGION)
        self.sqs = embedded.client("sqs", REGION)
        self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        versioned = {"Status": "Enabled"}
        self.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=versioned)
        self.queue = self.sqs.create_queue(QueueName="objects")["QueueUrl"]

    def allow(self, document: str) -> None:
        """Set the policy of the queue."""
        self.sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": document})

    def notify(self, *filters: tuple[str, str], arn: str = QUEUE, event: str = "s3:ObjectCreated:*") -> None:
        """Have the bucket send events of the objects whose key has these filters."""
        self.configure(self.notification(*filters, arn=arn, event=event))

    def notification(self, *filters: tuple[str, str], arn: str, event: str) -> dict[str, Any]:
        """One configuration of a notification."""
        rules = [{"Name": name, "Value": value} for name, value in filters]
        wanted: dict[str, Any] = {"QueueArn": arn, "Events": [event]}
        return {**wanted, "Filter": {"Key": {"FilterRules": rules}}} if rules else wanted

    def configure(self, *notifications: dict[str, Any]) -> None:
        """Set the notifications of the bucket."""
        self.s3.put_bucket_notification_configuration(
            Bucket=BUCKET, NotificationConfiguration={"QueueConfigurations": list(notifications)}
        )

    def messages(self) -> list[dict[str, Any]]:
        """What the queue has, and has no more."""
        found: list[dict[str, Any]] = []
        while True:
            answered = self.sqs.receive_message(QueueUrl=self.queue, MaxNumberOfMessages=10)
            if not answered.get("Messages"):
                return found
            for each in answered["Messages"]:
                found.append(json.loads(each["Body"]))
                self.sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=each["ReceiptHandle"])

    def put(self, key: str) -> Any:
        """Put an object of one byte."""
        return self.s3.put_object(Bucket=BUCKET, Key=key, Body=b"x")


@pytest.fixture(scope="module")
def buckets(embedded: Embedded) -> Buckets:
    """Buckets of the embedded AWS."""
    return Buckets(embedded)


@pytest.mark.parametrize(
    "document",
    [
        "",
        policy(ArnLike={"aws:SourceArn": "arn:aws:s3:::another"}),
        policy(StringEquals={"aws:SourceAccount": "2" * 12}),
        policy(NumericEquals={"aws:SourceAccount": ACCOUNT}),
    ],
)
def test_a_queue_whose_policy_does_not_let_the_bucket_in_is_refused(buckets: Buckets, document: str) -> None:
    buckets.allow(document)
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        buckets.notify()
    assert buckets.messages() == []


def test_a_queue_that_does_not_exist_is_refused(buckets: Buckets) -> None:
    with pytest.raises(ClientError, match="Unable to validate the following destination configurations"):
        buckets.notify(arn=QUEUE.replace("objects", "nowhere"))


def test_a_notification_begins_with_a_test(buckets: Buckets) -> None:
    buckets.allow(ALLOWED)
    buckets.notify()
    (message,) = buckets.messages()
    assert (message["Event"], message["Bucket"]) == ("s3:TestEvent", BUCKET)


def test_an_object_is_told_of_as_s3_does(buckets: Buckets) -> None:
    buckets.allow(ALLOWED)
    buckets.notify(("prefix", "in/"), ("suffix", ".json"))
    buckets.messages()
    for key in ("in/order.txt", "out/order.json"):
        buckets.put(key)
    assert buckets.messages() == []
    put = buckets.put("in/an order+1.json")
    (message,) = buckets.messages()
    (record,) = message["Records"]
    assert (record["eventSource"], record["eventName"]) == ("aws:s3", "ObjectCreated:Put")
    assert record["awsRegion"] == REGION
    assert record["s3"]["bucket"]["name"] == BUCKET
    # Encoded as in a form, but for the slashes.
    assert record["s3"]["object"]["key"] == "in/an+order%2B1.json"
    assert record["s3"]["object"]["versionId"] == put["VersionId"]
    assert (record["s3"]["object"]["size"], record["s3"]["object"]["eTag"]) == (1, put["ETag"].strip('"'))
    assert {"userIdentity", "requestParameters", "responseElements"} < record.keys()


def test_a_later_event_of_an_object_has_a_later_sequencer(buckets: Buckets) -> None:
    buckets.allow(ALLOWED)
    buckets.notify()
    buckets.messages()
    for _ in range(2):
        buckets.put("again")
    first, second = (each["Records"][0]["s3"]["object"]["sequencer"] for each in buckets.messages())
    assert first < second


def test_a_deletion_is_told_of_once(buckets: Buckets) -> None:
    version = buckets.put("gone")["VersionId"]
    buckets.allow(ALLOWED)
    buckets.notify(event="s3:ObjectRemoved:*")
    buckets.messages()
    marker = buckets.s3.delete_object(Bucket=BUCKET, Key="gone")["VersionId"]
    buckets.s3.delete_object(Bucket=BUCKET, Key="gone", VersionId=version)
    records = [each["Records"][0] for each in buckets.messages()]
    assert [(each["eventName"], each["s3"]["object"]["versionId"]) for each in records] == [
        ("ObjectRemoved:DeleteMarkerCreated", marker),
        ("ObjectRemoved:Delete", version),
    ]


def test_nothing_arrives_once_the_policy_of_the_queue_says_no(buckets: Buckets) -> None:
    buckets.allow(ALLOWED)
    buckets.notify()
    buckets.messages()
    buckets.allow("")
    buckets.put("unheard")
    assert buckets.messages() == []


def test_two_notifications_of_one_object_are_refused(buckets: Buckets) -> None:
    buckets.allow(ALLOWED)
    first = buckets.notification(("prefix", "in/"), arn=QUEUE, event="s3:ObjectCreated:*")
    for event, prefix, refused in (
        ("s3:ObjectCreated:Put", "in/a/", True),
        ("s3:ObjectCreated:Put", "out/", False),
        ("s3:ObjectRemoved:*", "in/", False),
    ):
        second = buckets.notification(("prefix", prefix), arn=QUEUE, event=event)
        if refused:
            with pytest.raises(ClientError, match="ambiguously defined"):
                buckets.configure(first, second)
        else:
            buckets.configure(first, second)


def test_a_bucket_that_demands_tls_can_be_used_and_one_that_denies_all_cannot(embedded: Embedded) -> None:
    s3 = embedded.client("s3", REGION)
    for bucket, condition in (("tls", {"Bool": {"aws:SecureTransport": "false"}}), ("closed", None)):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=bucket, Key="key", Body=b"content")
        statement: dict[str, object] = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        if condition:
            statement["Condition"] = condition
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert s3.get_object(Bucket="tls", Key="key")["Body"].read() == b"content"
    with pytest.raises(s3.exceptions.ClientError, match="403"):
        s3.get_object(Bucket="closed", Key="key")


def test_a_bucket_with_versions_is_not_deleted(buckets: Buckets) -> None:
    name = "versions"
    buckets.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    buckets.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    buckets.s3.put_object(Bucket=name, Key="k", Body=b"x")
    buckets.s3.delete_object(Bucket=name, Key="k")
    assert "Contents" not in buckets.s3.list_objects_v2(Bucket=name)
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        buckets.s3.delete_bucket(Bucket=name)
    found = buckets.s3.list_object_versions(Bucket=name)
    for each in [*found["Versions"], *found["DeleteMarkers"]]:
        buckets.s3.delete_object(Bucket=name, Key="k", VersionId=each["VersionId"])
    buckets.s3.delete_bucket(Bucket=name)


def test_versions_stay_while_versioning_is_suspended(buckets: Buckets) -> None:
    name, s3 = "suspended", buckets.s3
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    first = s3.put_object(Bucket=name, Key="k", Body=b"1")["VersionId"]
    marker = s3.delete_object(Bucket=name, Key="k")["VersionId"]
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Suspended"})
    for body in (b"2", b"3"):
        s3.put_object(Bucket=name, Key="k", Body=body)

    def versions() -> dict[str, set[str]]:
        found = s3.list_object_versions(Bucket=name)
        return {
            kind: {each["VersionId"] for each in found.get(kind, ())}
            for kind in ("Versions", "DeleteMarkers")
        }

    assert versions() == {"Versions": {first, "null"}, "DeleteMarkers": {marker}}
    assert s3.get_object(Bucket=name, Key="k")["Body"].read() == b"3"
    assert s3.delete_object(Bucket=name, Key="k")["VersionId"] == "null"
    assert versions() == {"Versions": {first}, "DeleteMarkers": {marker, "null"}}
    objects = [{"Key": "k", "VersionId": each} for each in (marker, "null", first)]
    assert "Errors" not in s3.delete_objects(Bucket=name, Delete={"Objects": objects})
    s3.delete_bucket(Bucket=name)


def rule(**settings: Any) -> dict[str, Any]:
    return {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, **settings}


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ([rule(Transitions=[{"Days": 29, "StorageClass": "STANDARD_IA"}])], "greater than or equal to 30"),
        (
            [rule(Transitions=[{"Days": 30, "StorageClass": "STANDARD_IA"}], Expiration={"Days": 30})],
            "must be greater than 'Days' in the Transition action",
        ),
        ([rule(Expiration={"Days": 0})], "positive integer"),
        ([rule()], "At least one action"),
        ([rule(Expiration={"Days": 1})] * 2, "Rule ID must be unique"),
        ([rule(Transitions=[{"Days": 1, "StorageClass": "CELLAR"}])], "MalformedXML"),
        (
            [
                rule(
                    NoncurrentVersionTransitions=[{"NoncurrentDays": 40, "StorageClass": "STANDARD_IA"}],
                    NoncurrentVersionExpiration={"NoncurrentDays": 40},
                )
            ],
            "must be greater than 'NoncurrentDays'",
        ),
    ],
)
def test_a_lifecycle_that_s3_refuses_is_refused(
    buckets: Buckets, rules: list[dict[str, Any]], reason: str
) -> None:
    with pytest.raises(ClientError) as caught:
        buckets.s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    assert reason in str(caught.value)


def test_a_lifecycle_is_answered_as_it_was_set(buckets: Buckets) -> None:
    tags = [{"Key": "kind", "Value": "draft"}]
    rules = [
        rule(
            Filter={"And": {"Prefix": "in/", "Tags": tags, "ObjectSizeGreaterThan": 1000}},
            Transitions=[
                {"Days": 30, "StorageClass": "STANDARD_IA"},
                {"Days": 90, "StorageClass": "GLACIER"},
            ],
            Expiration={"Days": 365},
            NoncurrentVersionExpiration={"NoncurrentDays": 30, "NewerNoncurrentVersions": 3},
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7},
        ),
        {**rule(Expiration={"ExpiredObjectDeleteMarker": True}), "ID": "markers"},
    ]
    buckets.s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": rules})
    found = buckets.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
    assert found["Rules"] == rules
    # Terraform waits for it.
    assert found["TransitionDefaultMinimumObjectSize"] == "all_storage_classes_128K"
    buckets.s3.delete_bucket_lifecycle(Bucket=BUCKET)
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        buckets.s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)
