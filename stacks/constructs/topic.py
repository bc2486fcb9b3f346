"""A topic that tells queues of what services publish."""

import json
from collections.abc import Iterator, Mapping

from stacks import naming, policies
from stacks.bindings import (
    Construct,
    SnsTopic,
    SnsTopicPolicy,
    SnsTopicSubscription,
    TerraformResourceLifecycle,
)
from stacks.constructs.queue import SNS, Queue
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.values import literal


class Topic:
    """An SNS topic of `[topics]`, reached over TLS only, with its subscriptions.

    A message that SNS cannot deliver goes to the dead-letter queue of the queue.
    Source: Amazon SNS Developer Guide, "Message filtering", "Raw message delivery", "Dead-letter queues".
    """

    def __init__(
        self,
        scope: Construct,
        project: Project,
        environment: Environment,
        key: str,
        queues: Mapping[str, Queue],
    ) -> None:
        settings, prefix = environment.topics[key], f"topic_{key}"
        arn = naming.topic_arn(project.name, environment, key)
        topic = SnsTopic(
            scope,
            prefix,
            name=naming.topic_name(project.name, environment, key),
            fifo_topic=settings.fifo or None,
            content_based_deduplication=settings.fifo or None,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=environment.protected),
        )
        SnsTopicPolicy(
            scope,
            f"{prefix}_policy",
            arn=topic.arn,
            policy=policies.document(policies.tls_only("sns:Publish", arn)),
        )
        for each in settings.subscriptions:
            queue = queues[each.queue]
            SnsTopicSubscription(
                scope,
                f"{prefix}_to_{each.queue}",
                topic_arn=topic.arn,
                protocol="sqs",
                endpoint=queue.arn,
                raw_message_delivery=each.raw,
                filter_policy=literal(
                    json.dumps({name: list(values) for name, values in each.filter.items()})
                )
                if each.filter
                else None,
                filter_policy_scope={"attributes": "MessageAttributes", "body": "MessageBody"}[each.filter_by]
                if each.filter
                else None,
                redrive_policy=json.dumps({"deadLetterTargetArn": queue.dead_letters_arn}),
                depends_on=[queue.resource],
            )


def senders(project: Project, environment: Environment, queue: str) -> Iterator[tuple[str, str]]:
    """Yields who publishes to a queue: the service, and the ARN of the topic."""
    for key, topic in environment.topics.items():
        if any(each.queue == queue for each in topic.subscriptions):
            yield SNS, naming.topic_arn(project.name, environment, key)


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for topics."""
    return (
        Statement(
            "ChangeTopics",
            actions=[
                "sns:CreateTopic",
                "sns:DeleteTopic",
                "sns:SetTopicAttributes",
                "sns:Subscribe",
                "sns:TagResource",
                "sns:UntagResource",
            ],
            resources=[f"arn:aws:sns:*:{account_id}:{project.name}-*"],
        ),
        Statement(
            "WithoutResource", actions=["sns:SetSubscriptionAttributes", "sns:Unsubscribe"], resources=["*"]
        ),
    )
