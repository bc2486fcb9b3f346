"""The ways to run a service on this machine: as a process, or in a container of its image.

Each is a program in the foreground, which `ops.local.processes` starts and stops.
"""

import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError
from ops.images.engine import CONFINED, Engine
from ops.local.embedded import without_aws
from ops.local.ports import HOST
from webapp import contract

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


@dataclass(frozen=True)
class CommandRunner:
    """Runs `[services.<name>.local] command` as a process; `directory` is an absolute path."""

    command: tuple[str, ...]
    directory: Path

    @property
    def identity(self) -> str:
        """Returns a hash of the command and of the files in its directory: names, sizes and times."""
        digest = hashlib.sha256("\0".join((*self.command, str(self.directory))).encode())
        for file in _files(self.directory):
            found = file.stat()
            digest.update(f"\0{file}\0{found.st_size}\0{found.st_mtime_ns}".encode())
        return digest.hexdigest()

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        """Returns the command with its port; it has the variables, and the `PATH` that finds it.

        Raises OpsError if the program or the directory does not exist.
        """
        if not self.directory.is_dir():
            raise OpsError(f"The directory {self.directory} does not exist.")
        return command_in(
            self.directory, [word.replace("{port}", str(port)) for word in self.command], variables
        )


def command_in(directory: Path, command: Sequence[str], variables: Mapping[str, str]) -> Program:
    """Returns the program that runs a command in a directory, with these variables and a `PATH`.

    This Python is first on the path, so that `python` is the one that `make setup` has set up.
    """
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    first = command[0] if "/" in command[0] else shutil.which(command[0], path=path)
    if first is None:
        raise OpsError(f"{command[0]} is not on PATH.")
    shell = ("/bin/sh", "-c", 'cd "$0" && exec "$@"', str(directory))
    return Program((*shell, first, *command[1:]), {"PATH": path, **variables})


@dataclass(frozen=True)
class TaskRunner:
    """Runs a container named `name` as its definition says, on this machine's network.

    `definition` is a container definition of ECS, and `memory` the task's, in MiB. `volumes` are directories
    of this machine, by the task's volumes that they stand for.
    """

    engine: Engine
    image: str
    name: str
    definition: Mapping[str, Any]
    memory: int
    volumes: Mapping[str, Path] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """Returns the image; the rest is in the task definition's revision."""
        return self.image

    def program(self, port: int, variables: Mapping[str, str]) -> Program:
        """Returns the engine's command; the container gets these variables only."""
        del port
        entry, words = self.definition.get("entryPoint", ()), self.definition.get("command", ())
        return self._program(self.name, list(entry), words, variables)

    def one_off(self, name: str, words: Sequence[str], variables: Mapping[str, str]) -> Program:
        """Returns the engine's command for another container of the image, which runs `words`.

        Its entry point is the image's, as in the task definition of `before_deploy`.
        """
        return self._program(name, [], words, variables)

    def _program(
        self, name: str, entry: Sequence[str], words: Sequence[str], variables: Mapping[str, str]
    ) -> Program:
        command = self.engine.run_command(
            self.image,
            name,
            (*entry[1:], *words),
            sorted(variables),
            *([f"--entrypoint={entry[0]}"] if entry else []),
            *self._options(),
            confined=tuple(self._confined()),
        )
        return Program(command, {**without_aws(os.environ), **variables})

    def _options(self) -> Iterator[str]:
        definition = self.definition
        if user := definition.get("user"):
            yield f"--user={user}"
        if directory := definition.get("workingDirectory"):
            yield f"--workdir={directory}"
        for mount in definition.get("mountPoints", ()):
            path, shared = mount["containerPath"], self.volumes.get(mount.get("sourceVolume", ""))
            access = ":ro" if mount.get("readOnly") else ""
            # As on Fargate, a volume of the task's own begins with what the image has there.
            yield f"--volume={shared}:{path}{access}" if shared else f"--volume={path}"
        yield f"--memory={self.memory}m"
        yield f"--memory-swap={self.memory}m"

    def _confined(self) -> Iterator[str]:
        dropped = (self.definition.get("linuxParameters") or {}).get("capabilities", {}).get("drop", ())
        skipped = {"--read-only"} if not self.definition.get("readonlyRootFilesystem") else set()
        if "ALL" not in dropped:
            skipped.add("--cap-drop=all")
        yield from (option for option in CONFINED if option not in skipped)


def _files(directory: Path) -> Iterator[Path]:
    """Yields a directory's files in sorted order, without hidden and generated ones."""
    for folder, folders, names in os.walk(directory):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in ("__pycache__", "node_modules", "cdktf.out")
        )
        yield from (Path(folder, name) for name in sorted(names) if not name.startswith("."))


def _arguments(port: int) -> tuple[str, ...]:
    return (*contract.COMMAND[1:], "--host", HOST, "--port", str(port))
