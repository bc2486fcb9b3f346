"""Answers what is asked for most before the router looks at it."""

from collections.abc import Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

_METHODS: Final = frozenset({"GET", "HEAD"})


class HotPaths:
    """ASGI middleware: hands GET and HEAD for some paths to the applications that the router has for them.

    Routing and handling of errors take longer than these answers, which cannot fail.
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
