"""Stands between the app and an embedded AWS, and fails as networks do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import httpx

from tests.serving import serving
from tests.webapp.faults import Fault, PatientServer

_SIGNED_FOR = re.compile(r"/(\w+)/aws4_request")


class Proxy(PatientServer):
    """Passes requests on. It answers none while it is `cut`, and loses the next answer to `loses`.

    `loses` is an operation of DynamoDB, such as GetItem; it becomes None once its answer is lost.
    `faults` are the ways in which services fail, by the name that requests to them are signed for.
    Requests for an operation that has a meeting go on together once all who are to come are there.
    """

    def __init__(self, upstream: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.upstream = upstream
        self.client = httpx.Client(timeout=20)
        self.cut = False
        self.loses: str | None = None
        self.cut_after: str | None = None
        self.faults: dict[str, Fault] = {}
        self.meetings: dict[str, threading.Barrier] = {}
        self.seen: list[str] = []
        """The operations asked for, as `X-Amz-Target` names them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Proxy)
        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.seen.append(operation)
        if meeting := self.server.meetings.get(operation):
            meeting.wait(timeout=60)
        if self.server.cut:
            self.close_connection = True
            return
        signed = _SIGNED_FOR.search(self.headers.get("Authorization", ""))
        if fault := self.server.faults.get(signed[1] if signed else ""):
            fault(self)
            return
        answer = self.server.client.post(
            f"{self.server.upstream}{self.path}", content=body, headers=dict(self.headers)
        )
        if self.server.loses == operation:
            self.server.loses = None
            self.close_connection = True
            return
        if self.server.cut_after == operation:
            self.server.cut_after, self.server.cut = None, True
        self.send_response(answer.status_code)
        for name in ("Content-Type", "x-amzn-RequestId", "x-amz-crc32"):
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


@contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """A proxy that passes everything on until it is told otherwise."""
    server = Proxy(upstream)
    with server.client, serving(server):
        yield server
