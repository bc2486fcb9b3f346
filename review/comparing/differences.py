"""Compares two values of a plan by meaning rather than by text or position."""

from collections import Counter
from collections.abc import Hashable, Sequence

from review.comparing.matching import freeze, pair_blocks
from review.comparing.policies import normalised
from review.model import ABSENT, Block, Difference, Document, Tree, is_nothing

ORDERED = frozenset({"command", "entryPoint", "entry_point"})
"""Lists whose order matters."""

VALUES = (("name", "value"), ("name", "valueFrom"), ("key", "value"), ("Key", "Value"))
"""Lists of such pairs are mappings: a container's variables and secrets, tags."""

_Path = tuple[str, ...]


def differences(before: Tree, after: Tree) -> list[Difference]:
    """Returns all differences, sorted by path where values have names.

    - Objects are compared key by key. Null is the same as not being there, as Terraform's null
      means unset, and so is an empty list or object. For attributes of a resource an empty text is
      that as well, as providers write one or the other.
    - A whole object on one side only (a creation, a deletion) is compared with an empty one;
      further down, what is on one side only is one difference.
    - Lists of objects are matched by equality, by name, then by likeness (`matching`). Inside
      of a JSON document their order means nothing, elsewhere another order is one difference.
    - Other lists are multisets; each item that came or went is a difference. The same items in
      another order are one difference, of the whole list.
    - JSON documents are compared as what they hold; IAM policies without the freedoms of their
      grammar (`policies.normalised`).
    - A masked value shows as changed, if it did.
    """
    found: list[Difference] = []
    if before is ABSENT and isinstance(after, dict):
        before = {}
    if after is ABSENT and isinstance(before, dict):
        after = {}
    _compare((), before, after, False, found)
    return found


def _compare(path: _Path, before: Tree, after: Tree, in_document: bool, found: list[Difference]) -> None:
    if before is after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        _compare_objects(path, before, after, in_document, found)
    elif isinstance(before, list) and isinstance(after, list):
        _compare_lists(path, before, after, in_document, found)
    elif isinstance(before, Document) and isinstance(after, Document):
        _compare(path, normalised(before.content), normalised(after.content), True, found)
    elif not _same(before, after) and not (len(path) == 1 and is_nothing(before) and is_nothing(after)):
        found.append(Difference(path, before, after))


def _compare_objects(
    path: _Path, before: Block, after: Block, in_document: bool, found: list[Difference]
) -> None:
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key, ABSENT), after.get(key, ABSENT)
        if old is new or (type(old) is type(new) is str and old == new):
            continue
        _compare((*path, key), old, new, in_document, found)


def _same(before: Tree, after: Tree) -> bool:
    """Compares two values that are not both objects, lists or documents."""
    if before is ABSENT or before is None:
        return after is None or after is ABSENT or after in ([], {})
    if after is ABSENT or after is None:
        return before in ([], {})
    if isinstance(before, bool) or isinstance(after, bool):
        return before is after
    return before == after


def _compare_lists(
    path: _Path, before: list[Tree], after: list[Tree], in_document: bool, found: list[Difference]
) -> None:
    old, new = _mappings(before, after)
    if old is not None and new is not None:
        _compare_objects(path, old, new, in_document, found)
        return
    so_far = len(found)
    moved = _compare_blocks(path, _blocks(before), _blocks(after), in_document, found)
    items: list[Tree] = [item for item in before if not isinstance(item, dict)]
    others: list[Tree] = [item for item in after if not isinstance(item, dict)]
    if path and path[-1] in ORDERED:
        if freeze(items) != freeze(others):
            found.append(Difference(path, before, after))
    elif items or others:
        moved |= _compare_items(path, items, others, found)
    if moved and len(found) == so_far:
        found.append(Difference(path, before, after))


def _blocks(items: Sequence[Tree]) -> list[Block]:
    return [item for item in items if isinstance(item, dict)]


def _mappings(before: Sequence[Tree], after: Sequence[Tree]) -> tuple[Block | None, Block | None]:
    """Reads two lists of name and value pairs as mappings, if both are that."""
    for name, value in VALUES:
        old = _mapping(before, name, value)
        new = _mapping(after, name, value)
        if old is not None and new is not None and (old or new):
            return old, new
    return None, None


def _mapping(items: Sequence[Tree], name: str, value: str) -> Block | None:
    mapping: Block = {}
    for item in items:
        if not isinstance(item, dict) or item.keys() != {name, value}:
            return None
        key = item[name]
        if not isinstance(key, str) or key in mapping or item[value] is None:
            return None
        mapping[key] = item[value]
    return mapping


def _compare_blocks(
    path: _Path, before: list[Block], after: list[Block], in_document: bool, found: list[Difference]
) -> bool:
    """Compares lists of objects; returns whether equal ones changed their order."""
    if not before and not after:
        return False
    pairing = pair_blocks(before, after)
    for (left, right), label in zip(pairing.pairs, pairing.labels, strict=True):
        inner = (*path, label) if label else path
        if left is None and right is not None:
            found.append(Difference(inner, ABSENT, after[right]))
        elif right is None and left is not None:
            found.append(Difference(inner, before[left], ABSENT))
        elif left is not None and right is not None:
            _compare_objects(inner, before[left], after[right], in_document, found)
    return pairing.moved and not in_document


def _compare_items(path: _Path, before: list[Tree], after: list[Tree], found: list[Difference]) -> bool:
    """Compares lists of anything but objects; returns whether those that stay changed their order."""
    keys_before = [freeze(item) for item in before]
    keys_after = [freeze(item) for item in after]
    if keys_before == keys_after:
        return False
    gone = _surplus(before, keys_before, keys_after)
    come = _surplus(after, keys_after, keys_before)
    stayed = _common(keys_before, keys_after), _common(keys_after, keys_before)
    if stayed[0] != stayed[1]:
        found.append(Difference(path, list(before), list(after)))
        return False
    if len(gone) == len(come) == 1:
        found.append(Difference(path, gone[0], come[0]))
        return False
    found.extend(Difference(path, item, ABSENT) for item in gone)
    found.extend(Difference(path, ABSENT, item) for item in come)
    return False


def _surplus(items: Sequence[Tree], keys: Sequence[Hashable], others: Sequence[Hashable]) -> list[Tree]:
    """Returns the items that occur more often than in `others`."""
    left = Counter(others)
    surplus = []
    for item, key in zip(items, keys, strict=True):
        if left[key] > 0:
            left[key] -= 1
        else:
            surplus.append(item)
    return surplus


def _common(keys: Sequence[Hashable], others: Sequence[Hashable]) -> list[Hashable]:
    left = Counter(others)
    common = []
    for key in keys:
        if left[key] > 0:
            left[key] -= 1
            common.append(key)
    return common
