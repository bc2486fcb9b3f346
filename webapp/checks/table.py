"""Checks the status of a DynamoDB table."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_STATES: Final[Mapping[str, State]] = {
    **dict.fromkeys(("ACTIVE", "UPDATING"), State.OPERATIONAL),
    **dict.fromkeys(
        ("ARCHIVED", "ARCHIVING", "CREATING", "DELETING", "INACCESSIBLE_ENCRYPTION_CREDENTIALS"), State.DOWN
    ),
}
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational while the table is ACTIVE or UPDATING, else down; unknown for a status added since.

    Detail: its `status`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "dynamodb:DescribeTable", clients.of("dynamodb").describe_table(TableName=component.resource)
    )
    return found(answer["Table"]["TableStatus"])


def found(status: str) -> Finding:
    """Returns the finding for the status of a table."""
    state = _STATES.get(status, State.UNKNOWN)
    return Finding(state, f"The table is {status}.", {"status": status})


CHECK: Final = Check(
    kind=Kind.TABLE,
    clients=("dynamodb",),
    grants=(Grant("CheckTables", ("dynamodb:DescribeTable",), Resource.TABLES),),
    missing="The table does not exist.",
    run=check,
)
