"""Checks one service once, and says what it means when that fails."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from webapp.aws import AwsError, Clients, FailureKind
from webapp.board import utc_now
from webapp.checks import cloudwatch, dynamodb, ecr, logs, sts
from webapp.checks.ecs import TaskCheck
from webapp.lag import Lag
from webapp.logs import log
from webapp.results import Finding, Result
from webapp.services import TITLES, ServiceName
from webapp.settings import Settings
from webapp.states import State

Check = Callable[[Clients, Settings], Awaitable[Finding]]

DEADLINE: Final = 4.0
"""Seconds a check may take, however many calls it makes."""

TOO_BUSY: Final = 1.0
"""Seconds of lag during a check from which on it is the app that did not see an answer in time."""

_MISSING: Final[Mapping[ServiceName, str]] = {
    ServiceName.DYNAMODB: "The table does not exist.",
    ServiceName.ECS: "The cluster does not exist.",
    ServiceName.ECR: "The image is not in its repository.",
    ServiceName.CLOUDWATCH: "The alarms do not exist.",
    ServiceName.LOGS: "The log group does not exist.",
    ServiceName.STS: "The app's identity does not exist.",
}

_FAILURES: Final[Mapping[FailureKind, tuple[State, str]]] = {
    FailureKind.ACCESS_DENIED: (State.UNKNOWN, "The app is not allowed to ask {}."),
    FailureKind.CREDENTIALS: (State.DOWN, "The app has no valid credentials for {}."),
    FailureKind.ENDPOINT_UNREACHABLE: (State.DOWN, "{} cannot be reached."),
    FailureKind.THROTTLED: (State.DEGRADED, "{} turns requests away: too many of them."),
    FailureKind.TIMEOUT: (State.DOWN, "{} did not answer in time."),
    FailureKind.UNAVAILABLE: (State.DOWN, "{} answers with errors of its own."),
    FailureKind.OVERLOADED: (State.UNKNOWN, "The app was too busy to ask {}."),
    FailureKind.UNEXPECTED: (State.UNKNOWN, "{} answered in a way the app does not know."),
}


def all_checks() -> dict[ServiceName, Check]:
    """A check for every service."""
    return {
        ServiceName.DYNAMODB: dynamodb.check,
        ServiceName.ECS: TaskCheck().check,
        ServiceName.ECR: ecr.check,
        ServiceName.CLOUDWATCH: cloudwatch.check,
        ServiceName.LOGS: logs.check,
        ServiceName.STS: sts.check,
    }


def failure(service: ServiceName, kind: FailureKind) -> Finding:
    """What a failed call says of its service."""
    if kind is FailureKind.MISSING:
        return Finding(State.DOWN, _MISSING[service])
    state, words = _FAILURES[kind]
    return Finding(state, words.format(TITLES[service]))


async def probe(check: Check, clients: Clients, settings: Settings, former: Result, lag: Lag) -> Result:
    """The result of one check, after the former one of the same service. Never raises an `Exception`.

    `latency_ms` is how long the check took, None when it did not find out how the service is doing.
    """
    started = time.perf_counter()
    finding = await _found(former.service, check, clients, settings, lag)
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    now = utc_now()
    return Result(
        service=former.service,
        finding=finding,
        checked_at=now,
        since=former.since if finding.state is former.finding.state else now,
        latency_ms=None if finding.state is State.UNKNOWN else latency_ms,
    )


async def _found(
    service: ServiceName, check: Check, clients: Clients, settings: Settings, lag: Lag
) -> Finding:
    lag_before = lag.seconds()
    try:
        async with asyncio.timeout(DEADLINE):
            return await check(clients, settings)
    except AwsError as error:
        kind = error.kind
    except TimeoutError:
        kind = FailureKind.TIMEOUT
    except Exception as error:  # noqa: BLE001  # whatever goes wrong with one service, it is checked again
        log(logging.ERROR, "a check failed in a way nobody foresaw", {"service": service}, error)
        return Finding(State.UNKNOWN, "The check failed; the app's log says why.")
    if kind is FailureKind.TIMEOUT and lag.seconds() - lag_before > TOO_BUSY:
        kind = FailureKind.OVERLOADED
    return failure(service, kind)
