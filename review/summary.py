"""A job's summary, to which several steps may add."""

from pathlib import Path
from typing import Final

from review.comment import SUMMARY_BUDGET, render
from review.files import append, size_of
from review.report import Review

_SMALLEST: Final = 1_000
"""With fewer bytes left there is nothing worth adding."""


def append_summary(path: Path, review: Review) -> bool:
    """Append as much as the summary's limit leaves; False when it leaves no room.

    Source: GitHub's documentation, "Workflow commands", a summary of a step has at most 1 MiB.
    """
    # One more byte for a line break in between.
    room = SUMMARY_BUDGET - size_of(path) - 1
    if room < _SMALLEST:
        return False
    append(path, render(review, room))
    return True
