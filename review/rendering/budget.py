"""Chooses pieces of text in a fixed order of importance until the room is used up.

Pieces are rendered once and chosen by their sizes, so the work grows with their number only.
All sizes are bytes of UTF-8. More room never shows less.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class Tier(IntEnum):
    """How important a block is. Within a tier the order of the blocks decides."""

    FIRST = 0
    """Errors, failed checks and destroyed resources: listed and in detail before all else."""
    SECOND = 1
    """All else: first listed, the details last."""


def size(text: str) -> int:
    """Returns the bytes of the text."""
    return len(text.encode())


@dataclass(frozen=True, slots=True)
class Entry:
    """Something to show: `listed` on a line, or `detailed`, which includes what `listed` says.

    `weight` is how many things it counts for (0 for an introduction), `type` the type that is counted.
    """

    listed: str
    detailed: str
    weight: int = 1
    type: str = ""

    @property
    def has_details(self) -> bool:
        """Returns whether there is more to show than the listed line."""
        return self.listed != self.detailed


@dataclass(frozen=True, slots=True)
class Shown:
    """How many entries of a block are shown, and how many of these, the first, in detail."""

    listed: int
    detailed: int


def prefix(sizes: Iterable[int], room: int) -> int:
    """Returns how many of the sizes, from the first, fit within the room together."""
    count = 0
    for each in sizes:
        room -= each
        if room < 0:
            break
        count += 1
    return count


def fit(blocks: Sequence[tuple[Tier, Sequence[Entry]]], room: int) -> list[Shown]:
    """Chooses how much of each block to show within the room.

    Tier by tier, the list first and then the details. It stops at the first piece that does not fit, so
    what is left out is always the end of that order.
    """
    listed = [0] * len(blocks)
    detailed = [0] * len(blocks)
    for tier in Tier:
        members = [index for index, (each, _) in enumerate(blocks) if each is tier]
        for index in members:
            for entry in blocks[index][1]:
                room -= size(entry.listed)
                if room < 0:
                    return list(map(Shown, listed, detailed))
                listed[index] += 1
        for index in members:
            for entry in blocks[index][1]:
                room -= size(entry.detailed) - size(entry.listed)
                if room < 0:
                    return list(map(Shown, listed, detailed))
                detailed[index] += 1
    return list(map(Shown, listed, detailed))
