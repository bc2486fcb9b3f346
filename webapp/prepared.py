"""Answers that are made once and sent to many: compressed once, with an entity tag.

Sources: RFC 9110, sections 8.8.3 and 13.1.2 (entity tags, If-None-Match) and 12.5.3 (Accept-Encoding).
"""

import gzip
import hashlib
import re
from collections.abc import Callable
from datetime import datetime
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from webapp.board import Board, utc_now

WORTH_COMPRESSING: Final = 1024
"""Bytes from which compressing saves a packet."""

_LEVEL: Final = 6
_TAG_DIGITS: Final = 16
_DIFFERENT_VALUES: Final = 256

_TAG: Final = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*+")')
_CODING: Final = re.compile(
    rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]++)[ \t]*+"
    rb"(?:;[ \t]*+[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*+)?"
)

Headers = tuple[tuple[bytes, bytes], ...]


class _Variant:
    """A content in one coding, with its headers."""

    def __init__(self, content: bytes, tag: str, headers: Headers, coding: Headers) -> None:
        self.content = content
        self.tag = tag.encode()
        self.headers_unmodified = ((b"etag", self.tag), *headers)
        self.headers = (
            *self.headers_unmodified,
            (b"content-length", str(len(content)).encode()),
            *coding,
        )


class Prepared:
    """An ASGI application that answers GET and HEAD with a content, or with 304 if the client has it.

    The content is compressed when a client first accepts that. Each coding has its own strong entity tag.
    """

    def __init__(
        self,
        content: bytes,
        media_type: str,
        *,
        cache_control: str = "no-cache",
        more_headers: Headers = (),
    ) -> None:
        self.content = content
        self._digest = hashlib.sha256(content).hexdigest()[:_TAG_DIGITS]
        self._media_type = (b"content-type", media_type.encode())
        self._compresses = len(content) >= WORTH_COMPRESSING
        self._headers: Headers = ((b"cache-control", cache_control.encode()), *more_headers)
        if self._compresses:
            self._headers += ((b"vary", b"accept-encoding"),)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        encodings, tags = b"", b""
        for name, value in scope["headers"]:
            if name == b"accept-encoding":
                encodings += b"," + value if encodings else value
            elif name == b"if-none-match":
                tags += b"," + value if tags else value
        variant = self._gzip if self._compresses and accepts_gzip(encodings) else self._identity
        if tags and is_among(variant.tag, tags):
            status, headers, content = HTTPStatus.NOT_MODIFIED, variant.headers_unmodified, b""
        else:
            status, headers, content = HTTPStatus.OK, variant.headers, variant.content
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    @cached_property
    def _identity(self) -> _Variant:
        return _Variant(self.content, f'"{self._digest}"', self._headers, (self._media_type,))

    @cached_property
    def _gzip(self) -> _Variant:
        compressed = gzip.compress(self.content, _LEVEL, mtime=0)
        coding = (self._media_type, (b"content-encoding", b"gzip"))
        return _Variant(compressed, f'"{self._digest}-gzip"', self._headers, coding)


class PerSnapshot:
    """Prepares an answer on request, once for each snapshot, and again when time alone changes it.

    `make` returns the content at a time, `turns_at` when the next one is due.
    """

    def __init__(
        self,
        board: Board,
        make: Callable[[datetime], bytes],
        turns_at: Callable[[datetime], datetime],
        media_type: str,
        *,
        cache_control: str = "no-cache",
    ) -> None:
        self._board = board
        self._make = make
        self._turns_at = turns_at
        self._media_type = media_type
        self._cache_control = cache_control
        self._version: int | None = None
        self._made_at = self._until = utc_now()
        self._prepared = Prepared(b"", media_type)

    def get(self) -> Prepared:
        """Returns the answer for the current snapshot."""
        now, version = utc_now(), self._board.snapshot.version
        # The clock may have been put back.
        if version != self._version or not self._made_at <= now < self._until:
            self._prepared = Prepared(self._make(now), self._media_type, cache_control=self._cache_control)
            self._version, self._made_at, self._until = version, now, self._turns_at(now)
        return self._prepared


@lru_cache(maxsize=_DIFFERENT_VALUES)
def accepts_gzip(value: bytes) -> bool:
    """Returns whether a client that sends this Accept-Encoding wants gzip, and no less than no coding at all.

    What is not a list of codings wants none.
    """
    weights: dict[bytes, float] = {}
    for part in value.split(b","):
        if not part.strip(b" \t"):
            continue
        match = _CODING.fullmatch(part)
        if match is None:
            return False
        weights[match[1].lower()] = float(match[2] or b"1")
    any_other = weights.get(b"*", 0.0)
    wanted = weights.get(b"gzip", weights.get(b"x-gzip", any_other))
    return wanted > 0 and wanted >= weights.get(b"identity", 0.0)


def is_among(tag: bytes, value: bytes) -> bool:
    """Returns whether an If-None-Match has this entity tag, or is `*`; weakness does not matter."""
    return value.strip(b" \t") == b"*" or tag in _TAG.findall(value)
