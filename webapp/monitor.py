"""Runs every check in the background, at an interval, independently of the others."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Final, Never

from webapp.aws import Clients
from webapp.board import Board, Result, utc_now
from webapp.calls import AwsError, FailureKind
from webapp.checks import CHECKS
from webapp.components import Component
from webapp.logs import log
from webapp.settings import Settings
from webapp.states import Finding, State

BEAT: Final = 0.25
"""Seconds between two measurements of the lag."""


DEADLINE: Final = 4.0
"""Seconds a check may take, with all its calls."""

TOO_BUSY: Final = 1.0
"""Seconds of lag during a check from which a time-out is the app's own fault."""

_FAILURES: Final[Mapping[FailureKind, tuple[State, str]]] = {
    FailureKind.ACCESS_DENIED: (State.UNKNOWN, "The app is not allowed to call {}."),
    FailureKind.CREDENTIALS: (State.DOWN, "The app has no valid credentials for {}."),
    FailureKind.ENDPOINT_UNREACHABLE: (State.DOWN, "{} cannot be reached."),
    FailureKind.THROTTLED: (State.DEGRADED, "{} turns requests away: too many of them."),
    FailureKind.TIMEOUT: (State.DOWN, "{} did not answer in time."),
    FailureKind.UNAVAILABLE: (State.DOWN, "{} answers with errors of its own."),
    FailureKind.OVERLOADED: (State.UNKNOWN, "The app was too busy to call {}."),
    FailureKind.UNEXPECTED: (State.UNKNOWN, "{} answered in a way the app does not know."),
}

_JITTER: Final = 0.1
"""Fraction by which the interval varies, so that tasks that start together drift apart."""


class Lag:
    """Accumulates the seconds by which the event loop runs late, while `measure` runs."""

    def __init__(self) -> None:
        self._behind = 0.0
        self._due: float | None = None

    async def measure(self) -> Never:
        """Measures the lag until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._behind = self.seconds()

    def seconds(self) -> float:
        """Returns the accumulated lag; subtract two values for the lag between them."""
        if self._due is None:
            return 0.0
        return self._behind + max(0.0, asyncio.get_running_loop().time() - self._due)


def failure(kind: FailureKind, action: str, missing: str) -> Finding:
    """Returns the finding for a failed call of a check; `missing` is the check's own message."""
    if kind is FailureKind.MISSING:
        return Finding(State.DOWN, missing)
    state, words = _FAILURES[kind]
    return Finding(state, words.format(action))


async def probe(
    clients: Clients, component: Component, settings: Settings, previous: Result, lag: Lag
) -> Result:
    """Checks a component once and returns the result, given the previous one. Raises no `Exception`.

    `latency_ms` is how long the component took to answer, or else its check; None if the state is unknown.
    """
    started = time.perf_counter()
    finding = await _found(clients, component, settings, lag)
    latency_ms = finding.latency_ms or round((time.perf_counter() - started) * 1000, 1)
    now = utc_now()
    return Result(
        component=component.id,
        finding=finding,
        checked_at=now,
        since=previous.since if finding.state is previous.finding.state else now,
        latency_ms=None if finding.state is State.UNKNOWN else latency_ms,
    )


async def _found(clients: Clients, component: Component, settings: Settings, lag: Lag) -> Finding:
    check, action = CHECKS[component.kind], "AWS"
    lag_before = lag.seconds()
    try:
        async with asyncio.timeout(DEADLINE):
            return await check.run(clients, component, settings)
    except AwsError as error:
        kind, action = error.kind, error.action
    except TimeoutError:
        kind = FailureKind.TIMEOUT
    except Exception as error:  # noqa: BLE001  # the check runs again whatever goes wrong
        log(logging.ERROR, "a check failed in a way nobody foresaw", {"component": component.id}, error)
        return Finding(State.UNKNOWN, "The check failed; the app's log says why.")
    if kind is FailureKind.TIMEOUT and lag.seconds() - lag_before > TOO_BUSY:
        kind = FailureKind.OVERLOADED
    return failure(kind, action, check.missing)


async def monitor(clients: Clients, settings: Settings, board: Board) -> Never:
    """Runs every check at its interval and puts the results on the board, until cancelled.

    Each component has its own loop, so one that hangs does not delay others, and a check never overlaps
    itself.
    """
    lag = Lag()
    async with asyncio.TaskGroup() as group:
        group.create_task(lag.measure())
        for component in settings.watched.values():
            group.create_task(_watch(clients, component, settings, board, lag))
    raise AssertionError("a loop without an end has ended")


async def _watch(clients: Clients, component: Component, settings: Settings, board: Board, lag: Lag) -> Never:
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        previous = board.snapshot.results[component.id]
        result = await probe(clients, component, settings, previous, lag)
        _log_change(previous, result)
        board.put_result(result)
        interval = settings.check_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret
        await asyncio.sleep(max(0.0, started + interval - loop.time()))


def _log_change(previous: Result, result: Result) -> None:
    before, after = previous.finding.state, result.finding.state
    if before is not after:
        log(
            logging.INFO if after is State.OPERATIONAL else logging.WARNING,
            "component state changed",
            {"component": result.component, "from": before, "to": after, "reason": result.finding.message},
        )
