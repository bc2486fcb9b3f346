"""Matches the blocks of two lists by equality, by name, by likeness."""

from collections import defaultdict, deque
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from review.model import ABSENT, Block, Document, Masked, Special, Tree

NAMES = ("name", "Name", "key", "Key")
"""Keys that identify a block: a different name is a different block."""

HINTS = (
    "Sid",
    "sid",
    "id",
    "Id",
    "ID",
    "rule_no",
    "priority",
    "rulePriority",
    "device_name",
    "containerPort",
    "containerPath",
    "cidr_block",
    "destination_cidr_block",
    "origin_id",
    "path_pattern",
    "domain_name",
)
"""Keys that often identify a block, which may be renamed: a statement's Sid."""

ALIKE = 0.5
"""The share of two blocks that must be equal for one to be a change of the other."""

PAIRS = 4096
"""Above this many pairs, only blocks that share something rare are compared."""

RARE = 8
"""How many blocks may share a feature that still counts as rare."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """The blocks of two lists side by side, without those that are equal and have no name.

    `pairs` holds indices in the order of `after`, then blocks that only `before` has; None means no
    counterpart. `labels` names the pairs; the label of an only block is empty. `moved` says that blocks
    that stay changed their order.
    """

    pairs: tuple[tuple[int | None, int | None], ...]
    labels: tuple[str, ...]
    moved: bool


def freeze(tree: Tree) -> Hashable:
    """Returns a hashable that is equal for equal trees; null counts as absent."""
    match tree:
        case str():
            return tree
        case bool():
            return ("bool", tree)
        case list():
            return ("list", *[freeze(item) for item in tree])
        case dict():
            present = [key for key, value in tree.items() if value is not None and value is not ABSENT]
            return ("dict", *[(key, freeze(tree[key])) for key in sorted(present)])
        case Document():
            return ("document", freeze(tree.content))
        case _:
            return tree


def pair_blocks(before: Sequence[Block], after: Sequence[Block]) -> Pairing:
    """Pairs the blocks of two lists, in time near linear in their number."""
    matched: dict[int, int] = {}
    key = _name_key(before, after)
    if key:
        _match_by_key(before, after, key, matched)
    elif not len(before) == len(after) == 1:
        _match_equal(before, after, matched)
    order = [matched[index] for index in sorted(matched)]
    moved = any(left > right for left, right in pairwise(order))
    equal = frozenset() if key else frozenset(matched)
    if len(equal) == len(before) == len(after):
        return Pairing((), (), moved)
    hint = None if key else _hint_key(before, after)
    if hint:
        _match_by_key(before, after, hint, matched)
    if len(before) == len(after) == 1 and not key:
        matched[0] = 0
    elif not key:
        _match_alike(before, after, matched)
    pairs: list[tuple[int | None, int | None]] = [
        (matched.get(index), index) for index in range(len(after)) if index not in equal
    ]
    taken = set(matched.values())
    pairs += [(index, None) for index in range(len(before)) if index not in taken]
    single = len(before) <= 1 and len(after) <= 1
    labels = _labels(before, after, pairs, key or hint, single)
    return Pairing(tuple(pairs), labels, moved)


def _match_equal(before: Sequence[Block], after: Sequence[Block], matched: dict[int, int]) -> None:
    places: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for index, block in enumerate(before):
        places[freeze(block)].append(index)
    for index, block in enumerate(after):
        if place := places.get(freeze(block)):
            matched[index] = place.popleft()


def _names(blocks: Sequence[Block], key: str) -> list[str | int]:
    """Returns the names that blocks have under a key, without values that cannot be names."""
    return [
        name
        for block in blocks
        if isinstance(name := block.get(key), str | int) and not isinstance(name, bool) and name != ""
    ]


def _name_key(before: Sequence[Block], after: Sequence[Block]) -> str | None:
    """Finds the key by which every block of both lists has a unique name."""
    for key in NAMES:
        if all(len(set(_names(blocks, key))) == len(blocks) for blocks in (before, after)):
            return key
    return None


def _hint_key(before: Sequence[Block], after: Sequence[Block]) -> str | None:
    """Finds the key by which those blocks that have it are unique."""
    present = {key for blocks in (before, after) for block in blocks for key in block}
    for key in HINTS:
        if key not in present:
            continue
        both = [_names(blocks, key) for blocks in (before, after)]
        if any(both) and all(len(set(names)) == len(names) for names in both):
            return key
    return None


def _match_by_key(before: Sequence[Block], after: Sequence[Block], key: str, matched: dict[int, int]) -> None:
    taken = set(matched.values())
    places = {freeze(block.get(key)): index for index, block in enumerate(before) if index not in taken}
    for index, block in enumerate(after):
        if index in matched or not _names([block], key):
            continue
        place = places.get(freeze(block[key]))
        if place is not None:
            matched[index] = place


def _features(block: Block) -> frozenset[Hashable]:
    """Splits a block into pieces; null, false and empty values are left out."""
    return frozenset(_pieces(block))


def _pieces(block: Block) -> Iterator[Hashable]:
    for key, value in block.items():
        if isinstance(value, list):
            for item in value:
                yield key, freeze(item)
        elif isinstance(value, dict):
            for inner, item in value.items():
                yield key, inner, freeze(item)
        elif isinstance(value, Masked | Special) or value:
            yield key, freeze(value)


def _match_alike(before: Sequence[Block], after: Sequence[Block], matched: dict[int, int]) -> None:
    """Matches the remaining blocks, the most alike first."""
    taken = set(matched.values())
    old = {index: _features(block) for index, block in enumerate(before) if index not in taken}
    new = {index: _features(block) for index, block in enumerate(after) if index not in matched}
    holders: defaultdict[Hashable, list[int]] = defaultdict(list)
    for index, features in old.items():
        for feature in features:
            holders[feature].append(index)
    most = len(old) if len(old) * len(new) <= PAIRS else RARE
    candidates: list[tuple[float, int, int]] = []
    for index, features in new.items():
        near = {place for feature in features for place in holders.get(feature, ())[:most]}
        for place in near:
            likeness = 2 * len(features & old[place]) / (len(features) + len(old[place]))
            if likeness >= ALIKE:
                candidates.append((-likeness, index, place))
    for _, index, place in sorted(candidates):
        if index not in matched and place not in taken:
            matched[index] = place
            taken.add(place)


def _labels(
    before: Sequence[Block],
    after: Sequence[Block],
    pairs: Sequence[tuple[int | None, int | None]],
    key: str | None,
    single: bool,
) -> tuple[str, ...]:
    labels = []
    for left, right in pairs:
        block = after[right] if right is not None else before[left or 0]
        names = _names([block], key) if key else []
        if names:
            labels.append(str(names[0]))
        else:
            labels.append("" if single else str(left if right is None else right))
    return tuple(labels)
