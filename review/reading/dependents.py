"""Finds the resources that stay and refer to what a plan deletes or replaces.

The configuration says to what a resource refers, also through data sources. What is no longer in the
configuration has no references, so there the state counts: a resource that was made after it and whose
values still name it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from review.model import Action, User, natural
from review.reading.changes import ACTIONS
from review.reading.references import References
from review.reading.structure import (
    actions_in,
    bare,
    indices_of,
    modules_of_values,
    object_in,
    objects_in,
    text_in,
)

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

_Changes = dict[str, tuple[tuple[str, ...], Mapping[str, Any]]]
"""Actions and change of each resource, by address."""


def users_of(
    document: Mapping[str, Any], references: References, shown: Callable[[str], str]
) -> dict[str, tuple[User, ...]]:
    """Returns who refers to each resource that a plan deletes or replaces, by its address.

    First who does not change, then who is replaced, then who is updated. `shown` gives an address as it may
    be shown. Raises PlanError if the document is not built like a plan.
    """
    changes: _Changes = {}
    for place, item in objects_in(document, "resource_changes"):
        if text_in(item, "mode", place) != "data" and not item.get("deposed"):
            change = object_in(item.get("change"), f"{place}.change")
            changes[text_in(item, "address", place)] = actions_in(change, place), change
    names: dict[str, set[str]] = {
        address: set() for address, (actions, _) in changes.items() if "delete" in actions
    }
    if not names:
        return {}
    destroyed = frozenset(map(bare, names))
    for user, (actions, _) in changes.items():
        for address in _referred(user, references, destroyed) if actions in STAYING else ():
            if address in names and address != user:
                names[address].add(user)
    for address, user in _still_named(document, changes):
        names[address].add(user)
    return {
        address: tuple(
            sorted(
                (User(shown(user), STAYING[changes[user][0]]) for user in users),
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


def _still_named(document: Mapping[str, Any], changes: _Changes) -> Iterator[tuple[str, str]]:
    """Yields what is deleted with each resource that was made after it, stays, and has its id or ARN."""
    ids: dict[str, set[str]] = {}
    for address, (actions, change) in changes.items():
        before = change.get("before") if actions == ("delete",) else None
        values = (before.get("id"), before.get("arn")) if isinstance(before, Mapping) else ()
        for value in values:
            if isinstance(value, str) and len(value) >= _LEAST:
                ids.setdefault(value, set()).add(address)
    former = _former(document) if ids else {}
    for user, (actions, change) in changes.items():
        made_after = former.get(bare(user))
        if made_after and actions in STAYING:
            words = (_REST.sub("", word) for word in _WORD.findall(json.dumps(change.get("after"))))
            named = {address for word in words for address in ids.get(word, ())}
            yield from ((address, user) for address in named if bare(address) in made_after)


def _former(document: Mapping[str, Any]) -> dict[str, set[str]]:
    """Returns what each resource of the state was made after, by addresses without indices."""
    found: dict[str, set[str]] = {}
    prior = object_in(document.get("prior_state"), "prior_state")
    for module in modules_of_values(prior.get("values"), "prior_state"):
        for place, resource in objects_in(module, "resources", "prior_state"):
            needed = resource.get("depends_on")
            texts = (each for each in (needed if isinstance(needed, list) else ()) if isinstance(each, str))
            found.setdefault(bare(text_in(resource, "address", place)), set()).update(map(bare, texts))
    return found
