"""Waits for what happens in the background."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def soon(look: Callable[[], T], wanted: Callable[[T], bool], seconds: float = 60) -> T:
    """What is seen once it is as wanted; fails with what was seen last when it does not get so."""
    deadline = time.monotonic() + seconds
    while True:
        seen = look()
        if wanted(seen):
            return seen
        assert time.monotonic() < deadline, f"after {seconds} s it was still: {seen!r}"
        time.sleep(0.05)
