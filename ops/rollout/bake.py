"""Watches a service's alarms for a while after a release.

An alarm that was raised before is nobody's proof against the release, which may be there to end it:
it is told and does not count until it has been quiet once. ECS takes its deployment alarms likewise.
Source: Amazon ECS Developer Guide, "How CloudWatch alarms detect Amazon ECS deployment failures".
"""

import time
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.console import minutes, printable
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.rollout.watch import Say

INTERVAL: Final = 15.0
"""Seconds between two looks: alarms are evaluated once a minute."""

_SILENCE: Final = 20
"""Looks in a row at which CloudWatch may not answer."""


def read_alarms(cloudwatch: Any, prefix: str) -> dict[str, tuple[bool, str]]:
    """Every alarm by its name: whether it is raised, and why it is in its state."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return {
        alarm["AlarmName"]: (alarm["StateValue"] == "ALARM", printable(alarm.get("StateReason", "")))
        for page in pages
        for kind in ("MetricAlarms", "CompositeAlarms")
        for alarm in page.get(kind, ())
    }


def raised(alarms: Mapping[str, tuple[bool, str]]) -> frozenset[str]:
    """The names of those that are raised."""
    return frozenset(name for name, (is_raised, _) in alarms.items() if is_raised)


def bake(
    cloudwatch: Any,
    prefix: str,
    before: frozenset[str],
    seconds: float,
    phase: Phase,
    say: Say,
    interval: float = INTERVAL,
) -> None:
    """Watch the alarms whose names begin with `prefix`; `before` were raised before the release.

    `say` gets what is watched.

    ReleaseFailedError at once when another one is raised. OpsError when there is nothing to watch, or
    CloudWatch cannot be asked any more.
    """
    deadline = time.monotonic() + seconds
    silent = 0
    told = False
    while True:
        try:
            alarms = read_alarms(cloudwatch, prefix)
            silent = 0
        except (ClientError, BotoCoreError) as error:
            silent += 1
            if silent >= _SILENCE:
                raise OpsError(f"CloudWatch cannot be asked for the alarms: {error}") from None
            phase.detail = f"CloudWatch does not answer: {error}"
        else:
            if not alarms:
                raise OpsError(f"There is no alarm {prefix}* to watch: a bake would show nothing.")
            now = raised(alarms)
            if new := sorted(now - before):
                raise ReleaseFailedError(
                    f"Alarm after the release: {', '.join(new)}.",
                    [f"{name}: {alarms[name][1]}" for name in new],
                )
            before &= now
            if not told:
                still = f"; raised before the release: {', '.join(sorted(before))}" if before else ""
                say(f"watching {len(alarms)} alarms for {minutes(seconds)}{still}")
                told = True
            others = f"; raised before and still: {', '.join(sorted(before))}" if before else ""
            left = max(0.0, deadline - time.monotonic())
            phase.detail = (
                f"{len(alarms) - len(now)} of {len(alarms)} alarms quiet, {minutes(left)} left{others}"
            )
            phase.result = f"no new alarm among {len(alarms)} in {minutes(seconds)}{others}"
        # The last look comes when the time is over, and it has to be answered.
        if time.monotonic() >= deadline and not silent:
            return
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())) if not silent else interval)
