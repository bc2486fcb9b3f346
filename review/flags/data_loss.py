"""Flags resources with data that are deleted, replaced or no longer managed."""

from collections.abc import Iterator

from review.flags.holders import HOLDERS
from review.flags.subject import Subject
from review.model import ABSENT, Action, Concern, Flag, Path, Tree, is_nothing

WHY = {
    "replace_because_tainted": "as it is marked as tainted",
    "replace_because_cannot_update": "as it cannot be changed in place",
    "replace_by_request": "as the command line asks for it",
    "replace_by_triggers": "as something in replace_triggered_by changed",
    "delete_because_no_resource_config": "as it is no longer in the configuration",
    "delete_because_wrong_repetition": "as the configuration changed between one and many",
    "delete_because_count_index": "as its index is beyond count",
    "delete_because_each_key": "as its key is no longer in for_each",
    "delete_because_no_module": "as its module is no longer in the configuration",
    "delete_because_no_move_target": "as what it is moved to is not in the configuration",
}
"""Terraform's reasons in words. Source: Terraform's documentation, "JSON Output Format"."""

PROTECTING = ("deletion_protection", "deletion_protection_enabled")

IDENTITIES = ("bucket", "identifier", "cluster_identifier", "name", "id")


def path_text(path: Path) -> str:
    """Formats a path as Terraform writes it: `vpc_config[0].subnet_ids`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


def data_loss(subject: Subject) -> Iterator[Flag]:
    """Flags resources with data that this plan deletes, replaces or forgets."""
    held = HOLDERS.get(subject.change.type)
    if held is None:
        return
    match subject.change.action:
        case Action.DELETE:
            yield _deletion(subject, held)
        case Action.REPLACE:
            yield _replacement(subject, held)
        case Action.FORGET:
            path, value = _identity(subject)
            reason = f"Terraform no longer manages what holds {held}; it stays in the account."
            yield subject.flag(Concern.DATA_LOSS, "No longer managed", reason, path, value)


def _why(subject: Subject) -> str:
    why = WHY.get(subject.change.reason or "")
    return f", {why}" if why else ""


def _deletion(subject: Subject, held: str) -> Flag:
    path, value = _identity(subject)
    former = "of a former object that a replacement left over " if subject.change.deposed else ""
    reason = f"The deletion {former}takes {held} along{_why(subject)}.{_ease(subject)}"
    return subject.flag(Concern.DATA_LOSS, "Data deleted", reason, path, value)


def _ease(subject: Subject) -> str:
    """Says what the resource's own settings mean for its deletion."""
    if any(subject.before.get(key) is True for key in PROTECTING):
        return " Its deletion protection is on, so AWS will refuse."
    if subject.before.get("skip_final_snapshot") is True:
        return " No last snapshot is taken."
    if any(subject.before.get(key) is True for key in ("force_destroy", "force_delete")):
        return " It is deleted even if it is not empty."
    return ""


def _replacement(subject: Subject, held: str) -> Flag:
    if subject.change.create_before_destroy:
        order = "created first, then deleted"
    else:
        order = "deleted first, then created"
    reason = f"The replacement ({order}) starts without {held}{_why(subject)}."
    title = "Data replaced"
    if subject.change.keeps_former:
        title = "Data left behind"
        reason = f"An empty one takes its place; the former, with {held}, stays and is no longer managed."
    forced_by = tuple(path_text(path) for path in subject.change.replace_paths)
    path: tuple[str, ...]
    if subject.change.replace_paths:
        first = subject.change.replace_paths[0]
        path = tuple(str(key) for key in first)
        before, after = _at(subject.before, first), _at(subject.after, first)
    else:
        path, before = _identity(subject)
        after = subject.after.get(path[0], ABSENT) if path else ABSENT
    return subject.flag(Concern.DATA_LOSS, title, reason, path, before, after, forced_by)


def _at(tree: Tree, path: Path) -> Tree:
    for key in path:
        if isinstance(tree, dict) and isinstance(key, str):
            tree = tree.get(key, ABSENT)
        elif isinstance(tree, list) and isinstance(key, int) and 0 <= key < len(tree):
            tree = tree[key]
        else:
            return tree if not isinstance(tree, dict | list) else ABSENT
    return tree


def _identity(subject: Subject) -> tuple[tuple[str, ...], Tree]:
    """Returns the name by which a person knows the object."""
    for key in IDENTITIES:
        value = subject.before.get(key)
        if not is_nothing(value):
            return (key,), value
    return (), ABSENT
