"""A record of the VPC's traffic (EC2.6)."""

from typing import Final

from stacks import naming
from stacks.bindings import FlowLog
from stacks.constructs.bounded_role import BoundedRole
from stacks.constructs.log_group import LogGroup
from stacks.constructs.platform_stack import PlatformStack
from stacks.constructs.vpc import PlatformVpc
from stacks.policies import Statement
from stacks.settings import Environment, Project

TRAFFIC_TYPES = {"rejected": "REJECT", "all": "ALL"}

DEPLOY: Final = (
    Statement(
        "ChangeNetworks",
        actions=[
            "ec2:CreateFlowLogs",
            "ec2:CreateTags",
            "ec2:DeleteFlowLogs",
            "ec2:DeleteTags",
        ],
        resources=["*"],
    ),
)
"""What the deploy role needs. AWS chooses the ids, so no ARN can be named."""


class FlowLogs:
    """Flow logs into a CloudWatch log group; nothing when they are off.

    Source: Amazon VPC User Guide, "IAM role for publishing flow logs to CloudWatch Logs".
    """

    def __init__(
        self, scope: PlatformStack, project: Project, environment: Environment, vpc: PlatformVpc
    ) -> None:
        if environment.network.flow_logs == "off":
            return
        name = naming.log_group(project.name, environment.name, "flow-logs")
        group = LogGroup(scope, "flow_log_events", name, environment)
        role = BoundedRole(
            scope,
            "flow_log_role",
            name=naming.role_name(project.name, environment.name, "flow-logs"),
            description="Writes the VPC's flow logs",
            service="vpc-flow-logs.amazonaws.com",
            statements=[
                Statement(
                    "WriteFlowLogs",
                    actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                    resources=[group.arn, f"{group.arn}:*"],
                ),
                # Knows no resource.
                Statement("FindLogGroup", actions=["logs:DescribeLogGroups"], resources=["*"]),
            ],
        )
        FlowLog(
            scope,
            "flow_logs",
            vpc_id=vpc.id,
            traffic_type=TRAFFIC_TYPES[environment.network.flow_logs],
            log_destination=group.arn,
            log_destination_type="cloud-watch-logs",
            iam_role_arn=role.arn,
            max_aggregation_interval=600,
            tags={"Name": naming.base(project.name, environment.name)},
        )
