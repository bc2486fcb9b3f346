"""Lets scripts of other sites read what is public. Source: WHATWG Fetch Standard, "CORS protocol"."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

READS: Final = frozenset({"GET", "HEAD"})
_MAX_AGE: Final = 86_400
"""Seconds for which a browser may remember the answer to its preflight."""

_ANY_ORIGIN: Final = {"Access-Control-Allow-Origin": "*"}
_ON_READS: Final = tuple(
    (name.lower().encode(), value.encode())
    for name, value in {
        **_ANY_ORIGIN,
        "Access-Control-Expose-Headers": "ETag, Link, Retry-After, X-Request-Id",
    }.items()
)
_ON_PREFLIGHT: Final[Mapping[str, str]] = {
    **_ANY_ORIGIN,
    "Access-Control-Allow-Methods": ", ".join(sorted(READS)),
    "Access-Control-Allow-Headers": "*",
    "Access-Control-Max-Age": str(_MAX_AGE),
    "Cache-Control": "no-store",
}


class CrossOrigin:
    """ASGI middleware of a path that everybody may read: answers preflights, and marks all reads.

    It allows no credentials and no other methods, so a script of another site cannot write.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] == "OPTIONS":
            await Response(status_code=HTTPStatus.NO_CONTENT, headers=_ON_PREFLIGHT)(scope, receive, send)
            return
        if scope["method"] not in READS:
            await self.app(scope, receive, send)
            return

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_ON_READS]
            await send(message)

        await self.app(scope, receive, send_marked)
