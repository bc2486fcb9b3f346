"""Git, asked about a checkout, and which of two of its commits is the older one."""

import os
import subprocess
from enum import Enum
from pathlib import Path
from typing import Final

_OF_A_HOOK: Final = ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE")
"""Variables that Git sets for its hooks, and that would select another repository."""


class Age(Enum):
    """How a commit relates to another one."""

    OLDER = "older"
    """The other one is built on it."""

    NOT_OLDER = "not older"
    """It is the other one, or built on it."""

    DIVERGED = "diverged"
    """Neither is built on the other, as after a force push."""

    UNKNOWN = "unknown"
    """The history is not here, or not all of it."""


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


def age(directory: Path, commit: str, other: str) -> Age:
    """Returns how `commit` relates to `other` in the Git repository that `directory` is in.

    Both may be shortened. In a shallow clone only a connection that is there counts, since the one that
    is cut off cannot be seen. Source: git-merge-base(1), `--is-ancestor`.
    """
    try:
        if _is_ancestor(directory, other, commit):
            return Age.NOT_OLDER
        if _is_ancestor(directory, commit, other):
            return Age.OLDER
        shallow = git(directory, "rev-parse", "--is-shallow-repository").stdout.strip()
    except (OSError, ValueError):
        return Age.UNKNOWN
    return Age.DIVERGED if shallow == "false" else Age.UNKNOWN


def _is_ancestor(directory: Path, commit: str, other: str) -> bool:
    """Raises ValueError if Git does not know both commits."""
    done = git(directory, "merge-base", "--is-ancestor", commit, other)
    if done.returncode not in (0, 1):
        raise ValueError(done.stderr)
    return done.returncode == 0
