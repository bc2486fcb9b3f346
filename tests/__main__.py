"""Runs the tests on all cores, once what they need is there, and sums up what they cost.

    python -m tests [--without browser,engine] [PYTEST'S ARGUMENTS]

Without arguments it runs all of them. No process that a test started outlives the run: whatever is left
over is ended, and fails it.
"""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Final

from ops.core.errors import OpsError
from tests import tools

_ADOPT_ORPHANS: Final = 36
"""PR_SET_CHILD_SUBREAPER. Source: prctl(2)."""


def main() -> int:
    """Run the tests; returns pytest's exit status, or 2 when something they need is missing."""
    started = time.monotonic()
    parser = ArgumentParser(description="Run the tests; other arguments are pytest's.")
    tools.add_without(parser)
    arguments, for_pytest = parser.parse_known_args()
    try:
        without = tools.left_out(arguments.without)
        tools.bring(without)
        environment = os.environ | tools.variables()
    except (tools.ToolsError, OpsError) as error:
        print(f"test: {error}", file=sys.stderr)
        return 2
    # A shell that runs this in the background has it ignore interrupts, which pytest would inherit.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT_ORPHANS, 1, 0, 0, 0)
    marked = ("-m", " and ".join(f"not {name}" for name in without)) if without else ()
    command = (sys.executable, "-m", "pytest", "--numprocesses=auto", *marked, *for_pytest)
    status = _wait(subprocess.Popen(command, env=environment).pid)
    left = _end_orphans()
    for line in left:
        print(f"test: left running, and ended now: {line}")
    if without:
        print(f"test: left out, as WITHOUT={','.join(without)} asks: tests that need {' or '.join(without)}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"test: {used.ru_utime + used.ru_stime:.0f} CPU seconds in {time.monotonic() - started:.0f} s")
    return status or bool(left)


def _wait(pytest: int) -> int:
    """Wait for pytest, and meanwhile for every process that a test left without a parent."""
    while True:
        try:
            pid, status = os.wait()
        except KeyboardInterrupt:
            continue  # pytest has got it too, and ends by itself
        if pid == pytest:
            return os.waitstatus_to_exitcode(status)


def _end_orphans() -> list[str]:
    """End what is still running, and return its command lines."""
    found: list[str] = []
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            for orphan in _children():
                found.append(f"{orphan} {_command(orphan)}")
                os.kill(orphan, signal.SIGKILL)
                os.waitpid(orphan, 0)


def _children() -> list[int]:
    threads = Path("/proc/self/task")
    return [int(pid) for task in threads.iterdir() for pid in (task / "children").read_text().split()]


def _command(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()


if __name__ == "__main__":
    sys.exit(main())
