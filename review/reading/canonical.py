"""Hashes what a plan would do, so that an apply can be bound to its review."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from review.reading.structure import actions_in, acts, flag_in, is_same, modules_in, object_in, objects_in

RESOURCE_KEYS: Final = ("address", "deposed", "previous_address", "mode", "type", "provider_name")
CHANGE_KEYS: Final = ("before", "after", "importing")
IDENTITY: Final = ("id", "arn")
"""Attributes that identify an existing object."""

_text: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def changes_hash(document: Mapping[str, Any]) -> str:
    """Returns the SHA-256, in hex, of all that an apply of this plan would do.

    Part of it: changes of resources and outputs, deferred changes, actions, the providers, provisioners
    and modules' sources as configured, which provider acts on what, the values of variables, `errored`
    and `complete`; in a refresh-only plan the drift that it writes to the state. Of an update those
    attributes count that differ, of what is deleted its identity: what AWS alone changes in the
    meantime, such as a time of the last backup, refuses no apply. Not part: what does nothing,
    timestamps, the prior state, checks, the order of lists of resources and of keys in JSON, and the
    version of the format. Values that are sensitive are part of it: the hash binds them and does not
    show them. A plan does not say, and so nothing binds: write-only arguments, what is in files,
    locals within provisioners, whose credentials are used.

    Raises PlanError if the document is not built like a plan.
    """
    changes = objects_in(document, "resource_changes")
    resources = changes or objects_in(document, "resource_drift")
    configuration = object_in(document.get("configuration"), "configuration")
    content = {
        "resources": sorted(_text(_resource(item, place)) for place, item in resources if _acts(item, place)),
        "outputs": {
            name: _change(item, f"output_changes.{name}")
            for name, item in object_in(document.get("output_changes"), "output_changes").items()
            if _output_acts(item, f"output_changes.{name}")
        },
        "deferred": sorted(
            _text(_deferred(item, place)) for place, item in objects_in(document, "deferred_changes")
        ),
        "actions": sorted(
            _text(item)
            for key in ("action_invocations", "deferred_action_invocations")
            for _, item in objects_in(document, key)
        ),
        "providers": configuration.get("provider_config"),
        "configured": sorted(_text(item) for item in _configured(document)),
        "variables": document.get("variables") or None,
        "errored": flag_in(document, "errored", default=False),
        "complete": flag_in(document, "complete", default=True),
    }
    return hashlib.sha256(_text(content).encode("ascii")).hexdigest()


def _acts(resource: Mapping[str, Any], place: str) -> bool:
    change = object_in(resource.get("change"), f"{place}.change")
    previous = resource.get("previous_address")
    moved = bool(previous) and previous != resource.get("address")
    return moved or change.get("importing") is not None or acts(change, actions_in(change, place))


def _resource(resource: Mapping[str, Any], place: str) -> dict[str, Any]:
    content: dict[str, Any] = {key: resource.get(key) or None for key in RESOURCE_KEYS}
    content["change"] = _change(resource.get("change"), place)
    return content


def _deferred(item: Mapping[str, Any], place: str) -> list[Any]:
    change = object_in(item.get("resource_change"), f"{place}.resource_change")
    return [item.get("reason"), _resource(change, f"{place}.resource_change")]


def _change(value: object, place: str) -> dict[str, Any]:
    change = object_in(value, f"{place}.change")
    actions = actions_in(change, place)
    unknown = _only_true(change.get("after_unknown"))
    content: dict[str, Any] = {key: change.get(key) for key in CHANGE_KEYS}
    if "create" not in actions and actions != ("read",):
        content |= _differing(content["before"], content["after"], unknown)
    else:
        before = content["before"]
        content["before"] = _identity(before) if isinstance(before, dict) else _normal(before)
        content["after"] = _normal(content["after"])
    content["actions"] = actions
    content["after_unknown"] = unknown
    paths = change.get("replace_paths")
    content["replace_paths"] = sorted(map(_text, paths)) if isinstance(paths, list) else None
    return content


def _differing(before: Any, after: Any, unknown: object) -> dict[str, Any]:
    """Returns the identity and the differing attributes of an object that stays or is deleted."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        side = _identity(before) if isinstance(before, dict) else _normal(before)
        return {"before": side, "after": _normal(after)}
    open_ = unknown if isinstance(unknown, dict) else {}
    keys = [
        key
        for key in before.keys() | after.keys()
        if key in open_ or not is_same(before.get(key), after.get(key))
    ]
    old, new = ({key: _normal(side.get(key)) for key in keys} for side in (before, after))
    for key in keys:
        # Texts tell true, 1 and 1.0 apart, and the order of keys does not matter to them.
        if key not in open_ and old[key] == new[key] and _text(old[key]) == _text(new[key]):
            del old[key], new[key]
    return {"before": old | _identity(before), "after": new}


def _identity(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in IDENTITY if key in value}


def _normal(value: Any) -> Any:
    """Returns a value with the keys of its JSON texts sorted."""
    if isinstance(value, dict):
        return {key: _normal(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return _sorted(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


@lru_cache(maxsize=4_096)
def _sorted(text: str) -> str:
    """Sorts the keys of a JSON text; many resources have the same one, such as a trust policy."""
    try:
        return _text(json.loads(text))
    except (ValueError, RecursionError):
        return text


def _output_acts(value: object, place: str) -> bool:
    change = object_in(value, f"{place}.change")
    return acts(change, actions_in(change, place))


def _only_true(unknown: object) -> object:
    """Returns only what is unknown; formats differ in how much of the rest they list."""
    if isinstance(unknown, Mapping):
        parts = {key: _only_true(value) for key, value in unknown.items()}
        return {key: value for key, value in parts.items() if value is not None} or None
    if isinstance(unknown, list):
        items = [_only_true(item) for item in unknown]
        return items if any(item is not None for item in items) else None
    return unknown or None


def _configured(document: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yields what affects an apply but is not a value: providers, provisioners, sources of modules."""
    for prefix, call, module in modules_in(document):
        yield [prefix, call.get("source"), call.get("version_constraint")]
        for _, resource in objects_in(module, "resources", "configuration"):
            key, runs = resource.get("provider_config_key"), resource.get("provisioners") or None
            yield [prefix, resource.get("address"), key, runs]
