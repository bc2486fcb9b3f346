"""Turns Terraform's values into trees that are safe to show.

Masks a value if Terraform marks it as sensitive, or if its name or its shape is that of a secret; in doubt,
it is masked. References to secrets (ARNs, names, `valueFrom`) stay, so that a reviewer can read a plan.
"""

import json
import re
import secrets
from collections.abc import Container, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import zip_longest
from typing import Any, Final

from review.model import UNKNOWN, Document, Masked, Tree
from review.reading.secret_detection import (
    REDACTED,
    is_reference_name,
    is_secret_name,
    is_secret_shape,
)
from review.reading.structure import is_same

DEPTH: Final = 64
"""Levels of a value that are shown; deeper ones are masked."""

DOCUMENTS: Final = 3
"""Nested JSON texts that are shown; deeper ones are masked."""

NAME_KEYS: Final = ("name", "key", "Name", "Key", "ParameterKey", "parameter_name", "path")
PAIR_KEYS: Final = (*NAME_KEYS, "type", "kind")
"""What says of an object whether its value is a secret."""

VALUE_KEYS: Final = frozenset(
    {
        "value",
        "Value",
        "val",
        "content",
        "values",
        "default",
        "default_value",
        "insecure_value",
        "string_value",
        "ParameterValue",
    }
)
MANIFEST_KEYS: Final = frozenset({"data", "stringData", "binaryData"})
"""What holds the values of a Kubernetes Secret. Source: Kubernetes API Reference, Secret."""

REFERENCE_TYPES: Final = frozenset({"SECRETS_MANAGER", "PARAMETER_STORE"})
"""Types of a CodeBuild variable whose value names a secret."""

SETTINGS: Final = re.compile(
    r"aws_iam|cognito_user_pools|custom|iam|jwt|enabled|disabled|none|null|required|optional|true|false"
    r"|seconds|minutes|hours|days",
    re.IGNORECASE,
)
"""Values of names like `auth` or `access_token` that are not secret."""

KEY: Final = secrets.token_bytes(32)


def tree_of(value: Any, sensitive: Any = False, unknown: Any = False) -> Tree:
    """Returns a JSON value with everything secret masked.

    `sensitive` and `unknown` are Terraform's parallel trees (`after_sensitive`, `after_unknown`): true at
    any level stands for all below it. What is unknown is UNKNOWN even when sensitive, and also where the
    value has nothing. A null is shown as one. Where the shape of `sensitive` is not that of the value, all
    of the value is masked. Source: Terraform's documentation, "JSON Output Format", change representation.
    """
    return _tree(value, sensitive, unknown, False, 0, 0)


def trees_of(before: Any, after: Any, sensitive: Any, unknown: Any) -> tuple[Tree, Tree]:
    """Returns both sides of a change as `tree_of` does, with the same marks of what is sensitive.

    An attribute that stays the same is one object on both sides, so no comparison has to look into it.
    """
    old = tree_of(before, sensitive)
    if not (isinstance(old, dict) and isinstance(after, dict) and isinstance(unknown or {}, dict)):
        return old, tree_of(after, sensitive, unknown)
    parts = unknown or {}
    # The name of an object decides whether its value is a secret.
    is_renamed = any(before.get(key) != after.get(key) for key in PAIR_KEYS)
    kept = {
        key: old[key]
        for key, value in ({} if is_renamed else after).items()
        if key in old and is_same(before.get(key), value) and not has_mark(parts.get(key))
    }
    rest = {key: value for key, value in after.items() if key not in kept or key in PAIR_KEYS}
    new = tree_of(rest, sensitive, unknown)
    return old, dict(sorted({**new, **kept}.items())) if isinstance(new, dict) else new


def without_former_secrets(before: Tree, after: Tree) -> tuple[Tree, Tree]:
    """Masks variables of containers that are a secret by reference on one of the sides.

    Such a value is the secret itself. Takes and returns `container_definitions`, before and after.
    """
    names = {each.get("name") for side in (before, after) for each in _entries(side, "secrets")}
    return _masked_variables(before, names), _masked_variables(after, names)


def _entries(definitions: Tree, key: str) -> list[dict[str, Tree]]:
    listed = definitions.content if isinstance(definitions, Document) else None
    containers = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    found = [each.get(key) for each in containers]
    return [each for some in found if isinstance(some, list) for each in some if isinstance(each, dict)]


def _masked_variables(definitions: Tree, names: Container[Tree]) -> Tree:
    if not isinstance(definitions, Document) or not isinstance(definitions.content, list):
        return definitions
    if not any(each.get("name") in names for each in _entries(definitions, "environment")):
        return definitions
    return Document([_masked_container(each, names) for each in definitions.content])


def _masked_container(container: Tree, names: Container[Tree]) -> Tree:
    if not isinstance(container, dict) or not isinstance(variables := container.get("environment"), list):
        return container
    masked: list[Tree] = [
        {**each, "value": _masked(each["value"])}
        if isinstance(each, dict) and each.get("name") in names and isinstance(each.get("value"), str)
        else each
        for each in variables
    ]
    return {**container, "environment": masked}


def marks_of(change: Mapping[str, Any]) -> Any:
    """Returns what is sensitive before or after: it is the same secret even if a change removes the mark."""
    return either(change.get("before_sensitive"), change.get("after_sensitive"))


def either(one: Any, other: Any) -> Any:
    """Combines two trees of marks; where shapes differ and something is marked, everything is."""
    if one == other:
        return one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: either(one.get(key), other.get(key)) for key in one.keys() | other.keys()}
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        return [either(first, second) for first, second in zip(one, other, strict=True)]
    if not has_mark(one):
        return other
    return True if has_mark(other) else one


def _tree(value: Any, sensitive: Any, unknown: Any, named: bool, depth: int, documents: int) -> Tree:
    """Masks one value; `named` says that a name above it is a secret's."""
    if unknown and has_mark(unknown):
        if not isinstance(unknown, (dict, list)) or not isinstance(value, (type(unknown), type(None))):
            return UNKNOWN
        value = type(unknown)() if value is None else value
    if value is None:
        return None
    if sensitive and not _same_shape(value, sensitive) and has_mark(sensitive):
        return _masked(value, unknown)
    if isinstance(value, str):
        return _text(value, named, depth, documents)
    if isinstance(value, (dict, list)):
        if depth >= DEPTH:
            return _masked(value, unknown)
        if isinstance(value, dict):
            return _object(value, _or_empty(sensitive), _or_empty(unknown), named, depth, documents)
        marks, parts = (each if isinstance(each, list) else [] for each in (sensitive, unknown))
        return _list(value, marks, parts, named, depth, documents)
    if isinstance(value, (bool, int, float)):
        return _masked(value) if named and not isinstance(value, bool) else value
    raise TypeError(f"no JSON value: {type(value).__name__}")


def _object(
    value: dict[str, Any],
    sensitive: Mapping[str, Any],
    unknown: Mapping[str, Any],
    named: bool,
    depth: int,
    documents: int,
) -> Tree:
    is_pair = not VALUE_KEYS.isdisjoint(value) and _is_secret_pair(value)
    is_manifest = value.get("kind") == "Secret"
    numbers: list[str] = []
    tree: dict[str, Tree] = {}
    # Terraform sorts the keys of its objects. Those of a JSON text keep the order their author gave them.
    for key in value if documents else sorted(value):
        is_secret, is_reference, has_shape = _about(key)
        secret = is_secret or (is_pair and key in VALUE_KEYS) or (named and not is_reference)
        secret |= is_manifest and key in MANIFEST_KEYS
        shown = _new_key(numbers) if has_shape else key
        tree[shown] = _tree(value[key], sensitive.get(key), unknown.get(key), secret, depth + 1, documents)
    for key in sorted(unknown):
        if key not in value and has_mark(unknown[key]):
            shown = _new_key(numbers) if is_secret_shape(key) else key
            tree[shown] = _tree(None, None, unknown[key], False, depth + 1, documents)
    return tree


@lru_cache(maxsize=65_536)
def _about(key: str) -> tuple[bool, bool, bool]:
    """Returns whether a key is a secret's name, or a reference's, or a secret itself by its shape."""
    return is_secret_name(key), is_reference_name(key), is_secret_shape(key)


def _list(
    value: list[Any], sensitive: list[Any], unknown: list[Any], named: bool, depth: int, documents: int
) -> Tree:
    items: list[Tree] = []
    after_option = False
    for item, mark, part in zip_longest(value, sensitive[: len(value)], unknown[: len(value)]):
        text = item if isinstance(item, str) else ""
        items.append(_tree(item, mark, part, named or (after_option and bool(text)), depth + 1, documents))
        # An option and its value may be two items of a command: "--password", "x".
        after_option = text.startswith("-") and "=" not in text and is_secret_name(text)
    more = unknown[len(value) :]
    if has_mark(more):
        items += [_tree(None, None, part, False, depth + 1, documents) for part in more]
    return items


def _text(text: str, named: bool, depth: int, documents: int) -> Tree:
    if named and not _is_harmless(text):
        return _masked(text)
    if text[:1] in "{[ \n\t\r" and text.strip()[:1] in ("{", "["):
        return _document(text, depth, documents)
    return _masked(text) if is_secret_shape(text) else text


@lru_cache(maxsize=4_096)
def _document(text: str, depth: int, documents: int) -> Tree:
    """Parses a text that looks like JSON; many resources have the same one, such as a trust policy."""
    try:
        content = json.loads(text.strip())
    except RecursionError:
        return _masked(text)
    except ValueError:
        return _masked(text) if is_secret_shape(text) else text
    if documents == DOCUMENTS:
        return _masked(text)
    return Document(_tree(content, None, None, False, depth + 1, documents + 1))


def _is_secret_pair(value: Mapping[str, Any]) -> bool:
    """Returns whether an object gives a value to a secret name: {"name": "TOKEN", "value": "x"}."""
    for key in NAME_KEYS:
        if isinstance(name := value.get(key), str) and is_secret_name(name):
            return value.get("type") not in REFERENCE_TYPES
    return False


def _is_harmless(text: str) -> bool:
    """Returns whether a text under a secret name refers to a secret, or is a setting."""
    return not text or text.startswith("arn:") or SETTINGS.fullmatch(text) is not None


def _same_shape(value: Any, sensitive: Any) -> bool:
    if isinstance(value, list):
        return isinstance(sensitive, list) and len(sensitive) == len(value)
    return isinstance(value, dict) and isinstance(sensitive, dict)


def _or_empty(marks: Any) -> Mapping[str, Any]:
    """Returns the marks of an object if they have its shape, else none."""
    return marks if isinstance(marks, dict) else {}


def has_mark(marks: Any) -> bool:
    """Returns whether something in a tree of marks is marked; an unknown kind of mark counts."""
    if isinstance(marks, dict):
        return any(map(has_mark, marks.values()))
    if isinstance(marks, list):
        return any(map(has_mark, marks))
    return bool(marks)


def _new_key(made: list[str]) -> str:
    """Returns another placeholder for a key that is itself secret; `made` has those before it."""
    made.append(REDACTED if not made else f"{REDACTED} {len(made) + 1}")
    return made[-1]


def _masked(value: Any, unknown: Any = None) -> Masked:
    content = json.dumps([value, unknown if has_mark(unknown) else None], sort_keys=True)
    return Masked(blake2b(content.encode("ascii"), key=KEY, digest_size=16).digest())
