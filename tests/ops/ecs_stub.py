"""A stand-in for ECS's rollouts, in front of an embedded AWS on which every service is steady at once.

It is a proxy over real HTTP. It hands every request on, and changes answers about one service only:
after a service was given another task definition, each DescribeServices (Terraform's own apart) shows
the next frame of the next rollout that the test queued, and the last frame stays. A frame in which
ECS went back shows the former task definition as the primary one. ListTasks and DescribeTasks tell of
the stopped tasks of the last rollout.

Source of forms and states: Amazon ECS API Reference, "Service", "Deployment", "Task".
"""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any
from urllib.parse import urlsplit

from tests.serving import serving

HOP_BY_HOP = ("connection", "expect", "keep-alive", "transfer-encoding", "date", "server", "content-length")


@dataclass(frozen=True)
class Frame:
    """How a rollout of two tasks looks at one moment."""

    state: str = "IN_PROGRESS"
    running: int = 0
    pending: int = 0
    failed: int = 0
    old: int = 2
    reason: str = ""
    event: str = ""
    went_back: bool = False


SUCCESS = (
    Frame(pending=2, event="(service oaktree-dev-web) has started 2 tasks."),
    Frame(running=1, pending=1),
    Frame(state="COMPLETED", running=2, old=0, event="(service oaktree-dev-web) has reached a steady state."),
)
FAILURE = (
    Frame(pending=2, event="(service oaktree-dev-web) has started 2 tasks."),
    Frame(pending=1, failed=1),
    Frame(failed=3, event="(service oaktree-dev-web) rolling back to deployment ecs-svc/1."),
    Frame(
        state="FAILED",
        failed=3,
        reason="ECS deployment circuit breaker: tasks failed to start.",
        went_back=True,
    ),
)
ENDLESS = (Frame(pending=2),)


@dataclass
class EcsStub:
    """What it plays. `stopped` are tasks as DescribeTasks tells them, of the last rollout."""

    upstream: str
    endpoint: str = ""
    rollouts: list[tuple[Frame, ...]] = field(default_factory=list)
    stopped: list[dict[str, Any]] = field(default_factory=list)
    _settled: str = ""
    _seen: str = ""
    _frames: tuple[Frame, ...] = ()
    _place: int = 0
    _events: list[dict[str, Any]] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def go_on(self, frames: tuple[Frame, ...]) -> None:
        """Play these in the rollout that is under way."""
        with self._lock:
            self._frames, self._place = frames, -1

    def answer(self, action: str, asked: Any, found: Any, *, by_terraform: bool) -> Any:
        """What to answer in place of what the upstream found."""
        if action == "DescribeServices":
            with self._lock:
                for service in found["services"]:
                    self._overlay(service, advance=not by_terraform)
        if action == "ListTasks" and asked.get("desiredStatus") == "STOPPED" and self.stopped:
            return {"taskArns": [task["taskArn"] for task in self.stopped]}
        if action == "DescribeTasks" and self.stopped:
            return {"tasks": [{"taskDefinitionArn": self._seen, **t} for t in self.stopped], "failures": []}
        return found

    def _overlay(self, service: dict[str, Any], *, advance: bool) -> None:
        wanted = service["taskDefinition"]
        if not self._settled:
            self._settled = self._seen = wanted
        if wanted != self._seen:
            self._seen, self._place = wanted, -1
            self._frames = self.rollouts.pop(0) if self.rollouts else SUCCESS
        if advance:
            self._advance()
            # Terraform would want to remove what the stack did not ask for.
            configuration = service.setdefault("deploymentConfiguration", {})
            configuration["deploymentCircuitBreaker"] = {"enable": True, "rollback": True}
        service["events"] = self._events[::-1]
        service["deployments"] = self._deployments(service["deployments"][0])
        service["taskDefinition"] = service["deployments"][0]["taskDefinition"]

    def _advance(self) -> None:
        if self._place + 1 >= len(self._frames):
            return
        self._place += 1
        frame = self._frames[self._place]
        if frame.event:
            event = {"id": f"event-{len(self._events)}", "createdAt": time.time(), "message": frame.event}
            self._events.append(event)
        if frame.state == "COMPLETED":
            self._settled = self._seen

    def _deployments(self, like: dict[str, Any]) -> list[dict[str, Any]]:
        frame = self._frames[max(self._place, 0)] if self._frames else Frame("COMPLETED", 2, old=0)
        new = {
            **like,
            "id": f"ecs-svc/{self._seen.rpartition(':')[2]}",
            "status": "PRIMARY",
            "taskDefinition": self._seen,
            "rolloutState": frame.state,
            "rolloutStateReason": frame.reason,
            "desiredCount": 2,
            "runningCount": frame.running,
            "pendingCount": frame.pending,
            "failedTasks": frame.failed,
        }
        old = new | {
            "id": f"ecs-svc/{self._settled.rpartition(':')[2]}",
            "status": "ACTIVE",
            "taskDefinition": self._settled,
            "rolloutState": "COMPLETED",
            "rolloutStateReason": "",
            "runningCount": frame.old,
            "pendingCount": 0,
            "failedTasks": 0,
        }
        if frame.state == "COMPLETED":
            return [new]
        if frame.went_back:
            return [old | {"status": "PRIMARY", "runningCount": 2}, new | {"status": "ACTIVE"}]
        return [new, old]


@contextmanager
def playing(upstream: str) -> Iterator[EcsStub]:
    """Serve until the block ends."""
    stub = EcsStub(upstream)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def hand_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
            ecs = "EC2ContainerService" in self.headers.get("X-Amz-Target", "")
            by_terraform = "Terraform" in self.headers.get("User-Agent", "")
            status, headers, content = self.ask(body)
            if ecs and status == 200:
                found = stub.answer(action, json.loads(body), json.loads(content), by_terraform=by_terraform)
                content = json.dumps(found).encode()
            self.reply(status, headers, content)

        def ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            address = urlsplit(upstream)
            connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
            kept = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
            try:
                connection.request(self.command, self.path, body, kept)
                answer = connection.getresponse()
                content = answer.read()
                return answer.status, answer.getheaders(), content
            finally:
                connection.close()

        def reply(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif name.lower() not in HOP_BY_HOP or name.lower() == "date":
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = hand_on

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Handler)
    stub.endpoint = f"http://127.0.0.1:{server.server_port}"
    with serving(server):
        yield stub
