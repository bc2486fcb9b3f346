"""The stories behind the recorded plans, planned anew: neither the recordings nor the comments are stale."""

from pathlib import Path

import pytest

from tests.e2e.conftest import MakeDesk
from tests.e2e.desk import succeeded
from tests.review.golden import comment_of, golden, normalised, review_in
from tests.review.recording import Recorder, prepare
from tests.review.stories import STORIES

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def recorder(make_desk: MakeDesk) -> Recorder:
    desk = make_desk()
    prepare(desk)
    assert succeeded(desk.ops("up", "--env", "dev"))
    return Recorder(desk)


@pytest.mark.parametrize("story", STORIES)
def test_plans_made_anew_give_the_comment_of_the_recorded_ones(
    recorder: Recorder, story: str, tmp_path: Path
) -> None:
    recorder.record(STORIES[story], tmp_path / "plans")
    comment = comment_of(review_in(tmp_path / "plans", STORIES[story].stacks))
    assert normalised(comment) == normalised(golden(story).read_text())
