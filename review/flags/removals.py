"""Flags what this plan deletes, replaces or no longer manages, and says what goes with it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from review.comparing.policies import told
from review.flags.subject import Subject, at, hidden, values
from review.model import ABSENT, Action, Block, Concern, Flag, Path, Tree, is_nothing
from review.table import Deletion, Table

WHY: Final = {
    "replace_because_tainted": "because it is tainted",
    "replace_because_cannot_update": "",
    "replace_by_request": "as requested on the command line",
    "replace_by_triggers": "because something in replace_triggered_by changed",
    "delete_because_no_resource_config": "because it is no longer in the configuration",
    "delete_because_wrong_repetition": "because its index does not fit count or for_each",
    "delete_because_count_index": "because its index is beyond count",
    "delete_because_each_key": "because its key is no longer in for_each",
    "delete_because_no_module": "because its module is no longer in the configuration",
    "delete_because_no_move_target": "because the address it moves to is not in the configuration",
}
"""Terraform's reasons in words. Source: Terraform's documentation, "JSON Output Format"."""

PROTECTING: Final = ("deletion_protection", "deletion_protection_enabled")

SHOWN: Final = (
    "bucket",
    "identifier",
    "cluster_identifier",
    "alarm_name",
    "name",
    "function_name",
    "domain_name",
    "service_name",
    "cidr_block",
    "destination_cidr_block",
    "protocol",
    "from_port",
    "to_port",
    "role",
    "policy_arn",
    "policy",
    "endpoint",
    "resource_arn",
    "public_ip",
)
"""Attributes that say what an object is, for types whose row names none."""

UNKNOWN_TYPE: Final = Deletion("stops", "", 50)


def removals(subject: Subject, table: Table, hints: "Hints") -> Iterator[Flag]:
    """Flags the deletion, replacement or forgetting of a resource."""
    for flag in _removals(subject, table):
        spared = hints.of(subject)
        yield replace(flag, reason=flag.reason + spared) if spared else flag


def _removals(subject: Subject, table: Table) -> Iterator[Flag]:
    change = subject.change
    if change.action not in (Action.DELETE, Action.REPLACE, Action.FORGET):
        return
    deletion = table.deletion(change.type) or UNKNOWN_TYPE
    if deletion.kind == "revision":
        return
    if change.action is Action.REPLACE:
        yield _replaced(subject, deletion)
    elif change.action is Action.FORGET:
        yield _forgotten(subject, deletion)
    elif deletion.kind == "holds":
        yield _data_deleted(subject, deletion)
    elif change.deposed is None and not (subject.is_moot and deletion.kind == "guards"):
        reason = deletion.text or "What depends on it is not known here."
        shown = _shown(subject, deletion)
        weight = deletion.weight // 2 if subject.is_moot else deletion.weight
        title = deletion.title or f"{noun_of(change.type, table)} deleted"
        yield subject.flag(deletion.concern, title, _with_why(reason, subject), *shown, weight=weight)


ACRONYMS: Final = frozenset(
    [
        "acl",
        "acm",
        "api",
        "cors",
        "db",
        "dns",
        "ecr",
        "ecs",
        "efs",
        "eip",
        "eks",
        "iam",
        "kms",
        "lb",
        "nat",
        "oidc",
        "rds",
        "rest",
        "s3",
        "sfn",
        "sns",
        "sqs",
        "ssm",
        "vpc",
        "waf",
        "wafv2",
    ]
)


def noun_of(type: str, table: Table) -> str:
    """Returns a type in words, `NAT gateway` for `aws_nat_gateway`; only of types that the table knows."""
    if type not in table.types:
        return "Resource"
    name = type.removeprefix("aws_").replace("apigatewayv2", "api_gateway")
    words = [word.upper() if word in ACRONYMS else word for word in name.split("_")]
    text = " ".join(words)
    return text[0].upper() + text[1:]


def _data_deleted(subject: Subject, deletion: Deletion) -> Flag:
    what = (
        "The previous object that a replacement left behind is deleted with"
        if subject.change.deposed
        else "Deletes"
    )
    reason = f"{_with_why(f'{what} {deletion.text}.', subject)}{_ease(subject)}"
    return subject.flag(
        Concern.DATA_LOSS, "Data deleted", reason, *_shown(subject, deletion), weight=deletion.weight
    )


MOVED: Final = " A new resource is the same but for its address: a `moved` block would keep this one."
SHIFTED: Final = (
    " Its neighbour takes its values: an index has shifted. `for_each` with names keeps the others."
)


class Hints:
    """Finds out how deletions and replacements of a plan could have been spared."""

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._new: dict[tuple[str, str, str], list[Subject]] = {}
        self._former: dict[tuple[str, str, str], list[Subject]] = {}
        for subject in subjects:
            if subject.change.action is Action.CREATE:
                for key in _keys(subject.change.type, subject.after):
                    self._new.setdefault(key, []).append(subject)
            elif subject.change.address.endswith("]"):
                for key in _keys(_stem(subject), subject.before):
                    self._former.setdefault(key, []).append(subject)

    def of(self, subject: Subject) -> str:
        """Says how a deletion or replacement could have been spared; empty if nothing shows that."""
        change = subject.change
        if change.action is Action.DELETE and change.deposed is None:
            for key in _keys(change.type, subject.before)[:1]:
                if any(_is_the_same(subject.before, other.after) for other in self._new.get(key, ())[:9]):
                    return MOVED
        if change.action is Action.REPLACE and change.address.endswith("]"):
            for key in _keys(_stem(subject), subject.after)[:1]:
                beside = [each for each in self._former.get(key, ())[:9] if each is not subject]
                if any(_is_the_same(other.before, subject.after) for other in beside):
                    return SHIFTED
        return ""


def _stem(subject: Subject) -> str:
    return subject.change.address.rpartition("[")[0]


def _keys(kind: str, resource: Block) -> list[tuple[str, str, str]]:
    """Returns the names by which a person knows a resource, as keys of an index."""
    return [(kind, key, value) for key, value in _names(resource)]


def _names(resource: Block) -> Iterator[tuple[str, str]]:
    """Yields what names a resource: what is shown of it, its tag `Name`, a Kubernetes object's name."""
    for key in SHOWN:
        if isinstance(value := resource.get(key), str) and value:
            yield key, value
    for path in (("tags", "Name"), ("metadata", "name")):
        for value in values(resource, path):
            if isinstance(value, str) and value:
                yield ".".join(path), value


def _is_the_same(before: Block, after: Block) -> bool:
    """Returns whether everything known of a new object is as it was of an old one, its name among it."""
    known = {key: value for key, value in after.items() if not is_nothing(value) and not hidden(value)}
    is_named = next(_names(known), None) is not None
    return is_named and all(before.get(key) == value for key, value in known.items())


def _with_why(reason: str, subject: Subject) -> str:
    why = WHY.get(subject.change.reason or "")
    return f"{reason} Deleted {why}." if why and subject.change.action is Action.DELETE else reason


def _ease(subject: Subject) -> str:
    """Says what the resource's own settings mean for its deletion."""
    if any(subject.before.get(key) is True for key in PROTECTING):
        return " Its deletion protection is on, so the deletion is refused."
    if subject.before.get("skip_final_snapshot") is True:
        return " No final snapshot is taken."
    if any(subject.before.get(key) is True for key in ("force_destroy", "force_delete")):
        return " It is deleted even if it is not empty."
    return ""


def _replaced(subject: Subject, deletion: Deletion) -> Flag:
    change = subject.change
    first = change.create_before_destroy
    order = "Created first, then deleted" if first else "Deleted first, then created"
    title, weight, concern = "Replaced", max(deletion.weight - 20, 15), deletion.concern
    reason = f"{order}."
    if change.keeps_former:
        title, reason = "Replaced", "The previous object stays in the account, no longer managed."
        if deletion.kind == "holds":
            title = "Data left behind"
            reason = f"An empty one takes its place; the one with {deletion.text} stays, no longer managed."
    elif deletion.kind == "holds":
        title, weight = "Data replaced", deletion.weight - 1
        reason = f"{order}: the new one starts without {deletion.text}.{_ease(subject)}"
    elif not first and deletion.kind == "stops" and deletion.text:
        title, weight = "Interrupted by a replacement", deletion.weight - 8
        reason = f"{order}. Until then: {deletion.text[0].lower()}{deletion.text[1:]}"
    if deletion.replaced:
        title, weight, reason = deletion.replaced, deletion.weight, deletion.text
    why = WHY.get(change.reason or "")
    if why:
        reason = f"{reason} Replaced {why}."
    forced_by = tuple(path_text(path) for path in change.replace_paths)
    path, before, after = _forcing(subject, deletion)
    return subject.flag(concern, title, reason, path, before, after, forced_by, weight=weight)


def _forcing(subject: Subject, deletion: Deletion) -> tuple[tuple[str, ...], Tree, Tree]:
    """Returns the value that forces a replacement, before and after; without one, what the object is."""
    if subject.change.replace_paths:
        first = subject.change.replace_paths[0]
        return tuple(str(key) for key in first), at(subject.before, first), at(subject.after, first)
    path, before, after = _shown(subject, deletion)
    now = subject.after.get(path[0], ABSENT) if path else after
    return path, before, ABSENT if now == before else now


def _forgotten(subject: Subject, deletion: Deletion) -> Flag:
    held = deletion.kind == "holds"
    reason = "It stays in the account; Terraform no longer manages it."
    if held:
        reason = f"It stays in the account, with {deletion.text}; Terraform no longer manages it."
    concern = Concern.DATA_LOSS if held else Concern.OTHER
    shown = _shown(subject, deletion)
    return subject.flag(concern, "No longer managed", reason, *shown, weight=66 if held else 35)


def _shown(subject: Subject, deletion: Deletion) -> tuple[tuple[str, ...], Tree, Tree]:
    """Returns what is gone, as path, before and after: an attribute, or several as an object."""
    known = {key: value for key, value in subject.before.items() if not is_nothing(value)}
    found = {key: told(known[key]) for key in deletion.shows if key in known}
    for key in SHOWN if not found else ():
        if key in known:
            found[key] = told(known[key])
            if key == "name":
                break
    if not found and not is_nothing(subject.before.get("id")):
        found["id"] = subject.before["id"]
    if len(found) == 1:
        ((key, value),) = found.items()
        return (key,), value, ABSENT
    return (), found or ABSENT, ABSENT


def path_text(path: Path) -> str:
    """Formats a path as Terraform writes it: `vpc_config[0].subnet_ids`."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text
