"""Reads a resource change of a plan, with values and an address that are safe to show."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from review.model import ABSENT, UNKNOWN, Action, Path, ResourceChange, Tree
from review.reading.entries import Entry
from review.reading.masking import either, has_mark, marks_of, tree_of, trees_of, without_former_secrets
from review.reading.secret_detection import REDACTED, redact, secret_attributes
from review.reading.structure import PlanError, acts, object_in, text_in

ACTIONS: Final = {
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
    ("delete",): Action.DELETE,
    ("update",): Action.UPDATE,
    ("create",): Action.CREATE,
    ("forget",): Action.FORGET,
    ("create", "forget"): Action.REPLACE,
    ("read",): Action.READ,
}
"""("create", "forget") creates an object and leaves the previous one in place, no longer managed."""

CREATES_AND_FORGETS: Final = ("create", "forget")
CREATES_FIRST: Final = frozenset({("create", "delete"), ("create", "forget")})

TASK_DEFINITION: Final = "aws_ecs_task_definition"
CONTAINERS: Final = "container_definitions"

_PLACEHOLDER: Final = re.compile(
    r"[\W_]*(?:sensitive|redacted|masked|hidden|removed|filtered|scrubbed|censored)(?:[\W_]+(?:value|data|content))?"
    r"[\W_]*|\*{3,}|[xX]{4,}",
    re.IGNORECASE,
)
"""What stands in place of a value, such as `(sensitive value)`, `[REDACTED]` or `***`."""


class Names:
    """Masks secrets in addresses, and keeps addresses distinct.

    The index of a resource can hold a secret. Addresses that differ in nothing else get numbers, in the
    order of the plan.
    """

    def __init__(self) -> None:
        self._shown: dict[str, str] = {}
        self._used: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def shown(self, address: str) -> str:
        """Returns the address as it may be shown."""
        if address not in self._shown:
            shown = base = redact(address)
            while shown != address and shown in self._used:
                self._numbers[base] += 1
                shown = base.replace(REDACTED, f"{REDACTED} {self._numbers[base] + 1}", 1)
            self._shown[address] = shown
            self._used.add(shown)
        return self._shown[address]


def change_of(entry: Entry, names: Names, written: frozenset[str] | None = None) -> ResourceChange | None:
    """Reads a resource change; None if nothing happens to it."""
    if not entry.acts:
        return None
    change, actions = entry.change, entry.actions
    importing = change.get("importing")
    action = ACTIONS.get(actions, Action.UNRECOGNISED)
    if not acts(change, actions):
        action = Action.MOVE if importing is None else Action.IMPORT
    before, after = _values_of(change, entry.type)
    return ResourceChange(
        address=names.shown(entry.address),
        deposed=redact(entry.deposed) or None,
        previous_address=names.shown(entry.previous_address) if entry.previous_address else None,
        type=redact(entry.type),
        name=redact(text_in(entry.item, "name", entry.place)),
        is_data=entry.is_data,
        action=action,
        create_before_destroy=actions in CREATES_FIRST,
        replace_paths=tuple(_paths(change, f"{entry.place}.change.replace_paths")),
        reason=redact(text_in(entry.item, "action_reason", entry.place)) or None,
        import_id=_import_id(importing, f"{entry.place}.change.importing"),
        before=before,
        after=after,
        keeps_former=actions == CREATES_AND_FORGETS,
        no_longer_sensitive=tuple((redact(key),) for key in _no_longer_sensitive(change)),
        written=written,
        redacted=_redacted_in(change) if action is Action.UPDATE else None,
    )


def _no_longer_sensitive(change: Mapping[str, Any]) -> list[str]:
    """Returns attributes of a kept object of which fewer parts are marked after than before."""
    before, after = change.get("before_sensitive"), change.get("after_sensitive")
    is_kept = change.get("before") is not None and change.get("after") is not None
    if not is_kept or not isinstance(before, dict):
        return []
    left = after if isinstance(after, dict) else {}
    return sorted(
        key for key in before if has_mark(before[key]) and after is not True and not has_mark(left.get(key))
    )


def _values_of(change: Mapping[str, Any], type: str) -> tuple[Tree, Tree]:
    """Returns before and after; ABSENT without an object."""
    before, after, unknown = (change.get(key) for key in ("before", "after", "after_unknown"))
    marks = marks_of(change)
    if unmarked := secret_attributes(type):
        marks = either(marks, dict.fromkeys(unmarked, True))
    if before is None or after is None:
        old = ABSENT if before is None else tree_of(before, marks)
        new = tree_of(after, marks, unknown)
        return old, ABSENT if new is None else new
    old, new = trees_of(before, after, marks, unknown)
    if type == TASK_DEFINITION and isinstance(old, dict) and isinstance(new, dict):
        sides = without_former_secrets(old.get(CONTAINERS), new.get(CONTAINERS))
        old, new = ({**tree, CONTAINERS: side} for tree, side in zip((old, new), sides, strict=True))
    return old, new


def _paths(change: Mapping[str, Any], place: str) -> Iterator[Path]:
    """Yields the paths that force a replacement, cut where a sensitive value begins: its keys are too."""
    paths = change.get("replace_paths")
    if paths is None:
        return
    if not isinstance(paths, list) or not all(isinstance(path, list) for path in paths):
        raise PlanError(f"{place} must be a list of lists")
    for path in paths:
        steps = path
        for sensitive in (change.get("before_sensitive"), change.get("after_sensitive")):
            steps = steps[: _open_steps(steps, sensitive)]
        yield tuple(step if isinstance(step, int) else redact(str(step)) for step in steps)


def _open_steps(path: list[Any], sensitive: object) -> int:
    """Returns how many steps of a path, at least one, are above a sensitive value; all if none is."""
    for index, step in enumerate(path):
        if sensitive is True:
            return max(index, 1)
        if isinstance(sensitive, dict):
            sensitive = sensitive.get(step) if isinstance(step, str) else None
        elif isinstance(sensitive, list) and isinstance(step, int) and 0 <= step < len(sensitive):
            sensitive = sensitive[step]
        else:
            break
    return len(path)


def _import_id(importing: object, place: str) -> Tree:
    if importing is None:
        return ABSENT
    content = object_in(importing, place)
    if content.get("unknown") is True:
        return UNKNOWN
    return tree_of(content.get("id") or content.get("identity"))


def _redacted_in(change: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Returns the attributes of an update that have the same placeholder before and after.

    It is empty if an update shows no difference at all, though it says that there is one, and None if nothing
    is hidden.
    """
    before, after = change.get("before"), change.get("after")
    if not isinstance(before, Mapping) or not isinstance(after, Mapping):
        return None
    found = tuple(sorted(key for key in before if before[key] == after.get(key) and _is_hidden(before[key])))
    if found:
        return found
    # A mark as sensitive that is added or removed is an update without another difference.
    same_marks = change.get("before_sensitive") == change.get("after_sensitive")
    is_same = before == after and not has_mark(change.get("after_unknown"))
    return () if is_same and same_marks else None


def _is_hidden(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_hidden, value.values()))
    if isinstance(value, list):
        return any(map(_is_hidden, value))
    return isinstance(value, str) and _PLACEHOLDER.fullmatch(value) is not None
