"""Whether the log group that the app's lines go to is there."""

from datetime import UTC, datetime

from webapp.aws import Clients, answered
from webapp.results import Finding
from webapp.settings import Settings
from webapp.states import State


async def check(clients: Clients, settings: Settings) -> Finding:
    """Operational when the log group is there. Raises `AwsError`.

    Detail: `last_event_at` (UTC, RFC 3339), None before the first event. It may be an hour late.
    Source: Amazon CloudWatch Logs API Reference, "LogStream".
    """
    answer = await answered(
        "logs:DescribeLogStreams",
        clients.logs.describe_log_streams(
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
