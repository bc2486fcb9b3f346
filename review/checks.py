"""Checks what people write in a table, and says in words what is wrong and where."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

_SPAN: Final = re.compile("`[^`]+`")
_MARKUP: Final = frozenset("`<@[\\")
"""Characters that may end or hide what stands after them in a comment, or mention somebody."""


class TableError(Exception):
    """A table is not built as it has to be; the text says where, and what is allowed."""


def table_in(document: Mapping[str, Any], key: str, place: str) -> Mapping[str, Any]:
    """Returns the table under a key; an empty one without it. Raises TableError."""
    found = document.get(key, {})
    if not isinstance(found, Mapping):
        raise TableError(f"{place}: {key} = {found!r}: must be a table")
    return found


def tables_in(document: Mapping[str, Any], key: str, place: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the tables within the table under a key, by name. Raises TableError."""
    for name, each in table_in(document, key, place).items():
        if not isinstance(each, Mapping):
            raise TableError(f"{place}: {key}.{name} = {each!r}: must be a table")
        yield name, each


def check_keys(said: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    """Raises TableError for a key that is not known."""
    for key in said:
        if key not in known:
            raise TableError(f"{place}.{key}: no such key; use {', '.join(sorted(known))}")


def checked_words(said: object, place: str) -> str:
    """Returns words that stand in a comment as they are. Raises TableError."""
    if not isinstance(said, str) or not said.strip() or not said.isprintable():
        raise TableError(f"{place} = {said!r}: must be a text on one line")
    if marks := sorted(_MARKUP.intersection(_SPAN.sub("", said))):
        raise TableError(
            f"{place} = {said!r}: write {' '.join(marks)} between two backticks only, or not at all"
        )
    return said


def checked_names(said: object, place: str) -> frozenset[str]:
    """Returns the attributes of a list. Raises TableError."""
    if isinstance(said, list) and all(isinstance(each, str) for each in said):
        return frozenset(said)
    raise TableError(f"{place} = {said!r}: must be a list of attributes")


def checked_flag(said: object, place: str) -> bool:
    """Returns true or false. Raises TableError."""
    if isinstance(said, bool):
        return said
    raise TableError(f"{place} = {said!r}: use true or false")


def checked_weight(weight: object, place: str) -> int:
    """Returns a weight. Raises TableError."""
    if not isinstance(weight, int) or isinstance(weight, bool) or not 0 <= weight <= 100:
        raise TableError(f"{place} = {weight!r}: must be a whole number from 0 to 100")
    return weight
