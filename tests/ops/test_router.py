"""The router at a desk: it sends requests where the load balancer's rules would, over real HTTP."""

import asyncio
import json
import socket
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local import processes
from ops.local.balancers import Balancers, url
from ops.local.ports import free_port
from ops.local.router import Router, Rule, Table
from stacks import routing
from stacks.reading import read_platform
from stacks.settings import Environment
from tests.serving import serving
from tests.stacks.platform_files import environment, write_platform

PARTS = st.sampled_from(["api", "v1", "app", "apis"])
PATHS = st.lists(PARTS, max_size=4).map(lambda parts: "/" + "/".join(parts))
HOSTS = st.sampled_from([None, "a.example.com", "b.example.com"])


class Echo(BaseHTTPRequestHandler):
    """Answers with its name, the request's headers and its content."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/drop":
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        if self.path == "/events":
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            self.wfile.write(b"data: 1\n\n")
            self.wfile.flush()
            self.server.released.wait(10)  # type: ignore[attr-defined]  # given to the server below
            self.wfile.write(b"data: 2\n\n")
            self.close_connection = True
            return
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", "echo")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.rfile.readline())
            self.close_connection = True
            return
        self._echo(b"")

    def do_POST(self) -> None:
        self._echo(self.rfile.read(int(self.headers["Content-Length"])))

    def _echo(self, sent: bytes) -> None:
        content = {
            "service": self.server.name,  # type: ignore[attr-defined]  # given to the server below
            "path": self.path,
            "headers": dict(self.headers),
            "sent": sent.decode(),
        }
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        del format, args


@contextmanager
def echoing(name: str) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.name = name  # type: ignore[attr-defined]  # given to the server below
    server.released = threading.Event()  # type: ignore[attr-defined]  # given to the server below
    with serving(server):
        yield server


@contextmanager
def routing_by(directory: Path, content: dict[str, Any]) -> Iterator[Path]:
    """Runs a router in a thread until the block ends; yields its table's file."""
    file = directory / "router.json"
    file.write_text(json.dumps(content))
    loop = asyncio.new_event_loop()
    router = Router(file)
    loop.run_until_complete(router.start())

    async def run() -> None:
        with pytest.raises(asyncio.CancelledError):
            await router.run()

    task = loop.create_task(run())
    thread = threading.Thread(target=loop.run_until_complete, args=(task,))
    thread.start()
    try:
        yield file
    finally:
        loop.call_soon_threadsafe(task.cancel)
        thread.join(10)
        loop.run_until_complete(asyncio.sleep(0.05))
        loop.close()


def rule(priority: int, host: str | None, path: str, service: str) -> dict[str, Any]:
    return {"priority": priority, "host": host, "path": path, "service": service}


@contextmanager
def recording(got: list[bytes]) -> Iterator[str]:
    """A service that notes every byte of a connection, then answers; yields its address."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                while piece := connection.recv(65536):
                    got.append(piece)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        thread.join(20)


def send(port: int, content: bytes) -> bytes:
    """Sends bytes and that there are no more; returns all that comes back."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(content)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def ask(port: int, path: str, **headers: str) -> tuple[int, str, Any]:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content, answer


def test_requests_go_to_services_by_host_and_path_with_the_headers_of_a_load_balancer(tmp_path: Path) -> None:
    with echoing("web") as web, echoing("api") as api:
        port = free_port()
        table: dict[str, Any] = {
            "rules": {port: [rule(9, None, "/", "web"), rule(5, "a.example.com", "/api", "api")]},
            "addresses": {"web": f"127.0.0.1:{web.server_port}", "api": f"127.0.0.1:{api.server_port}"},
            "missing": {},
        }
        with routing_by(tmp_path, table):
            for host in ("a.example.com", f"A.example.com:{port}", "a.example.com.localhost"):
                found = json.loads(ask(port, "/api/x?y=1", Host=host)[1])
                assert (found["service"], found["path"]) == ("api", "/api/x?y=1")
                assert found["headers"]["Host"] == host
            assert json.loads(ask(port, "/apis", Host="a.example.com")[1])["service"] == "web"
            assert json.loads(ask(port, "/api")[1])["service"] == "web"
            sent = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}
            headers = json.loads(ask(port, "/", **sent)[1])["headers"]
            assert headers["X-Forwarded-For"] == "192.0.2.1, 127.0.0.1"
            assert (headers["X-Forwarded-Proto"], headers["X-Forwarded-Port"]) == ("http", str(port))
            posted = urllib.request.Request(f"http://127.0.0.1:{port}/", data=b"x" * 300_000)
            with urllib.request.urlopen(posted, timeout=10) as answer:
                assert json.load(answer)["sent"] == "x" * 300_000


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\nA\r\nGET / HTTP\r\n0\r\nDigest: x\r\n\r\n"


@pytest.mark.parametrize(
    "request_end",
    [b"\r\n", b"Content-Length: 5\r\n\r\nGET /", CHUNKED],
    ids=["no body", "a length", "chunks"],
)
def test_a_second_request_on_a_connection_does_not_reach_the_first_ones_service(
    tmp_path: Path, request_end: bytes
) -> None:
    got: list[bytes] = []
    port = free_port()
    with recording(got) as web:
        table: dict[str, Any] = {
            "rules": {port: [rule(1, None, "/api", "api"), rule(2, None, "/", "web")]},
            "addresses": {"web": web},
            "missing": {"api": "off"},
        }
        with routing_by(tmp_path, table):
            first = b"POST / HTTP/1.1\r\nHost: x\r\n" + request_end
            answer = send(port, first + b"POST /api HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nsecret")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")
    passed = b"".join(got)
    assert passed.endswith(request_end.partition(b"\r\n\r\n")[2])
    assert b"/api" not in passed
    assert b"secret" not in passed


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: -1",
        b"Content-Length: 1\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
    ],
)
def test_a_request_whose_end_is_not_known_is_refused(tmp_path: Path, framing: bytes) -> None:
    port = free_port()
    table: dict[str, Any] = {
        "rules": {port: [rule(1, None, "/", "web")]},
        "addresses": {"web": f"127.0.0.1:{free_port()}"},
        "missing": {},
    }
    with routing_by(tmp_path, table):
        assert send(port, b"POST / HTTP/1.1\r\n" + framing + b"\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_a_chunk_without_a_length_is_the_end(tmp_path: Path) -> None:
    got: list[bytes] = []
    port = free_port()
    with recording(got) as web:
        table: dict[str, Any] = {
            "rules": {port: [rule(1, None, "/", "web")]},
            "addresses": {"web": web},
            "missing": {},
        }
        with routing_by(tmp_path, table):
            request = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnone\r\nabc"
            assert send(port, request).startswith(b"HTTP/1.1 502 ")
    assert b"abc" not in b"".join(got)


def test_what_no_rule_matches_and_what_does_not_answer_are_told_as_a_load_balancer_does(
    tmp_path: Path,
) -> None:
    with echoing("web") as web:
        port = free_port()
        table: dict[str, Any] = {
            "rules": {port: [rule(1, None, f"/{name}", name) for name in ("gone", "off")]},
            "addresses": {"gone": f"127.0.0.1:{free_port()}"},
            "missing": {"off": "a reason"},
        }
        table["rules"][port].append(rule(2, None, "/drop", "web"))
        table["addresses"]["web"] = f"127.0.0.1:{web.server_port}"
        with routing_by(tmp_path, table):
            status, content, answer = ask(port, "/")
            assert (status, content) == (404, "Not found")
            assert answer.getheader("Content-Type").startswith("text/plain")
            assert ask(port, "/gone")[0] == 502
            assert ask(port, "/drop")[0] == 502
            assert ask(port, "/off")[:2] == (503, "off does not run here: a reason")
            with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                raw.sendall(b"nonsense\r\n\r\n")
                assert raw.recv(100).startswith(b"HTTP/1.1 400 ")


def test_events_arrive_one_by_one_and_a_connection_can_be_upgraded(tmp_path: Path) -> None:
    with echoing("web") as web:
        port = free_port()
        table: dict[str, Any] = {
            "rules": {port: [rule(1, None, "/", "web")]},
            "addresses": {"web": f"127.0.0.1:{web.server_port}"},
            "missing": {},
        }
        with routing_by(tmp_path, table):
            connection = HTTPConnection("127.0.0.1", port, timeout=10)
            connection.request("GET", "/events")
            answer = connection.getresponse()
            assert answer.readline() == b"data: 1\n"
            web.released.set()  # type: ignore[attr-defined]  # given to the server below
            assert answer.read() == b"\ndata: 2\n\n"
            connection.close()
            with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
                raw.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
                stream = raw.makefile("rb")
                assert stream.readline().startswith(b"HTTP/1.1 101 ")
                while stream.readline() != b"\r\n":
                    pass
                raw.sendall(b"hello\n")
                assert stream.readline() == b"hello\n"


def test_the_table_is_read_again_when_it_changes(tmp_path: Path) -> None:
    with echoing("web") as web:
        port = free_port()
        table: dict[str, Any] = {
            "rules": {port: [rule(1, None, "/", "web")]},
            "addresses": {},
            "missing": {"web": "off"},
        }
        with routing_by(tmp_path, table) as file:
            assert ask(port, "/")[0] == 503
            table["addresses"] = {"web": f"127.0.0.1:{web.server_port}"}
            aside = file.with_suffix(".new")
            aside.write_text(json.dumps(table))
            aside.replace(file)
            assert ask(port, "/")[0] == 200


@given(
    st.lists(st.tuples(HOSTS, PATHS), unique=True, max_size=8),
    st.sampled_from(["a.example.com", "b.example.com", "c.example.com"]),
    PATHS,
)
def test_the_most_specific_route_wins_whatever_services_there_are(
    places: list[tuple[str | None, str]], host: str, path: str
) -> None:
    routes = [routing.Route(f"s{number}", *place) for number, place in enumerate(places)]
    table = Table.read(
        json.dumps(
            {
                "rules": {1: [rule(each.priority, each.host, each.path, each.service) for each in routes]},
                "addresses": {},
                "missing": {},
            }
        )
    )

    def fits(route: routing.Route) -> bool:
        parts = [part for part in route.path.split("/") if part]
        return route.host in (None, host) and path.split("/")[1 : len(parts) + 1] == parts

    # One with a host comes before any without; then the longer path.
    fitting = [route for route in routes if fits(route)]
    best = max(fitting, key=lambda route: (route.host is not None, len(route.path)), default=None)
    assert table.service(1, host, path) == (best.service if best else None)


def test_a_rule_for_a_host_also_matches_its_name_on_this_machine() -> None:
    known = Rule(1, "a.example.com", "/", "web")
    assert known.matches("a.example.com.localhost", "/x")
    assert not known.matches("b.example.com", "/x")


def shop(directory: Path, services: str) -> Environment:
    return read_platform(write_platform(directory, dev=environment(services=services))).environments["dev"]


def test_the_router_of_an_environment_has_a_port_for_each_load_balancer_and_stays_while_it_can(
    tmp_path: Path,
) -> None:
    services = """
[services.web]
dockerfile = "shop/Dockerfile"
domain = "web.example.com"
hosted_zone = "example.com"
path = "/shop"

[services.own]
dockerfile = "shop/Dockerfile"
load_balancer = "own"

[load_balancer]
domain = "example.com"
hosted_zone = "example.com"
"""
    balancers = Balancers(shop(tmp_path, services), tmp_path / "local")
    (tmp_path / "local").mkdir()
    with echoing("web") as web, echoing("own") as own:
        addresses = {"web": f"127.0.0.1:{web.server_port}"}
        try:
            listeners = balancers.start(addresses, {"own": "no command"})
            pid = processes.running("router-dev", tmp_path / "local")
            assert pid
            shared = listeners[0].port
            assert url("web", listeners) == f"http://web.example.com.localhost:{shared}/shop"
            assert url("own", listeners) == f"http://127.0.0.1:{listeners[1].port}/"
            assert url("other", listeners) is None
            assert json.loads(ask(shared, "/shop", Host="web.example.com")[1])["service"] == "web"
            assert ask(shared, "/shop")[:2] == (404, "Not found")
            assert ask(listeners[1].port, "/")[0] == 503
            balancers.update("own", f"http://127.0.0.1:{own.server_port}")
            assert json.loads(ask(listeners[1].port, "/")[1])["service"] == "own"
            assert balancers.start(addresses, {}) == listeners
            assert processes.running("router-dev", tmp_path / "local") == pid
        finally:
            processes.stop("router-dev", tmp_path / "local")


def test_the_status_app_alone_needs_no_router(tmp_path: Path) -> None:
    balancers = Balancers(shop(tmp_path, '[services.web]\nkind = "status"\n'), tmp_path)
    assert not balancers.needed
    assert balancers.start({"web": "127.0.0.1:1"}, {}) == ()
    assert processes.running("router-dev", tmp_path) is None


def test_the_router_is_a_program_that_needs_the_standard_library_only() -> None:
    source = Path(sys.modules["ops.local.router"].__file__ or "").read_text()
    imported = {
        line.split()[1].partition(".")[0]
        for line in source.splitlines()
        if line.startswith(("import ", "from "))
    }
    assert imported <= set(sys.stdlib_module_names)
