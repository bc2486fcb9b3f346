"""Checks the CloudWatch alarms of the environment."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_PAGE: Final = 100
"""Maximum of one response. Source: Amazon CloudWatch API Reference, "DescribeAlarms"."""

RAISED: Final = "ALARM"
_MOST: Final = 1000
_MOST_NAMED: Final = 5


async def check(clients: "Clients", component: Component, settings: "Settings") -> Finding:
    """Returns degraded while an alarm is in ALARM, unknown without alarms; reads the first 1000.

    The alarms of an environment begin with the component's resource or the name of one of its services, and
    a slash: another environment's name may begin alike. An alarm in INSUFFICIENT_DATA is not raised: every
    alarm starts there. Details: the numbers of `alarms`, `raised` and `without_data`. Raises `AwsError`.
    """
    from webapp.calls import call_aws

    base = component.resource
    pages = (
        clients.of("cloudwatch")
        .get_paginator("describe_alarms")
        .paginate(
            AlarmNamePrefix=base,
            AlarmTypes=["MetricAlarm"],
            PaginationConfig={"MaxItems": _MOST, "PageSize": _PAGE},
        )
    )
    answer = await call_aws("cloudwatch:DescribeAlarms", pages.build_full_result())
    services = [each.word for each in settings.watched.values() if each.id.startswith("services.")]
    return found(
        {alarm["AlarmName"]: alarm["StateValue"] for alarm in answer["MetricAlarms"]},
        base,
        {base, *(f"{base}-{service}" for service in services)},
    )


async def state_of(clients: "Clients", name: str) -> str | None:
    """Returns the state of an alarm, such as `RAISED`; None if there is no such alarm. Raises `AwsError`."""
    from webapp.calls import call_aws

    cloudwatch = clients.of("cloudwatch")
    answer = await call_aws("cloudwatch:DescribeAlarms", cloudwatch.describe_alarms(AlarmNames=[name]))
    return next((alarm["StateValue"] for alarm in answer["MetricAlarms"]), None)


def found(states: Mapping[str, str], base: str, owners: Collection[str]) -> Finding:
    """Returns the finding for alarms by name, those of some owners only, which stand before the slash."""
    own = {name: state for name, state in states.items() if name.partition("/")[0] in owners}
    raised = sorted(name.removeprefix(base).lstrip("-/") for name, state in own.items() if state == RAISED)
    details = {
        "alarms": len(own),
        "raised": len(raised),
        "without_data": sum(state == "INSUFFICIENT_DATA" for state in own.values()),
    }
    if not own:
        return Finding(State.UNKNOWN, "The environment has no alarm.", details)
    if not raised:
        return Finding(State.OPERATIONAL, f"No alarm is raised, of {len(own)}.", details)
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
