"""Reads the entries of `resource_changes`, and of the lists that are built like it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from review.reading.structure import actions_in, acts, object_in, objects_in, text_in


@dataclass(frozen=True, slots=True)
class Entry:
    """What a plan says of one resource instance, or with `deposed` of its previous object.

    `item` is all of it, at `place` in the plan; `change` is its change representation. Texts are empty where
    the plan has none, and `previous_address` also where it is the address.
    """

    place: str
    item: Mapping[str, Any]
    address: str
    previous_address: str
    type: str
    is_data: bool
    deposed: str
    actions: tuple[str, ...]
    change: Mapping[str, Any]

    @property
    def acts(self) -> bool:
        """Returns whether it changes anything: the object, its address, or that Terraform manages it."""
        is_moved = bool(self.previous_address) or self.change.get("importing") is not None
        return is_moved or acts(self.change, self.actions)


def entries_in(document: Mapping[str, Any], key: str = "resource_changes") -> list[Entry]:
    """Returns the entries of a list. Raises PlanError if they are not built like those of a plan."""
    return [entry_of(item, place) for place, item in objects_in(document, key)]


def entry_of(item: Mapping[str, Any], place: str) -> Entry:
    """Reads one entry. Raises PlanError."""
    address, previous, mode, type_, deposed = (
        text_in(item, key, place) for key in ("address", "previous_address", "mode", "type", "deposed")
    )
    change = object_in(item.get("change"), f"{place}.change")
    return Entry(
        place,
        item,
        address,
        "" if previous == address else previous,
        type_,
        mode == "data",
        deposed,
        actions_in(change, place),
        change,
    )
