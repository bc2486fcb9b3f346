"""Who is notified when something is wrong (CloudWatch.15)."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from stacks import naming, policies
from stacks.bindings import Construct, SnsTopic, SnsTopicPolicy, SnsTopicSubscription
from stacks.policies import Statement
from stacks.settings import Environment, Project

DEPLOY: Final = (Statement("WithoutResource", actions=["sns:Unsubscribe"], resources=["*"]),)
"""What the deploy role needs for a subscription; `stacks/constructs/alarms.py` has the rest."""


class AlarmTopics:
    """Two SNS topics that the account's alarms publish to, and the addresses that get their messages.

    Every alarm publishes to `arn`. Only the one that says that the environment is unhealthy also publishes
    to `on_call_arn`.
    """

    def __init__(self, scope: Construct, project: Project, environment: Environment) -> None:
        alarms, account_id = environment.alarms, environment.account_id
        every = naming.alarm_topic(project.name, environment.name)
        on_call = naming.on_call_topic(project.name, environment.name)
        self.arn = _topic(scope, "alarm", every, account_id, alarms.emails)
        self.on_call_arn = _topic(scope, "on_call", on_call, account_id, alarms.on_call)


def _topic(scope: Construct, key: str, name: str, account_id: str, emails: Sequence[str]) -> str:
    topic = SnsTopic(scope, f"{key}_topic", name=name)
    SnsTopicPolicy(
        scope,
        f"{key}_topic_policy",
        arn=topic.arn,
        policy=policies.document(
            Statement(
                "PublishAlarms",
                actions=["sns:Publish"],
                resources=[topic.arn],
                principals={"Service": "cloudwatch.amazonaws.com"},
                conditions={"StringEquals": {"aws:SourceAccount": account_id}},
            )
        ),
    )
    for email in emails:
        # Not by its place in the list: whoever moves up would have to confirm again.
        digits = sha256(email.encode()).hexdigest()[:6]
        SnsTopicSubscription(
            scope, f"{key}_email_{digits}", topic_arn=topic.arn, protocol="email", endpoint=email
        )
    return topic.arn
