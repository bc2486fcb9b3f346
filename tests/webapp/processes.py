"""Starts real processes for tests, reads what they print, and ends them by their process id."""

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO

import httpx

from tests.places import ROOT
from tests.webapp.forking import ForkedApp


class Process:
    """A running program and the lines it has printed so far."""

    def __init__(self, popen: "subprocess.Popen[str] | ForkedApp") -> None:
        self.stdout: list[str] = []
        self.stderr: list[str] = []
        self._changed = threading.Condition()
        self._popen = popen
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self._popen.stdout, self.stdout), (self._popen.stderr, self.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def _read(self, stream: IO[str] | None, lines: list[str]) -> None:
        assert stream is not None
        with stream:
            for line in stream:
                with self._changed:
                    lines.append(line)
                    self._changed.notify_all()

    def wait_for(self, pattern: str, seconds: float = 20) -> re.Match[str]:
        """The first match in a printed line; fails with all that was printed when none comes."""
        with self._changed:
            match = self._changed.wait_for(lambda: self._search(pattern), seconds)
        assert match, f"no {pattern!r} in:\n{''.join(self.stdout + self.stderr)}"
        return match

    def _search(self, pattern: str) -> re.Match[str] | None:
        return next(
            (match for line in self.stdout + self.stderr if (match := re.search(pattern, line))), None
        )

    @property
    def id(self) -> int:
        """The process id."""
        return self._popen.pid

    def signal(self, number: int) -> None:
        """Sends a signal to this process."""
        self._popen.send_signal(number)

    def wait(self, seconds: float = 20) -> int:
        """The exit status, once the process has ended and all it printed is read."""
        status = self._popen.wait(seconds)
        for reader in self._readers:
            reader.join()
        return status

    def end(self) -> None:
        """Ends the process at once if it is still running."""
        self._popen.kill()
        self.wait()


@contextmanager
def running(popen: "subprocess.Popen[str] | ForkedApp") -> Iterator[Process]:
    """A process that does not outlive the block."""
    process = Process(popen)
    try:
        yield process
    finally:
        process.end()


def python(*arguments: str, environ: Mapping[str, str]) -> "subprocess.Popen[str]":
    """Starts Python with exactly these variables."""
    return subprocess.Popen(
        [sys.executable, *arguments],
        env=dict(environ),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class App:
    """The app as a process of its own, on a port of the loopback."""

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15)

    def requests(self) -> list[dict[str, object]]:
        """The log's lines about requests."""
        lines = [json.loads(line) for line in self.process.stdout]
        return [line for line in lines if line["message"] == "request"]


@contextmanager
def running_app(environ: Mapping[str, str], *, port: int = 0, forked: bool = True) -> Iterator[App]:
    """The app started with exactly these variables, on a free port unless told otherwise.

    Every warning is an error in it; those of its imports only unless it is `forked`.
    """
    arguments = ["--host", "127.0.0.1", "--port", str(port)]
    popen = (
        ForkedApp(arguments, environ)
        if forked
        else python("-W", "error", "-m", "webapp", *arguments, environ=environ)
    )
    with running(popen) as process:
        process.wait_for("startup complete")
        app = App(process, int(process.wait_for(r'"port": ?(\d+)')[1]))
        with app.client:
            yield app


@contextmanager
def running_moto() -> Iterator[str]:
    """The address of an embedded AWS of its own."""
    environ = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    with running(python("-m", "moto.server", "-H", "127.0.0.1", "-p", "0", environ=environ)) as process:
        yield process.wait_for(r"Running on (http://127\.0\.0\.1:\d+)")[1]
