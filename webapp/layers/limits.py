"""Refuses requests that are larger than anything the app has a use for."""

from http import HTTPStatus
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp.answers import Problem, Refusal

LARGEST_TARGET: Final = 4096
"""Bytes of path and query string. RFC 9110, section 15.5.15."""

LARGEST_HEADERS: Final = 16_384
"""Bytes of all header names and values. RFC 6585, section 5."""

LARGEST_BODY: Final = 32_768
"""Bytes of a body. RFC 9110, section 15.5.14."""


class Limits:
    """ASGI middleware: answers 414, 431 and 413 to what is too large.

    A body that does not tell its length is refused as soon as too much of it was read.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        refusal = _refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        await self.app(scope, _limited(receive) if _has_body(scope) else receive, send)


def _refusal(scope: Scope) -> Problem | None:
    if len(scope["raw_path"]) + len(scope["query_string"]) > LARGEST_TARGET:
        detail = f"The address is longer than {LARGEST_TARGET} bytes."
        return Problem(HTTPStatus.REQUEST_URI_TOO_LONG, detail)
    size = 0
    for name, value in scope["headers"]:
        size += len(name) + len(value)
        if name == b"content-length" and int(value) > LARGEST_BODY:
            return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, _CLOSE)
    if size > LARGEST_HEADERS:
        detail = f"The headers are longer than {LARGEST_HEADERS} bytes."
        return Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
    return None


def _has_body(scope: Scope) -> bool:
    return any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])


def _limited(receive: Receive) -> Receive:
    size = 0

    async def receive_and_count() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LARGEST_BODY:
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE, _CLOSE)
        return message

    return receive_and_count


_TOO_LARGE: Final = f"The body is larger than {LARGEST_BODY} bytes."
_CLOSE: Final = {"Connection": "close"}
"""What is left of the body is not worth reading."""
