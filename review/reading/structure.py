"""Reads fields of a plan's JSON with the type they must have."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
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


INDEX: Final = r"\[(?:\"(?:[^\"\\]|\\.)*\"|\d+)\]"
"""The index of an instance in an address."""

_INDEX: Final = re.compile(INDEX)


class PlanError(Exception):
    """A document is not a plan as Terraform writes it; the text says what is wrong, and where."""


def object_in(value: object, place: str) -> Mapping[str, Any]:
    """Returns the value, which must be an object; null or absent is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise PlanError(f"{place} is {kind_of(value)}, but must be an object")
    return value


def objects_in(document: Mapping[str, Any], key: str, place: str = "") -> list[tuple[str, Mapping[str, Any]]]:
    """Returns the objects of the list under a key with their places; null or absent is an empty list."""
    name = f"{place}.{key}" if place else key
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise PlanError(f"{name} is {kind_of(value)}, but must be a list")
    items: list[tuple[str, Mapping[str, Any]]] = []
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise PlanError(f"{name}[{index}] is {kind_of(item)}, but must be an object")
        items.append((f"{name}[{index}]", item))
    return items


def text_in(document: Mapping[str, Any], key: str, place: str) -> str:
    """Returns the string under a key; null or absent is an empty one."""
    value = document.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PlanError(f"{place}.{key} is {kind_of(value)}, but must be a string")
    return value


def flag_in(document: Mapping[str, Any], key: str, default: bool) -> bool:
    """Returns the boolean under a key."""
    value = document.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise PlanError(f"{key} is {kind_of(value)}, but must be true or false")
    return value


def actions_in(change: Mapping[str, Any], place: str) -> tuple[str, ...]:
    """Returns a change's `actions`."""
    actions = change.get("actions")
    if not isinstance(actions, list) or not all(isinstance(action, str) for action in actions):
        raise PlanError(f"{place}.change.actions must be a list of strings")
    return tuple(actions)


def acts(change: Mapping[str, Any], actions: tuple[str, ...]) -> bool:
    """Returns whether a change does something: Terraform's no-op has the same before and after."""
    return actions != ("no-op",) or change.get("before") != change.get("after")


def is_same(one: object, other: object) -> bool:
    """Returns whether two JSON values are the same for sure; true, 1 and 1.0 are not.

    Objects whose keys are in another order may be equal all the same.
    """
    if type(one) is not type(other) or one != other:
        return False
    return not isinstance(one, (dict, list)) or repr(one) == repr(other)


@lru_cache(maxsize=65_536)
def bare(address: str) -> str:
    """Returns an address without its indices."""
    return _INDEX.sub("", address)


def indices_of(address: str) -> list[str]:
    """Returns the indices in an address: `["a"]`, `[0]`."""
    return _INDEX.findall(address)


def kind_of(value: object) -> str:
    """Names the type of a JSON value, with an article."""
    return NAMES.get(type(value), "of another kind")


def modules_of_values(values: object, place: str) -> Iterator[Mapping[str, Any]]:
    """Yields each module of a values representation, such as that of `prior_state`; the root first.

    Source: Terraform's documentation, "JSON Output Format", values representation.
    """
    modules = [object_in(object_in(values, place).get("root_module"), f"{place}.root_module")]
    while modules:
        module = modules.pop()
        modules += [each for _, each in objects_in(module, "child_modules", place)]
        yield module


def former_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields each resource of `prior_state` with its place."""
    prior = object_in(document.get("prior_state"), "prior_state")
    for module in modules_of_values(prior.get("values"), "prior_state.values"):
        yield from objects_in(module, "resources", "prior_state")


def modules_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Yields each module with the prefix of its addresses and the call it comes from; the root first.

    Addresses are without indices, and the root's call is empty. Raises PlanError if the document is
    not built like a plan.
    """
    configuration = object_in(document.get("configuration"), "configuration")
    yield from _modules("", {}, configuration.get("root_module"))


def configured_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yields each resource of the configuration with its place and its address without indices."""
    for prefix, _, module in modules_in(document):
        for place, resource in objects_in(module, "resources", "configuration"):
            yield place, prefix + text_in(resource, "address", place), resource


def _modules(
    prefix: str, call: Mapping[str, Any], module: object
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    found = module if isinstance(module, dict) else {}
    yield prefix, call, found
    for name, each in object_in(found.get("module_calls"), "configuration.module_calls").items():
        if isinstance(each, dict):
            yield from _modules(f"{prefix}module.{name}.", each, each.get("module"))
