"""`make setup` for real: the locked packages, Node and Terraform, from a bare Python."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT


def _setup(checkout: Path) -> subprocess.CompletedProcess[str]:
    # What make sets for the make that runs these tests must not reach the one under test.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", "setup"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What setup reads of a clean checkout, where a run was interrupted."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    shutil.copytree(ROOT / "requirements", tmp_path / "requirements")
    (tmp_path / "ops/terraform").mkdir(parents=True)
    for name in ("__init__.py", "setup.py", "terraform/__init__.py", "terraform/fetch.py"):
        shutil.copy(ROOT / "ops" / name, tmp_path / "ops" / name)
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / ".venv"], check=True)
    (tmp_path / ".venv" / "lib" / "half-installed").touch()
    return tmp_path


@pytest.mark.e2e
def test_setup_makes_a_whole_environment_and_then_has_nothing_to_do(checkout: Path) -> None:
    made = _setup(checkout)
    assert made.returncode == 0, made.stderr
    assert made.stdout == ""
    steps = [line.split()[1] for line in made.stderr.splitlines()]
    assert steps == ["using", "making", "installing", "installing", "done"]

    binaries = checkout / ".venv" / "bin"
    assert subprocess.check_output([binaries / "node", "--version"], text=True).startswith("v24.")
    subprocess.run([binaries / "uv", "pip", "check", "--python", binaries / "python"], check=True)
    assert not (checkout / ".venv" / "lib" / "half-installed").exists()

    again = _setup(checkout)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@pytest.mark.e2e
def test_a_package_with_another_hash_is_refused_and_setup_stays_incomplete(checkout: Path) -> None:
    lock = checkout / "requirements" / "setup.txt"
    name, *_ = lock.read_text().partition("--hash")
    lock.write_text(f"{name}--hash=sha256:{'0' * 64}\n")
    finished = _setup(checkout)
    assert finished.returncode == 2
    assert "setup: this failed: .venv/bin/python -m pip install" in finished.stderr
    assert "do not match the hashes" in finished.stderr.lower()
    assert "Traceback" not in finished.stderr
    assert not (checkout / ".venv" / ".complete").exists()
