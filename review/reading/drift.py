"""Drift, and which of it the plan calls relevant."""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

from review.model import ResourceChange
from review.reading.changes import Names, change_of
from review.reading.structure import actions_in, object_in, objects_in, text_in

Relevant: TypeAlias = dict[str, list[list[Any]]]
"""Paths by address."""


def drift_of(
    document: Mapping[str, Any], names: Names, changed: frozenset[str]
) -> tuple[list[ResourceChange], int]:
    """Returns the drift that bears on the plan, and the number of other drifted resources.

    It bears on the plan if Terraform calls it relevant, or if the plan changes the same resource, and so
    may undo it: `relevant_attributes` lists references only.
    """
    relevant = _relevant_paths(document)
    found = []
    other = 0
    for place, given in objects_in(document, "resource_drift"):
        # Terraform 1.0 writes no address here.
        item = given if text_in(given, "address", place) else {**given, "address": _address(given, place)}
        if not _is_drift(item, place):
            continue
        bears = relevant is None or _is_relevant(item, relevant) or text_in(item, "address", place) in changed
        change = change_of(item, place, names) if bears else None
        if change:
            found.append(change)
        else:
            other += 1
    return found, other


def _address(item: Mapping[str, Any], place: str) -> str:
    """Builds an address from a resource's module, type, name and index."""
    module, type_, name = (text_in(item, key, place) for key in ("module", "type", "name"))
    index = item.get("index")
    suffix = "" if index is None else f"[{json.dumps(index)}]"
    return ".".join(filter(None, (module, type_, name))) + suffix


def _relevant_paths(document: Mapping[str, Any]) -> Relevant | None:
    """Returns the attributes that contributed to the plan; None if all drift is relevant.

    All drift is relevant in a refresh-only plan, which changes no resources and would write all drift to
    the state, and in formats before 1.1, which have no relevance. From 1.1 on, none is relevant if
    `relevant_attributes` is missing, because Terraform omits an empty list. A deleted resource that the plan
    creates again is relevant.
    Source: Terraform's documentation, "JSON Output Format" and the release notes of 1.2.
    """
    changes = objects_in(document, "resource_changes")
    version = text_in(document, "format_version", "the plan")
    if not changes or version.startswith("0.") or version == "1.0":
        return None
    relevant: Relevant = {}
    for place, item in objects_in(document, "relevant_attributes"):
        path = item.get("attribute")
        relevant.setdefault(text_in(item, "resource", place), []).append(
            path if isinstance(path, list) else [path]
        )
    drifted = {text_in(item, "address", place) for place, item in objects_in(document, "resource_drift")}
    for place, item in changes:
        address = text_in(item, "address", place)
        if address in drifted and actions_in(object_in(item.get("change"), place), place) == ("create",):
            relevant.setdefault(address, []).append([])
    return relevant


def _is_drift(item: Mapping[str, Any], place: str) -> bool:
    """Returns whether more differs than null against empty, or the resource has moved."""
    change = object_in(item.get("change"), f"{place}.change")
    actions = actions_in(change, place)
    if actions == ("no-op",):
        return bool(item.get("previous_address")) and item.get("previous_address") != item.get("address")
    return actions != ("update",) or not _same(change.get("before"), change.get("after"))


def _is_relevant(item: Mapping[str, Any], relevant: Relevant) -> bool:
    """Returns whether a relevant attribute of this resource, or a part of one, differs."""
    address = str(item.get("address"))
    change = item["change"]
    before, after = change.get("before"), change.get("after")
    resource = _without_index(address, item)
    index = item.get("index")
    for name in {address, resource, ""}:
        for path in relevant.get(name, ()):
            # Of a resource with several instances, the path may begin with the index of one.
            steps = path[1:] if index is not None and path[:1] == [index] else path
            if _differs_at(before, after, steps):
                return True
    return False


def _without_index(address: str, item: Mapping[str, Any]) -> str:
    name = f"{item.get('type')}.{item.get('name')}"
    module = item.get("module_address")
    start = address.find(f"{name}[", len(module) if isinstance(module, str) else 0)
    return address if start < 0 else address[: start + len(name)]


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
