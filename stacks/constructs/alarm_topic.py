"""Who is told when something is wrong (CloudWatch.15)."""

from typing import Final

from stacks import naming, policies
from stacks.bindings import Construct, SnsTopic, SnsTopicPolicy, SnsTopicSubscription
from stacks.policies import Statement
from stacks.settings import Environment, Project

DEPLOY: Final = (Statement("WithoutResource", actions=["sns:Unsubscribe"], resources=["*"]),)
"""What the deploy role needs for a subscription; `stacks/constructs/alarms.py` has the rest."""


class AlarmTopic:
    """An SNS topic that the account's alarms publish to, and its subscriber when there is one."""

    def __init__(self, scope: Construct, project: Project, environment: Environment) -> None:
        topic = SnsTopic(scope, "alarm_topic", name=naming.alarm_topic(project.name, environment.name))
        self.arn = topic.arn
        SnsTopicPolicy(
            scope,
            "alarm_topic_policy",
            arn=topic.arn,
            policy=policies.document(
                Statement(
                    "PublishAlarms",
                    actions=["sns:Publish"],
                    resources=[topic.arn],
                    principals={"Service": "cloudwatch.amazonaws.com"},
                    conditions={"StringEquals": {"aws:SourceAccount": environment.account_id}},
                )
            ),
        )
        if environment.alarms.email:
            SnsTopicSubscription(
                scope,
                "alarm_email",
                topic_arn=topic.arn,
                protocol="email",
                endpoint=environment.alarms.email,
            )
