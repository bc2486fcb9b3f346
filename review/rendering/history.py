"""Compares the points of a review with those of an earlier one, by fingerprints in the comment's marker.

A flag's fingerprint has six characters: four of what it is about, two of its words and values as shown. The
fingerprints of one point stand together, the points between dots. Two flags of a review share the first four
characters once in some million pairs; then a new one may be called changed.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from review.marker import MOST
from review.model import Flag
from review.rendering.values import pair

VERSION: Final = "1"
"""Grows when fingerprints change, so that those of an older version count as unknown."""

_PLACE: Final = 4
_LENGTH: Final = 6
_SHOWN: Final = 500
_POINTS: Final = re.compile(rf"{VERSION}(?:(?:[\w+]{{{_LENGTH}}})+(?:\.(?:[\w+]{{{_LENGTH}}})+)*)?", re.ASCII)


class State(StrEnum):
    """How a flag or a point compares with the earlier review."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"


@dataclass(frozen=True, slots=True)
class Earlier:
    """The points of an earlier review, of a commit: by each, what its flags are about.

    `values` has the rest of the fingerprints, by what they are about.
    """

    commit: str
    points: tuple[frozenset[str], ...]
    values: Mapping[str, frozenset[str]]

    def state(self, flag: Flag) -> State:
        """Returns how a flag compares with it."""
        mark = _fingerprint(flag)
        place, value = mark[:_PLACE], mark[_PLACE:]
        if place not in self.values:
            return State.NEW
        return State.SAME if value in self.values[place] else State.CHANGED

    def gone(self, flags: Iterable[Flag]) -> int:
        """Returns how many of its points none of these flags is about."""
        present = {_fingerprint(flag)[:_PLACE] for flag in flags}
        return sum(present.isdisjoint(point) for point in self.points)


def encoded(points: Sequence[Sequence[Flag]]) -> str:
    """Returns the points for a marker; "" if they are too many for it."""
    if len(points) + _LENGTH * sum(map(len, points)) > MOST:
        return ""
    return VERSION + ".".join("".join(map(_fingerprint, flags)) for flags in points)


def decoded(commit: str, text: str) -> Earlier | None:
    """Reads the points of a marker; None if they are not there, cut off or of another version."""
    if not commit or not _POINTS.fullmatch(text):
        return None
    points = []
    values: dict[str, frozenset[str]] = {}
    for point in filter(None, text[len(VERSION) :].split(".")):
        marks = [point[at : at + _LENGTH] for at in range(0, len(point), _LENGTH)]
        points.append(frozenset(mark[:_PLACE] for mark in marks))
        for mark in marks:
            place = mark[:_PLACE]
            values[place] = values.get(place, frozenset()) | {mark[_PLACE:]}
    return Earlier(commit, tuple(points), values)


def _fingerprint(flag: Flag) -> str:
    place = (flag.stack, flag.address, flag.principal, flag.title, *flag.path)
    value = (flag.reason, *flag.forced_by, *pair(flag.before, flag.after, _SHOWN))
    return _hashed(place)[:_PLACE] + _hashed(value)[: _LENGTH - _PLACE]


def _hashed(words: Iterable[str]) -> str:
    text = "".join(f"{len(word)}:{word}" for word in words)
    return b64encode(sha256(text.encode(errors="backslashreplace")).digest(), b"_+").decode()
