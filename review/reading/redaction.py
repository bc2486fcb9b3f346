"""Finds updates whose values a tool took out of the plan before it was reviewed."""

import re
from collections.abc import Mapping
from typing import Any, Final

from review.reading.masking import has_mark

_PLACEHOLDER: Final = re.compile(
    r"[\W_]*(?:sensitive|redacted|masked|hidden|removed|filtered|scrubbed|censored)(?:[\W_]+(?:value|data|content))?"
    r"[\W_]*|\*{3,}|[xX]{4,}",
    re.IGNORECASE,
)
"""What stands in place of a value, such as `(sensitive value)`, `[REDACTED]` or `***`."""


def redacted_in(change: Mapping[str, Any]) -> tuple[str, ...] | None:
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
