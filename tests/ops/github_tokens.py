"""GitHub's token endpoint as a job sees it, on the loopback: it takes one key and knows one audience."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from tests.serving import serving

KEY = "the-job-s-own"
TOKEN = "header.claims.signature"


@dataclass
class TokenEndpoint:
    """Where to ask, what was asked, and what to answer instead of a token.

    `subject` is what a token says of its job; nobody signs it.
    """

    address: str = ""
    subject: str = ""
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    instead: bytes = b""

    @property
    def token(self) -> str:
        """The token of the job that asks now."""
        if not self.subject:
            return TOKEN
        claims = base64.urlsafe_b64encode(json.dumps({"sub": self.subject}).encode()).decode()
        return f"header.{claims}.signature"

    def variables(self) -> dict[str, str]:
        """What GitHub sets in a job that may have a token."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.address,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": KEY,
            "GITHUB_RUN_ID": "1",
        }


@contextmanager
def serving_tokens() -> Iterator[TokenEndpoint]:
    """Serve until the block ends."""
    endpoint = TokenEndpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            endpoint.asked.append(query)
            allowed = self.headers["Authorization"] == f"bearer {KEY}"
            self.send_response(200 if allowed else 401)
            self.end_headers()
            token = json.dumps({"count": len(endpoint.token), "value": endpoint.token}).encode()
            self.wfile.write((endpoint.instead or token) if allowed else b"{}")

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.address = f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    with serving(server):
        yield endpoint
