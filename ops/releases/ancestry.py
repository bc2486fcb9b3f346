"""Which of two commits is the older one, as far as the checkout's history tells."""

from enum import Enum
from pathlib import Path

from ops.core.git import git


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
