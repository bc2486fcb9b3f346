"""Background processes: found by their lock, never mistaken, never lost."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError
from ops.local import processes, up

SLEEP = ("/bin/sh", "-c", "exec sleep 20")

INTERRUPTED_STARTS = r"""
import os, subprocess, sys, time
from pathlib import Path
from ops.local import processes

directory = Path(sys.argv[1])
interrupter = subprocess.Popen(
    ("/bin/sh", "-c", f"while read line; do kill -INT {os.getpid()}; done"),
    stdin=subprocess.PIPE, start_new_session=True,
)

def interrupt_while_it_starts(event, arguments):
    if event == "os.posix_spawn":
        os.write(interrupter.stdin.fileno(), b"now\n")

sys.addaudithook(interrupt_while_it_starts)
for attempt in range(20):
    try:
        processes.start(
            "program", ("/bin/sh", "-c", "exec sleep 5"),
            directory=directory, log=directory / "log", environment={},
        )
        time.sleep(10)
        sys.exit("no interrupt came")
    except KeyboardInterrupt:
        pass
    processes.stop("program", directory)
interrupter.stdin.close()
interrupter.wait()
"""


@contextmanager
def looker(path: Path) -> Iterator[None]:
    """Somebody who is looking at a process just now."""
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def start(directory: Path) -> int:
    return processes.start("program", SLEEP, directory=directory, log=directory / "log", environment={})


def test_it_is_found_until_it_ends_and_runs_once(tmp_path: Path) -> None:
    assert processes.running("program", tmp_path) is None
    pid = start(tmp_path)
    assert processes.running("program", tmp_path) == pid
    with pytest.raises(OpsError, match=r"program runs already \(.*program\.pid is held\)"):
        start(tmp_path)
    assert processes.running("program", tmp_path) == pid
    assert processes.stop("program", tmp_path) is True
    assert processes.running("program", tmp_path) is None


def test_somebody_who_looks_is_not_taken_for_the_process(tmp_path: Path) -> None:
    path = tmp_path / "program.pid"
    path.write_text(str(os.getpid()))
    with looker(path):
        assert processes.running("program", tmp_path) is None
        assert processes.stop("program", tmp_path) is False


def test_somebody_who_looks_keeps_nobody_from_starting(tmp_path: Path) -> None:
    path = tmp_path / "program.pid"
    path.touch()
    looking = threading.Event()

    def look() -> None:
        with looker(path):
            looking.set()
            time.sleep(0.2)

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    try:
        assert start(tmp_path) == processes.running("program", tmp_path)
    finally:
        thread.join()
        processes.stop("program", tmp_path)


def test_an_interrupted_start_leaves_nothing_that_cannot_be_ended(tmp_path: Path) -> None:
    done = subprocess.run(
        (sys.executable, "-c", INTERRUPTED_STARTS, str(tmp_path)),
        cwd=SOURCE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert processes.running("program", tmp_path) is None


def test_what_does_not_end_keeps_nothing_else_from_being_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped: list[str] = []

    def stop(name: str, _: Path) -> None:
        stopped.append(name)
        if name != "web":
            raise OpsError(f"{name} does not end")

    monkeypatch.setattr(up, "stop_app", stop)
    for name in ("router-dev", "embedded", "api", "web"):
        (tmp_path / f"{name}.pid").touch()
    with pytest.raises(OpsError, match=r"^router-dev does not end\napi does not end\nembedded does not end$"):
        up.stop_all(tmp_path)
    assert stopped == ["router-dev", "api", "web", "embedded"]
