"""GitHub's token endpoint as a job sees it, on the loopback, and roles that admit its tokens."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.serving import serving

KEY = "the-job-s-own"
ISSUER = "token.actions.githubusercontent.com"
MAIN = "repo:example/oaktree:ref:refs/heads/main"


def token(sub: str, aud: str = "sts.amazonaws.com", iss: str = f"https://{ISSUER}") -> str:
    """A token with these claims, which nobody has signed."""
    claims = json.dumps({"iss": iss, "aud": aud, "sub": sub}).encode()
    # Without padding. Source: RFC 7515, section 2, "Base64url Encoding".
    return f"header.{base64.urlsafe_b64encode(claims).decode().rstrip('=')}.signature"


def trust(account_id: str, *subjects: str, **conditions: Any) -> str:
    """The trust policy of a role that admits tokens of GitHub with these subjects, or on other conditions."""
    named = {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": list(subjects)}}
    statement = {
        "Effect": "Allow",
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Principal": {"Federated": f"arn:aws:iam::{account_id}:oidc-provider/{ISSUER}"},
        "Condition": conditions or named,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust_github(iam: Any) -> None:
    """Create GitHub's OIDC provider in the account of a client, unless it is there."""
    with suppress(iam.exceptions.EntityAlreadyExistsException):
        iam.create_open_id_connect_provider(
            Url=f"https://{ISSUER}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
        )


@dataclass
class TokenEndpoint:
    """Where to ask, what was asked, and what to answer instead of a token.

    `subject` is what a token says of its job. `failures` are statuses to answer with first.
    """

    address: str = ""
    subject: str = MAIN
    failures: list[int] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    instead: bytes = b""

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
            if endpoint.failures:
                self.send_response(endpoint.failures.pop(0))
                self.end_headers()
                return
            self.send_response(200 if allowed else 401)
            self.end_headers()
            answer = json.dumps({"value": token(endpoint.subject)}).encode()
            self.wfile.write((endpoint.instead or answer) if allowed else b"{}")

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.address = f"http://127.0.0.1:{server.server_port}/token?api-version=2.0"
    with serving(server):
        yield endpoint
