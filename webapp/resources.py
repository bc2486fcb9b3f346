"""Objects that live as long as the app; requests find them in `request.state`."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from webapp.board import Board
    from webapp.events import Events
    from webapp.operators import Failures
    from webapp.page.cache import Pages
    from webapp.settings import Settings
    from webapp.status import StatusCache
    from webapp.table_client import TableClient


class Shutdown:
    """An event that is set at the stop signal. It belongs to the event loop in which `begin` was called."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._event = asyncio.Event()

    def begin(self) -> None:
        """Binds the event to the running loop."""
        self._loop = asyncio.get_running_loop()

    def request(self) -> None:
        """Sets the event. A signal handler may call it at any time."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._event.set)

    @property
    def requested(self) -> bool:
        """Returns whether the app is about to stop."""
        return self._event.is_set()

    async def wait(self) -> None:
        """Waits until the app is about to stop."""
        await self._event.wait()


class Resources(TypedDict):
    """The lifespan state that requests share."""

    settings: "Settings"
    table: "TableClient"
    board: "Board"
    status: "StatusCache"
    page: "Pages"
    operator_page: "Pages"
    failures: "Failures"
    started_at: datetime
    events: "Events"
    shutdown: Shutdown
