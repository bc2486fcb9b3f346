"""Whether the app's table can be used."""

from typing import Final

from webapp.aws import AwsError, Clients, answered
from webapp.contract import PARTITION_KEY, SORT_KEY
from webapp.results import Finding
from webapp.settings import Settings
from webapp.states import State

_SENTINEL: Final = {PARTITION_KEY: {"S": "readiness"}, SORT_KEY: {"S": "readiness"}}
"""Key of an item that is never written: reading it tells that the table can be read."""

_SERVING: Final = frozenset({"ACTIVE", "UPDATING"})
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""


async def check(clients: Clients, settings: Settings) -> Finding:
    """Operational when an item can be read and the table is one that serves.

    A table that can be read but not described is degraded. Details: `readable`, which the app's
    readiness depends on, and the table's `status`. Raises `AwsError` when the table cannot be read.
    """
    await answered(
        "dynamodb:GetItem",
        clients.dynamodb_for_checks.get_item(
            TableName=settings.table, Key=_SENTINEL, ProjectionExpression=PARTITION_KEY
        ),
    )
    try:
        description = await answered(
            "dynamodb:DescribeTable",
            clients.dynamodb_for_checks.describe_table(TableName=settings.table),
        )
    except AwsError:
        message = "The table can be read, but DynamoDB does not tell its status."
        return Finding(State.DEGRADED, message, {"readable": True})
    status = description["Table"]["TableStatus"]
    state = State.OPERATIONAL if status in _SERVING else State.DOWN
    return Finding(state, f"The table is {status}.", {"readable": True, "status": status})
