"""What is forked in the tests behaves as `python -m ops` does."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ops.core.checkout import SOURCE
from tests.commands import Command, run
from tests.ops.conftest import Desk

TELLING = """
import os, signal, sys
dispositions = [signal.getsignal(number) for number in (signal.SIGCHLD, signal.SIGPIPE)]
print(sys.argv[0], sorted(os.environ.items()), os.getcwd(), dispositions, os.isatty(0), file=sys.stderr)
print(os.listdir("/proc/self/fd") if os.path.exists("/proc") else "", file=sys.stderr)
sys.exit(2)
"""
WAITING = """
import time
from pathlib import Path
Path(__file__).with_name("began").touch()
time.sleep(10)
"""


@pytest.fixture
def telling(desk: Desk, tmp_path: Path) -> Desk:
    """A desk whose program says in its error what it inherits from the command."""
    (tmp_path / "environments").symlink_to(desk.checkout.environments)
    (tmp_path / "main.py").write_text(TELLING)
    return replace(desk, checkout=type(desk.checkout)(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("diagram", "--env", "dev"),
        ("plan", "--env", "nowhere"),
        ("no-such-command",),
        ("down",),
    ],
)
def test_it_says_the_same_and_ends_the_same(telling: Desk, arguments: tuple[str, ...]) -> None:
    environment = {"PATH": os.environ["PATH"], "ONLY": "this, and \udcff"}
    if arguments != ("--help",):
        arguments = (*arguments, "--directory", str(telling.checkout.directory))
    real = subprocess.run(
        (sys.executable, "-m", "ops", *arguments),
        cwd=SOURCE,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    forked = run(arguments, environment)
    assert (forked.returncode, forked.stdout, forked.stderr) == (real.returncode, real.stdout, real.stderr)


@pytest.mark.parametrize(
    ("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)]
)
def test_it_has_a_process_of_its_own_that_gets_signals(
    telling: Desk, sent: signal.Signals, status: int
) -> None:
    (telling.checkout.directory / "main.py").write_text(WAITING)
    began = telling.checkout.directory / "began"
    with telling.begin("diagram", "--env", "dev") as command:
        while not began.exists():
            assert command.poll() is None
        assert os.getsid(command.pid) == command.pid
        os.kill(command.pid, 0)
        command.send_signal(sent)
        _, errors = command.communicate(timeout=60)
    assert (command.returncode, errors) == (status, "Interrupted.\n" if status == 130 else "")


def test_one_that_does_not_end_in_time_is_killed(telling: Desk) -> None:
    (telling.checkout.directory / "main.py").write_text(WAITING)
    with pytest.raises(TimeoutError), telling.begin("diagram", "--env", "dev") as command:
        command.communicate(timeout=0.1)
    assert command.returncode == -signal.SIGKILL


def test_what_it_cost_is_summed_up_with_what_it_started(telling: Desk) -> None:
    (telling.checkout.directory / "main.py").write_text(
        "import time\nwhile time.process_time() < 0.5: pass\n"
    )
    before = Command.cpu_seconds
    telling.run("diagram", "--env", "dev")
    assert 0.5 < Command.cpu_seconds - before < 5


def test_what_the_one_is_given_the_other_does_not_have(desk: Desk) -> None:
    """Commands that run at the same time share no descriptor: the end of the one is seen at once."""
    with Command(("--help",), desk.environment) as first, Command(("--help",), desk.environment) as second:
        assert "Usage: ops" in second.communicate(timeout=60)[0]
        assert "Usage: ops" in first.communicate(timeout=60)[0]


def test_the_directory_can_be_named_in_the_environment(tmp_path: Path) -> None:
    done = run(("diagram", "--env", "dev"), {"PATH": os.environ["PATH"], "DIRECTORY": str(tmp_path)})
    assert done.returncode == 2
    assert str(tmp_path / "environments") in done.stderr
