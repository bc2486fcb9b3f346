"""A job's summary, to which several steps may add."""

import os
from pathlib import Path
from typing import Final

from review.rendering.comment import SUMMARY_BUDGET, render
from review.verdicts import Review

_SMALLEST: Final = 1_000
"""The least number of bytes worth adding."""


def append_summary(path: Path, review: Review) -> bool:
    """Appends as much as the summary's limit leaves, on a new line; False if there is no room.

    Raises OSError. Source: GitHub's documentation, "Workflow commands": a step's summary has 1 MiB at most.
    """
    with path.open("a+b") as file:
        size = file.seek(0, os.SEEK_END)
        # One more byte for a line break in between.
        room = SUMMARY_BUDGET - size - 1
        if room < _SMALLEST:
            return False
        file.seek(max(0, size - 1))
        start = b"" if file.read(1) in (b"", b"\n") else b"\n"
        file.write(start + render(review, room).encode())
    return True
