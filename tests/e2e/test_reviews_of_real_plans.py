"""One of the stories behind the recorded plans, planned for real: what records them works.

`tests/review/test_golden.py` says of all of them whether their plans have to be made again.
"""

from pathlib import Path

import pytest

from tests.e2e.clone import Clone
from tests.e2e.desk import Desk
from tests.review.golden import comment_of, golden, normalised, review_in
from tests.review.recording import Checkouts, Recorder
from tests.review.stories import STORIES

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def test_plans_made_anew_give_the_comment_of_the_recorded_ones(desk: Clone, tmp_path: Path) -> None:
    """A story for which it does not matter what dev runs."""
    story = STORIES["failed-check"]
    checkouts = Checkouts(tmp_path, (desk.directory / "environments/dev.toml").read_text())
    Recorder(Desk(desk.directory), checkouts).record(story, tmp_path / "plans")
    comment = comment_of(review_in(tmp_path / "plans", story.stacks))
    assert normalised(comment) == normalised(golden("failed-check").read_text())
