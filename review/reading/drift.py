"""Drift, and which of it the plan calls relevant."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from review.model import ResourceChange
from review.reading.changes import Names, change_of
from review.reading.entries import Entry, entries_in, entry_of
from review.reading.structure import objects_in, text_in

Relevant: TypeAlias = dict[str, list[list[Any]]]
"""Paths by address."""


def drift_of(
    document: Mapping[str, Any], entries: Sequence[Entry], names: Names, changed: frozenset[str]
) -> tuple[list[ResourceChange], int]:
    """Returns the drift that bears on the plan, and the number of other drifted resources.

    It bears on the plan if Terraform calls it relevant, or if the plan changes the same resource, and so
    may undo it: `relevant_attributes` lists references only.
    """
    drifted = entries_in(document, "resource_drift")
    relevant = _relevant_paths(document, entries, drifted)
    found = []
    other = 0
    for given in drifted:
        # Terraform 1.0 writes no address here.
        entry = given if given.address else entry_of({**given.item, "address": _address(given)}, given.place)
        if not _is_drift(entry):
            continue
        bears = relevant is None or _is_relevant(entry, relevant) or entry.address in changed
        change = change_of(entry, names) if bears else None
        if change:
            found.append(change)
        else:
            other += 1
    return found, other


def _address(entry: Entry) -> str:
    """Builds an address from a resource's module, type, name and index."""
    module, name = (text_in(entry.item, key, entry.place) for key in ("module", "name"))
    index = entry.item.get("index")
    suffix = "" if index is None else f"[{json.dumps(index)}]"
    return ".".join(filter(None, (module, entry.type, name))) + suffix


def _relevant_paths(
    document: Mapping[str, Any], entries: Sequence[Entry], drifted: Sequence[Entry]
) -> Relevant | None:
    """Returns the attributes that contributed to the plan; None if all drift is relevant.

    All drift is relevant in a refresh-only plan, which changes no resources and would write all drift to
    the state, and in formats before 1.1, which have no relevance. From 1.1 on, none is relevant if
    `relevant_attributes` is missing, because Terraform omits an empty list. A deleted resource that the plan
    creates again is relevant.
    Source: Terraform's documentation, "JSON Output Format" and the release notes of 1.2.
    """
    version = text_in(document, "format_version", "the plan")
    if not entries or version.startswith("0.") or version == "1.0":
        return None
    relevant: Relevant = {}
    for place, item in objects_in(document, "relevant_attributes"):
        path = item.get("attribute")
        relevant.setdefault(text_in(item, "resource", place), []).append(
            path if isinstance(path, list) else [path]
        )
    gone = {each.address for each in drifted}
    for entry in entries:
        if entry.address in gone and entry.actions == ("create",):
            relevant.setdefault(entry.address, []).append([])
    return relevant


def _is_drift(entry: Entry) -> bool:
    """Returns whether more differs than null against empty, or the resource has moved."""
    if entry.actions == ("no-op",):
        return bool(entry.previous_address)
    return entry.actions != ("update",) or not _same(entry.change.get("before"), entry.change.get("after"))


def _is_relevant(entry: Entry, relevant: Relevant) -> bool:
    """Returns whether a relevant attribute of this resource, or a part of one, differs."""
    before, after = entry.change.get("before"), entry.change.get("after")
    index = entry.item.get("index")
    for name in {entry.address, _without_index(entry), ""}:
        for path in relevant.get(name, ()):
            # Of a resource with several instances, the path may begin with the index of one.
            steps = path[1:] if index is not None and path[:1] == [index] else path
            if _differs_at(before, after, steps):
                return True
    return False


def _without_index(entry: Entry) -> str:
    name = f"{entry.type}.{entry.item.get('name')}"
    module = entry.item.get("module_address")
    start = entry.address.find(f"{name}[", len(module) if isinstance(module, str) else 0)
    return entry.address if start < 0 else entry.address[: start + len(name)]


def _differs_at(before: Any, after: Any, path: list[Any]) -> bool:
    for step in path:
        if isinstance(before, dict) and isinstance(after, dict) and isinstance(step, str):
            before, after = before.get(step), after.get(step)
        elif (
            isinstance(before, list)
            and isinstance(after, list)
            and isinstance(step, int)
            and 0 <= step < min(len(before), len(after))
        ):
            before, after = before[step], after[step]
        else:
            break
    return not _same(before, after)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, dict) and isinstance(after, dict):
        return all(_same(before.get(key), after.get(key)) for key in before.keys() | after.keys())
    if isinstance(before, list) and isinstance(after, list):
        return len(before) == len(after) and all(map(_same, before, after))
    if _is_empty(before) and _is_empty(after):
        return True
    return type(before) is type(after) and bool(before == after)


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})
