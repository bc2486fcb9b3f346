"""Checks the app's DynamoDB table."""

from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State
from webapp.table import PARTITION_KEY, Key

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_SENTINEL: Final = Key("readiness", "readiness")
"""Key of an item that is never written: the check reads it to prove that the table can be read."""

_SERVING: Final = frozenset({"ACTIVE", "UPDATING"})
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational if an item can be read and the table is ACTIVE or UPDATING.

    A table that can be read but not described is degraded. Details: `readable`, on which the app's
    readiness depends, and the table's `status`. Raises `AwsError` if the table cannot be read.
    """
    from webapp.calls import AwsError, call_aws

    dynamodb, table = clients.of("dynamodb"), component.resource
    await call_aws(
        "dynamodb:GetItem",
        dynamodb.get_item(TableName=table, Key=_SENTINEL.attributes, ProjectionExpression=PARTITION_KEY),
    )
    try:
        description = await call_aws(
            "dynamodb:DescribeTable",
            dynamodb.describe_table(TableName=table),
        )
    except AwsError:
        message = "The table can be read, but DynamoDB does not tell its status."
        return Finding(State.DEGRADED, message, {"readable": True})
    status = description["Table"]["TableStatus"]
    state = State.OPERATIONAL if status in _SERVING else State.DOWN
    return Finding(state, f"The table is {status}.", {"readable": True, "status": status})


CHECK: Final = Check(
    kind=Kind.STORAGE,
    clients=("dynamodb",),
    grants=(Grant("CheckTable", ("dynamodb:DescribeTable",), Resource.TABLE),),
    run=check,
    missing="The table does not exist.",
)
