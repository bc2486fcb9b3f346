"""The app in a fork of a process that has imported it, which spares each start most of its CPU time."""

import io
import os
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing import Pipe, forkserver, get_context
from multiprocessing.connection import Connection

from webapp.__main__ import main

_FORKS = get_context("forkserver")
_FORKS.set_forkserver_preload([__name__, "tests.webapp.warm_up"])


class ForkedApp:
    """Runs like `python -W error -m webapp`; used like a `Popen`."""

    def __init__(self, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
        out, err = Pipe(duplex=False), Pipe(duplex=False)
        self._process = _FORKS.Process(target=_run, args=(list(arguments), dict(environ), out[1], err[1]))
        self._process.start()
        self.stdout, self.stderr = (_text(pipe) for pipe in (out, err))
        assert self._process.pid
        self.pid = self._process.pid

    def send_signal(self, number: int) -> None:
        """Sends a signal unless the app has ended."""
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends the app at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float) -> int:
        """The exit status, once the app has ended."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, f"the app still runs after {timeout} s"
        return self._process.exitcode


def _text(pipe: "tuple[Connection, Connection]") -> io.TextIOWrapper:
    """What a fork writes into a pipe, which only it has open for writing from now on."""
    reading, writing = pipe
    writing.close()
    with reading:
        return os.fdopen(os.dup(reading.fileno()), encoding="utf-8")


def _run(arguments: list[str], environ: dict[str, str], stdout: Connection, stderr: Connection) -> None:
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    stdout.close()
    stderr.close()
    os.environ.clear()
    os.environ.update(environ)
    warnings.simplefilter("error")
    sys.argv[1:] = arguments
    main()


def stop_forking() -> None:
    """Ends the process that forks and waits for it, so that its CPU time and that of its forks is counted."""
    forkserver._forkserver._stop()  # type: ignore[attr-defined]  # there is no public way
