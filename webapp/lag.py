"""How far the event loop is behind, which tells a slow answer from an app that is too busy to see it."""

import asyncio
from typing import Final, Never

BEAT: Final = 0.25
"""Seconds between two looks at the clock."""


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
