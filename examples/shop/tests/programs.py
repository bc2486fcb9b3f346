"""The shop's programs as processes of their own, which talk to each other over the loopback."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SHOP = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Program:
    """A running program that logs JSON lines."""

    process: "subprocess.Popen[str]"

    def line(self, message: str) -> dict[str, Any]:
        """The next line of the log with this message."""
        assert self.process.stdout
        for text in self.process.stdout:
            line: dict[str, Any] = json.loads(text)
            if line["message"] == message:
                return line
        raise AssertionError(f"ended with {self.process.wait()} before {message!r}")

    def listening(self) -> str:
        """The program's address, once it listens."""
        return f"http://127.0.0.1:{self.line('listening')['port']}"

    def stop(self) -> int:
        """Send SIGTERM; returns the exit status."""
        self.process.terminate()
        return self.process.wait(30)


@dataclass(frozen=True)
class Programs:
    """Starts programs, and ends those that still run."""

    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def start(self, *command: str, **environment: str) -> Program:
        """Start a command in the shop's directory."""
        process = subprocess.Popen(
            command, cwd=SHOP, env=os.environ | environment, stdout=subprocess.PIPE, text=True
        )
        self.started.append(process)
        return Program(process)

    def prices(self) -> Program:
        """Start the prices service on a free port."""
        return self.start(node(), "prices/server.mjs", "--host", "127.0.0.1", "--port", "0")

    def web(self, **environment: str) -> Program:
        """Start the web service on a free port."""
        listen = ("--host", "127.0.0.1", "--port", "0")
        return self.start(sys.executable, "-m", "shop.web", *listen, **environment)

    def worker(self, *arguments: str, **environment: str) -> Program:
        """Start the worker."""
        return self.start(sys.executable, "-m", "shop.worker", *arguments, **environment)

    def end(self) -> None:
        """End what still runs."""
        for process in self.started:
            with process:
                process.terminate()


def run(*command: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command in the shop's directory to its end."""
    return subprocess.run(
        command, cwd=SHOP, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def module(name: str, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the shop's modules to its end."""
    return run(sys.executable, "-m", name, *arguments, **environment)


def node() -> str:
    """The Node of this environment, or else of the machine."""
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    found = shutil.which("node", path=search)
    assert found, "node is missing: version 20 or later"
    return found
