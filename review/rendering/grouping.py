"""Groups the changes of a plan, the dangerous first, and collects what many of them share."""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from review.comparing.differences import differences
from review.model import ABSENT, Action, Difference, Document, ResourceChange, Tree

SHARED_BY = 3
"""The least number of resources with the same difference to show it once."""

ORDER = (
    Action.REPLACE,
    Action.DELETE,
    Action.UNRECOGNISED,
    Action.UPDATE,
    Action.CREATE,
    Action.FORGET,
    Action.IMPORT,
    Action.MOVE,
    Action.READ,
)
"""The order of the groups; what cannot be judged counts as dangerous."""

_COMPARED = frozenset({Action.REPLACE, Action.UPDATE, Action.IMPORT, Action.MOVE, Action.UNRECOGNISED})


@dataclass(frozen=True, slots=True)
class Item:
    """One change, and the differences that it does not share with others."""

    change: ResourceChange
    differences: tuple[Difference, ...]
    has_shared: bool = False
    """Whether it is in one of the group's `shared`."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The same differences on several resources."""

    differences: tuple[Difference, ...]
    items: tuple[Item, ...]
    """Those resources, each with its other differences."""


@dataclass(frozen=True, slots=True)
class Group:
    """All changes of one action. Each is in `items` or in exactly one of `shared`."""

    action: Action
    shared: tuple[Shared, ...]
    items: tuple[Item, ...]


def groups_of(changes: Iterable[ResourceChange]) -> tuple[Group, ...]:
    """Groups changes by action, in the order of `ORDER`, without empty groups."""
    by_action: defaultdict[Action, list[ResourceChange]] = defaultdict(list)
    for change in changes:
        by_action[change.action].append(change)
    return tuple(group_of(action, by_action[action]) for action in ORDER if action in by_action)


def group_of(action: Action, changes: Iterable[ResourceChange]) -> Group:
    """Builds one group. Updates share differences; each replacement has its own reasons."""
    items = [Item(change, _differences(change)) for change in changes]
    if action is Action.CREATE:
        return _equal(items)
    if action is not Action.UPDATE:
        return Group(action, (), tuple(items))
    return _shared(action, items)


def _equal(items: list[Item]) -> Group:
    """Groups new resources; of those that are the same, one stands for all."""
    members: defaultdict[Hashable, list[Item]] = defaultdict(list)
    for item in items:
        members[item.change.type, _hashable(item.change.after)].append(item)
    alike = [
        found
        for found in members.values()
        if len(found) >= SHARED_BY and isinstance(found[0].change.after, dict)
    ]
    shared = tuple(
        Shared(
            tuple(differences(ABSENT, found[0].change.after)),
            tuple(Item(item.change, (), has_shared=True) for item in found),
        )
        for found in alike
    )
    told = {id(item) for found in alike for item in found}
    return Group(Action.CREATE, shared, tuple(item for item in items if id(item) not in told))


def common_tags(group: Group) -> dict[str, Tree]:
    """Returns the tags that all new resources of a group with `tags_all` have.

    Nothing if fewer than `SHARED_BY` do.
    """
    states = [item.change.after for item in group.items]
    found = [state["tags_all"] for state in states if isinstance(state, dict) and "tags_all" in state]
    tagged = [tags for tags in found if isinstance(tags, dict)]
    if group.action is not Action.CREATE or len(tagged) < SHARED_BY:
        return {}
    first, *others = tagged
    return {key: tag for key, tag in first.items() if all(each.get(key) == tag for each in others)}


def _differences(change: ResourceChange) -> tuple[Difference, ...]:
    """Returns what differs within a resource that exists before and after."""
    both = isinstance(change.before, dict) and isinstance(change.after, dict)
    if change.action not in _COMPARED or not both:
        return ()
    return _without_repeats(differences(change.before, change.after))


def _without_repeats(found: Sequence[Difference]) -> tuple[Difference, ...]:
    """Drops differences of `tags_all` that `tags` has in the same way.

    Source: the AWS provider's guide "Resource Tagging": `tags_all` is `tags` with the provider's own.
    """
    tags = {(each.path[1:], *_values(each)) for each in found if each.path[:1] == ("tags",)}
    return tuple(
        each
        for each in found
        if each.path[:1] != ("tags_all",) or (each.path[1:], *_values(each)) not in tags
    )


def _shared(action: Action, items: list[Item]) -> Group:
    """Collects what at least `SHARED_BY` items have in common.

    Each item has a signature: those of its differences that enough others have as well. Items of one
    signature make one entry. A signature of too few items loses its rarest difference, until the
    items fit in with others or share nothing.
    """
    keys = [{_key(each): each for each in item.differences} for item in items]
    common = Counter(key for each in keys for key in each)
    # The rarest last. Positions, which are small, stand for the keys from here on.
    frequent = sorted(
        (key for key, count in common.items() if count >= SHARED_BY), key=lambda key: -common[key]
    )
    rank = {key: position for position, key in enumerate(frequent)}
    signatures = [tuple(sorted(rank[key] for key in each if key in rank)) for each in keys]
    members: defaultdict[tuple[int, ...], list[int]] = defaultdict(list)
    for index, signature in enumerate(signatures):
        members[signature].append(index)
    by_length: defaultdict[int, dict[tuple[int, ...], None]] = defaultdict(dict)
    for signature in members:
        by_length[len(signature)][signature] = None
    for length in range(max(by_length, default=0), 0, -1):
        for signature in by_length[length]:
            if len(members[signature]) < SHARED_BY:
                shorter = signature[:-1]
                members[shorter] += members.pop(signature)
                by_length[length - 1][shorter] = None
    alone = sorted(members.pop((), []))
    shared = []
    for signature, indices in members.items():
        taken = {frequent[position] for position in signature}
        own = [
            Item(
                items[index].change,
                tuple(each for key, each in keys[index].items() if key not in taken),
                has_shared=True,
            )
            for index in sorted(indices)
        ]
        first = keys[indices[0]]
        shared.append(Shared(tuple(each for key, each in first.items() if key in taken), tuple(own)))
    shared.sort(key=lambda each: (-len(each.items), each.items[0].change.address))
    return Group(action, tuple(shared), tuple(items[index] for index in alone))


def _key(difference: Difference) -> Hashable:
    return (difference.path, *_values(difference))


def _values(difference: Difference) -> tuple[Hashable, Hashable]:
    return _hashable(difference.before), _hashable(difference.after)


def _hashable(tree: Tree) -> Hashable:
    """Returns a hashable, equal for equal values only: `True`, 1 and 1.0 are three."""
    match tree:
        case str():
            return tree
        case dict():
            return (dict, tuple((key, _hashable(tree[key])) for key in sorted(tree)))
        case list():
            return (list, tuple(_hashable(each) for each in tree))
        case Document():
            return (Document, _hashable(tree.content))
        case bool() | int() | float():
            return (type(tree), tree)
        case _:
            return tree
