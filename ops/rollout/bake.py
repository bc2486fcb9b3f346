"""Watches a service's alarms for some time after a release.

An alarm that was raised before the release says nothing about it, since the release may be the fix:
it is reported, and counts only after it has been quiet once. ECS itself goes further, and monitors
no alarm during a deployment that begins while one is raised. Source: Amazon ECS Developer Guide, "How
CloudWatch alarms detect Amazon ECS deployment failures".
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.console import minutes, printable
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.rollout.watch import Say

INTERVAL: Final = 15.0
"""Seconds between two requests: CloudWatch evaluates the alarms once a minute."""

_SILENCE: Final = 20
"""Consecutive requests that CloudWatch may leave unanswered."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm's state (OK, ALARM or INSUFFICIENT_DATA), and its reason."""

    state: str
    reason: str


def read_alarms(cloudwatch: Any, prefix: str) -> dict[str, Alarm]:
    """Returns every alarm by name."""
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=prefix, AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return {
        alarm["AlarmName"]: Alarm(alarm["StateValue"], printable(alarm.get("StateReason", "")))
        for page in pages
        for kind in ("MetricAlarms", "CompositeAlarms")
        for alarm in page.get(kind, ())
    }


def raised(alarms: Mapping[str, Alarm]) -> frozenset[str]:
    """Returns the names of the raised alarms."""
    return frozenset(name for name, alarm in alarms.items() if alarm.state == "ALARM")


def bake(
    cloudwatch: Any,
    prefix: str,
    before: frozenset[str],
    seconds: float,
    phase: Phase,
    say: Say,
    interval: float = INTERVAL,
) -> None:
    """Watches the alarms named `prefix*` for `seconds`; `before` were raised before the release.

    `say` gets a line about what is watched.

    Raises ReleaseFailedError as soon as another alarm is raised. Raises OpsError if no alarm
    exists, or CloudWatch stops answering.
    """
    deadline = time.monotonic() + seconds
    silent = 0
    announced = False
    while True:
        try:
            alarms = read_alarms(cloudwatch, prefix)
            silent = 0
        except (ClientError, BotoCoreError) as error:
            silent += 1
            if silent >= _SILENCE:
                raise OpsError(f"The alarms could not be read from CloudWatch: {error}") from None
            phase.detail = f"CloudWatch does not answer: {error}"
        else:
            if not alarms:
                raise OpsError(f"No alarm is named {prefix}*, so the bake has nothing to watch.")
            now = raised(alarms)
            if new := sorted(now - before):
                raise ReleaseFailedError(
                    f"Alarm after the release: {', '.join(new)}.",
                    [f"{name}: {alarms[name].reason}" for name in new],
                )
            before &= now
            if not announced:
                still = f"; raised before the release: {', '.join(sorted(before))}" if before else ""
                say(f"watching {len(alarms)} alarms for {minutes(seconds)}{still}")
                announced = True
            others = f"; raised before and still: {', '.join(sorted(before))}" if before else ""
            left = max(0.0, deadline - time.monotonic())
            phase.detail = (
                f"{len(alarms) - len(now)} of {len(alarms)} alarms quiet, {minutes(left)} left{others}"
            )
            phase.result = f"no new alarm among {len(alarms)} in {minutes(seconds)}{others}"
        # The last request comes after the deadline, and needs an answer.
        if time.monotonic() >= deadline and not silent:
            return
        time.sleep(max(0.0, min(interval, deadline - time.monotonic())) if not silent else interval)
