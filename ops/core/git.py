"""Git, asked about a checkout."""

import os
import subprocess
from pathlib import Path
from typing import Final

_OF_A_HOOK: Final = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
"""Variables that Git sets for its hooks, and that would select another repository."""


def git(directory: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs Git in a directory and returns what it printed.

    Raises FileNotFoundError if Git is not on PATH.
    """
    return subprocess.run(
        ("git", *arguments),
        cwd=directory,
        env={name: value for name, value in os.environ.items() if name not in _OF_A_HOOK},
        capture_output=True,
        text=True,
        check=False,
    )
