"""What `make test` does about tools that a machine lacks, and about processes that tests leave behind."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

TESTS = """
import subprocess, time
import pytest

@pytest.mark.engine
def test_container():
    assert False

def test_that_forgets_a_process():
    subprocess.Popen(["sh", "-c", "sleep 60 &"], start_new_session=True).wait()

def test_slow():
    time.sleep(1)
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is all of the PATH: a machine without browser, engine, registry and package manager."""
    folder = tmp_path / "bin"
    folder.mkdir()
    return folder


def put(machine: Path, name: str, script: str = "exit 0") -> None:
    program = machine / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def run(machine: Path, *arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name != "CI"}
    nowhere = {
        "PLAYWRIGHT_BROWSERS_PATH": str(machine / "none"),
        "PLAYWRIGHT_DOWNLOAD_HOST": "http://127.0.0.1:9",
    }
    # Where the provider comes from has tests of its own.
    own = {"PATH": str(machine), "TF_PLUGIN_MIRROR": str(machine)}
    return subprocess.run(
        (sys.executable, "-m", *(arguments or ("tests.tools",))),
        cwd=ROOT,
        env=kept | nowhere | own | variables,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.e2e
def test_where_nothing_can_be_installed_the_line_to_type_is_said(machine: Path) -> None:
    done = run(machine)
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "test: fetching a browser (playwright install chromium)",
        (
            "test: a browser and a container engine and an image registry missing, and this user may not "
            "install packages. Install them:"
        ),
        "  sudo apt-get install -y --no-install-recommends chromium podman runc docker-registry",
        "or leave out the tests that need them: make test WITHOUT=browser,engine",
    ]


def test_what_is_missing_is_installed_and_nothing_else(machine: Path) -> None:
    for name in ("chromium", "docker-registry"):
        put(machine, name)
    log = machine / "log"
    podman = f'{{ echo "#!/bin/sh" > {machine}/podman; /bin/chmod 755 {machine}/podman; }}'
    put(machine, "apt-get", f'echo "$@" >> {log}; [ "$1" = update ] || {podman}')
    put(machine, "sudo", '[ "$1" = --non-interactive ] && shift; exec "$@"')
    put(machine, "true")
    done = run(machine)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith("test: a container engine missing; running ")
    assert log.read_text().splitlines() == ["update", "install -y --no-install-recommends podman runc"]
    assert run(machine).stderr == ""


def test_an_installation_that_fails_is_told(machine: Path) -> None:
    for name in ("chromium", "podman"):
        put(machine, name)
    put(machine, "apt-get", "echo 'E: Unable to locate package docker-registry' >&2; exit 100")
    put(machine, "sudo", '[ "$1" = --non-interactive ] && shift; exec "$@"')
    put(machine, "true")
    done = run(machine)
    assert done.returncode == 2
    assert "test: an image registry still missing after that:\nE: Unable to locate package" in done.stderr


def test_tools_are_left_out_on_demand_but_not_in_ci(machine: Path) -> None:
    assert run(machine, "tests.tools", "--without", "engine,browser").returncode == 0
    refused = run(machine, "tests.tools", "--without", "engine", CI="true")
    assert refused.returncode == 2
    assert "WITHOUT=engine: in CI nothing is left out" in refused.stderr
    unknown = run(machine, "tests.tools", "--without=terraform")
    assert unknown.returncode == 2
    assert "WITHOUT=terraform: not a tool that can be left out. Use browser or engine." in unknown.stderr


@pytest.mark.e2e
def test_a_run_ends_with_its_costs_what_was_left_out_and_what_was_left_behind(
    machine: Path, tmp_path: Path
) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    path = f"{machine}:/usr/bin:/bin"
    options = ("--without=engine,browser", "--numprocesses=0", "-p", "tests.conftest")
    done = run(machine, "tests", *options, str(tmp_path / "test_it.py"), PATH=path)
    assert "2 passed, 1 deselected" in done.stdout, done.stdout + done.stderr
    slowest = re.findall(r"^ +([\d.]+) +([\d.]+)  \S*::(test_\w+)$", done.stdout, re.MULTILINE)
    assert [name for *_, name in slowest] == ["test_slow", "test_that_forgets_a_process"]
    assert float(slowest[0][1]) < float(slowest[0][0])
    assert re.search(
        r"^test: left running, and ended now: \d+ sleep 60\n"
        r"test: left out, as WITHOUT=engine,browser asks: tests that need engine or browser\n"
        r"test: \d+ CPU seconds in \d+ s$",
        done.stdout,
        re.MULTILINE,
    )
    assert done.returncode == 1
