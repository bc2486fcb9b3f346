"""What commands need, looked at one by one: each is there, or what is wrong with it and how to fix it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Literal

LIMIT: Final = 20.0
"""Seconds after which a check is given up."""

Level = Literal["ok", "note", "wrong"]
"""`note`: not everything will work, or not as one may think; `wrong`: commands will fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; `mend` says what to do about it."""

    name: str
    level: Level
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """Something to look at. `look` may find several things, and does not change anything."""

    name: str
    look: Callable[[], Iterable[Finding]]


def examine(checks: Iterable[Check], limit: float = LIMIT) -> Iterator[Finding]:
    """Every check's findings, in order. One that fails, or takes more than `limit` seconds, is one itself."""
    for check in checks:
        yield from _within(check, limit)


def _within(check: Check, limit: float) -> Iterable[Finding]:
    found: SimpleQueue[list[Finding]] = SimpleQueue()
    # A thread of no account: a check that never ends does not keep the command from ending.
    Thread(target=lambda: found.put(_looked(check)), daemon=True).start()
    try:
        return found.get(timeout=limit)
    except Empty:
        return [Finding(check.name, "wrong", f"did not answer within {limit:g} s", "Try again.")]


def _looked(check: Check) -> list[Finding]:
    try:
        return list(check.look())
    except Exception as error:  # noqa: BLE001 - whatever a check stumbles over is what it found
        return [Finding(check.name, "wrong", f"could not be checked: {type(error).__name__}: {error}")]
