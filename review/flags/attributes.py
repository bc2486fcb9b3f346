"""Judges each changed attribute of a resource by the table, and names those that the table does not know."""

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import chain

from review.comparing.differences import differences
from review.comparing.matching import freeze
from review.flags.subject import Subject, hidden, values
from review.model import ABSENT, UNKNOWN, Action, Block, Document, Flag, Tree, is_nothing
from review.table import Case, Meaning, Table

Where = tuple[str, ...]

CONTAINERS = (list, dict, Document)

SETS = frozenset({"egress", "ingress", "route"})
"""Lists of blocks without an order, which a change of one may move to another place.

Source: schemas of the AWS provider's security groups, network ACLs and route tables.
"""

STATES = ("off", "on", "unset", "zero", "=", "not")
"""Conditions that look at the new value alone; a value that was so before raises nothing."""


Row = tuple[Where, tuple[Case, ...]]
"""The path of a row, and its cases."""


class Rows:
    """Finds the rows of a table, each once."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._rows: dict[tuple[str, Where], Row | None] = {}
        self._quiet: dict[str, frozenset[str]] = {}

    def of(self, type: str, path: Where) -> Row | None:
        """Returns the row of an attribute; None if nobody knows it."""
        if (type, path) not in self._rows:
            self._rows[type, path] = self._table.find(type, path)
        return self._rows[type, path]

    def quiet(self, type: str) -> frozenset[str]:
        """Returns the attributes of a type that need no look, as the table says the same of every change."""
        if type not in self._quiet:
            self._quiet[type] = self._table.quiet(type)
        return self._quiet[type]


def judged(subject: Subject, known: Rows) -> tuple[list[Flag], list[Where]]:
    """Returns the flags of a change, and the attributes that it changes and the table does not know."""
    if not subject.stays:
        return [], []
    rows: dict[Where, tuple[Case, ...]] = {}
    leaves: dict[Where, list[Where]] = {}
    unknown: dict[Where, None] = {}
    kind = subject.change.type
    for path in changed_paths(subject.before, subject.after, without=known.quiet(kind)):
        found = known.of(kind, path)
        if found is None:
            unknown[path] = None
        else:
            rows[found[0]] = found[1]
            leaves.setdefault(found[0], []).append(path)
    # Of a resource that is not known at all, another flag says so.
    flags = [
        _leaf(subject, flag, leaves[where])
        for where, cases in ({} if hidden(subject.change.after) else rows).items()
        for flag in _flags(subject, where, cases)
    ]
    return flags, list(unknown)


def changed_paths(before: Block, after: Block, *, without: frozenset[str] = frozenset()) -> Iterator[Where]:
    """Yields the paths of what differs, by attribute names; lists of blocks add nothing to a path.

    Leaves out what is within the attributes `without`.
    """
    for key in sorted((before.keys() | after.keys()) - without):
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old is new or old == new:
            continue
        if key in SETS and isinstance(old, list) and isinstance(new, list):
            old, new = _without_equal(old, new), _without_equal(new, old)
        if isinstance(old, CONTAINERS) or isinstance(new, CONTAINERS):
            yield from dict.fromkeys(_changed((key,), [old], [new]))
        elif not (is_nothing(old) and is_nothing(new)):
            yield (key,)


def _changed(path: Where, olds: Sequence[Tree], news: Sequence[Tree]) -> Iterator[Where]:
    left, right = _spread(olds), _spread(news)
    old_blocks = [each for each in left if isinstance(each, dict)]
    new_blocks = [each for each in right if isinstance(each, dict)]
    keys = dict.fromkeys(chain.from_iterable((*old_blocks, *new_blocks)))
    for key in keys:
        old = [block.get(key, ABSENT) for block in old_blocks]
        new = [block.get(key, ABSENT) for block in new_blocks]
        if old != new:
            found = list(_changed((*path, key), old, new))
            yield from found or ([(*path, key)] if _is_dealt(old_blocks, new_blocks, old, new) else ())
    old_values = [each for each in left if not isinstance(each, dict) and not is_nothing(each)]
    new_values = [each for each in right if not isinstance(each, dict) and not is_nothing(each)]
    # A block that comes or goes without anything set in it is a change too.
    bare = not keys and len(old_blocks) != len(new_blocks)
    if bare or not _same(old_values, new_values):
        yield path


def _without_equal(blocks: list[Tree], others: list[Tree]) -> list[Tree]:
    """Returns the items of a set that another one does not have."""
    known = set(map(_set, others))
    return [each for each in blocks if _set(each) not in known]


def _is_dealt(old_blocks: list[Block], new_blocks: list[Block], old: list[Tree], new: list[Tree]) -> bool:
    """Returns whether the same values belong to other blocks now, where the blocks are not only reordered."""
    if max(len(old_blocks), len(new_blocks)) < 2 or _set(old) == _set(new):
        return False
    return Counter(map(_set, old_blocks)) != Counter(map(_set, new_blocks))


def _set(tree: Tree) -> Hashable:
    """Returns what is set in a value, as something that equals what has the same set."""
    if isinstance(tree, dict):
        return frozenset((key, _set(value)) for key, value in tree.items() if not _is_unset(value))
    return tuple(map(_set, tree)) if isinstance(tree, list) else freeze(tree)


def _is_unset(tree: Tree) -> bool:
    """Returns whether nothing is set in a value, however many empty blocks it has."""
    return is_nothing(tree) or (isinstance(tree, list) and all(map(_is_unset, tree)))


def _spread(found: Sequence[Tree]) -> list[Tree]:
    return [item for each in found for item in (each if isinstance(each, list) else [each])]


def _same(old: Sequence[Tree], new: Sequence[Tree]) -> bool:
    if len(old) == len(new) == 1 and isinstance(old[0], Document) and isinstance(new[0], Document):
        return not differences(old[0], new[0])
    return [freeze(each) for each in old] == [freeze(each) for each in new]


def _flags(subject: Subject, where: Where, cases: Sequence[Case]) -> Iterator[Flag]:
    before, after = values(subject.before, where), values(subject.after, where)
    if not subject.is_new and any(hidden(value) for value in after):
        yield from _hidden(subject, where, cases, before, after)
        return
    for case in cases:
        shown = _new(case, after) if subject.is_new else _holds(case, before, after)
        if shown is None:
            continue
        if case.meaning and (case.meaning.created or not subject.is_new):
            yield _flag(subject, case.meaning, where, *shown)
        return


def _leaf(subject: Subject, flag: Flag, leaves: Sequence[Where]) -> Flag:
    """Narrows a flag about a whole block to what changes within it."""
    sides = flag.before, flag.after
    is_block = any(isinstance(each, dict) for each in _spread(sides))
    if not is_block or leaves == [flag.path] or (ABSENT in sides and not subject.is_new):
        return flag
    shown = [
        {".".join(path[len(flag.path) :]): _one(values(side, path)) for path in leaves}
        for side in (subject.before, subject.after)
    ]
    if len(leaves) == 1:
        ((before,), (after,)) = (list(each.values()) for each in shown)
        return replace(flag, path=leaves[0], before=before, after=after)
    before, after = ({key: value for key, value in each.items() if not is_nothing(value)} for each in shown)
    return replace(flag, before=before or ABSENT, after=after or ABSENT)


def _flag(subject: Subject, meaning: Meaning, where: Where, before: Tree, after: Tree) -> Flag:
    if not meaning.values or before == after:
        before = after = ABSENT
    return subject.flag(
        meaning.concern, meaning.title, meaning.reason, where, before, after, weight=meaning.weight
    )


def _hidden(
    subject: Subject, where: Where, cases: Sequence[Case], before: list[Tree], after: list[Tree]
) -> Iterator[Flag]:
    """Flags a value that Terraform knows only after the apply, or that is sensitive."""
    value = next(each for each in after if hidden(each))
    written, is_replaced = subject.change.written, subject.change.action is Action.REPLACE
    if is_replaced and value is UNKNOWN and written is not None and where[0] not in written:
        return  # nobody sets it, so it is only computed anew
    told = next((case for case in cases if case.condition == "unknown"), None)
    if told is not None and value is UNKNOWN:
        if told.meaning:
            yield subject.unknown(told.meaning.title, where, _one(before), value)
        return
    paths = {tuple(map(str, path))[:1] for path in subject.change.replace_paths}
    # What a replacement does not change is only computed anew.
    is_anew = is_replaced and value is UNKNOWN and where[:1] not in paths
    for case in cases:
        if case.meaning is None:
            if case.condition == "any":
                return
            continue
        if is_anew and case.condition not in STATES:
            return
        if case.condition == "any":
            if any(not is_nothing(each) for each in before) or case.meaning.created:
                yield _flag(subject, case.meaning, where, _one(before), value)
            return
        if _may_become(case, before):
            yield subject.unknown(case.meaning.title, where, _one(before), value)
            return


def _may_become(case: Case, before: list[Tree]) -> bool:
    """Returns whether a hidden value can make the condition true, which it was not before."""
    if case.condition in STATES:
        return not all(_is(case, value) for value in before)
    if case.condition in ("lowered", "raised"):
        return any(number(value) for value in before)
    return case.condition == "removed" and any(not is_nothing(value) for value in before)


def _new(case: Case, after: list[Tree]) -> tuple[Tree, Tree] | None:
    """Returns the values to show if the condition holds for a new resource; only what is written counts."""
    for value in after:
        if is_nothing(value) or (hidden(value) and case.condition in STATES):
            continue
        if case.condition in ("any", "set", "added") or (case.condition in STATES and _is(case, value)):
            return ABSENT, value
    return None


def _holds(case: Case, before: list[Tree], after: list[Tree]) -> tuple[Tree, Tree] | None:
    """Returns the values to show, before and after, if the condition holds for a change."""
    match case.condition:
        case "any":
            return _one(before), _one(after)
        case "set" | "unset":
            old, new = _all_nothing(before), _all_nothing(after)
            wanted = (True, False) if case.condition == "set" else (False, True)
            return (_one(before), _one(after)) if (old, new) == wanted else None
        case "from":
            was = all(_word(value) in case.words for value in before)
            return (_one(before), _one(after)) if was else None
        case "from_zero":
            is_now = not all(map(_is_zero, after))
            return (_one(before), _one(after)) if all(map(_is_zero, before)) and is_now else None
        case "lowered" | "raised":
            return _moved(case.condition, before, after)
        case "removed" | "added":
            return _items(case.condition, before, after)
        case "unknown":
            return None
    bad = [value for value in after if _is(case, value)]
    if len(bad) > sum(not hidden(value) and _is(case, value) for value in before):
        return next((value for value in before if not _is(case, value)), ABSENT), bad[0]
    return None


def _moved(direction: str, before: list[Tree], after: list[Tree]) -> tuple[Tree, Tree] | None:
    for old, new in zip(before, after, strict=False):
        former, now = number(old), number(new)
        if former is None or now is None or former == now:
            continue
        if (now < former) is (direction == "lowered"):
            return old, new
    return None


def _items(direction: str, before: list[Tree], after: list[Tree]) -> tuple[Tree, Tree] | None:
    old = [each for each in _spread(before) if not is_nothing(each)]
    new = [each for each in _spread(after) if not is_nothing(each)]
    is_list = any(isinstance(each, list) for each in (*before, *after))
    if not is_list and old and new:
        return None
    more, fewer = (old, new) if direction == "removed" else (new, old)
    kept = [freeze(each) for each in fewer]
    found: list[Tree] = [each for each in more if freeze(each) not in kept]
    # Blocks that stay and change inside neither came nor went.
    if not found or (len(more) <= len(fewer) and any(isinstance(each, dict) for each in found)):
        return None
    shown: Tree = found[0] if len(found) == 1 else found
    return (shown, ABSENT) if direction == "removed" else (ABSENT, shown)


def _is(case: Case, value: Tree) -> bool:
    """Returns whether a known value is as the condition says."""
    match case.condition:
        case "on":
            return value is True or value == "true"
        case "off":
            return value is False or value == "false" or is_nothing(value)
        case "unset":
            return is_nothing(value)
        case "zero":
            return _is_zero(value)
        case "=":
            return any(_word(each) in case.words for each in (value if isinstance(value, list) else [value]))
        case _:
            return _word(value) not in case.words


def _word(value: Tree) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).lower() if isinstance(value, str | int | float) else ""


def _is_zero(value: Tree) -> bool:
    return is_nothing(value) or (value in (0, "0") and value is not False)


def _all_nothing(found: list[Tree]) -> bool:
    return all(map(is_nothing, found))


def _one(found: list[Tree]) -> Tree:
    """Returns the only value that is set, or all."""
    left = [each for each in found if not is_nothing(each)] if len(found) > 1 else found
    return ABSENT if not left else left[0] if len(left) == 1 else [*left]


def number(value: Tree) -> float | None:
    """Returns a number, also from a text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None
