"""Apps on a busy machine."""

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Event

import pytest

from ops.core.errors import OpsError
from ops.local.app import run_app, stop_app
from ops.local.embedded import Embedded
from ops.local.ports import free_port
from ops.local.processes import running
from ops.local.runners import Program
from ops.local.tasks import Container
from tests.ops.conftest import REGION
from tests.ops.small_stacks import trust
from tests.serving import serving

pytestmark = pytest.mark.e2e

ANSWERS_IN_TURN = """
import sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer
time.sleep(float(sys.argv[2]))
class Handler(BaseHTTPRequestHandler):
    answers = [200, 503, 503]
    def do_GET(self):
        self.send_response(Handler.answers.pop(0) if Handler.answers else 200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Listens on a port after so many seconds; is ready, then busy for two answers, then ready again."""


@dataclass
class Taken:
    """A runner of a small program; somebody else takes the first ports that it is given."""

    taken: int = 0
    others: ExitStack = field(default_factory=ExitStack)

    @property
    def identity(self) -> str:
        return "a small program"

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        if self.taken:
            self.taken -= 1
            self.others.enter_context(serving(HTTPServer(("127.0.0.1", port), BaseHTTPRequestHandler)))
        return Program((sys.executable, "-c", ANSWERS_IN_TURN, str(port), "0"), variables)


@dataclass
class Slow:
    """A runner so slow that another app is started meanwhile, unless that one waits for it."""

    chosen: Event = field(default_factory=Event)
    other_runs: Event = field(default_factory=Event)

    @property
    def identity(self) -> str:
        return "a slow program"

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        self.chosen.set()
        self.other_runs.wait(timeout=3)
        return Program((sys.executable, "-c", ANSWERS_IN_TURN, str(port), "2"), variables)


@pytest.fixture
def container(embedded: Embedded) -> Container:
    iam = embedded.client("iam", REGION)
    found = [role for role in iam.list_roles()["Roles"] if role["RoleName"] == "task"]
    role = (
        found[0]
        if found
        else iam.create_role(RoleName="task", AssumeRolePolicyDocument=json.dumps(trust()))["Role"]
    )
    return Container("web:1", role["Arn"], {}, {})


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_app("web", tmp_path)


def test_a_port_that_somebody_took_meanwhile_is_another_ones(
    embedded: Embedded, container: Container, directory: Path
) -> None:
    runner = Taken(2)
    with runner.others:
        app = run_app(embedded, container, "web", REGION, directory, runner)
    assert app.started
    assert json.loads((directory / "web.json").read_text())["address"] == app.address


def test_who_never_finds_a_port_says_why_the_app_ended(
    embedded: Embedded, container: Container, directory: Path
) -> None:
    runner = Taken(3)
    with runner.others, pytest.raises(OpsError, match=r"The app ended as soon as it was started: .*in use"):
        run_app(embedded, container, "web", REGION, directory, runner)


def test_an_app_that_is_busy_is_not_started_anew(
    embedded: Embedded, container: Container, directory: Path
) -> None:
    runner = Taken()
    first = run_app(embedded, container, "web", REGION, directory, runner)
    again = run_app(embedded, container, "web", REGION, directory, runner)
    assert (first.started, again.started) == (True, False)
    assert first.address == again.address


def test_an_app_is_not_taken_for_ready_since_another_one_answers_on_the_port_it_chose(
    embedded: Embedded, container: Container, tmp_path: Path
) -> None:
    port = free_port()
    directories = [tmp_path / name for name in ("slow", "other")]
    for directory in directories:
        directory.mkdir()
        (directory / "web.json").write_text(json.dumps({"address": f"http://127.0.0.1:{port}"}))
    runner = Slow()
    try:
        with ThreadPoolExecutor() as pool:
            slow = pool.submit(run_app, embedded, container, "web", REGION, directories[0], runner)
            assert runner.chosen.wait(timeout=60)
            other = run_app(embedded, container, "web", REGION, directories[1], Taken())
            runner.other_runs.set()
        assert slow.result().address != other.address
        assert all(running("web", directory) for directory in directories)
    finally:
        for directory in directories:
            stop_app("web", directory)


def test_a_port_is_the_first_wanted_one_that_is_free_or_else_any() -> None:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        taken = [server.getsockname()[1] for server in (one, other)]
        free = free_port()
        assert free_port(*taken, free) == free
        assert free_port(*taken) not in taken
