"""Processes that continue in the background after the command that started them has ended.

Each holds an exclusive lock on `<name>.pid` from before its first instruction: it inherits the
lock's open file, which closes when it ends. So a locked file proves that its process id is this
process and not a later one with the same number. Looking takes the lock as well, but shared, so
that many can look at once.
"""

import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TextIO, TypeVar

from ops.core.errors import OpsError

T = TypeVar("T")

_POLL = 0.05
"""Seconds between looks at a process that is starting or ending."""


def start(
    name: str, command: Sequence[str], *, directory: Path, log: Path, environment: Mapping[str, str]
) -> int:
    """Starts a program in its own session, with its output appended to `log`, and returns its process id.

    `command` begins with the program's absolute path. Raises OpsError if one of that name already
    runs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    # An interrupt between starting a program and writing its id would leave it without a way to end it.
    # Python handles signals in the main thread only. Blocking them there is not enough: the system may
    # deliver them to the thread that draws the progress, and Python passes them on.
    with ThreadPoolExecutor(max_workers=1) as uninterrupted:
        started = uninterrupted.submit(_start, directory / f"{name}.pid", command, log, environment)
        return started.result()


def _start(path: Path, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> int:
    with (
        path.open("a+") as file,
        log.open("ab") as output,
        Path(os.devnull).open() as nothing,
    ):
        if not _locked(file):
            raise OpsError(f"{path.stem} runs already ({path} is held)")
        file.truncate(0)
        os.set_inheritable(file.fileno(), True)
        pid = os.posix_spawn(
            command[0],
            list(command),
            environment,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, nothing.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, output.fileno(), 2),
            ],
            setsid=True,
            setsigmask=(),
            setsigdef=(signal.SIGINT, signal.SIGTERM, signal.SIGHUP),
        )
        file.write(str(pid))
    return pid


def start_ready(
    name: str,
    command: Sequence[str],
    *,
    directory: Path,
    log: Path,
    environment: Mapping[str, str],
    ready: Callable[[int], T | None],
    seconds: float,
    what: str,
) -> T:
    """Starts a program as `start` does, and returns what `ready` finds, which gets its process id.

    Raises OpsError, which begins with `what`, if the program ends, or `ready` finds nothing within `seconds`;
    then it is ended.
    """
    pid = start(name, command, directory=directory, log=log, environment=environment)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running(name, directory) == pid:
        if found := ready(pid):
            return found
        time.sleep(_POLL)
    stop(name, directory)
    raise OpsError(f"{what} did not start: {last_line(log)}\nLog: {log}")


def running(name: str, directory: Path) -> int | None:
    """Returns the process id of the program of that name, or None if it does not run."""
    path = directory / f"{name}.pid"
    try:
        file = path.open()
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _recorded(path)
        return None


def stop(name: str, directory: Path, patience: float = 15.0) -> bool:
    """Ends a program and its children; returns False if it did not run.

    It gets SIGTERM and, after `patience` seconds, SIGKILL.
    """
    pid = running(name, directory)
    if pid is None:
        return False
    for sent in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(pid, sent)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if running(name, directory) is None:
                _reap(pid)
                return True
            time.sleep(_POLL)
    raise OpsError(f"{name} (process {pid}) does not end, not even by SIGKILL")


def last_line(log: Path) -> str:
    """Returns the last line of a program's output."""
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it said nothing"


def _locked(file: TextIO) -> bool:
    """Locks a file, and returns False if a program holds it; retries, since a look holds it briefly."""
    for _ in range(20):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(_POLL)
    return False


def _recorded(path: Path) -> int:
    for _ in range(20):
        if text := path.read_text().strip():
            return int(text)
        time.sleep(_POLL)  # the holder is between starting the program and writing its id
    raise OpsError(f"{path} is held by a process that did not write its id; end it, then try again")


def _reap(pid: int) -> None:
    """Collects the exit status, in case this process started the program."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
