"""Admission control: how many may go on at once, how many may wait for it, and for how long."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

LONGEST_WAIT: Final = 2.0
"""Seconds that somebody waits for admission."""


class OverloadedError(Exception):
    """There is no room, and none to wait in."""


class Admission:
    """Admits so many at once and lets so many wait, the longest waiting first; turns others away at once.

    A queue without a bound would only have everybody wait until it is too late for them. Source:
    Amazon Builders' Library, "Using load shedding to avoid overload".
    """

    def __init__(self, at_once: int, waiting: int) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._most_waiting = waiting
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Holds a place while the block runs. Raises `OverloadedError` when there is none in time."""
        if self._room.locked() and self._waiting >= self._most_waiting:
            raise OverloadedError
        self._waiting += 1
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                await self._room.acquire()
        except TimeoutError:
            raise OverloadedError from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._room.release()
