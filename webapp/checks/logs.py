"""Checks the app's log group."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field

from webapp.services import Check, Format, Grant, Resource, ServiceName
from webapp.states import Finding, State

if TYPE_CHECKING:
    from types_aiobotocore_logs import CloudWatchLogsClient

    from webapp.settings import Settings


class LogVariables(BaseModel):
    """The variables of this check."""

    log_group: Annotated[str, Format(r"[a-zA-Z0-9_/.#-]{1,512}")] = Field(
        min_length=1,
        description="the name of a log group: 1 to 512 letters, digits, '_', '/', '.', '#' or '-'",
    )
    """Name of the CloudWatch log group the app logs to.

    Source of the format: Amazon CloudWatch Logs API Reference, "CreateLogGroup".
    """


async def check(logs: "CloudWatchLogsClient", settings: "Settings") -> Finding:
    """Returns operational if the log group exists. Raises `AwsError`.

    Detail: `last_event_at` (UTC, RFC 3339), None before the first event. It may be an hour late.
    Source: Amazon CloudWatch Logs API Reference, "LogStream".
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "logs:DescribeLogStreams",
        logs.describe_log_streams(
            logGroupName=settings.log_group, orderBy="LastEventTime", descending=True, limit=1
        ),
    )
    milliseconds = next((stream.get("lastEventTimestamp") for stream in answer["logStreams"]), None)
    if milliseconds is None:
        return Finding(
            State.OPERATIONAL, "The log group is there; it has no event yet.", {"last_event_at": None}
        )
    last_event_at = f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return Finding(State.OPERATIONAL, "The log group has events.", {"last_event_at": last_event_at})


CHECK: Final = Check(
    name=ServiceName.LOGS,
    title="CloudWatch Logs",
    purpose="Logs",
    missing="The log group does not exist.",
    client="logs",
    grants=(Grant("CheckLogs", ("logs:DescribeLogStreams",), Resource.LOG_GROUP),),
    run=check,
)
