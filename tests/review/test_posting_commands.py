"""`post`, `outdated` and `issue` as a workflow runs them: a process, the event, a GitHub on the loopback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.review.fake_github import REPOSITORY, FakeGitHub, running_github

ROOT = Path(__file__).parents[2]
PLANS = ROOT / "tests/review/plans"
HEAD, NEXT = "b" * 40, "c" * 40


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with running_github() as running:
        running.heads[7] = HEAD
        yield running


def run(
    fake: FakeGitHub, tmp_path: Path, *arguments: str, run: int = 1
) -> "subprocess.CompletedProcess[str]":
    """Run a command in a job of the workflow of pull request 7."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": HEAD}}}))
    variables = {
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": str(run),
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_SHA": "d" * 40,
    }
    return subprocess.run(
        [sys.executable, "-m", "review", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables, **fake.environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_comment_is_posted_updated_and_outdated(fake: FakeGitHub, tmp_path: Path) -> None:
    done = run(fake, tmp_path, "post", str(PLANS / "replace-table"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("created https://github.test/")
    (body,) = fake.bodies()
    assert "DESTRUCTIVE" in body
    assert "[run](https://github.test/example/oaktree/actions/runs/1)" in body
    assert HEAD[:7] in body

    done = run(fake, tmp_path, "post", str(PLANS / "no-changes"), run=2)
    assert done.stdout.startswith("updated https://github.test/")
    assert "NO CHANGES" in fake.bodies()[0]

    fake.heads[7] = NEXT
    done = run(fake, tmp_path, "outdated")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Outdated" in fake.bodies()[0]
    done = run(fake, tmp_path, "post", str(PLANS / "no-changes"), run=3)
    assert "it is of a former commit" in " ".join(done.stderr.split())
    assert len(fake.comments) == 1


def test_drift_becomes_an_issue_and_closes_it(fake: FakeGitHub, tmp_path: Path) -> None:
    done = run(fake, tmp_path, "issue", str(PLANS / "drift"))
    assert (done.returncode, done.stderr) == (0, "")
    assert fake.issues[0]["title"] == "Drift: dev-service"
    done = run(fake, tmp_path, "issue", str(PLANS / "no-changes"))
    assert done.stdout.startswith("closed: there is no drift any more")
    assert fake.issues[0]["state"] == "closed"


def test_the_account_of_another_token_is_named(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.login = "robot"
    for _ in range(2):
        done = run(fake, tmp_path, "post", str(PLANS / "no-changes"), "--author", "robot")
        assert done.returncode == 0, done.stderr
    assert len(fake.comments) == 1


def test_what_github_refuses_is_told_without_a_traceback(fake: FakeGitHub, tmp_path: Path) -> None:
    done = run(fake, tmp_path, "post", str(PLANS / "no-changes"), "--pull-request", "8")
    assert done.returncode == 1
    assert "pull request 8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_post_that_wrote_nothing_says_so(fake: FakeGitHub, tmp_path: Path) -> None:
    run(fake, tmp_path, "post", str(PLANS / "no-changes"), run=5)
    (body,) = fake.bodies()
    done = run(fake, tmp_path, "post", str(PLANS / "replace-table"), run=4)
    assert done.returncode == 0
    assert done.stdout.startswith("left alone")
    assert "Nothing was written" in " ".join(done.stderr.split())
    assert fake.bodies() == [body]
