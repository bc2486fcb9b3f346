"""Containers of the app's image, run as `ops` runs them, and a registry to push it to."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ops.images.engine import Engine
from ops.local.ports import HOST
from ops.local.runners import ContainerRunner
from tests.serving import free_port
from webapp.contract import HEALTH_COMMAND, HEALTH_PATH, READY_PATH


@dataclass(frozen=True)
class Container:
    """A container that runs in the foreground of a process of its own."""

    engine: Engine
    name: str
    port: int
    process: "subprocess.Popen[str]"

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}"

    def exec(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program inside."""
        return subprocess.run(
            (self.engine.executable, "exec", self.name, *command),
            capture_output=True,
            text=True,
            check=False,
        )

    def python(self, program: str) -> str:
        """What a Python program prints inside."""
        done = self.exec("python", "-c", program)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def healthy(self) -> "subprocess.CompletedProcess[str]":
        """Run the contract's health check inside, for the port that the app has here."""
        return self.exec(*HEALTH_COMMAND[:-2], str(self.port), HEALTH_PATH)

    def signal(self, name: str) -> None:
        """Send a signal to the app."""
        subprocess.run(
            (self.engine.executable, "kill", f"--signal={name}", self.name), capture_output=True, check=True
        )

    def inspected(self) -> dict[str, Any]:
        """What the engine knows of it."""
        return inspected(self.engine, self.name)

    def wait(self, path: str, seconds: float = 60) -> None:
        """Wait until a path answers 200."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                if httpx.get(f"{self.address}{path}").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.02)


def inspected(engine: Engine, name: str) -> dict[str, Any]:
    """What the engine knows of a container or an image."""
    done = subprocess.run((engine.executable, "inspect", name), capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)[0]
    return found


@contextmanager
def running_container(
    engine: Engine, image: str, variables: Mapping[str, str], until: str = READY_PATH
) -> Iterator[Container]:
    """A container of the image, once a path answers; removed at the end."""
    port = free_port()
    name = f"oaktree-test-{os.getpid()}-{port}"
    program = ContainerRunner(engine, image, name).program(port, variables)
    with subprocess.Popen(
        program.command,
        env=dict(program.environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        container = Container(engine, name, port, process)
        try:
            container.wait(until)
            yield container
        finally:
            engine.remove(name)
            process.communicate(timeout=60)


@contextmanager
def running_registry(directory: Path, users: str = "") -> Iterator[str]:
    """A registry on the loopback that holds nothing yet: its host and port.

    `users` are lines of Apache's htpasswd; without them it asks for no password.
    """
    (directory / "users").write_text(users)
    auth = {"htpasswd": {"realm": "test", "path": str(directory / "users")}}
    executable = shutil.which("docker-registry")
    assert executable, "docker-registry is missing: apt-get install docker-registry"
    host = f"{HOST}:{free_port()}"
    (directory / "config.yml").write_text(
        json.dumps(
            {
                "version": "0.1",
                "storage": {"filesystem": {"rootdirectory": str(directory / "images")}},
                "http": {"addr": host},
                **({"auth": auth} if users else {}),
            }
        )
    )
    with (directory / "log").open("w") as log:
        # The registry takes every variable that begins with REGISTRY_ for a setting.
        process = subprocess.Popen(
            (executable, "serve", str(directory / "config.yml")), stdout=log, stderr=log, env={}
        )
    try:
        deadline = time.monotonic() + 30
        while not _listens(host):
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield host
    finally:
        process.terminate()
        process.wait(30)


def _listens(host: str) -> bool:
    try:
        return httpx.get(f"http://{host}/v2/").status_code in (200, 401)
    except httpx.TransportError:
        return False
