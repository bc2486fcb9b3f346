"""A queue for messages between services, with one for those that nobody can work on."""

import json
from collections.abc import Iterator, Sequence
from typing import Final

from stacks import naming, policies
from stacks.bindings import (
    Construct,
    SqsQueue,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Environment, Project

SNS: Final = "sns.amazonaws.com"

DEAD_LETTER_SECONDS: Final = 1_209_600
"""For how long dead letters are kept: 14 days, the most. Source: Amazon SQS API Reference, CreateQueue."""


class Queue:
    """An SQS queue of `[queues]` and its dead-letter queue, encrypted with keys of SQS.

    Only who is in this account may use it, and `senders`: an AWS service, and the ARN of what it sends for.
    """

    def __init__(
        self,
        scope: Construct,
        project: Project,
        environment: Environment,
        key: str,
        senders: Sequence[tuple[str, str]] = (),
    ) -> None:
        settings = environment.queues[key]
        fifo, prefix = settings.fifo or None, f"queue_{key}"
        kept = TerraformResourceLifecycle(prevent_destroy=environment.protected)
        self.arn = naming.queue_arn(environment, naming.queue_name(project.name, environment, key))
        letters_arn = naming.queue_arn(environment, naming.queue_dead_letters(project.name, environment, key))
        letters = SqsQueue(
            scope,
            f"{prefix}_dead_letters",
            name=naming.queue_dead_letters(project.name, environment, key),
            fifo_queue=fifo,
            message_retention_seconds=DEAD_LETTER_SECONDS,
            sqs_managed_sse_enabled=True,
            redrive_allow_policy=json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": [self.arn]}, sort_keys=True
            ),
            # What SNS cannot deliver comes here, too.
            policy=_policy(letters_arn, [each for each in senders if each[0] == SNS]),
            lifecycle=kept,
        )
        self.dead_letters_arn = letters.arn
        self.resource = SqsQueue(
            scope,
            prefix,
            name=naming.queue_name(project.name, environment, key),
            fifo_queue=fifo,
            content_based_deduplication=fifo,
            visibility_timeout_seconds=settings.visibility_timeout,
            message_retention_seconds=settings.retention,
            delay_seconds=settings.delay,
            # Long polling, unless a request says otherwise: fewer empty answers to pay for.
            receive_wait_time_seconds=20,
            sqs_managed_sse_enabled=True,
            redrive_policy=json.dumps(
                {"deadLetterTargetArn": letters.arn, "maxReceiveCount": settings.max_receives}, sort_keys=True
            ),
            policy=_policy(self.arn, senders),
            lifecycle=kept,
        )


def _policy(arn: str, senders: Sequence[tuple[str, str]]) -> str:
    return policies.document(policies.tls_only("sqs:*", arn), *_sent_by(arn, senders))


def _sent_by(arn: str, senders: Sequence[tuple[str, str]]) -> Iterator[Statement]:
    """The ARN of a bucket has no account, so that is said beside it.

    Sources: Amazon S3 User Guide, "Granting permissions to publish event notification messages"; Amazon
    SNS Developer Guide, "Subscribing an Amazon SQS queue to an Amazon SNS topic"."""
    for service in sorted({service for service, _ in senders}):
        sources = [source for each, source in senders if each == service]
        yield Statement(
            f"SentBy{service.partition('.')[0].title()}",
            actions=["sqs:SendMessage"],
            resources=[arn],
            principals={"Service": service},
            conditions={
                "ArnEquals": {"aws:SourceArn": sources},
                **({} if service == SNS else {"StringEquals": {"aws:SourceAccount": arn.split(":")[4]}}),
            },
        )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for queues."""
    return (
        Statement(
            "ChangeQueues",
            actions=[
                "sqs:CreateQueue",
                "sqs:DeleteQueue",
                "sqs:SetQueueAttributes",
                "sqs:TagQueue",
                "sqs:UntagQueue",
            ],
            resources=[f"arn:aws:sqs:*:{account_id}:{project.name}-*"],
        ),
    )
