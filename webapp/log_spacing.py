"""Keeps one trouble that many requests meet from filling the log."""

import time
from collections.abc import Callable, Hashable
from typing import Final

SPACING: Final = 1.0
"""Seconds between two lines about the same."""


class LineSpacing:
    """Says which lines to write: of those about the same, one in so many seconds.

    What lines are about is remembered for good, so there must be few such things.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written: dict[Hashable, float] = {}
        self._left_out: dict[Hashable, int] = {}

    def admit(self, about: Hashable) -> int | None:
        """None when the line is to be left out, else how many were left out since the one before."""
        now = self._clock()
        written = self._written.get(about)
        if written is not None and now - written < SPACING:
            self._left_out[about] = self._left_out.get(about, 0) + 1
            return None
        self._written[about] = now
        return self._left_out.pop(about, 0)
