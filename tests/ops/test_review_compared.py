"""`make review PR=` compares the review with the comment on the pull request before it reports."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.github.posting import compared, post_comment
from ops.github.reviewing import Reviewed
from review.marker import Marker
from review.reading.stacks import read_stacks
from review.verdicts import review_of
from stacks.settings import Project
from tests.review.fake_github import REPOSITORY, FakeGitHub, Trouble, running_github

PLANS = Path(__file__).parents[1] / "review" / "plans"
FIRST, SECOND = "b" * 40, "c" * 40
PROJECT = Project(
    name="oaktree",
    repository=REPOSITORY,
    account_id="111111111111",
    region="eu-central-1",
    owner="team",
    cost_centre="1000",
)


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeGitHub]:
    with running_github() as running:
        for name, value in running.environ.items():
            monkeypatch.setenv(name, value)
        yield running


def made(story: str, commit: str, directory: Path) -> Reviewed:
    review = review_of(read_stacks([PLANS / story]), Marker("oaktree", commit, 0))
    return Reviewed(review, directory / "review")


def test_files_and_comment_say_what_is_new_since_the_commit_before(
    github: FakeGitHub, tmp_path: Path
) -> None:
    github.heads[7] = FIRST
    first = made("replace-table", FIRST, tmp_path)
    assert compared(PROJECT, first, 7) is first
    post_comment(PROJECT, first, 7)
    github.heads[7] = SECOND
    second = compared(PROJECT, made("larger-database", SECOND, tmp_path), 7)
    post_comment(PROJECT, second, 7)
    told = "Since the review of `bbbbbbb`: 1 new point, 3 gone."
    assert told in github.bodies()[0]
    assert told in (second.directory / "comment.md").read_text()
    assert told in (second.directory / "summary.md").read_text()
    assert json.loads((second.directory / "verdict.json").read_text())["since"]["commit"] == FIRST


def test_a_review_is_reported_although_github_refuses_to_show_the_comment(
    github: FakeGitHub, tmp_path: Path
) -> None:
    github.trouble.append(Trouble(403))
    reviewed = made("replace-table", FIRST, tmp_path)
    assert compared(PROJECT, reviewed, 7) is reviewed
