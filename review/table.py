"""Reads the tables that say what a change of an attribute means, and finds the row of a change in them.

The tables are data: `tables/aws.toml` explains the format, which a user's own file shares (`review.rules`).
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from review.checks import (
    TableError,
    check_keys,
    checked_flag,
    checked_names,
    checked_weight,
    checked_words,
    table_in,
    tables_in,
)
from review.model import Action, Concern, ResourceChange

TABLES: Final = Path(__file__).parent / "tables"

HARMLESS: Final = "harmless"
ANALYSED: Final = "analysed"
"""The word of rows whose attribute a module of `review.flags` reads: policies, rules, containers."""

CONDITIONS: Final = frozenset(
    (
        "off",
        "on",
        "unset",
        "set",
        "zero",
        "from_zero",
        "lowered",
        "raised",
        "removed",
        "added",
        "unknown",
        "any",
    )
)

_MEANING: Final = frozenset(("concern", "weight", "title", "reason", "source", "created", "values"))
_DELETION: Final = frozenset(
    ("holds", "stops", "guards", "revision", "reason", "weight", "shows", "source", "concern", "replaced")
)
_RUNNING: Final = frozenset(("rolled_by", "interrupted_by", "interrupted_now_by", "only_with"))
_STATES: Final = frozenset(("on", "off", "set", "zero", "nonzero"))
OTHERWISE: Final = "otherwise"
_KINDS: Final = ("holds", "stops", "guards", "revision")

Where = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a change means, and how grave that is: `weight` from 0 to 100.

    `created` says that it also holds for a new resource that is created so. `values` says whether a
    person can compare the old and the new value.
    """

    concern: Concern
    weight: int
    title: str
    reason: str
    source: str = ""
    created: bool = False
    values: bool = True


@dataclass(frozen=True, slots=True)
class Case:
    """A condition of a row, with the words of `= A`, `not A` or `from A`; harmless without a meaning."""

    condition: str
    words: frozenset[str]
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class Deletion:
    """What the deletion of a resource does: `kind` is holds, stops, guards or revision, `text` its words."""

    kind: str
    text: str
    weight: int
    title: str = ""
    shows: tuple[str, ...] = ()
    concern: Concern = Concern.RUNTIME
    source: str = ""
    replaced: str = ""
    """The title of a replacement, where that does the same as a deletion."""


@dataclass(frozen=True, slots=True)
class Running:
    """Which attributes of something that runs roll it out or interrupt it when they change.

    `interrupted_by` do so at once or in the next maintenance window, as its `apply_immediately` says,
    `interrupted_now_by` always at once. Without the block `only_with`, what runs already is not rolled out.
    """

    rolled_by: frozenset[str] = frozenset()
    interrupted_by: frozenset[str] = frozenset()
    interrupted_now_by: frozenset[str] = frozenset()
    only_with: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """How what a deletion takes comes back, if all conditions hold for the values before it.

    A condition is an attribute and `on`, `off`, `set`, `zero` or `nonzero`; without any it is for when no
    other way is open. `{attribute}` in the text stands for a value.
    """

    conditions: tuple[tuple[Where, str], ...]
    text: str


@dataclass(frozen=True, slots=True)
class Kind:
    """The rows of a resource type by the path of the attribute."""

    rows: Mapping[Where, tuple[Case, ...]] = field(default_factory=dict)
    deleted: Deletion | None = None
    joins: Mapping[str, Meaning] = field(default_factory=dict)
    """What a new one means to something that is there already, by the attribute that names that."""
    prefix: str = ""
    runs: Running | None = None
    back: tuple[Way, ...] = ()

    def row(self, path: Where) -> Where | None:
        """Returns the path of the longest row that holds for an attribute."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.rows:
                return path[:length]
        return None


@dataclass(frozen=True, slots=True)
class Table:
    """All rows: by resource type, and those for every type whose name begins with a prefix."""

    types: Mapping[str, Kind]
    every: tuple[Kind, ...]
    points: Mapping[str, int]
    means: Mapping[str, Meaning]
    names: Mapping[str, str] = field(default_factory=dict)
    """What a person calls an attribute."""
    units: Mapping[str, str] = field(default_factory=dict)
    """The unit of an attribute's value."""
    back: Mapping[str, str] = field(default_factory=dict)
    """What a revert does not bring back, by the title of a point."""

    def find(self, type: str, path: Where) -> tuple[Where, tuple[Case, ...]] | None:
        """Returns the row that judges an attribute, with its path; None if nobody knows the attribute."""
        kinds = self._kinds(type)
        found = [(where, each.rows[where]) for each in kinds if (where := each.row(path)) is not None]
        # The longest row knows most; of two, that of the type.
        return max(found, key=lambda each: len(each[0]), default=None)

    def quiet(self, type: str) -> frozenset[str]:
        """Returns the attributes of which every change is harmless or read by a module of `review.flags`."""
        kinds = self._kinds(type)
        longer = {path[0] for each in kinds for path in each.rows if len(path) > 1}
        cases = {path[0]: found for each in reversed(kinds) for path, found in each.rows.items()}
        return frozenset(
            name
            for name, found in cases.items()
            if name not in longer and all(case.meaning is None for case in found)
        )

    def _kinds(self, type: str) -> list[Kind]:
        kind = self.types.get(type)
        return [*([kind] if kind else []), *(each for each in self.every if type.startswith(each.prefix))]

    def deletion(self, type: str) -> Deletion | None:
        """Returns what a deletion of the type does."""
        kind = self.types.get(type)
        return kind.deleted if kind else None

    def destroys(self, change: ResourceChange) -> bool:
        """Returns whether a change destroys an existing object: a deletion or a real replacement."""
        if change.action not in (Action.REPLACE, Action.DELETE):
            return False
        return not (change.is_data or change.keeps_former or self.is_revision(change.type))

    def is_revision(self, type: str) -> bool:
        """Returns whether a replacement or deletion of the type destroys nothing."""
        deletion = self.deletion(type)
        return deletion is not None and deletion.kind == "revision"


@lru_cache(maxsize=1)
def default_table() -> Table:
    """Returns the table of this package."""
    table = Table({}, (), {}, {})
    for path in sorted(TABLES.glob("*.toml")):
        table = extended(table, tomllib.loads(path.read_text("utf-8")), path.name)
    return table


def holding_types() -> frozenset[str]:
    """Returns the resource types that hold data."""
    types = default_table().types
    return frozenset(name for name, kind in types.items() if kind.deleted and kind.deleted.kind == "holds")


def extended(table: Table, document: Mapping[str, Any], place: str) -> Table:
    """Returns the table with the rows of a document added, which override those of the same attribute.

    Raises TableError.
    """
    means = {
        **table.means,
        **{key: _meaning(each, f"{place}: means.{key}") for key, each in tables_in(document, "means", place)},
    }
    types = dict(table.types)
    for name, each in tables_in(document, "types", place):
        types[name] = _kind(each, means, types, f"{place}: types.{name}", types.get(name, Kind()))
    every = table.every
    if "any" in document:
        (_, general), *_ = tables_in({"any": {"any": document["any"]}}, "any", place)
        kind = _kind(general, means, types, f"{place}: any", Kind())
        every = (replace(kind, prefix=document.get("prefix", "")), *every)
    weights = table_in(document, "points", place)
    points = {key: checked_weight(each, f"{place}: points.{key}") for key, each in weights.items()}
    names, units, back = (
        {**known, **_words(document, key, place)}
        for key, known in (("names", table.names), ("units", table.units), ("back", table.back))
    )
    return Table(types, every, {**table.points, **points}, means, names, units, back)


def _words(document: Mapping[str, Any], key: str, place: str) -> Mapping[str, str]:
    found = table_in(document, key, place)
    for name, each in found.items():
        checked_words(each, f"{place}: {key}.{name}")
    return found


def _meaning(said: Mapping[str, Any], place: str) -> Meaning:
    check_keys(said, _MEANING, place)
    for key in ("title", "reason"):
        if key not in said:
            raise TableError(f"{place}.{key} is missing: give the words of the point")
    return Meaning(
        _concern(said, place),
        _weight(said, place),
        checked_words(said["title"], f"{place}.title"),
        checked_words(said["reason"], f"{place}.reason"),
        str(said.get("source", "")),
        checked_flag(said.get("created", False), f"{place}.created"),
        checked_flag(said.get("values", True), f"{place}.values"),
    )


def _kind(
    said: Mapping[str, Any], means: Mapping[str, Meaning], types: Mapping[str, Kind], place: str, known: Kind
) -> Kind:
    if "same_as" in said:
        if not isinstance(said["same_as"], str) or said["same_as"] not in types:
            raise TableError(f"{place}.same_as = {said['same_as']!r}: no such type stands above")
        return types[said["same_as"]]
    rows = dict(known.rows)
    deleted, runs, back, joins = known.deleted, known.runs, known.back, dict(known.joins)
    for key, value in said.items():
        if key == HARMLESS and isinstance(value, list):
            rows |= {tuple(str(name).split(".")): (Case("any", frozenset(), None),) for name in value}
        elif key == "deleted":
            if not isinstance(value, Mapping):
                raise TableError(f"{place}.deleted = {value!r}: give one of {', '.join(_KINDS)} and a weight")
            deleted = _deletion(value, f"{place}.deleted")
        elif key == "joins" and isinstance(value, Mapping):
            named = {name: _named(each, means, f"{place}.joins.{name}") for name, each in value.items()}
            joins |= {name: each for name, each in named.items() if each}
        elif key == "runs" and isinstance(value, Mapping):
            runs = _running(value, f"{place}.runs")
        elif key == "back" and isinstance(value, Mapping):
            back = tuple(_ways(value, f"{place}.back"))
        else:
            rows[tuple(key.split("."))] = tuple(_cases(value, means, f"{place}.{key}"))
    return Kind(rows, deleted, joins, known.prefix, runs, back)


def _running(said: Mapping[str, Any], place: str) -> Running:
    check_keys(said, _RUNNING, place)
    listed = {key: checked_names(each, f"{place}.{key}") for key, each in said.items() if key != "only_with"}
    return Running(**listed, only_with=str(said.get("only_with", "")))


def _ways(said: Mapping[str, Any], place: str) -> Iterator[Way]:
    for conditions, text in said.items():
        checked_words(text, f"{place}.{conditions}")
        given = [] if conditions == OTHERWISE else [each.split() for each in conditions.split(",")]
        for words in given:
            if len(words) != 2 or words[1] not in _STATES:
                said_so = f"{place}: condition {' '.join(words)!r}"
                allowed = ", ".join(sorted(_STATES))
                raise TableError(f"{said_so}: use {OTHERWISE}, or an attribute and one of {allowed}")
        yield Way(tuple((tuple(path.split(".")), state) for path, state in given), text)


def _cases(value: object, means: Mapping[str, Meaning], place: str) -> Iterator[Case]:
    said = value if isinstance(value, Mapping) else {"any": value}
    for condition, word in said.items():
        name, _, words = condition.partition(" ")
        if not (condition in CONDITIONS or (name in ("=", "not", "from") and words.strip())):
            allowed = ", ".join(sorted(CONDITIONS))
            raise TableError(
                f'{place}: condition {condition!r}: use {allowed}, "= A | B", "not A | B" or "from A | B"'
            )
        listed = frozenset(each.strip().lower() for each in words.split("|")) if words else frozenset()
        yield Case(name, listed, _named(word, means, place))


def _named(word: object, means: Mapping[str, Meaning], place: str) -> Meaning | None:
    if word in (HARMLESS, ANALYSED):
        return None
    if not isinstance(word, str) or word not in means:
        raise TableError(f"{place} = {word!r}: not a meaning; use harmless or a name under [means]")
    return means[word]


def _deletion(said: Mapping[str, Any], place: str) -> Deletion:
    check_keys(said, _DELETION, place)
    kinds = [kind for kind in _KINDS if isinstance(said.get(kind), str)]
    if len(kinds) != 1:
        raise TableError(f"{place}: give one of {', '.join(_KINDS)}")
    kind = kinds[0]
    for key in (kind, "reason", "replaced"):
        if key in said:
            checked_words(said[key], f"{place}.{key}")
    shows = said.get("shows", [])
    checked_names(shows, f"{place}.shows")
    concerns = {"holds": Concern.DATA_LOSS, "guards": Concern.PROTECTION}
    return Deletion(
        kind,
        str(said.get("reason", "")) if kind == "guards" else said[kind],
        0 if kind == "revision" else _weight(said, place),
        said[kind] if kind == "guards" else "",
        tuple(shows),
        _concern(said, place) if "concern" in said else concerns.get(kind, Concern.RUNTIME),
        str(said.get("source", "")),
        str(said.get("replaced", "")),
    )


def _concern(said: Mapping[str, Any], place: str) -> Concern:
    names = {concern.name.lower(): concern for concern in Concern}
    if said.get("concern") not in names:
        raise TableError(f"{place}.concern = {said.get('concern')!r}: use {', '.join(names)}")
    return names[said["concern"]]


def _weight(said: Mapping[str, Any], place: str) -> int:
    return checked_weight(said.get("weight"), f"{place}.weight")
