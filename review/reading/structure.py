"""Taking a plan's JSON apart: a field as the type it must have, or words about where it has not."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

NAMES: Final = {
    dict: "an object",
    list: "a list",
    str: "a string",
    bool: "true or false",
    int: "a number",
    float: "a number",
    type(None): "null",
}


class PlanError(Exception):
    """A document is not a plan, or not one as Terraform writes it; says what and where."""


def object_in(value: object, place: str) -> Mapping[str, Any]:
    """The value, which must be an object; null and nothing count as an empty one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise PlanError(f"{place} is {kind_of(value)}, but must be an object")
    return value


def objects_in(document: Mapping[str, Any], key: str, place: str = "") -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of the list under a key, each with its place; null and nothing count as empty."""
    name = f"{place}.{key}" if place else key
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise PlanError(f"{name} is {kind_of(value)}, but must be a list")
    items = []
    for index, item in enumerate(value):
        if not isinstance(item, Mapping):
            raise PlanError(f"{name}[{index}] is {kind_of(item)}, but must be an object")
        items.append((f"{name}[{index}]", item))
    return items


def text_in(document: Mapping[str, Any], key: str, place: str) -> str:
    """The string under a key; null and nothing count as an empty one."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PlanError(f"{place}.{key} is {kind_of(value)}, but must be a string")
    return value


def flag_in(document: Mapping[str, Any], key: str, default: bool) -> bool:
    """The true or false under a key."""
    value = document.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise PlanError(f"{key} is {kind_of(value)}, but must be true or false")
    return value


def actions_in(change: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """A change's `actions`."""
    actions = change.get("actions")
    if not isinstance(actions, list) or not all(isinstance(action, str) for action in actions):
        raise PlanError(f"{place}.change.actions must be a list of strings")
    return tuple(actions)


def kind_of(value: object) -> str:
    """What a JSON value is, with an article."""
    return NAMES.get(type(value), "of another kind")


def modules_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each module with what its addresses begin with and the call that it comes from; the root first.

    Addresses are without indices, and the root's call is empty. Raises PlanError if the document is
    not built like a plan.
    """
    configuration = object_in(document.get("configuration"), "configuration")
    yield from _modules("", {}, configuration.get("root_module"))


def _modules(
    prefix: str, call: Mapping[str, Any], module: object
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    found = module if isinstance(module, Mapping) else {}
    yield prefix, call, found
    for name, each in object_in(found.get("module_calls"), "configuration.module_calls").items():
        if isinstance(each, Mapping):
            yield from _modules(f"{prefix}module.{name}.", each, each.get("module"))
