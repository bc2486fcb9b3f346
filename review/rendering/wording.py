"""The words of a comment for verdicts, actions and Terraform's reasons."""

from collections.abc import Iterable
from typing import Final

from review.model import Action, Verdict

SYMBOLS: Final = {
    Verdict.NO_CHANGES: "⚪",
    Verdict.SAFE: "🟢",
    Verdict.UNJUDGED: "🔵",
    Verdict.REVIEW: "🟡",
    Verdict.WAITS: "⏳",
    Verdict.DESTRUCTIVE: "🔴",
    Verdict.INCOMPLETE: "🚧",
    Verdict.ERRORED: "❌",
}

TITLES: Final = {
    Action.REPLACE: "Replace",
    Action.DELETE: "Delete",
    Action.UPDATE: "Update",
    Action.CREATE: "Create",
    Action.FORGET: "Forget",
    Action.IMPORT: "Import",
    Action.MOVE: "Move",
    Action.READ: "Read during the apply",
    Action.UNRECOGNISED: "Unrecognised actions",
}

REMARKS: Final = {
    Action.FORGET: "they stay and are no longer managed",
    Action.MOVE: "only the address changes",
    Action.IMPORT: "they exist already and become managed",
    Action.UNRECOGNISED: "Terraform does something here that this review does not know",
}

NOUNS: Final = {
    Action.REPLACE: ("replaced resource", "replaced resources"),
    Action.DELETE: ("deleted resource", "deleted resources"),
    Action.UPDATE: ("updated resource", "updated resources"),
    Action.CREATE: ("created resource", "created resources"),
    Action.FORGET: ("forgotten resource", "forgotten resources"),
    Action.IMPORT: ("imported resource", "imported resources"),
    Action.MOVE: ("moved resource", "moved resources"),
    Action.READ: ("data source", "data sources"),
    Action.UNRECOGNISED: ("resource with unrecognised actions", "resources with unrecognised actions"),
}

_REVISED: Final = frozenset({"aws_ecs_task_definition"})
"""Types whose replacement is called a new revision."""


def revision_nouns(types: Iterable[str]) -> tuple[str, str]:
    """Returns what replacements that lose nothing are called, one and several."""
    if _REVISED.issuperset(types):
        return ("new revision", "new revisions")
    return ("replacement", "replacements")


REASONS: Final = {
    "replace_because_tainted": "it is tainted: its creation failed halfway",
    "replace_because_cannot_update": "",
    "replace_by_request": "asked for with `-replace`",
    "replace_by_triggers": "triggered by `replace_triggered_by`",
    "delete_because_no_resource_config": "no longer in the configuration",
    "delete_because_no_module": "its module is no longer in the configuration",
    "delete_because_wrong_repetition": "its index does not fit `count` or `for_each` any more",
    "delete_because_count_index": "its index is beyond `count`",
    "delete_because_each_key": "its key is no longer in `for_each`",
    "delete_because_no_move_target": "moved to an address that is not in the configuration",
    "read_because_config_unknown": "its configuration is known after apply only",
    "read_because_dependency_pending": "it depends on changes of this plan",
    "read_because_check_nested": "it belongs to a check",
}
"""Terraform's `action_reason` in words. The paths that force a replacement already say that it cannot be an
update. Source: Terraform's documentation, "JSON Output Format"."""

PAST: Final = {
    Action.CREATE: "added",
    Action.DELETE: "removed",
}
"""What happens to an output; else it is changed."""

DRIFT: Final = {
    Action.DELETE: "deleted outside of Terraform",
    Action.CREATE: "created outside of Terraform",
    Action.MOVE: "moved",
}

USERS: Final = {None: "not changed", Action.REPLACE: "replaced", Action.UPDATE: "updated"}
"""What happens to a resource that refers to a destroyed one."""

DEFERRALS: Final = {
    "instance_count_unknown": "how many there will be is not known yet",
    "resource_config_unknown": "its configuration is not known yet",
    "provider_config_unknown": "its provider's configuration is not known yet",
    "absent_prereq": "what it needs is not there yet",
    "deferred_prereq": "it depends on another change that is put off",
}
"""Why Terraform defers a change. Source: Terraform's documentation, "JSON Output Format"."""
