"""`post`, `outdated` and `issue` as a workflow runs them: with the event, and a GitHub on the loopback."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.review.command import run, start
from tests.review.fake_github import REPOSITORY, FakeGitHub, Trouble, running_github

PLANS = Path(__file__).parent / "plans"
HEAD, NEXT = "b" * 40, "c" * 40


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with running_github() as running:
        running.heads[7] = HEAD
        yield running


def in_a_job(fake: FakeGitHub, tmp_path: Path, run: int = 1) -> dict[str, str]:
    """The variables of a job of the workflow of pull request 7."""
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7, "head": {"sha": HEAD}}}))
    return {
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_RUN_ID": str(run),
        "GITHUB_SERVER_URL": "https://github.test",
        "GITHUB_SHA": "d" * 40,
        **fake.environ,
    }


def test_the_comment_is_posted_updated_and_outdated(fake: FakeGitHub, tmp_path: Path) -> None:
    done = start("post", PLANS / "replace-table", **in_a_job(fake, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("created https://github.test/")
    (body,) = fake.bodies()
    assert "DESTRUCTIVE" in body
    assert "[run](https://github.test/example/oaktree/actions/runs/1)" in body
    assert HEAD[:7] in body

    done = run("post", PLANS / "no-changes", **in_a_job(fake, tmp_path, run=2))
    assert done.stdout.startswith("updated https://github.test/")
    assert "NO CHANGES" in fake.bodies()[0]

    fake.heads[7] = NEXT
    done = run("outdated", **in_a_job(fake, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "Outdated" in fake.bodies()[0]
    done = run("post", PLANS / "no-changes", **in_a_job(fake, tmp_path, run=3))
    assert "it is about an earlier one" in " ".join(done.stderr.split())
    assert len(fake.comments) == 1


def test_the_next_commit_is_compared_with_the_one_before_in_all_that_is_written(
    fake: FakeGitHub, tmp_path: Path
) -> None:
    fake.heads[7] = NEXT
    run("post", PLANS / "replace-table", "--commit", NEXT, **in_a_job(fake, tmp_path))
    assert "Since the review" not in fake.bodies()[0]
    fake.heads[7] = HEAD
    summary, verdict = tmp_path / "summary.md", tmp_path / "verdict.json"
    arguments = ("post", PLANS / "larger-database", "--summary", summary, "--json", verdict)
    run(*arguments, **in_a_job(fake, tmp_path, run=2))
    done = run(*arguments, **in_a_job(fake, tmp_path, run=2))
    assert (done.returncode, done.stderr) == (0, "")
    assert "unchanged" in done.stdout
    told = "Since the review of `ccccccc`: 1 new point, 3 gone."
    assert told in fake.bodies()[0]
    assert told in summary.read_text()
    assert json.loads(verdict.read_text())["since"] == {"commit": NEXT, "new": 1, "changed": 0, "gone": 3}


def test_drift_becomes_an_issue_and_closes_it(fake: FakeGitHub, tmp_path: Path) -> None:
    done = run("issue", PLANS / "drift", **in_a_job(fake, tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    assert fake.issues[0]["title"] == "Drift: dev-service"
    done = run("issue", PLANS / "no-changes", **in_a_job(fake, tmp_path))
    assert done.stdout.startswith("closed: there is no drift any more")
    assert fake.issues[0]["state"] == "closed"


def test_the_account_of_another_token_is_named(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.login = "robot"
    for _ in range(2):
        done = run("post", PLANS / "no-changes", "--author", "robot", **in_a_job(fake, tmp_path))
        assert done.returncode == 0, done.stderr
    assert len(fake.comments) == 1


def test_what_github_refuses_is_told_without_a_traceback(fake: FakeGitHub, tmp_path: Path) -> None:
    done = run("post", PLANS / "no-changes", "--pull-request", "8", **in_a_job(fake, tmp_path))
    assert done.returncode == 1
    assert "pull request 8" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_post_that_wrote_nothing_says_so(fake: FakeGitHub, tmp_path: Path) -> None:
    run("post", PLANS / "no-changes", **in_a_job(fake, tmp_path, run=5))
    (body,) = fake.bodies()
    done = run("post", PLANS / "replace-table", **in_a_job(fake, tmp_path, run=4))
    assert done.returncode == 0
    assert done.stdout.startswith("left alone")
    assert "Nothing was written" in " ".join(done.stderr.split())
    assert fake.bodies() == [body]


def test_no_comment_is_made_when_nothing_changes_if_the_rules_say_so(
    fake: FakeGitHub, tmp_path: Path
) -> None:
    rules = tmp_path / "review.toml"
    rules.write_text("quiet = true")
    job = in_a_job(fake, tmp_path)
    done = run("post", PLANS / "no-changes", "--rules", rules, **job)
    assert (done.returncode, done.stdout, done.stderr) == (0, "not made: nothing changes\n", "")
    assert fake.comments == []

    run("post", PLANS / "replace-table", "--rules", rules, **job)
    assert "DESTRUCTIVE" in fake.bodies()[0]
    done = run("post", PLANS / "no-changes", "--rules", rules, **job)
    assert done.stdout.startswith("updated ")
    (body,) = fake.bodies()
    assert "NO CHANGES" in body
    assert "DESTRUCTIVE" not in body


def test_a_review_beyond_a_threshold_is_posted_and_exits_with_four(fake: FakeGitHub, tmp_path: Path) -> None:
    rules = tmp_path / "review.toml"
    rules.write_text("fail_weight = 90")
    done = run("post", PLANS / "replace-table", "--rules", rules, **in_a_job(fake, tmp_path))
    assert done.returncode == 4
    assert "'Data replaced' weighs 97, and fail_weight is 90." in done.stderr
    assert done.stdout.startswith("created https://github.test/")
    assert len(fake.comments) == 1


def test_the_verdict_is_written_although_github_refuses(fake: FakeGitHub, tmp_path: Path) -> None:
    fake.trouble.extend([Trouble(403, {"message": "no"})] * 9)
    out = tmp_path / "verdict.json"
    done = run("post", PLANS / "replace-table", "--json", out, **in_a_job(fake, tmp_path))
    assert done.returncode == 1
    assert "pull-requests:" in done.stderr
    assert json.loads(out.read_text())["verdict"] == "DESTRUCTIVE"
