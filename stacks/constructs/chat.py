"""The chat channels that get an environment's alarms, by Amazon Q Developer in chat applications.

AWS still calls the API, the principal and the resources AWS Chatbot. Source: Amazon Q Developer in chat
applications Administrator Guide.
"""

from typing import Final

from stacks import naming, policies
from stacks.bindings import (
    ChatbotSlackChannelConfiguration,
    ChatbotTeamsChannelConfiguration,
    Construct,
    IamPolicy,
)
from stacks.constructs.alarm_topic import AlarmTopics
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Environment, Project

LINKED_ROLE: Final = "management.chatbot.amazonaws.com"
"""The service whose linked role, which subscribes to topics, comes with the first channel of an account.

Source: the guide, "Service-linked role for performing operations on Amazon SNS topics and CloudWatch Logs".
"""

READ: Final = Statement(
    "ReadMetrics",
    actions=["cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*"],
    resources=["*"],
)
"""What the service draws the graph of an alarm with. Source: the guide, "IAM policies"."""


_KINDS: Final = ("MicrosoftTeamsChannelConfiguration", "SlackChannelConfiguration")


class ChatBoundary:
    """The permissions boundary of the roles of chat channels in this account, and the channels' guardrail.

    A guardrail limits what people may do from a channel; unless one is set, it is AdministratorAccess.
    Source: the guide, "Channel guardrail policies".
    """

    def __init__(self, scope: Construct, project: Project) -> None:
        name = naming.chat_boundary(project.name)
        IamPolicy(
            scope,
            "chat_boundary",
            name=name,
            description="The most that a chat channel can do",
            policy=policies.managed_document(name, READ),
        )


class ChatChannels:
    """The Slack and the Teams channel that the settings name, if any, each with a role of its own."""

    def __init__(self, scope: PlatformStack, environment: Environment, topics: AlarmTopics) -> None:
        alarms, project = environment.alarms, scope.project.name
        guardrails = [naming.boundary_arn(project, environment.account_id, "chatbot.amazonaws.com")]
        if slack := alarms.slack:
            name = naming.chat_channel(project, environment.name, "slack")
            ChatbotSlackChannelConfiguration(
                scope,
                "slack",
                configuration_name=name,
                slack_team_id=slack.workspace_id,
                slack_channel_id=slack.channel_id,
                iam_role_arn=_role(scope, "slack_role", name),
                sns_topic_arns=[topics.arn],
                guardrail_policy_arns=guardrails,
            )
        if teams := alarms.teams:
            name = naming.chat_channel(project, environment.name, "teams")
            ChatbotTeamsChannelConfiguration(
                scope,
                "teams",
                configuration_name=name,
                tenant_id=teams.tenant_id,
                team_id=teams.team_id,
                channel_id=teams.channel_id,
                iam_role_arn=_role(scope, "teams_role", name),
                sns_topic_arns=[topics.arn],
                guardrail_policy_arns=guardrails,
            )


def _role(scope: PlatformStack, key: str, name: str) -> str:
    return BoundedRole(
        scope,
        key,
        name=name,
        description="Shows alarms in a chat channel",
        service="chatbot.amazonaws.com",
        statements=[READ],
    ).arn


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for chat channels, which know no resource when they are created."""
    created = [f"chatbot:Create{kind}" for kind in _KINDS]
    changed = [f"chatbot:{verb}{kind}" for verb in ("Delete", "Update") for kind in _KINDS]
    return (
        Statement("WithoutResource", actions=created, resources=["*"]),
        Statement(
            "ChangeChat",
            actions=[*changed, "chatbot:TagResource", "chatbot:UntagResource"],
            resources=[f"arn:aws:chatbot::{account_id}:chat-configuration/*/{project.name}-*"],
        ),
    )
