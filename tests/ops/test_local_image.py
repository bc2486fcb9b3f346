"""`up --run image`: the app in a container of its image, with the life cycle of the process.

The tests are one life of the small stacks, in the order they stand here.
"""

import json
import os
import re
import signal
import socket
import subprocess
from dataclasses import replace
from typing import Any

import httpx
import pytest

from ops.images.engine import Engine, find_engine
from ops.local import firsts
from ops.local.embedded import find_embedded
from ops.local.ports import free_port
from ops.local.processes import running
from ops.local.runners import SMALLEST_TASK_MIB
from tests.docker.containers import inspected
from tests.ops.conftest import ACCOUNT, REGION, Desk
from webapp.contract import COMMAND, USER

pytestmark = pytest.mark.e2e

APP = "app-dev-web"


@pytest.fixture(scope="module")
def engine() -> Engine:
    """Docker or podman; without either, the tests fail and say what to install."""
    return find_engine()


def up(desk: Desk, *arguments: str) -> tuple[str, str]:
    """What became of the app, and its address."""
    done = desk.run("up", *arguments)
    assert done.returncode == 0, done.stderr
    result = re.search(r"^[+x-] app web +\d+ s  (.*)$", done.stdout, re.MULTILINE)
    address = re.search(r"^dev web: (http://127\.0\.0\.1:\d+)$", done.stdout, re.MULTILINE)
    assert result, done.stdout
    assert address, done.stdout
    return result[1], address[1]


def container_of(desk: Desk) -> str:
    record: dict[str, str] = json.loads((desk.checkout.local / f"{APP}.json").read_text())
    return record["container"]


def exists(engine: Engine, container: str) -> bool:
    asked = (engine.executable, "inspect", container)
    return subprocess.run(asked, capture_output=True, check=False).returncode == 0


def registered(desk: Desk) -> dict[str, Any]:
    embedded = find_embedded(desk.checkout.local)
    assert embedded
    ecs = embedded.client("ecs", REGION, ACCOUNT)
    (service,) = ecs.describe_services(cluster="oaktree-dev", services=["oaktree-dev-web"])["services"]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    container: dict[str, Any] = definition["containerDefinitions"][0]
    return container


def test_the_app_runs_in_a_confined_container(desk: Desk, engine: Engine) -> None:
    result, address = up(desk, "--run", "image")
    assert result == "started"
    assert httpx.get(f"{address}/readyz").status_code == 200
    assert "services.web" in httpx.get(f"{address}/api/status").json()["components"]
    found = inspected(engine, container_of(desk))
    assert found["HostConfig"]["ReadonlyRootfs"] is True
    assert found["HostConfig"]["Memory"] == SMALLEST_TASK_MIB * 2**20
    assert found["Config"]["User"] == USER
    assert tuple(found["Config"]["Cmd"])[: len(COMMAND)] == COMMAND


def test_it_has_what_the_registered_task_definition_says_and_what_comes_with_a_task(
    desk: Desk, engine: Engine
) -> None:
    shown = subprocess.run(
        (
            engine.executable,
            "exec",
            container_of(desk),
            "python",
            "-c",
            "import json, os; print(json.dumps(dict(os.environ)))",
        ),
        capture_output=True,
        text=True,
        check=True,
    )
    environ = json.loads(shown.stdout)
    container = registered(desk)
    plain = {item["name"]: item["value"] for item in container["environment"]}
    assert plain.items() <= environ.items()
    (secret,) = container["secrets"]
    assert re.fullmatch("[0-9a-f]{64}", environ[secret["name"]])
    assert environ[secret["name"]] not in " ".join(_commands())
    image = {"GPG_KEY", "LANG", "LC_CTYPE", "PYTHON_SHA256", "PYTHON_VERSION", "PATH"}
    engine_s = {"HOME", "HOSTNAME", "TERM", "container"}
    rest = set(environ) - set(plain) - {secret["name"]} - image - engine_s
    assert {name for name in rest if not name.startswith("AWS_")} == set()


def _commands() -> list[str]:
    return subprocess.run(
        ("ps", "-eo", "args"), capture_output=True, text=True, check=True
    ).stdout.splitlines()


def test_a_second_up_changes_nothing(desk: Desk) -> None:
    before = running(APP, desk.checkout.local)
    result, _ = up(desk, "--run", "image")
    assert result == "unchanged"
    assert running(APP, desk.checkout.local) == before


def test_up_brings_it_back_when_the_command_that_runs_it_was_killed(desk: Desk, engine: Engine) -> None:
    before = running(APP, desk.checkout.local)
    assert before
    os.kill(before, signal.SIGKILL)
    result, address = up(desk, "--run", "image")
    assert httpx.get(f"{address}/readyz").status_code == 200
    assert exists(engine, container_of(desk))
    assert result in ("started", "unchanged")


def test_the_process_takes_the_place_of_the_container_and_the_other_way_round(
    desk: Desk, engine: Engine
) -> None:
    container = container_of(desk)
    assert up(desk)[0] == "started"
    assert not exists(engine, container)
    assert up(desk, "--run", "image")[0] == "started"
    assert exists(engine, container)


def test_image_run_runs_it_in_the_foreground_until_it_is_told_to_stop(desk: Desk) -> None:
    port = free_port()
    with desk.begin("image-run", "--commit", firsts.COMMIT, "--port", str(port)) as process:
        address = f"http://127.0.0.1:{port}"
        assert process.stderr.readline() == f"{address} (Ctrl-C stops it)\n"
        while "startup complete" not in (line := process.stdout.readline()):
            assert line, process.stderr.read()
        assert httpx.get(f"{address}/healthz").status_code == 200
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_image_run_takes_no_port_but_the_one_it_is_told(desk: Desk) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = desk.run("image-run", "--commit", firsts.COMMIT, "--port", str(port))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"PORT={port} is not free on 127.0.0.1." in done.stderr


def test_down_removes_the_container(desk: Desk, engine: Engine) -> None:
    container = container_of(desk)
    done = desk.run("down")
    assert (done.returncode, done.stderr) == (0, "")
    assert not exists(engine, container)
    assert not desk.checkout.local.exists()


def test_without_an_engine_up_says_what_to_install(desk: Desk) -> None:
    nothing = {**desk.environment, "PATH": "/nonexistent"}
    done = replace(desk, environment=nothing).run("image", "--commit", "abcdef0")
    assert done.returncode == 1
    assert "No container engine answers here." in done.stderr
    assert "apt-get install podman" in done.stderr
    assert "Traceback" not in done.stderr
