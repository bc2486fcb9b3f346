"""`make synth` works only when there is something to do."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what `make synth` needs, with the repository's own `.venv`."""
    for name in ("environments", "stacks", "webapp", "ops", "requirements"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "Makefile"):
        shutil.copy2(REPOSITORY / name, tmp_path / name)
    (tmp_path / ".venv").symlink_to(REPOSITORY / ".venv")
    subprocess.run(["make", "setup"], cwd=tmp_path, capture_output=True, check=True)
    return tmp_path


def make_synth(checkout: Path) -> str:
    done = subprocess.run(
        ["make", "synth"], cwd=checkout, capture_output=True, text=True, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_writes_once_and_is_then_silent_until_an_input_changes(checkout: Path) -> None:
    assert make_synth(checkout) == "synth: wrote cdktf.out\n"
    assert make_synth(checkout) == ""
    manifest = checkout / "cdktf.out/manifest.json"
    written = manifest.stat().st_mtime_ns
    for changed in ("environments/dev.toml", "stacks/constructs/vpc.py", "webapp/contract.py", "main.py"):
        time.sleep(0.01)
        (checkout / changed).touch()
        assert make_synth(checkout) == "synth: wrote cdktf.out\n", changed
        assert manifest.stat().st_mtime_ns > written
        written = manifest.stat().st_mtime_ns
    assert make_synth(checkout) == ""


def test_an_environment_that_comes_or_goes_is_noticed(checkout: Path) -> None:
    make_synth(checkout)
    time.sleep(0.01)
    (checkout / "environments/staging.toml").unlink()
    assert make_synth(checkout) == "synth: wrote cdktf.out\n"
    assert not (checkout / "cdktf.out/stacks/staging-network").exists()
    assert make_synth(checkout) == ""
