"""Checks the status of a DynamoDB table."""

from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

SERVING: Final = frozenset({"ACTIVE", "UPDATING"})
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational while the table is ACTIVE or UPDATING, else down.

    Detail: its `status`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "dynamodb:DescribeTable", clients.of("dynamodb").describe_table(TableName=component.resource)
    )
    status = answer["Table"]["TableStatus"]
    state = State.OPERATIONAL if status in SERVING else State.DOWN
    return Finding(state, f"The table is {status}.", {"status": status})


CHECK: Final = Check(
    kind=Kind.TABLE,
    clients=("dynamodb",),
    grants=(Grant("CheckTables", ("dynamodb:DescribeTable",), Resource.TABLES),),
    missing="The table does not exist.",
    run=check,
)
