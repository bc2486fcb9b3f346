"""A proxy in front of an embedded AWS that changes what it answers where it does not play AWS's part.

Over real HTTP: what a command asks for reaches the embedded AWS unchanged. An amendment is a function
by action, such as `DescribeServices`, that changes the parsed answer in place, or raises
`ConnectionAbortedError` to have the connection cut; it is for AWS's JSON protocols only. A refusal is
the error code by action, or for S3 by method.
"""

import http.client
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import serving


@dataclass
class Amended:
    """Where the proxy is, and what it changes."""

    endpoint: str
    amendments: dict[str, Callable[[Any], None]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)


@contextmanager
def amending(upstream: str) -> Iterator[Amended]:
    """Serve until the block ends."""
    address = urlsplit(upstream)

    class Handler(BaseHTTPRequestHandler):
        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = self.action(body)
            if code := amended.refusals.get(action):
                error = (
                    f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
                )
                self.reply(403, {"Content-Type": "text/xml"}, error.encode())
                return
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            if answer.status == 200 and (amend := amended.amendments.get(action)):
                found = json.loads(content)
                try:
                    amend(found)
                except ConnectionAbortedError:
                    return
                content = json.dumps(found).encode()
            self.reply(answer.status, dict(answer.getheaders()), content)

        def action(self, body: bytes) -> str:
            """Of the JSON protocols, of the query protocol, or else the method."""
            if target := self.headers.get("X-Amz-Target"):
                return target.rpartition(".")[2]
            return parse_qs(body.decode("latin-1")).get("Action", [self.command])[0]

        def reply(self, status: int, headers: Mapping[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                if name.lower() not in ("connection", "content-length", "transfer-encoding"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = hand_on

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    amended = Amended(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield amended
