"""Runs every check in the background, at an interval, independently of the others.

After a failure that does not count yet, the component is checked again sooner.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final, Never

from webapp.aws import Clients
from webapp.board import Board, Notice, Result, utc_now
from webapp.calls import AwsError, FailureKind
from webapp.check import Check
from webapp.checks import CHECKS
from webapp.components import Component, Kind
from webapp.judge import Judge
from webapp.logs import log
from webapp.settings import Settings
from webapp.states import Finding, State

BEAT: Final = 0.25
"""Seconds between two measurements of the lag."""


DEADLINE: Final = 4.0
"""Seconds a check may take, with all its calls."""

TOO_BUSY: Final = 1.0
"""Seconds of lag during a check from which a time-out is the app's own fault."""

RECHECK: Final = 5.0
"""Seconds until the check after one that has failed and does not count yet."""

_FAILURES: Final[Mapping[FailureKind, str]] = {
    FailureKind.ACCESS_DENIED: "The app is not allowed to call {}.",
    FailureKind.CREDENTIALS: "The app has no valid credentials for {}.",
    FailureKind.ENDPOINT_UNREACHABLE: "{} cannot be reached.",
    FailureKind.THROTTLED: "{} turns requests away: too many of them.",
    FailureKind.TIMEOUT: "{} did not answer in time.",
    FailureKind.UNAVAILABLE: "{} answers with errors of its own.",
    FailureKind.OVERLOADED: "The app was too busy to call {}.",
    FailureKind.UNEXPECTED: "{} answered in a way the app does not know.",
}

_FAILURES_OF_THE_TABLE: Final[Mapping[FailureKind, State]] = {
    FailureKind.CREDENTIALS: State.DOWN,
    FailureKind.ENDPOINT_UNREACHABLE: State.DOWN,
    FailureKind.THROTTLED: State.DEGRADED,
    FailureKind.TIMEOUT: State.DOWN,
    FailureKind.UNAVAILABLE: State.DOWN,
}
"""States of the app's own table, of which an item is read, as the app itself does. The other checks ask the
API that manages a component, which may fail while the component works."""

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


def failure(kind: FailureKind, action: str, check: Check) -> Finding:
    """Returns the finding for a failed call of a check: unknown, unless it tells of the component itself."""
    if kind is FailureKind.MISSING:
        return Finding(State.DOWN, check.missing)
    states = _FAILURES_OF_THE_TABLE if check.kind is Kind.STORAGE else {}
    return Finding(states.get(kind, State.UNKNOWN), _FAILURES[kind].format(action))


async def probe(clients: Clients, component: Component, settings: Settings, lag: Lag) -> Result:
    """Checks a component once and returns the result. Raises no `Exception`.

    `latency_ms` is how long the component took to answer, or the check; None if the state is unknown. Only
    an answer of the component itself can be slow.
    """
    started = time.perf_counter()
    finding, failed = await _found(clients, component, settings, lag)
    latency_ms = finding.latency_ms
    if latency_ms is None:
        latency_ms = round((time.perf_counter() - started) * 1000, 1)
    now = utc_now()
    return Result(
        component=component.id,
        finding=slowed(finding, component.slow_after),
        checked_at=now,
        since=now,
        latency_ms=None if finding.state is State.UNKNOWN else latency_ms,
        failure=failed,
    )


def slowed(finding: Finding, slow_after: int | None) -> Finding:
    """Returns the finding, degraded if it is operational and the component's answer was slow."""
    latency_ms = finding.latency_ms
    if finding.state is not State.OPERATIONAL or slow_after is None or latency_ms is None:
        return finding
    if latency_ms < slow_after:
        return finding
    message = f"{finding.message} It is slow: {latency_ms:.0f} ms, with a limit of {slow_after} ms."
    return replace(finding, state=State.DEGRADED, message=message)


async def _found(
    clients: Clients, component: Component, settings: Settings, lag: Lag
) -> tuple[Finding, FailureKind | None]:
    check, action = CHECKS[component.kind], "AWS"
    despite: Finding | None = None
    lag_before = lag.seconds()
    try:
        async with asyncio.timeout(DEADLINE):
            return await check.run(clients, component, settings), None
    except AwsError as error:
        kind, action, despite = error.kind, error.action, error.finding
    except TimeoutError:
        kind = FailureKind.TIMEOUT
    except Exception as error:  # noqa: BLE001  # the check runs again whatever goes wrong
        log(logging.ERROR, "a check failed in a way nobody foresaw", {"component": component.id}, error)
        return Finding(State.UNKNOWN, "The check failed; the app's log says why."), None
    if kind is FailureKind.TIMEOUT and lag.seconds() - lag_before > TOO_BUSY:
        kind, despite = FailureKind.OVERLOADED, None
    return despite or failure(kind, action, check), kind


async def monitor(clients: Clients, settings: Settings, board: Board) -> Never:
    """Runs every check at its interval and puts the results on the board, until cancelled.

    Each component has its own loop, so one that hangs does not delay others, and a check never overlaps
    itself.
    """
    watch = Watch(clients, settings, board)
    async with asyncio.TaskGroup() as group:
        group.create_task(watch.lag.measure())
        for component in settings.watched.values():
            group.create_task(watch.run(component))
    raise AssertionError("a loop without an end has ended")


class Watch:
    """The loops of all components, and what they share."""

    def __init__(self, clients: Clients, settings: Settings, board: Board) -> None:
        self.lag = Lag()
        self._clients = clients
        self._settings = settings
        self._board = board
        self._judge = Judge(settings.watched.values(), settings.failure_threshold, utc_now())
        self._hurry = {component: asyncio.Event() for component in settings.watched}

    async def run(self, component: Component) -> Never:
        """Checks one component again and again."""
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            self._show(await probe(self._clients, component, self._settings, self.lag))
            interval = float(self._settings.interval_of(component))
            if self._judge.suspects(component.id):
                interval = min(interval, RECHECK)
            interval *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  # no secret
            with suppress(TimeoutError):
                async with asyncio.timeout_at(max(started + interval, loop.time())):
                    await self._hurry[component.id].wait()
            self._hurry[component.id].clear()

    def _show(self, found: Result) -> None:
        notice = self._judge.notice
        results = self._judge.judge(found)
        for result in results:
            self._log_change(self._board.snapshot.results[result.component], result)
            self._board.put_result(result)
        self._board.put_notice(self._judge.notice)
        if (notice is None) is not (self._judge.notice is None):
            _log_notice(self._judge.notice)
        if self._judge.asks_others(found) or (notice and not self._judge.notice):
            for component, hurry in self._hurry.items():
                if component != found.component:
                    hurry.set()

    @staticmethod
    def _log_change(previous: Result, result: Result) -> None:
        before, after = previous.finding.state, result.finding.state
        if before is not after and not result.lost:
            log(
                logging.INFO if after is State.OPERATIONAL else logging.WARNING,
                "component state changed",
                {
                    "component": result.component,
                    "from": before,
                    "to": after,
                    "since": result.since,
                    "reason": result.finding.message,
                },
            )


def _log_notice(notice: Notice | None) -> None:
    if notice is None:
        log(logging.INFO, "the app is no longer cut off", {})
    else:
        log(logging.WARNING, "the app is cut off", {"reason": notice.message, "since": notice.since})
