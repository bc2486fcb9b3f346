"""The user's `environments/`, whatever is in it. No other test reads them, and `tests/guard` sees to that."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stacks import kinds
from stacks.reading import read_platform
from tests.places import ROOT
from tests.stacks.platform_files import environment, write_platform

CDKTF = ROOT / "tests/node_modules/.bin/cdktf"

OTHERS_PROJECT = """\
name = "otter"
repository = "example/otter"
account_id = "333333333333"
region = "us-east-1"
owner = "team@example.org"
cost_centre = "9000"
"""

SERVICES = """\
[load_balancer]
idle_timeout = 30
[services.shop]
dockerfile = "shop/Dockerfile"
port = 3000
uses = ["services.prices"]
[services.prices]
same_image_as = "shop"
internal = true
cpu = 1024
memory = 4096
[services.nightly]
kind = "job"
same_image_as = "shop"
schedule = "@daily"
"""

RUN_OTHER_PROGRAMS = (
    "tests/tooling/test_makefile.py",
    "tests/tooling/test_synth_target.py",
    "tests/stacks/test_synthesis.py",
)
"""Tests that run programs that `tests/guard` does not see, such as make, and those of the synthesis."""


def write_others(directory: Path) -> None:
    """Write settings that have nothing in common with the tests' own: names, accounts, regions, services."""
    shutil.rmtree(directory, ignore_errors=True)
    write_platform(
        directory,
        OTHERS_PROJECT,
        **{
            name: environment(
                network=f'network = {{ cidr = "172.{16 + number}.0.0/20" }}\n',
                services=SERVICES,
            )
            .replace("111111111111", f"{account}" * 12)
            .replace("eu-central-1", "ap-southeast-2" if account == 5 else "us-east-1")
            for number, (name, account) in enumerate({"test": 4, "load": 4, "live": 5, "live-au": 6}.items())
        },
    )


def copy_users(directory: Path) -> None:
    """Copy what is in the checkout, by a program that the guard does not see."""
    subprocess.run(["cp", "-R", ROOT / "environments", directory], check=True)


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A directory where the program and `cdktf` can be run on a copy of the user's settings."""
    for name in ("main.py", "cdktf.json", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    copy_users(tmp_path / "environments")
    return tmp_path


def run(directory: Path, *command: str | Path, **variables: str) -> None:
    """Run a command in a directory, unguarded; fails with all that it said unless it succeeds."""
    done = subprocess.run(
        command,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": ""} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


@pytest.mark.parametrize("settings", ["the user's", "others"])
def test_every_environment_and_account_gives_its_stacks(desk: Path, settings: str) -> None:
    if settings == "others":
        write_others(desk / "environments")
    run(desk, sys.executable, "-O", "main.py")
    platform = read_platform(desk / "environments")
    made = {path.parent.name for path in desk.glob("cdktf.out/stacks/*/cdk.tf.json")}
    assert made == {stack.name for stack in kinds.stacks(platform)}
    assert made > {f"{name}-{kind}" for name in platform.environments for kind in ("network", "service")}


@pytest.mark.e2e
def test_terraform_takes_every_stack(desk: Path) -> None:
    run(desk, sys.executable, "-m", "ops", "validate", PYTHONPATH=str(ROOT))


@pytest.mark.e2e
def test_cdktf_synth_gives_the_same_files_as_main(desk: Path) -> None:
    variables = {"CI": "1", "CHECKPOINT_DISABLE": "1", "FORCE_COLOR": "0"}
    run(desk, CDKTF, "synth", "--output", "by-cdktf", **variables)
    run(desk, sys.executable, "-O", "main.py", "--outdir", "by-main")
    assert files_in(desk / "by-cdktf") == files_in(desk / "by-main")
    assert "manifest.json" in files_in(desk / "by-main")


def test_a_test_that_reads_the_users_settings_fails() -> None:
    with pytest.raises(AssertionError, match=r"/project\.toml belongs to the user; tests read"):
        (ROOT / "environments/project.toml").read_text()
    with pytest.raises(AssertionError, match="belongs to the user"):
        list((ROOT / "environments").glob("*"))


def test_a_program_that_reads_the_users_settings_fails_in_a_test(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "main.py", "--outdir", tmp_path / "out"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "AssertionError: environments/project.toml belongs to the user" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.e2e
def test_tests_pass_in_a_checkout_with_other_settings(tmp_path: Path) -> None:
    listed = subprocess.check_output(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, text=True
    )
    for name in filter(None, listed.split("\0")):
        if not name.startswith("environments/") and (ROOT / name).exists():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    for name in (".venv", "tests/node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    write_others(tmp_path / "environments")
    unit = "not e2e and not browser and not engine"
    run(tmp_path, sys.executable, "-m", "pytest", "-q", "-m", unit, *RUN_OTHER_PROGRAMS)
