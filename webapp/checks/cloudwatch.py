"""Checks the CloudWatch alarms of the service."""

from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field

from webapp.services import Check, Format, Grant, Resource, ServiceName
from webapp.states import Finding, State

if TYPE_CHECKING:
    from types_aiobotocore_cloudwatch import CloudWatchClient

    from webapp.settings import Settings

_PAGE: Final = 100
"""Maximum of one response. Source: Amazon CloudWatch API Reference, "DescribeAlarms"."""

_MOST: Final = 300
_MOST_NAMED: Final = 5


class AlarmVariables(BaseModel):
    """The variables of this check."""

    alarm_prefix: Annotated[str, Format(r"[\x21-\x7e]{1,255}")] = Field(
        min_length=1, description="what the alarms' names begin with, such as oaktree-dev-web/"
    )
    """What the names of the service's CloudWatch alarms begin with."""


async def check(cloudwatch: "CloudWatchClient", settings: "Settings") -> Finding:
    """Returns degraded while an alarm is in ALARM, unknown without alarms; reads the first 300.

    An alarm in INSUFFICIENT_DATA is not raised: every alarm starts there. Details: the numbers of `alarms`,
    `raised` and `without_data`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=settings.alarm_prefix,
        AlarmTypes=["MetricAlarm"],
        PaginationConfig={"MaxItems": _MOST, "PageSize": _PAGE},
    )
    answer = await call_aws("cloudwatch:DescribeAlarms", pages.build_full_result())
    alarms = answer["MetricAlarms"]
    raised = sorted(
        alarm["AlarmName"].removeprefix(settings.alarm_prefix)
        for alarm in alarms
        if alarm["StateValue"] == "ALARM"
    )
    details = {
        "alarms": len(alarms),
        "raised": len(raised),
        "without_data": sum(alarm["StateValue"] == "INSUFFICIENT_DATA" for alarm in alarms),
    }
    if not alarms:
        return Finding(State.UNKNOWN, "The service has no alarm.", details)
    if not raised:
        return Finding(State.OPERATIONAL, f"No alarm is raised, of {len(alarms)}.", details)
    names = ", ".join(raised[:_MOST_NAMED])
    others = f" and {len(raised) - _MOST_NAMED} more" if len(raised) > _MOST_NAMED else ""
    return Finding(State.DEGRADED, f"Raised: {names}{others}.", details)


CHECK: Final = Check(
    name=ServiceName.CLOUDWATCH,
    title="CloudWatch",
    purpose="Alarms",
    missing="The alarms do not exist.",
    client="cloudwatch",
    grants=(Grant("CheckAlarms", ("cloudwatch:DescribeAlarms",), Resource.ALARMS),),
    run=check,
)
