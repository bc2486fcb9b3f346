"""The app's DynamoDB table, with the keys that the app asks for."""

from stacks import naming
from stacks.bindings import (
    Construct,
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableTtl,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.status_app import STATUS


class Table:
    """An on-demand table (DynamoDB.1), recoverable to any second (DynamoDB.2) where asked.

    DynamoDB encrypts it with a key of its own, which costs nothing.
    """

    def __init__(self, scope: Construct, project: Project, environment: Environment) -> None:
        table = DynamodbTable(
            scope,
            "table",
            name=naming.table_name(project.name, environment),
            billing_mode="PAY_PER_REQUEST",
            hash_key=STATUS.partition_key,
            range_key=STATUS.sort_key,
            attribute=[
                DynamodbTableAttribute(name=STATUS.partition_key, type="S"),
                DynamodbTableAttribute(name=STATUS.sort_key, type="S"),
            ],
            ttl=DynamodbTableTtl(attribute_name=STATUS.expiry_attribute, enabled=True),
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(
                enabled=environment.data.point_in_time_recovery
            ),
            deletion_protection_enabled=environment.data.deletion_protection,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=environment.protected),
        )
        self.name = table.name


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for tables."""
    name = project.name
    return (
        Statement(
            "ChangeTables",
            actions=[
                "dynamodb:CreateTable",
                "dynamodb:DeleteTable",
                "dynamodb:TagResource",
                "dynamodb:UntagResource",
                "dynamodb:UpdateContinuousBackups",
                "dynamodb:UpdateTable",
                "dynamodb:UpdateTimeToLive",
            ],
            resources=[f"arn:aws:dynamodb:*:{account_id}:table/{name}-*"],
        ),
    )
