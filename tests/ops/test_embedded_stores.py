"""Every kind of data store on the embedded AWS, by real Terraform: applied, planned again, destroyed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ops.local.embedded import Embedded
from ops.terraform.binary import find_terraform
from ops.terraform.workspace import Workspace
from tests.ops.conftest import ACCOUNT, REGION
from tests.ops.store_stack import BUCKET, PREFIX, store_stack

pytestmark = pytest.mark.e2e


def test_stores_are_applied_once_and_destroyed_whole(embedded: Embedded, tmp_path: Path) -> None:
    """Most of its minutes are fixed waits of the provider: for queues, lifecycles and caches."""
    configuration = tmp_path / "cdk.tf.json"
    configuration.write_text(json.dumps(store_stack()))
    stack = Workspace(
        "dev-data",
        tmp_path / "work",
        find_terraform(tmp_path / "shared"),
        embedded.environment(ACCOUNT, REGION, os.environ),
    )
    stack.take(configuration)
    stack.use_local_state()
    stack.init()
    stack.apply()
    planned = stack.plan()["resource_changes"]
    assert [each["address"] for each in planned if each["change"]["actions"] != ["no-op"]] == []
    sqs, sns, s3 = (embedded.client(service, REGION) for service in ("sqs", "sns", "s3"))
    queue = sqs.get_queue_url(QueueName=f"{PREFIX}-orders")["QueueUrl"]
    s3.put_object(Bucket=BUCKET, Key="in/order.json", Body=b"{}")
    kind = {"kind": {"DataType": "String", "StringValue": "order"}}
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:{PREFIX}-events"
    sns.publish(TopicArn=topic, Message=json.dumps({"order": 1}), MessageAttributes=kind)
    received = messages(sqs, queue, 3)
    assert {"s3:TestEvent"} == {each["Event"] for each in received if "Event" in each}
    (event,) = (each["Records"][0] for each in received if "Records" in each)
    assert event["s3"]["object"]["key"] == "in/order.json"
    assert {"order": 1} in received
    # A marker and a version are left, which Terraform deletes with the bucket.
    s3.delete_object(Bucket=BUCKET, Key="in/order.json")
    stack.destroy()
    assert "QueueUrls" not in sqs.list_queues()
    assert s3.list_buckets()["Buckets"] == []
    for service, action, kind_of in (
        ("dynamodb", "list_tables", "TableNames"),
        ("sns", "list_topics", "Topics"),
        ("elasticache", "describe_replication_groups", "ReplicationGroups"),
        ("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups"),
        ("efs", "describe_file_systems", "FileSystems"),
        ("ec2", "describe_network_interfaces", "NetworkInterfaces"),
    ):
        assert getattr(embedded.client(service, REGION), action)()[kind_of] == [], kind_of


def messages(sqs: Any, queue: str, count: int) -> list[Any]:
    """The bodies of that many messages, which are delayed by five seconds."""
    found: list[Any] = []
    while len(found) < count:
        answered = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)["Messages"]
        found += [json.loads(each["Body"]) for each in answered]
    return found
