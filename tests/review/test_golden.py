"""The comments of real plans, as they should be. `UPDATE_GOLDEN=1` writes them anew, to be looked at."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from review.cli import exit_status
from review.model import Verdict
from review.reading.stacks import has_bad_input, read_stacks
from review.rendering.verdict_file import verdict_json
from tests.review.golden import GOLDEN, comment_of, compare, normalised, review_in
from tests.review.recording import MADE_OF, PLANS, Checkouts, made_of
from tests.review.stories import FOUNDATION, MADE_UP, NETWORK, SERVICE, STORIES, Edit

VERDICTS = {
    "add-zone": Verdict.WAITS,
    "change-image": Verdict.REVIEW,
    "change-sizes": Verdict.REVIEW,
    "create-all": Verdict.REVIEW,
    "deposed": Verdict.DESTRUCTIVE,
    "destroy": Verdict.DESTRUCTIVE,
    "drift": Verdict.REVIEW,
    "error": Verdict.ERRORED,
    "failed-check": Verdict.REVIEW,
    "forget": Verdict.REVIEW,
    "import": Verdict.SAFE,
    "keep-secrets": Verdict.REVIEW,
    "keep-the-order-of-messages": Verdict.DESTRUCTIVE,
    "larger-database": Verdict.REVIEW,
    "lower-memory": Verdict.REVIEW,
    "more-spot": Verdict.REVIEW,
    "no-changes": Verdict.NO_CHANGES,
    "no-release": Verdict.ERRORED,
    "open-to-the-world": Verdict.DESTRUCTIVE,
    "remove-protection": Verdict.REVIEW,
    "rename-service": Verdict.DESTRUCTIVE,
    "rename-with-moved": Verdict.SAFE,
    "rename-without-moved": Verdict.DESTRUCTIVE,
    "replace-table": Verdict.DESTRUCTIVE,
    "replace-target-group": Verdict.DESTRUCTIVE,
    "restrict-access": Verdict.DESTRUCTIVE,
    "retag": Verdict.SAFE,
    "scaled": Verdict.NO_CHANGES,
    "secret-to-plain": Verdict.REVIEW,
    "take-stores-out": Verdict.DESTRUCTIVE,
    "widen-permissions": Verdict.REVIEW,
}
STATUSES = {
    Verdict.NO_CHANGES: 0,
    Verdict.SAFE: 2,
    Verdict.REVIEW: 2,
    Verdict.WAITS: 2,
    Verdict.DESTRUCTIVE: 3,
    Verdict.ERRORED: 1,
}


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Checkouts:
    return Checkouts(tmp_path_factory.mktemp("checkouts"))


def test_the_plans_are_made_of_what_the_stacks_and_the_stories_say_now(checkouts: Checkouts) -> None:
    recorded = json.loads(MADE_OF.read_text())
    stale = [
        name for name, story in STORIES.items() if recorded["stories"][name] != made_of(story, checkouts)
    ]
    assert not stale, f"Plan {', '.join(stale)} anew: make record-plans"


def test_all_plans_are_of_the_terraform_that_is_noted() -> None:
    noted = json.loads(MADE_OF.read_text())["terraform"]
    assert {json.loads(file.read_text())["terraform_version"] for file in PLANS.rglob("*.json")} == {noted}


def test_a_plan_is_made_of_what_is_planned_what_was_applied_and_what_happens_meanwhile(
    checkouts: Checkouts,
) -> None:
    story, drift = STORIES["lower-memory"], STORIES["drift"]
    retagged = (Edit("environments/dev.toml", 'cost_centre = "1000"', 'cost_centre = "3000"'),)
    others = (
        story,
        replace(story, edits=retagged),
        replace(story, configure={SERVICE: lambda found: found["locals"].update(more=1)}),
        replace(story, remember={SERVICE: lambda state: state.update(more=1)}),
        replace(story, behind=drift.behind),
        replace(story, behind=STORIES["scaled"].behind),
        replace(story, stacks=(NETWORK, SERVICE)),
        replace(story, arguments=("-destroy",)),
        replace(story, refresh=True),
        replace(story, empty=True),
    )
    assert len({made_of(each, checkouts) for each in others}) == len(others)


@pytest.mark.parametrize(("applied", "matters"), [(FOUNDATION, False), (NETWORK, True), (SERVICE, True)])
def test_a_plan_is_made_of_the_stacks_whose_outputs_it_reads(
    checkouts: Checkouts, applied: str, matters: bool
) -> None:
    class Changed(Checkouts):
        def configuration(self, edits: tuple[Edit, ...], stack: str) -> Any:
            found = super().configuration(edits, stack)
            return found | {"locals": {"changed": 1}} if stack == applied and not edits else found

    story = STORIES["lower-memory"]
    changed = Changed(checkouts.directory, checkouts.dev, checkouts._synthesized)
    assert (made_of(story, changed) != made_of(story, checkouts)) is matters


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
