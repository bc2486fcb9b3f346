"""Starts the programs to be measured, and ends them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS: Final = 120.0


@dataclass(frozen=True)
class Server:
    """A program that answers at an address; `seconds_to_answer` from its start to its first answer."""

    url: str
    process_id: int
    seconds_to_answer: float

    def memory(self) -> float:
        """Resident memory in MiB. Source: proc_pid_status(5)."""
        status = Path(f"/proc/{self.process_id}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024


@contextmanager
def serving(arguments: Sequence[str], port: int, path: str, variables: Mapping[str, str]) -> Iterator[Server]:
    """A Python program that listens on the port, once it answers; what it prints goes nowhere."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables}
    url = f"http://127.0.0.1:{port}"
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *arguments], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        _wait(url + path, process, started)
        yield Server(url, process.pid, time.perf_counter() - started)
    finally:
        process.terminate()
        process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]", started: float) -> None:
    while time.perf_counter() - started < START_SECONDS:
        if process.poll() is not None:
            raise SystemExit(f"{process.args!r} ended with exit status {process.returncode}")
        try:
            httpx.get(url, timeout=5)
        except httpx.TransportError:
            time.sleep(0.005)
        else:
            return
    raise SystemExit(f"{url} does not answer after {START_SECONDS:.0f} s")
