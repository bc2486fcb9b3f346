"""Checks the app's DynamoDB table."""

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field

from webapp.services import Check, Format, Grant, Resource, ServiceName
from webapp.states import Finding, State
from webapp.table import PARTITION_KEY, Key

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient

    from webapp.settings import Settings

_SENTINEL: Final = Key("readiness", "readiness")
"""Key of an item that is never written: the check reads it to prove that the table can be read."""

_SERVING: Final = frozenset({"ACTIVE", "UPDATING"})
"""Source: Amazon DynamoDB API Reference, "TableDescription", TableStatus."""


class TableVariables(BaseModel):
    """The variables of this check, of the history and of the incidents."""

    table: Annotated[str, Format(r"[a-zA-Z0-9_.-]{3,255}")] = Field(
        min_length=1,
        description="the name of a DynamoDB table: 3 to 255 letters, digits, '_', '.' or '-'",
    )
    """Name of the DynamoDB table the app keeps its data in.

    Source of the format: DynamoDB Developer Guide, "Naming rules".
    """


async def check(dynamodb: "DynamoDBClient", settings: "Settings") -> Finding:
    """Returns operational if an item can be read and the table is ACTIVE or UPDATING.

    A table that can be read but not described is degraded. Details: `readable`, on which the app's
    readiness depends, and the table's `status`. Raises `AwsError` if the table cannot be read.
    """
    from webapp.calls import AwsError, call_aws

    await call_aws(
        "dynamodb:GetItem",
        dynamodb.get_item(
            TableName=settings.table, Key=_SENTINEL.attributes, ProjectionExpression=PARTITION_KEY
        ),
    )
    try:
        description = await call_aws(
            "dynamodb:DescribeTable",
            dynamodb.describe_table(TableName=settings.table),
        )
    except AwsError:
        message = "The table can be read, but DynamoDB does not tell its status."
        return Finding(State.DEGRADED, message, {"readable": True})
    status = description["Table"]["TableStatus"]
    state = State.OPERATIONAL if status in _SERVING else State.DOWN
    return Finding(state, f"The table is {status}.", {"readable": True, "status": status})


CHECK: Final = Check(
    name=ServiceName.DYNAMODB,
    title="DynamoDB",
    purpose="Table",
    missing="The table does not exist.",
    client="dynamodb",
    grants=(Grant("CheckTable", ("dynamodb:DescribeTable",), Resource.TABLE),),
    run=check,
)
