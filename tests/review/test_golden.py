"""The comments of real plans, as they should be. `UPDATE_GOLDEN=1` writes them anew, to be looked at."""

from pathlib import Path

import pytest

from review.model import Verdict
from review.reading import has_bad_input, read_stacks
from review.report import exit_status, verdict_json
from tests.review.golden import GOLDEN, comment_of, compare, normalised, review_in
from tests.review.recording import PLANS
from tests.review.stories import MADE_UP, STORIES

VERDICTS = {
    "add-zone": Verdict.ERRORED,
    "change-image": Verdict.REVIEW,
    "change-sizes": Verdict.SAFE,
    "create-all": Verdict.REVIEW,
    "deposed": Verdict.DESTRUCTIVE,
    "destroy": Verdict.DESTRUCTIVE,
    "drift": Verdict.REVIEW,
    "error": Verdict.ERRORED,
    "failed-check": Verdict.REVIEW,
    "forget": Verdict.REVIEW,
    "import": Verdict.SAFE,
    "keep-secrets": Verdict.REVIEW,
    "lower-memory": Verdict.REVIEW,
    "no-changes": Verdict.NO_CHANGES,
    "open-to-the-world": Verdict.DESTRUCTIVE,
    "remove-protection": Verdict.REVIEW,
    "rename-with-moved": Verdict.SAFE,
    "rename-without-moved": Verdict.DESTRUCTIVE,
    "replace-table": Verdict.DESTRUCTIVE,
    "replace-target-group": Verdict.DESTRUCTIVE,
    "retag": Verdict.SAFE,
    "scaled": Verdict.NO_CHANGES,
    "secret-to-plain": Verdict.REVIEW,
    "widen-permissions": Verdict.REVIEW,
}
STATUSES = {
    Verdict.NO_CHANGES: 0,
    Verdict.SAFE: 2,
    Verdict.REVIEW: 2,
    Verdict.DESTRUCTIVE: 3,
    Verdict.ERRORED: 1,
}


@pytest.mark.parametrize("story", VERDICTS)
def test_the_comment_of_real_plans_is_the_golden_one(story: str) -> None:
    review = review_in(PLANS / story, STORIES[story].stacks)
    assert review.verdict is VERDICTS[story]
    assert exit_status(review, detailed=False, bad_input=False) == 0
    assert exit_status(review, detailed=True, bad_input=False) == STATUSES[review.verdict]
    compare(story, comment_of(review))


@pytest.mark.parametrize("story", VERDICTS)
def test_real_plans_are_read_without_a_complaint(story: str) -> None:
    stacks = read_stacks([PLANS / story], STORIES[story].stacks)
    assert not has_bad_input(stacks)
    assert [(stack.name, stack.missing, stack.notes) for stack in stacks] == [
        (name, False, ()) for name in sorted(STORIES[story].stacks)
    ]


def test_no_made_up_secret_is_in_what_is_written() -> None:
    assert any(MADE_UP in file.read_text() for file in PLANS.rglob("*.json"))
    for story in STORIES:
        review = review_in(PLANS / story, STORIES[story].stacks)
        for text in (comment_of(review), verdict_json(review)):
            assert MADE_UP not in text, story


def test_every_story_is_recorded_and_has_a_comment() -> None:
    assert set(VERDICTS) == set(STORIES)
    assert {file.name for file in PLANS.iterdir()} == set(STORIES)
    assert {file.stem for file in GOLDEN.iterdir()} == set(STORIES)


def test_comments_are_not_written_anew_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UPDATE_GOLDEN", "1")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr("tests.review.golden.GOLDEN", tmp_path)
    with pytest.raises(AssertionError, match="UPDATE_GOLDEN is for a person"):
        compare("no-changes", "anything")
    assert list(tmp_path.iterdir()) == []


def test_only_what_is_made_up_anew_each_time_is_normalised() -> None:
    assert normalised("subnet-0123456789abcdef0 and 10.10.0.0/16") == "subnet-<id> and 10.10.0.0/16"
    assert (
        normalised(f"sha256:{'0a' * 32}, desired_count: 1 -> 0") == "sha256:<sha256>, desired_count: 1 -> 0"
    )
