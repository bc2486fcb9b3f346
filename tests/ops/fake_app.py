"""Something that answers at a service's address like the app, with what a test says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving import serving
from webapp import contract


@dataclass
class FakeApp:
    """Answers by path: status and content."""

    address: str = ""
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    in_turn: list[bytes] = field(default_factory=list)
    """Contents of the status, each answered once, before that in `answers`."""

    asked: list[str] = field(default_factory=list)

    def be(self, digest: str, commit: str) -> None:
        """Answer as a release."""
        self.answers = {
            contract.HEALTH_PATH: (200, b"{}"),
            contract.READY_PATH: (200, b"{}"),
            contract.STATUS_PATH: (200, status(digest, commit)),
        }


def status(digest: str, commit: str) -> bytes:
    """The part of the status document that matters here."""
    fingerprint = contract.fingerprint(digest, commit)
    return json.dumps({"state": "operational", "fingerprint": fingerprint}).encode()


@contextmanager
def fake_app() -> Iterator[FakeApp]:
    """Serve until the block ends."""
    app = FakeApp()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            app.asked.append(self.path)
            number, content = app.answers.get(self.path, (404, b""))
            if self.path == contract.STATUS_PATH and app.in_turn:
                content = app.in_turn.pop(0)
            self.send_response(number)
            if number == 301:
                self.send_header("Location", "https://elsewhere.example.com/")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    app.address = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield app
