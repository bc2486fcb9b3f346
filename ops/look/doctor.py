"""The doctor: checks of what the commands need, and what to do about each problem."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Final, Literal

LIMIT: Final = 20.0
"""Seconds after which a check counts as failed."""

Level = Literal["ok", "note", "wrong"]
"""`note`: some things do not work, or not as expected; `wrong`: commands will fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A result of a check; `mend` says what to do about it."""

    name: str
    level: Level
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """A check; `look` may return several findings, and changes nothing."""

    name: str
    look: Callable[[], Iterable[Finding]]


def examine(checks: Iterable[Check], limit: float = LIMIT) -> Iterator[Finding]:
    """Yields the findings of every check, in order.

    A check that fails, or takes more than `limit` seconds, is a finding too.
    """
    for check in checks:
        yield from _within(check, limit)


def _within(check: Check, limit: float) -> Iterable[Finding]:
    found: SimpleQueue[list[Finding]] = SimpleQueue()
    # A daemon thread: a check that never ends does not keep the command from ending.
    Thread(target=lambda: found.put(_looked(check)), daemon=True).start()
    try:
        return found.get(timeout=limit)
    except Empty:
        return [Finding(check.name, "wrong", f"did not answer within {limit:g} s", "Try again.")]


def _looked(check: Check) -> list[Finding]:
    try:
        return list(check.look())
    except Exception as error:  # noqa: BLE001 - any exception of a check is its finding
        return [Finding(check.name, "wrong", f"could not be checked: {type(error).__name__}: {error}")]
