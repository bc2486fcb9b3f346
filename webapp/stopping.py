"""Tells everything that lasts longer than a request that the app is about to stop."""

import asyncio


class Stopping:
    """Becomes true once, at the stop signal. It belongs to the event loop that `begin` was called in."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Names the running loop as the one whose tasks wait."""
        self._loop = asyncio.get_running_loop()

    def request(self) -> None:
        """Says that the app stops. A signal handler may call it at any time."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._event.set)

    @property
    def requested(self) -> bool:
        """Whether the app is about to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Returns when the app is about to stop."""
        await self._event.wait()
