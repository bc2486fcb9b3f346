"""Reads what a plan does to the outputs of its stack."""

from collections.abc import Iterator, Mapping
from typing import Any

from review.model import ABSENT, Action, OutputChange
from review.reading.changes import ACTIONS, values_of
from review.reading.masking import has_mark
from review.reading.secret_detection import redact
from review.reading.structure import actions_in, acts, object_in


def outputs_of(document: Mapping[str, Any]) -> Iterator[OutputChange]:
    """Yields the outputs that a plan changes, by name."""
    former = _former_outputs(document)
    for name, value in sorted(object_in(document.get("output_changes"), "output_changes").items()):
        place = f"output_changes.{name}"
        change = object_in(value, place)
        actions = actions_in(change, place)
        if name in former and actions == ("create",):
            change = {**change, **former[name]}
            is_known = not has_mark(change.get("after_unknown"))
            actions = ("no-op",) if is_known and change["before"] == change.get("after") else ("update",)
        if not acts(change, actions):
            continue
        action = ACTIONS.get(actions, Action.UNRECOGNISED)
        before, after = values_of(change, name=name)
        # An output may exist and be null.
        if before is ABSENT and action is not Action.CREATE:
            before = None
        if after is ABSENT and action is not Action.DELETE:
            after = None
        unmarked = has_mark(change.get("before_sensitive")) and not has_mark(change.get("after_sensitive"))
        is_kept = action is not Action.DELETE
        yield OutputChange(redact(name), action, before, after, no_longer_sensitive=unmarked and is_kept)


def _former_outputs(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the former values of outputs, where the plan itself says of each that it is created.

    Source: Terraform's documentation, "JSON Output Format": Terraform 0.12 does not track changes of outputs.
    """
    if not str(document.get("format_version")).startswith("0."):
        return {}
    prior = object_in(document.get("prior_state"), "prior_state")
    values = object_in(prior.get("values"), "prior_state.values")
    outputs = object_in(values.get("outputs"), "prior_state.values.outputs")
    found = ((name, object_in(each, f"prior_state.values.outputs.{name}")) for name, each in outputs.items())
    return {
        name: {"before": each.get("value"), "before_sensitive": each.get("sensitive")} for name, each in found
    }
