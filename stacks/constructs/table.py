"""DynamoDB tables: those of services, and the status app's."""

from stacks.bindings import (
    Construct,
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTableGlobalSecondaryIndex,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableTtl,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Environment, Project
from stacks.status_app import STATUS
from stacks.store_settings import Index, KeyValueTable


class Table:
    """An on-demand table (DynamoDB.1), recoverable to any second (DynamoDB.2) where asked.

    DynamoDB encrypts it with a key of its own, which costs nothing.
    """

    def __init__(
        self, scope: Construct, prefix: str, name: str, settings: KeyValueTable, *, protected: bool
    ) -> None:
        keys: dict[str, str] = {}
        indexed: tuple[KeyValueTable | Index, ...] = (settings, *settings.indexes.values())
        for each in indexed:
            keys[each.partition_key] = each.partition_type
            if each.sort_key:
                keys[each.sort_key] = each.sort_type
        table = DynamodbTable(
            scope,
            prefix,
            name=name,
            billing_mode="PAY_PER_REQUEST",
            hash_key=settings.partition_key,
            range_key=settings.sort_key,
            attribute=[DynamodbTableAttribute(name=key, type=kind) for key, kind in sorted(keys.items())],
            global_secondary_index=[
                DynamodbTableGlobalSecondaryIndex(
                    name=index,
                    hash_key=each.partition_key,
                    range_key=each.sort_key,
                    projection_type="ALL",
                )
                for index, each in sorted(settings.indexes.items())
            ]
            or None,
            ttl=DynamodbTableTtl(attribute_name=settings.expiry_attribute, enabled=True)
            if settings.expiry_attribute
            else None,
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(enabled=settings.point_in_time_recovery),
            deletion_protection_enabled=protected
            if settings.deletion_protection is None
            else settings.deletion_protection,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
        )
        self.name = table.name


def status_table(environment: Environment) -> KeyValueTable:
    """Returns the settings of the status app's table, with the keys that the app asks for."""
    return KeyValueTable(
        partition_key=STATUS.partition_key,
        sort_key=STATUS.sort_key,
        expiry_attribute=STATUS.expiry_attribute,
        point_in_time_recovery=environment.data.point_in_time_recovery,
        deletion_protection=environment.data.deletion_protection,
    )


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
