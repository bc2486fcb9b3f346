"""uvicorn's HTTP/1.1 protocol, with limits on what a client can make it keep in memory."""

import logging
import os
from http import HTTPStatus
from typing import Final, cast

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from webapp.logs import log
from webapp.middleware import LARGEST_HEADERS, LARGEST_TARGET, SECURITY_HEADERS
from webapp.responses import ProblemResponse, problem_document

LARGEST_HEAD: Final = LARGEST_HEADERS + LARGEST_TARGET
"""Bytes that an incomplete request line and headers may have, not counting the last packet."""

MOST_PIPELINED: Final = 16
"""Pipelined requests that may wait on a connection. RFC 9112, section 9.3.2."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes connections whose headers never end or whose client pipelines without reading.

    Requests that the parser rejects are answered and logged as others are.
    """

    _head_bytes = 0
    _in_head = False

    def data_received(self, data: bytes) -> None:
        """Receives data from the client."""
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(
                    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                    f"The headers are longer than {LARGEST_HEADERS} bytes.",
                )

    def on_message_begin(self) -> None:
        """Starts a request."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Ends the request's headers."""
        self._in_head = False
        if len(self.pipeline) >= MOST_PIPELINED:
            # The parser then calls `send_400_response`.
            raise ConnectionAbortedError(f"{MOST_PIPELINED} requests wait already")
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # the name is uvicorn's
        """Answers a request that the parser rejects; the name is uvicorn's."""
        self._refuse(HTTPStatus.BAD_REQUEST, "This is no HTTP request, or there are too many at once.")

    def _refuse(self, status: HTTPStatus, detail: str) -> None:
        self._in_head = False
        if self.transport.is_closing():
            return
        identifier = os.urandom(16).hex()
        log(logging.INFO, "request", {"status": status, "reason": detail, "request_id": identifier})
        # It is None until the first request, which uvicorn's annotation omits.
        cycle = cast("RequestResponseCycle | None", self.cycle)
        if cycle is None or cycle.response_complete:
            self.transport.write(_answer(status, detail, identifier))
        self.transport.close()


def _answer(status: HTTPStatus, detail: str, identifier: str) -> bytes:
    problem = orjson.dumps(problem_document(status, detail, identifier))
    headers = (
        *SECURITY_HEADERS,
        (b"cache-control", b"no-store"),
        (b"content-type", ProblemResponse.media_type.encode()),
        (b"content-length", str(len(problem)).encode()),
        (b"connection", b"close"),
        (b"x-request-id", identifier.encode()),
    )
    lines = [f"HTTP/1.1 {status.value} {status.phrase}".encode()]
    lines += [name + b": " + value for name, value in headers]
    return b"\r\n".join([*lines, b"", problem])
