"""ASGI middleware around the app, the outermost first."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class StartupErrors:
    """ASGI middleware: reduces the traceback of a failed start to its error, which the server logs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _shortened(send) if scope["type"] == "lifespan" else send)


def _shortened(send: Send) -> Send:
    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message["message"].strip().rpartition("\n")[2]
            message = {**message, "message": f"The app cannot start: {last_line}"}
        await send(message)

    return send_short


_METHODS: Final = frozenset({"GET", "HEAD"})


class HotPaths:
    """ASGI middleware: passes GET and HEAD of hot paths directly to their applications.

    Routing and error handling take longer than these responses, which cannot fail.
    """

    def __init__(self, app: ASGIApp, hot: Mapping[str, ASGIApp]) -> None:
        self.app = app
        self._hot = hot

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        hot = self._hot.get(scope["path"]) if scope["type"] == "http" else None
        if hot is not None and scope["method"] in _METHODS:
            await hot(scope, receive, send)
        else:
            await self.app(scope, receive, send)
