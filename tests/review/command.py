"""`python -m review`, in a process of its own or, which takes a tenth of the time, within this one."""

import contextlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess
from unittest import mock

import pytest

from review.cli import main
from tests.places import ROOT


def without_github(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables without those of a run of GitHub Actions."""
    return {name: value for name, value in environ.items() if not name.startswith("GITHUB_")}


def run(*arguments: str | Path, **environ: str) -> CompletedProcess[str]:
    """Run a command within this process, with nothing of GitHub in the environment but what is given."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="") for _ in range(2))
    with (
        contextlib.chdir(ROOT),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.dict(os.environ, without_github(os.environ) | environ, clear=True),
        pytest.raises(SystemExit) as ended,
    ):
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, int)
    for stream in (out, err):
        stream.seek(0)
    return CompletedProcess(arguments, ended.value.code, out.read(), err.read())


def start(*arguments: str | Path, **environ: str) -> CompletedProcess[str]:
    """Run a command as a person or a workflow does."""
    return subprocess.run(
        [sys.executable, "-m", "review", *arguments],
        cwd=ROOT,
        env=without_github(os.environ) | environ,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
