"""Moving dead letters back to their queue, on the embedded AWS."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import OpsError
from ops.local.embedded import Embedded
from ops.look.queues import Moved, dead_letters, redrive, words
from stacks.naming import queue_arn, queue_dead_letters, queue_name
from stacks.reading import read_platform
from stacks.settings import Environment, Project
from tests.ops.conftest import REGION
from tests.stacks.platform_files import PROJECT, environment, write_platform

SERVICES = """
[services.worker]
kind = "worker"
dockerfile = "Dockerfile"
uses = ["queues.orders"]
[queues.orders]
"""


@dataclass(frozen=True)
class Orders:
    """A queue as the data stack makes it."""

    sqs: Any
    project: Project
    environment: Environment
    url: str
    letters: str

    def count(self) -> int:
        """How many dead letters there are."""
        return dead_letters(self.sqs, self.project, self.environment, "orders")

    def bodies(self) -> list[str]:
        """The bodies of the queue's messages, which are received for the last time."""
        answered = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return sorted(each["Body"] for each in answered.get("Messages", []))

    def redrive(self) -> Moved:
        """Move the dead letters back."""
        return redrive(self.sqs, self.project, self.environment, "orders", pause=lambda _: None)


@pytest.fixture
def orders(embedded: Embedded, tmp_path: Path) -> Orders:
    """A queue with two messages that nobody could handle."""
    written = write_platform(tmp_path, PROJECT, dev=environment(services=SERVICES))
    platform = read_platform(written)
    dev, project = platform.environments["dev"], platform.project
    sqs = embedded.client("sqs", REGION)
    for url in sqs.list_queues().get("QueueUrls", []):
        sqs.delete_queue(QueueUrl=url)
    letters = queue_dead_letters(project.name, dev, "orders")
    made = sqs.create_queue(QueueName=letters)["QueueUrl"]
    policy = json.dumps({"deadLetterTargetArn": queue_arn(dev, letters), "maxReceiveCount": 1})
    url = sqs.create_queue(
        QueueName=queue_name(project.name, dev, "orders"), Attributes={"RedrivePolicy": policy}
    )["QueueUrl"]
    for body in "ab":
        sqs.send_message(QueueUrl=url, MessageBody=body)
    found = Orders(sqs, project, dev, url, made)
    assert found.bodies() == ["a", "b"]
    return found


def test_dead_letters_go_back_to_their_queue(orders: Orders) -> None:
    assert orders.count() == 2
    moved = orders.redrive()
    assert (moved.status, moved.moved) == ("COMPLETED", 2)
    assert words("orders", moved) == "2 messages went back to orders."
    assert orders.count() == 0
    assert orders.bodies() == ["a", "b"]


def test_dead_letters_that_are_on_their_way_are_not_moved_twice(orders: Orders) -> None:
    source = queue_arn(orders.environment, queue_dead_letters("oaktree", orders.environment, "orders"))
    task = orders.sqs.start_message_move_task(SourceArn=source, MaxNumberOfMessagesPerSecond=1)
    with pytest.raises(OpsError, match="already a task running"):
        orders.redrive()
    orders.sqs.cancel_message_move_task(TaskHandle=task["TaskHandle"])


def test_a_queue_that_is_not_there_is_told_with_what_creates_it(orders: Orders) -> None:
    orders.sqs.delete_queue(QueueUrl=orders.letters)
    with pytest.raises(OpsError, match="make apply ENV=dev STACK=data"):
        orders.count()
