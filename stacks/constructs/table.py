"""The app's DynamoDB table, with the keys that the app's contract names."""

from stacks import naming
from stacks.bindings import (
    Construct,
    DynamodbTable,
    DynamodbTableAttribute,
    DynamodbTablePointInTimeRecovery,
    DynamodbTableTtl,
    TerraformResourceLifecycle,
)
from stacks.settings import Environment, Project
from webapp import contract


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
            hash_key=contract.PARTITION_KEY,
            range_key=contract.SORT_KEY,
            attribute=[
                DynamodbTableAttribute(name=contract.PARTITION_KEY, type="S"),
                DynamodbTableAttribute(name=contract.SORT_KEY, type="S"),
            ],
            ttl=DynamodbTableTtl(attribute_name=contract.EXPIRY_ATTRIBUTE, enabled=True),
            point_in_time_recovery=DynamodbTablePointInTimeRecovery(
                enabled=environment.data.point_in_time_recovery
            ),
            deletion_protection_enabled=environment.data.deletion_protection,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=environment.protected),
        )
        self.name = table.name
        self.arn = table.arn
