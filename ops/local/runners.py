"""The two ways to run the app on this machine: as a process of the checkout, or in a container of its image.

Either is a program in the foreground, which `ops.local.processes` starts and stops.
"""

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from ops.core.checkout import SOURCE
from ops.images.engine import Engine
from ops.local.embedded import without_aws
from webapp import contract

HOST: Final = "127.0.0.1"

SMALLEST_TASK_MIB: Final = 512
"""Memory of the smallest task that Fargate sells, and the limit of every container here.

Source: Amazon ECS Developer Guide, "Task size" for Fargate.
"""

STOP_SECONDS: Final = 30
"""Seconds for a container to stop before it is killed: the default of ECS."""


@dataclass(frozen=True)
class Program:
    """A command and its whole environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


class Runner(Protocol):
    """A way to run one app."""

    @property
    def identity(self) -> str:
        """Returns a text that changes with what is run."""

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        """Returns the program that runs the app on a port of the loopback with these variables."""


@dataclass(frozen=True)
class ProcessRunner:
    """Runs the app from the checkout; `tools` has the `PATH` that Python needs."""

    tools: Mapping[str, str]

    @property
    def identity(self) -> str:
        """Returns a hash of the Python's path and the app's files."""
        digest = hashlib.sha256(sys.executable.encode())
        for file in sorted((SOURCE / "webapp").rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"\0{file.relative_to(SOURCE)}\0".encode() + file.read_bytes())
        return digest.hexdigest()

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        """Returns the contract's command for this Python, with the app's variables and nothing else."""
        needed = {"PATH": self.tools.get("PATH", os.defpath), "PYTHONPATH": str(SOURCE)}
        return Program((sys.executable, *_arguments(port)), {**needed, **variables})


@dataclass(frozen=True)
class ContainerRunner:
    """Runs the app in a container named `name`, confined as on Fargate."""

    engine: Engine
    image: str
    name: str

    @property
    def identity(self) -> str:
        """Returns the image."""
        return self.image

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        """Returns the engine's command; the container gets the app's variables only."""
        health = " ".join((*contract.HEALTH_COMMAND[:-2], str(port), contract.HEALTH_PATH))
        command = self.engine.run_command(
            self.image,
            self.name,
            (contract.COMMAND[0], *_arguments(port)),
            sorted(variables),
            f"--user={contract.USER}",
            f"--memory={SMALLEST_TASK_MIB}m",
            f"--memory-swap={SMALLEST_TASK_MIB}m",
            f"--stop-signal={contract.STOP_SIGNAL}",
            f"--health-cmd={health}",
        )
        return Program(command, {**without_aws(os.environ), **variables})


def _arguments(port: int) -> tuple[str, ...]:
    return (*contract.COMMAND[1:], "--host", HOST, "--port", str(port))
