"""`make synth` works only when there is something to do."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.places import ENVIRONMENTS, ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what `make synth` needs, with this checkout's own `.venv`."""
    shutil.copytree(ENVIRONMENTS, tmp_path / "environments")
    for name in ("stacks", "webapp", "ops", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "Makefile"):
        shutil.copy2(ROOT / name, tmp_path / name)
    for name in (".venv", ".tools"):
        if (ROOT / name).exists():
            (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


@pytest.fixture
def stand_in(checkout: Path) -> Path:
    """The same, but a program stands where Python would be, and only writes the file that make looks at."""
    (checkout / ".venv").unlink()
    python = checkout / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nmkdir -p cdktf.out && : > cdktf.out/manifest.json\n")
    python.chmod(0o755)
    (checkout / ".venv/.complete").touch()
    return checkout


def make_synth(checkout: Path) -> str:
    # A file that is changed within the same tick of the clock counts as older.
    time.sleep(0.01)
    done = subprocess.run(["make", "synth"], cwd=checkout, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_it_writes_every_stack_and_is_then_silent(checkout: Path) -> None:
    assert make_synth(checkout) == "synth: wrote cdktf.out\n"
    for environment in ("dev", "staging", "prod"):
        assert (checkout / f"cdktf.out/stacks/{environment}-service/cdk.tf.json").exists()
    assert make_synth(checkout) == ""


@pytest.mark.parametrize(
    "changed", ["environments/dev.toml", "stacks/constructs/vpc.py", "webapp/checks/ecs.py", "main.py"]
)
def test_a_change_of_an_input_is_noticed_once(stand_in: Path, changed: str) -> None:
    assert make_synth(stand_in) == "synth: wrote cdktf.out\n"
    assert make_synth(stand_in) == ""
    time.sleep(0.01)
    (stand_in / changed).touch()
    assert make_synth(stand_in) == "synth: wrote cdktf.out\n"
    assert make_synth(stand_in) == ""


@pytest.mark.parametrize("comes", [True, False])
def test_an_environment_that_comes_or_goes_is_noticed(stand_in: Path, comes: bool) -> None:
    make_synth(stand_in)
    time.sleep(0.01)
    staging = stand_in / "environments/staging.toml"
    if comes:
        shutil.copy2(staging, staging.with_name("qa.toml"))
    else:
        staging.unlink()
    assert make_synth(stand_in) == "synth: wrote cdktf.out\n"
    assert make_synth(stand_in) == ""


def test_what_the_stacks_read_of_the_app_is_known_to_make_and_to_the_workflow() -> None:
    told = (
        "import sys, stacks.workloads; print(*(each for each in sys.modules if each.startswith('webapp.')))"
    )
    read = subprocess.check_output([sys.executable, "-c", told], cwd=ROOT, text=True).split()
    assert "webapp.contract" in read
    files = [name.replace(".", "/") for name in read]
    flow = yaml.safe_load((ROOT / ".github/workflows/infrastructure.yml").read_text())
    # YAML takes the key `on` for a truth value.
    paths = flow[True]["push"]["paths"]
    (rule,) = re.findall(
        r"^cdktf\.out/manifest\.json:(?:.*\\\n)*.*", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    for file in files:
        folder = file if (ROOT / file).is_dir() else file.rpartition("/")[0]
        assert f"{folder}/*.py" in rule
        assert f"{file}.py" in paths or f"{folder}/**" in paths
