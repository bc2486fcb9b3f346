"""Checks all services in the background, at an interval, each on its own."""

import asyncio
import logging
import random
from typing import Any, Final, Never

from webapp.aws import Clients
from webapp.board import Board, Result
from webapp.checks import CHECKS
from webapp.lag import Lag
from webapp.logs import log
from webapp.probe import probe
from webapp.services import Check
from webapp.settings import Settings
from webapp.states import State

_JITTER: Final = 0.1
"""Share of the interval by which it is longer or shorter, so that tasks started together drift apart."""


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
