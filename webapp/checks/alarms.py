"""Checks CloudWatch alarms: those whose names begin with the component's resource."""

from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_PAGE: Final = 100
"""Maximum of one response. Source: Amazon CloudWatch API Reference, "DescribeAlarms"."""

_MOST: Final = 300
_MOST_NAMED: Final = 5


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns degraded while an alarm is in ALARM, unknown without alarms; reads the first 300.

    An alarm in INSUFFICIENT_DATA is not raised: every alarm starts there. Details: the numbers of `alarms`,
    `raised` and `without_data`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    prefix = component.resource
    pages = (
        clients.of("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(
            AlarmNamePrefix=prefix,
            AlarmTypes=["MetricAlarm"],
            PaginationConfig={"MaxItems": _MOST, "PageSize": _PAGE},
        )
    )
    answer = await call_aws("cloudwatch:DescribeAlarms", pages.build_full_result())
    alarms = answer["MetricAlarms"]
    raised = sorted(
        alarm["AlarmName"].removeprefix(prefix) for alarm in alarms if alarm["StateValue"] == "ALARM"
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
    kind=Kind.ALARMS,
    clients=("cloudwatch",),
    grants=(Grant("CheckAlarms", ("cloudwatch:DescribeAlarms",), Resource.ALARMS),),
    run=check,
    missing="The alarms do not exist.",
)
