"""Services of every kind at a desk, run as processes: what they get, in what order, and which are not run."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.core.progress import Phase
from ops.images.engine import Engine
from ops.local import processes
from ops.local.embedded import Embedded
from ops.local.names import container_name
from ops.local.services import NOBODY, NotRunError, Ran, Services
from ops.local.stand_in import StandIn
from ops.local.tasks import Container
from ops.local.up import stop_all
from stacks.reading import read_platform
from stacks.workloads import workload
from tests.ops.registering import GIVEN_BY_AWS, register
from tests.stacks.platform_files import environment, write_platform

PROGRAM = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = json.dumps({"environ": dict(os.environ), "cwd": os.getcwd()}).encode()
        self.send_response(204 if self.path == "/health" else 200)
        self.end_headers()
        if self.path != "/health":
            self.wfile.write(content)
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
WORKER = "import time\ntime.sleep(600)\n"
BEFORE = """
import os, sys
open(sys.argv[1], "a").write(os.environ["PRICES_URL"] + "\\n")
sys.exit(int(sys.argv[2]))
"""

SETTINGS = """
[services.web]
dockerfile = "shop/Dockerfile"
health_path = "/health"
health_status = "204"
environment = { LOG_LEVEL = "info" }
secrets = { KEY = "ssm:/oaktree/dev/key", USER = "secretsmanager:db#user" }
uses = ["services.prices", "volumes.media"]
before_deploy = ["python", "DIRECTORY/before.py", "DIRECTORY/log", "STATUS"]
local = { command = ["python", "DIRECTORY/program.py", "{port}"], working_directory = "docs" }

[volumes.media]
path = "/media"

[services.prices]
dockerfile = "shop/prices/Dockerfile"
internal = true
port = 8081
local = { command = ["python", "DIRECTORY/program.py", "{port}"], working_directory = "docs" }

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]
uses = ["services.prices"]
local = { command = ["python", "DIRECTORY/worker.py"], working_directory = "docs" }

[services.proxy]
image = "public.ecr.aws/nginx/nginx@sha256:DIGITS"
path = "/proxy"

[services.beat]
kind = "worker"
image = "public.ecr.aws/beat/beat@sha256:DIGITS"
uses = ["services.prices"]

[services.bare]
dockerfile = "shop/Dockerfile"
path = "/bare"

[services.night]
kind = "job"
same_image_as = "web"
schedule = "@daily"
command = ["work"]
"""

Make = Callable[..., Services]


@pytest.fixture
def make(embedded: Embedded, tmp_path: Path) -> Iterator[Make]:
    """Registers the services of the settings on the embedded AWS, with a status for before_deploy."""
    checkout = Checkout(tmp_path)
    for name, text in (("program.py", PROGRAM), ("worker.py", WORKER), ("before.py", BEFORE)):
        (tmp_path / name).write_text(text)

    def make(status: int = 0) -> Services:
        settings = SETTINGS.replace("DIRECTORY", str(tmp_path)).replace("STATUS", str(status))
        settings = settings.replace("DIGITS", "a" * 64)
        platform = read_platform(write_platform(tmp_path / "settings", dev=environment(services=settings)))
        project, dev = platform.project, platform.environments["dev"]
        register(embedded, project.name, [workload(project, dev, key) for key in dev.services])
        return Services(checkout, embedded, project, dev)

    yield make
    stop_all(checkout.local)


def runs(pid: int) -> bool:
    """Whether a process runs; one that has ended may still wait for somebody to ask how."""
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(") ")[2][0] != "Z"


def test_services_run_as_registered_and_reach_each_other(make: Make, tmp_path: Path) -> None:
    services = make()
    prices = services.run("prices")
    web, worker = services.run("web"), services.run("worker")
    assert (web.what, worker.what) == ("before_deploy ended with status 0, started", "started")
    assert worker.address == ""
    assert services.runs("worker")
    assert (tmp_path / "log").read_text() == f"{prices.address}\n"
    answer = httpx.get(web.address, trust_env=False).json()
    assert Path(answer["cwd"]).name == "docs"

    # All variables are those of the task definition and what ECS gives, but for a short table.
    found = dict(answer["environ"])
    planned = workload(services.project, services.environment, "web").main
    wanted = {name: str(value) for name, value in planned.variables.items()}
    port = web.address.rpartition(":")[2]
    secrets = {"KEY": "of ssm", "USER": "shop"}
    assert web.differs["PRICES_URL"] == prices.address
    assert set(web.differs) <= {"PORT", "PRICES_URL", "MEDIA_PATH"}
    assert Path(found["MEDIA_PATH"]).is_dir()
    assert Path(found["MEDIA_PATH"]).is_relative_to(tmp_path / ".oaktree/local")
    of_the_shell = {"PATH", "PWD", "SHLVL", "_", "OLDPWD", "LC_CTYPE"}
    shared = {name: value for name, value in found.items() if name not in {*of_the_shell, *GIVEN_BY_AWS}}
    registered = {name: value for name, value in wanted.items() if name not in GIVEN_BY_AWS}
    assert shared == {**registered, **web.differs, **secrets, "PORT": port}
    assert found["AWS_ENDPOINT_URL"] == services.embedded.endpoint


def test_a_status_app_asks_services_where_they_are_here_and_nobody_elsewhere(make: Make) -> None:
    services = make()
    prices = services.run("prices")
    there = {
        "services.prices": "http://prices.dev.oaktree.internal:8081/health?deep=1",
        "services.web": "https://shop.example.com/health",
        "services.status": "https://status.example.com/healthz",
    }
    assert json.loads(services.probes("status", json.dumps(there))) == {
        "services.prices": f"{prices.address}/health?deep=1",
        "services.web": f"{NOBODY}/health",
    }
    with pytest.raises(httpx.ConnectError):
        httpx.get(NOBODY, trust_env=False)


def test_what_has_not_changed_is_not_restarted_and_before_deploy_not_run_again(
    make: Make, tmp_path: Path
) -> None:
    services = make()
    names = ("prices", "web", "worker")
    first = [services.run(name) for name in names]
    pids = [processes.running(f"app-dev-{name}", tmp_path / ".oaktree/local") for name in names]
    again = [services.run(name) for name in names]
    assert [each.what for each in again] == ["unchanged"] * 3
    assert [each.address for each in again] == [each.address for each in first]
    assert [processes.running(f"app-dev-{name}", tmp_path / ".oaktree/local") for name in names] == pids
    assert len((tmp_path / "log").read_text().splitlines()) == 1


def test_a_service_that_the_settings_no_longer_have_is_stopped(make: Make) -> None:
    services = make()
    services.stop_removed()
    services.run("prices")
    rest = {key: each for key, each in services.environment.services.items() if key != "prices"}
    fewer = services.environment.model_copy(update={"services": rest})
    replace(services, environment=fewer).stop_removed()
    assert not services.runs("prices")


def test_a_service_is_not_started_if_its_before_deploy_fails(make: Make) -> None:
    services = make(status=3)
    services.run("prices")
    with pytest.raises(OpsError, match=r"before_deploy of web ended with status 3: it said nothing\nLog: "):
        services.run("web")
    assert not services.runs("web")


def test_a_before_deploy_that_takes_too_long_is_ended_with_its_children(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ops.local.services.BEFORE_DEPLOY_SECONDS", 3.0)
    (tmp_path / "before.py").write_text(
        "import os, subprocess, sys\n"
        "child = subprocess.Popen(('sleep', '600'))\n"
        "open(sys.argv[1], 'w').write(f'{os.getpid()} {child.pid}')\n"
        "print('still migrating', flush=True)\n"
        "child.wait()\n"
    )
    services = make()
    services.run("prices")
    with pytest.raises(OpsError, match=r"before_deploy of web took more than 3 s and was stopped: still mig"):
        services.run("web")
    assert not services.runs("web")
    for pid in map(int, (tmp_path / "log").read_text().split()):
        assert not runs(pid)


@pytest.mark.parametrize(
    ("service", "why"),
    [
        ("proxy", "third-party image: RUN=image runs it, with docker or podman"),
        ("bare", r"no \[services\.<name>\.local\] command; RUN=image runs its image, with docker or podman"),
        ("night", "a job, which is not started by itself"),
    ],
)
def test_what_is_not_run_is_said_with_the_reason(make: Make, service: str, why: str) -> None:
    services = make()
    with pytest.raises(NotRunError, match=why):
        services.run(service)
    assert services.address(service) == ""


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A container engine that notes what it is asked, and runs something else."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n[ "$1" != run ] || exec sleep 600\n')
    program.chmod(0o755)
    return Engine("docker", str(program))


def test_later_commands_run_services_as_the_last_up_did(make: Make, engine: Engine, tmp_path: Path) -> None:
    services = make()
    services.checkout.local.mkdir(parents=True)
    desk = StandIn(services.checkout, services.embedded, services.project, services.environment)
    assert desk.reason("proxy") == "third-party image: RUN=image runs it, with docker or podman"
    replace(services, engine=engine).note_engine()
    assert desk.reason("proxy") == ""
    phase = Phase("app beat")
    assert desk.run("beat", phase) == ""
    assert phase.result == "started"
    assert f"--name={container_name(services.checkout, 'app-dev-beat')}" in (tmp_path / "asked").read_text()
    services.note_engine()
    assert desk.reason("proxy").startswith("third-party image")


def test_a_status_app_that_runs_follows_a_service_to_its_new_address(
    make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    services = make()
    both = (
        '[services.status]\nkind = "status"\n[services.worker]\nkind = "worker"\ndockerfile = "Dockerfile"\n'
    )
    platform = read_platform(write_platform(tmp_path / "both", dev=environment(services=both)))
    ran: list[str] = []

    def run(_: Services, key: str) -> Ran:
        ran.append(key)
        return Ran("", "started", {})

    monkeypatch.setattr(Services, "run", run)
    monkeypatch.setattr(Services, "runs", lambda *_: True)
    desk = StandIn(services.checkout, services.embedded, platform.project, platform.environments["dev"])
    desk.run("worker", Phase("app worker"))
    desk.run("status", Phase("app status"))
    assert ran == ["worker", "status", "status"]


def test_with_an_engine_tasks_that_end_run_in_containers_of_their_image(
    make: Make, engine: Engine, tmp_path: Path
) -> None:
    services = replace(make(), engine=engine)
    program = services.one_off("beat")
    variables = {"PRICES_URL": "http://prices.dev.oaktree.internal:8081"}
    found = program(Container("arn", "role", {}, {}, {"command": ["migrate"]}), variables)
    assert found.command[:2] == (engine.executable, "run")
    assert found.command[-2:] == (f"public.ecr.aws/beat/beat@sha256:{'a' * 64}", "migrate")
    assert found.environment["PRICES_URL"] == variables["PRICES_URL"]
    services.end_one_off("beat")
    name = f"{container_name(services.checkout, 'app-dev-beat')}-task"
    assert f"--name={name}" in found.command
    assert (tmp_path / "asked").read_text().splitlines()[-1] == f"rm --force {name}"


def test_a_program_that_is_not_there_is_said(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    services = make()
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(OpsError, match="python is not on PATH"):
        services.run("prices")


def test_a_service_that_ends_at_once_is_said_with_its_last_line(make: Make, tmp_path: Path) -> None:
    (tmp_path / "worker.py").write_text("raise SystemExit('no queue')")
    services = make()
    with pytest.raises(OpsError, match=r"ended as soon as it was started: no queue"):
        services.run("worker")
