"""Checks all services in the background, at an interval, each on its own."""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from typing import Any, Final, Never

from webapp.aws import Clients
from webapp.board import Board, Result, utc_now
from webapp.calls import AwsError, FailureKind
from webapp.checks import CHECKS
from webapp.logs import log
from webapp.services import Check
from webapp.settings import Settings
from webapp.states import Finding, State

BEAT: Final = 0.25
"""Seconds between two looks at the clock."""


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

_JITTER: Final = 0.1
"""Share of the interval by which it is longer or shorter, so that tasks started together drift apart."""


class Lag:
    """The seconds by which the loop was late so far, all added up. It is measured while `measure` runs."""

    def __init__(self) -> None:
        self._behind = 0.0
        self._due: float | None = None

    async def measure(self) -> Never:
        """Looks at the clock again and again, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + BEAT
            await asyncio.sleep(BEAT)
            self._behind = self.seconds()

    def seconds(self) -> float:
        """The lag so far; that since some time is the difference."""
        if self._due is None:
            return 0.0
        return self._behind + max(0.0, asyncio.get_running_loop().time() - self._due)


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


async def monitor(clients: Clients, settings: Settings, board: Board) -> Never:
    """Checks every service again and again and puts the results on the board, until cancelled.

    Each service has a loop of its own, so one that hangs delays no other, and at most one check of a
    service is under way.
    """
    lag = Lag()
    async with asyncio.TaskGroup() as group:
        group.create_task(lag.measure())
        for check in CHECKS:
            group.create_task(_watch(check, clients.checks[check.name], settings, board, lag))
    raise AssertionError("a loop without an end has ended")


async def _watch(check: Check, client: Any, settings: Settings, board: Board, lag: Lag) -> Never:
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        former = board.snapshot.results[check.name]
        result = await probe(check, client, settings, former, lag)
        _log_change(former, result)
        board.put_result(result)
        interval = settings.check_interval * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret
        await asyncio.sleep(max(0.0, started + interval - loop.time()))


def _log_change(former: Result, result: Result) -> None:
    before, after = former.finding.state, result.finding.state
    if before is not after:
        log(
            logging.INFO if after is State.OPERATIONAL else logging.WARNING,
            "service state changed",
            {"service": result.service, "from": before, "to": after, "reason": result.finding.message},
        )
