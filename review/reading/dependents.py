"""Finds the resources that stay and refer to what a plan deletes or replaces.

The configuration says to what a resource refers, also through data sources. What is no longer in the
configuration has no references, so there the state counts: a resource that was made after it and whose
values still name it.
"""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from review.model import Action, User, natural
from review.reading.changes import ACTIONS
from review.reading.entries import Entry
from review.reading.references import References
from review.reading.structure import bare, former_in, indices_of, text_in

STAYING: Final[Mapping[tuple[str, ...], Action | None]] = {
    ("no-op",): None,
    **{actions: each for actions, each in ACTIONS.items() if each in {Action.UPDATE, Action.REPLACE}},
}
"""What happens to a resource that is there before and after."""

_DATA: Final = re.compile(r"(?:module\.[^.\[]+(?:\[[^\]]*\])?\.)*data\.")
_WORD: Final = re.compile(r"[^\"\\\s,]+")
_REST: Final = re.compile(r"(?:[/:]\*)+\Z")
"""What may stand after an ARN in a policy."""
_LEAST: Final = 8
"""Characters of an id by which a resource is recognised in the values of another."""


def users_of(
    document: Mapping[str, Any],
    entries: Sequence[Entry],
    references: References,
    shown: Callable[[str], str],
) -> dict[str, tuple[User, ...]]:
    """Returns who refers to each resource that a plan deletes or replaces, by its address.

    First who does not change, then who is replaced, then who is updated. `shown` gives an address as it may
    be shown. Raises PlanError if the document is not built like a plan.
    """
    current = {each.address: each for each in entries if not each.is_data and not each.deposed}
    names: dict[str, set[str]] = {
        address: set() for address, entry in current.items() if "delete" in entry.actions
    }
    if not names:
        return {}
    destroyed = frozenset(map(bare, names))
    for user, entry in current.items():
        for address in _referred(user, references, destroyed) if entry.actions in STAYING else ():
            if address in names and address != user:
                names[address].add(user)
    for address, user in _still_named(document, current.values()):
        names[address].add(user)
    return {
        address: tuple(
            sorted(
                (User(shown(user), STAYING[current[user].actions]) for user in users),
                key=lambda user: (user.action or "", natural(user.address)),
            )
        )
        for address, users in names.items()
        if users
    }


def _referred(user: str, references: References, wanted: frozenset[str]) -> Iterator[str]:
    """Yields the instances of wanted resources to which one refers, itself or by its data sources."""
    seen = {user}
    todo = [user]
    while todo:
        place = todo.pop()
        for target, by_index in references.everything(place):
            if bare(target) in wanted:
                yield from references.instances_of(target, indices_of(user) if by_index else None)
            elif _DATA.match(target) and target not in seen:
                seen.add(target)
                todo.append(target)


def _still_named(document: Mapping[str, Any], current: Collection[Entry]) -> Iterator[tuple[str, str]]:
    """Yields what is deleted with each resource that was made after it, stays, and has its id or ARN."""
    ids: dict[str, set[str]] = {}
    for entry in current:
        before = entry.change.get("before") if entry.actions == ("delete",) else None
        values = (before.get("id"), before.get("arn")) if isinstance(before, Mapping) else ()
        for value in values:
            if isinstance(value, str) and len(value) >= _LEAST:
                ids.setdefault(value, set()).add(entry.address)
    former = _former(document) if ids else {}
    for entry in current:
        made_after = former.get(bare(entry.address))
        if made_after and entry.actions in STAYING:
            words = (_REST.sub("", word) for word in _WORD.findall(json.dumps(entry.change.get("after"))))
            named = {address for word in words for address in ids.get(word, ())}
            yield from ((address, entry.address) for address in named if bare(address) in made_after)


def _former(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """Returns what each resource of the state was made after, by addresses without indices."""
    found: dict[str, set[str]] = {}
    for place, resource in former_in(document):
        needed = resource.get("depends_on")
        texts = (each for each in (needed if isinstance(needed, list) else ()) if isinstance(each, str))
        found.setdefault(bare(text_in(resource, "address", place)), set()).update(map(bare, texts))
    return found
