"""Checks one service once, and says what it means when that fails."""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any, Final

from webapp.board import Result, utc_now
from webapp.calls import AwsError, FailureKind
from webapp.lag import Lag
from webapp.logs import log
from webapp.services import Check
from webapp.settings import Settings
from webapp.states import Finding, State

DEADLINE: Final = 4.0
"""Seconds a check may take, however many calls it makes."""

TOO_BUSY: Final = 1.0
"""Seconds of lag during a check from which on it is the app that did not see an answer in time."""

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


def failure(check: Check, kind: FailureKind) -> Finding:
    """What a failed call says of the checked service."""
    if kind is FailureKind.MISSING:
        return Finding(State.DOWN, check.missing)
    state, words = _FAILURES[kind]
    return Finding(state, words.format(check.title))


async def probe(check: Check, client: Any, settings: Settings, former: Result, lag: Lag) -> Result:
    """The result of one check, after the former one of the same service. Never raises an `Exception`.

    `latency_ms` is how long the check took, None when it did not find out how the service is doing.
    """
    started = time.perf_counter()
    finding = await _found(check, client, settings, lag)
    latency_ms = round((time.perf_counter() - started) * 1000, 1)
    now = utc_now()
    return Result(
        service=check.name,
        finding=finding,
        checked_at=now,
        since=former.since if finding.state is former.finding.state else now,
        latency_ms=None if finding.state is State.UNKNOWN else latency_ms,
    )


async def _found(check: Check, client: Any, settings: Settings, lag: Lag) -> Finding:
    lag_before = lag.seconds()
    try:
        async with asyncio.timeout(DEADLINE):
            return await check.run(client, settings)
    except AwsError as error:
        kind = error.kind
    except TimeoutError:
        kind = FailureKind.TIMEOUT
    except Exception as error:  # noqa: BLE001  # whatever goes wrong with one service, it is checked again
        log(logging.ERROR, "a check failed in a way nobody foresaw", {"service": check.name}, error)
        return Finding(State.UNKNOWN, "The check failed; the app's log says why.")
    if kind is FailureKind.TIMEOUT and lag.seconds() - lag_before > TOO_BUSY:
        kind = FailureKind.OVERLOADED
    return failure(check, kind)
