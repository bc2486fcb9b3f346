"""Apps on a busy machine."""

import json
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ops.app import Container, run_app, stop_app
from ops.embedded import Embedded
from ops.errors import OpsError
from ops.runners import Program
from tests.ops.conftest import REGION
from tests.ops.small_stacks import trust

ANSWERS_IN_TURN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    answers = [200, 503, 503]
    def do_GET(self):
        self.send_response(Handler.answers.pop(0) if Handler.answers else 200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
"""Is ready, then busy for two answers, then ready again."""


@dataclass
class Taken:
    """A runner of a small program; somebody else takes the first ports that it is given."""

    taken: int
    others: ExitStack = field(default_factory=ExitStack)

    @property
    def identity(self) -> str:
        return "a small program"

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        if self.taken:
            self.taken -= 1
            other = self.others.enter_context(socket.socket())
            other.bind(("127.0.0.1", port))
        return Program((sys.executable, "-c", ANSWERS_IN_TURN, str(port)), variables)


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
    runner = Taken(0)
    first = run_app(embedded, container, "web", REGION, directory, runner)
    again = run_app(embedded, container, "web", REGION, directory, runner)
    assert (first.started, again.started) == (True, False)
    assert first.address == again.address
