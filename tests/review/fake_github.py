"""A small GitHub on the loopback: comments and issues of one repository, and trouble on demand."""

import json
import re
import socket
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.serving import serving

REPOSITORY = "example/oaktree"
BOT = "github-actions[bot]"
TOKEN = "gh" + "s_" + "T0ken" * 8
MAX_BODY = 65_536


@dataclass(frozen=True)
class Trouble:
    """What happens to one request instead of its answer; `drop` ends the connection without one."""

    status: int = 500
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    drop: Literal["before the work", "after the work"] | None = None


@dataclass(frozen=True)
class Received:
    """A request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    content: Any


@dataclass
class FakeGitHub:
    """State of the fake. `login` is who the token belongs to; `uses_crlf` gives bodies back as forms do."""

    url: str
    heads: dict[int, str] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    issues: list[dict[str, Any]] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    trouble: deque[Trouble | None] = field(default_factory=deque)
    login: str = BOT
    uses_crlf: bool = False
    max_body: int = MAX_BODY
    next_id: int = 100

    @property
    def environ(self) -> dict[str, str]:
        """What a program that is to use this GitHub gets."""
        return {"GITHUB_API_URL": self.url, "GITHUB_TOKEN": TOKEN}

    def calls(self, method: str) -> list[Received]:
        """The requests with a method."""
        return [each for each in self.received if each.method == method]

    def add_comment(self, pull_request: int, body: str, login: str | None = BOT) -> dict[str, Any]:
        """A comment, by somebody or by a deleted account."""
        comment = {
            "id": self._new_id(),
            "body": body,
            "user": login and {"login": login},
            "html_url": f"https://github.test/{REPOSITORY}/pull/{pull_request}#issuecomment-{self.next_id}",
            "pull_request": pull_request,
        }
        self.comments.append(comment)
        return comment

    def add_issue(self, title: str, body: str, labels: list[str], **more: Any) -> dict[str, Any]:
        """An open issue."""
        number = self._new_id()
        url = f"https://github.test/{REPOSITORY}/issues/{number}"
        issue = {"number": number, "title": title, "body": body, "state": "open", "html_url": url}
        issue |= {"user": {"login": self.login}, "labels": labels} | more
        self.issues.append(issue)
        return issue

    def bodies(self) -> list[str]:
        """The texts of all comments."""
        return [comment["body"] for comment in self.comments]

    def _new_id(self) -> int:
        self.next_id += 1
        return self.next_id


@dataclass(frozen=True)
class _Answer:
    status: int
    content: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    fake: FakeGitHub

    def do_GET(self) -> None:
        self._handle()

    def do_POST(self) -> None:
        self._handle()

    def do_PATCH(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""

    def _handle(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        content = json.loads(self.rfile.read(length)) if length else None
        self.fake.received.append(Received(self.command, self.path, dict(self.headers), content))
        trouble = self.fake.trouble.popleft() if self.fake.trouble else None
        if trouble is None:
            self._send(self._work(content))
        elif trouble.drop is None:
            self._send(_Answer(trouble.status, trouble.content, trouble.headers), trouble.raw)
        else:
            if trouble.drop == "after the work":
                self._work(content)
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: _Answer, raw: bytes | None = None) -> None:
        body = (
            raw if raw is not None else b"" if answer.content is None else json.dumps(answer.content).encode()
        )
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _work(self, content: Any) -> _Answer:
        if self.headers.get("authorization") != f"Bearer {TOKEN}":
            return _Answer(401, {"message": "Bad credentials"})
        path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
        prefix = f"/repos/{REPOSITORY}/"
        if not path.startswith(prefix):
            return _Answer(404, {"message": "Not Found"})
        if isinstance(content, dict) and len(content.get("body", "")) > self.fake.max_body:
            message = f"body is too long (maximum is {self.fake.max_body} characters)"
            detail = {"resource": "IssueComment", "code": "custom", "field": "body", "message": message}
            return _Answer(422, {"message": "Validation Failed", "errors": [detail]})
        return self._route(path.removeprefix(prefix), query, content or {})

    def _route(self, path: str, query: dict[str, list[str]], content: dict[str, Any]) -> _Answer:
        number = int(found[0]) if (found := re.findall(r"\d+", path)) else 0
        match self.command, re.sub(r"\d+", "N", path):
            case "GET", "pulls/N" if number in self.fake.heads:
                return _Answer(200, {"number": number, "head": {"sha": self.fake.heads[number]}})
            case "GET", "issues/N/comments" if number in self.fake.heads:
                comments = [each for each in self.fake.comments if each["pull_request"] == number]
                return self._page([self._shown(each) for each in comments], query)
            case "POST", "issues/N/comments" if number in self.fake.heads:
                added = self.fake.add_comment(number, content["body"], self.fake.login)
                return _Answer(201, self._shown(added))
            case "PATCH" | "DELETE", "issues/comments/N":
                return self._change_comment(number, content)
            case "GET", "issues":
                labelled = [each for each in self.fake.issues if set(query["labels"]) <= set(each["labels"])]
                return self._page([each for each in labelled if each["state"] in query["state"]], query)
            case "POST", "issues":
                return _Answer(201, self.fake.add_issue(**content))
            case "PATCH", "issues/N":
                for issue in self.fake.issues:
                    if issue["number"] == number:
                        issue.update(content)
                        return _Answer(200, issue)
        return _Answer(404, {"message": "Not Found"})

    def _change_comment(self, number: int, content: dict[str, Any]) -> _Answer:
        for comment in self.fake.comments:
            if comment["id"] == number:
                if self.command == "DELETE":
                    self.fake.comments.remove(comment)
                    return _Answer(204)
                comment["body"] = content["body"]
                return _Answer(200, self._shown(comment))
        return _Answer(404, {"message": "Not Found"})

    def _shown(self, comment: dict[str, Any]) -> dict[str, Any]:
        body = comment["body"]
        return comment | {"body": body.replace("\n", "\r\n") if self.fake.uses_crlf else body}

    def _page(self, items: list[Any], query: dict[str, list[str]]) -> _Answer:
        size, page = int(query.get("per_page", ["30"])[0]), int(query.get("page", ["1"])[0])
        headers = {}
        if page * size < len(items):
            path = urlsplit(self.path).path
            rest = "&".join(f"{name}={value[0]}" for name, value in query.items() if name != "page")
            headers["link"] = f'<{self.fake.url}{path}?{rest}&page={page + 1}>; rel="next", <x>; rel="last"'
        return _Answer(200, items[(page - 1) * size : page * size], headers)


@contextmanager
def running_github() -> Iterator[FakeGitHub]:
    """A GitHub that ends with the block."""

    class Handler(_Handler):
        """Of this GitHub alone."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake = Handler.fake = FakeGitHub(f"http://127.0.0.1:{server.server_port}")
    with serving(server):
        yield fake
