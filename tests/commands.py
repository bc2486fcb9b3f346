"""Runs `python -m ops` without its imports, which take a second of CPU time and more.

A server, started with the first command and ended with the tests, has imported `ops` and forks for each
command. What it forks is a process of its own, in a session of its own, with the arguments, environment,
directory and streams that it is given; it runs and ends as `python -m ops` does. Only what the interpreter
reads when it starts (PYTHONPATH, LANG and such) is that of the tests.
"""

import atexit
import functools
import gc
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import ClassVar, Final, Self

_ROOT: Final = Path(__file__).resolve().parents[1]

_POLL: Final = 0.01
"""Seconds between the server's looks at the commands that run."""

_TOLD: Final = struct.Struct("!id")


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, answer: str = "", cwd: Path = _ROOT
) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end; `answer` is what its standard input holds."""
    with Command(arguments, environment, answer=answer, cwd=cwd) as command:
        output, errors = command.communicate()
    return subprocess.CompletedProcess(command.args, command.wait(), output, errors)


class Command:
    """A running command, used as `subprocess.Popen` is: `stdout` and `stderr` are pipes of text."""

    cpu_seconds: ClassVar = 0.0
    """What all commands that have ended took, with what they started and waited for."""

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        answer: str = "",
        cwd: Path = _ROOT,
    ) -> None:
        self.args = ("ops", *arguments)
        self.returncode: int | None = None
        stdin, typed = os.pipe()
        os.write(typed, answer.encode())
        os.close(typed)
        output, stdout = os.pipe()
        errors, stderr = os.pipe()
        self.stdout, self.stderr = os.fdopen(output), os.fdopen(errors)
        self._server, theirs = socket.socketpair()
        given = (theirs.detach(), stdin, stdout, stderr)
        socket.send_fds(_server(), [b"\0"], given)
        for descriptor in given:
            os.close(descriptor)
        self._server.sendall(json.dumps((self.args, dict(environment), str(cwd))).encode())
        self._server.shutdown(socket.SHUT_WR)
        self.pid, _ = self._told(None)

    def poll(self) -> int | None:
        """The exit status, negative for a signal, or None while it runs."""
        with suppress(BlockingIOError):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once it has ended. TimeoutError if that takes too long."""
        if self.returncode is None:
            self.returncode, seconds = self._told(timeout)
            Command.cpu_seconds += seconds
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What is left of its output and errors, once it has ended. TimeoutError, and it is killed."""
        with ThreadPoolExecutor(2) as pool:
            output, errors = pool.submit(self.stdout.read), pool.submit(self.stderr.read)
            try:
                self.wait(timeout)
            except BaseException:
                os.killpg(self.pid, signal.SIGKILL)
                raise
        return output.result(), errors.result()

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """Wait for its end, which comes at once if the block failed."""
        if kind:
            self.send_signal(signal.SIGKILL)
        self.stdout.close()
        self.stderr.close()
        self.wait()
        self._server.close()

    def _told(self, timeout: float | None) -> tuple[int, float]:
        """The next of what the server tells: first the process id, in the end status and CPU seconds."""
        self._server.settimeout(timeout)
        if received := self._server.recv(_TOLD.size, socket.MSG_WAITALL):
            number, seconds = _TOLD.unpack(received)
            return number, seconds
        raise RuntimeError("the server of commands has ended")


@functools.cache
def _server() -> socket.socket:
    """The connection to the server. Closing it ends the server."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen(
        (sys.executable, "-m", "tests.commands", str(theirs.fileno())),
        cwd=_ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
        start_new_session=True,
    )
    theirs.close()

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours


def _serve(control: socket.socket) -> None:
    """Fork for each request until nobody can make one; in what was forked, be the command."""
    _warm_up()
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control], [], [], _POLL if running else None)
        for pid in list(running):
            ended, status, used = os.wait4(pid, os.WNOHANG)
            if ended:
                with running.pop(pid) as connection, suppress(BrokenPipeError):
                    code = os.waitstatus_to_exitcode(status)
                    connection.sendall(_TOLD.pack(code, used.ru_utime + used.ru_stime))
        if not ready:
            continue
        _, descriptors, _, _ = socket.recv_fds(control, 1, 4)
        if not descriptors:
            return
        connection = socket.socket(fileno=descriptors.pop(0))
        if not (pid := os.fork()):
            for other in (control, *running.values()):
                other.close()
            _become(connection, descriptors)
            return
        running[pid] = connection
        for descriptor in descriptors:
            os.close(descriptor)


def _warm_up() -> None:
    """Import what a command does, and keep what botocore reads of its data."""
    from botocore.session import Session

    import ops.commands  # noqa: F401

    keep_botocore_data()
    for service in ("sts", "ssm", "ecr", "s3", "ecs", "cloudwatch", "logs", "elbv2"):
        Session().create_client(
            service, "eu-central-1", aws_access_key_id="none", aws_secret_access_key="none"
        ).close()
    gc.freeze()  # else a command copies all of it when it ends


def keep_botocore_data() -> None:
    """Have botocore read each of its files once, for this process and those forked off it."""
    from botocore.loaders import JSONFileLoader

    # Its cache belongs to a session, and each client may have another one.
    JSONFileLoader.load_file = staticmethod(  # type: ignore[method-assign]  # a method that needs no instance
        functools.cache(JSONFileLoader().load_file)
    )


def _become(connection: socket.socket, streams: list[int]) -> None:
    os.setsid()
    with connection, connection.makefile() as request:
        arguments, environment, directory = json.load(request)
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(directory)
        sys.argv = arguments
        signal.signal(signal.SIGINT, signal.default_int_handler)
        connection.sendall(_TOLD.pack(os.getpid(), 0.0))
    runpy.run_module("ops", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        _serve(requests)
