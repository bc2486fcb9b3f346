"""Which of two commits is the older one, in real repositories."""

import subprocess
from pathlib import Path

import pytest

from ops.core.git import Age, age, git

IDENTITY = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.com")


def commit(directory: Path, message: str) -> str:
    subprocess.run(
        ["git", *IDENTITY, "commit", "--quiet", "--allow-empty", "--message", message],
        cwd=directory,
        check=True,
    )
    return git(directory, "rev-parse", "HEAD").stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    made = tmp_path / "repository"
    made.mkdir()
    subprocess.run(["git", "init", "--quiet", "--initial-branch=main"], cwd=made, check=True)
    return made


def test_a_commit_that_the_other_is_built_on_is_older(repository: Path) -> None:
    first, _, third = (commit(repository, message) for message in ("one", "two", "three"))
    assert age(repository, first, third) is Age.OLDER
    assert age(repository, third, first) is Age.NOT_OLDER
    assert age(repository, third[:8], third) is Age.NOT_OLDER
    assert age(repository, first[:8], third[:8]) is Age.OLDER


def test_commits_of_two_branches_have_diverged(repository: Path) -> None:
    base, one = commit(repository, "base"), commit(repository, "one")
    git(repository, "checkout", "--quiet", "-b", "other", base)
    assert age(repository, commit(repository, "other"), one) is Age.DIVERGED


def test_a_newer_commit_of_main_is_known_by_its_remote_branch(repository: Path, tmp_path: Path) -> None:
    """A job checks its own commit out and fetches what main has become meanwhile."""
    first, second = commit(repository, "one"), commit(repository, "two")
    git(tmp_path, "clone", "--quiet", str(repository), "clone")
    git(tmp_path / "clone", "checkout", "--quiet", "--detach", first)
    assert age(tmp_path / "clone", first, second) is Age.OLDER


def test_a_shallow_clone_claims_no_more_than_it_has(repository: Path, tmp_path: Path) -> None:
    first, second, third = (commit(repository, message) for message in ("one", "two", "three"))
    git(tmp_path, "clone", "--quiet", "--depth=2", repository.as_uri(), "clone")
    assert age(tmp_path / "clone", second, third) is Age.OLDER
    assert age(tmp_path / "clone", first, third) is Age.UNKNOWN
    git(tmp_path, "clone", "--quiet", "--depth=1", repository.as_uri(), "cut")
    git(tmp_path / "cut", "fetch", "--quiet", "--depth=1", "origin", first)
    assert age(tmp_path / "cut", first, third) is Age.UNKNOWN


def test_without_a_history_nothing_is_known(tmp_path: Path, repository: Path) -> None:
    assert age(tmp_path, "a" * 40, "b" * 40) is Age.UNKNOWN
    assert age(repository, commit(repository, "one"), "b" * 40) is Age.UNKNOWN


def test_without_git_nothing_is_known(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = commit(repository, "one"), commit(repository, "two")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert age(repository, first, second) is Age.UNKNOWN
