"""The real `cdktf synth` gives the files that `make synth` gives."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clone import clone
from tests.places import ROOT

pytestmark = pytest.mark.e2e

CLI = ROOT / "tests/node_modules/.bin/cdktf"


def files_in(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()
    }


def cdktf(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {key: value for key, value in os.environ.items() if key != "TF_CLI_CONFIG_FILE"}
    return subprocess.run(
        [CLI, *arguments],
        cwd=directory,
        env=variables | {"CI": "1", "CHECKPOINT_DISABLE": "1", "FORCE_COLOR": "0"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_cdktf_synth_gives_the_same_files_as_main(tmp_path: Path) -> None:
    made = clone(tmp_path / "clone", {}).directory
    done = cdktf(made, "synth", "--output", str(tmp_path / "by-cdktf"))
    assert done.returncode == 0, done.stdout + done.stderr
    subprocess.run([sys.executable, made / "main.py", "--outdir", tmp_path / "by-main"], check=True)
    assert files_in(tmp_path / "by-cdktf") == files_in(tmp_path / "by-main")
    assert "manifest.json" in files_in(tmp_path / "by-main")
