"""Reads a plan's JSON into a `Plan`: every change, with values that are safe to show.

Source: Terraform's documentation, "JSON Output Format", plan representation, formats 0.1 to 1.2. It asks
readers to ignore names that it does not list.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    ActionInvocation,
    DeferredChange,
    FailedCheck,
    OutputChange,
    Plan,
    ProvisionerRun,
    ResourceChange,
    Tree,
    natural,
)
from review.reading.billed import billed_of
from review.reading.canonical import changes_hash
from review.reading.changes import ACTIONS, Names, change_of
from review.reading.dependents import users_of
from review.reading.drift import drift_of
from review.reading.entries import Entry, entries_in, entry_of
from review.reading.formats import is_partial, not_a_plan
from review.reading.holders import Holders
from review.reading.masking import has_mark, marks_of, tree_of
from review.reading.policy_documents import with_documents
from review.reading.references import References
from review.reading.secret_detection import redact
from review.reading.structure import (
    PlanError,
    actions_in,
    acts,
    bare,
    configured_in,
    flag_in,
    former_in,
    object_in,
    objects_in,
    text_in,
)

FAILED: Final = frozenset({"fail", "error"})

_ARN: Final = re.compile(r"arn:aws[a-z-]*:[a-z0-9-]*:[a-z0-9-]*:(\d{12}):")
_ACCOUNT: Final = re.compile(r"\d{12}")
_COMMANDS: Final = ("command", "inline", "script", "scripts", "content", "source")
_LOCAL: Final = "local-exec"


def plan_of(document: Mapping[str, Any], sha256: str) -> Plan:
    """Reads a plan from the output of `terraform show -json`; `sha256` is that of its bytes.

    Raises PlanError if it is something else, is of a format not known, or is not built like a plan.
    """
    if reason := not_a_plan(document):
        raise PlanError(reason)
    entries = entries_in(document)
    partial = is_partial(document, entries)
    changes_sha256 = changes_hash(document)
    names = Names()
    written = _written(document)
    references = References(document, entries)
    holders = Holders(entries, references)
    users = users_of(document, entries, references, names.shown)
    found = []
    for entry in entries:
        address = entry.address
        if not address:
            raise PlanError(f"{entry.place}.address is missing")
        if change := change_of(entry, names, written.get(bare(address))):
            if of := holders.of(address):
                change = replace(change, holders=of, attached=holders.attached(address))
            if address in users and change.deposed is None:
                change = replace(change, users=users[address])
            found.append((address, change))
    changes, documents = with_documents(found, references)
    drift, other_drift = drift_of(document, entries, names, frozenset(address for address, _ in found))
    deferred_actions = [
        (f"{place}.action_invocation", object_in(item.get("action_invocation"), f"{place}.action_invocation"))
        for place, item in objects_in(document, "deferred_action_invocations")
    ]
    return Plan(
        sha256=sha256,
        changes_sha256=changes_sha256,
        errored=flag_in(document, "errored", default=False),
        complete=flag_in(document, "complete", default=True) and not (deferred_actions or partial),
        applyable=flag_in(document, "applyable", default=True),
        changes=_sorted(changes),
        unchanged=len(entries) - len(changes),
        outputs=tuple(_outputs(document)),
        failed_checks=tuple(_failed_checks(document)),
        deferred=tuple(_deferred(document, names)),
        actions=tuple(_actions([*objects_in(document, "action_invocations"), *deferred_actions])),
        drift=_sorted(drift),
        other_drift=other_drift,
        provisioners=tuple(_provisioners(document, entries)),
        billed=billed_of(document, entries, references, names.shown),
        accounts=frozenset(_accounts(document, entries)),
        documents=documents,
    )


def _outputs(document: Mapping[str, Any]) -> Iterator[OutputChange]:
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
        before, after, unknown = (change.get(key) for key in ("before", "after", "after_unknown"))
        # An output may exist and be null.
        has_before = before is not None or action is not Action.CREATE
        has_after = after is not None or action is not Action.DELETE
        marks = marks_of(change)
        unmarked = has_mark(change.get("before_sensitive")) and not has_mark(change.get("after_sensitive"))
        yield OutputChange(
            redact(name),
            action,
            _named(name, before, marks) if has_before else ABSENT,
            _named(name, after, marks, unknown) if has_after else ABSENT,
            no_longer_sensitive=unmarked and action is not Action.DELETE,
        )


def _named(name: str, value: Any, sensitive: Any, unknown: Any = None) -> Tree:
    """Returns a value as it may be shown; its name may say that it is a secret."""
    tree = tree_of({name: value}, {name: sensitive}, {name: unknown})
    return next(iter(tree.values())) if isinstance(tree, dict) else tree


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


def _failed_checks(document: Mapping[str, Any]) -> Iterator[FailedCheck]:
    found = []
    for place, check in objects_in(document, "checks"):
        instances = objects_in(check, "instances", place)
        failed = [item for item in instances if text_in(item[1], "status", item[0]) in FAILED]
        if not failed and text_in(check, "status", place) in FAILED:
            failed = [(place, check)]
        for where, item in failed:
            address = object_in(item.get("address"), f"{where}.address")
            problems = [
                text_in(problem, "message", at) for at, problem in objects_in(item, "problems", where)
            ]
            found.append(
                FailedCheck(
                    redact(text_in(address, "to_display", f"{where}.address")),
                    text_in(item, "status", where),
                    tuple(sorted(map(redact, problems))),
                )
            )
    yield from sorted(found, key=lambda check: (check.address, check.status, check.problems))


def _deferred(document: Mapping[str, Any], names: Names) -> Iterator[DeferredChange]:
    found = []
    for place, item in objects_in(document, "deferred_changes"):
        where = f"{place}.resource_change"
        entry = entry_of(object_in(item.get("resource_change"), where), where)
        # A deferred change counts even if its actions are not known yet.
        if change := change_of(entry if entry.acts else replace(entry, actions=("unknown",)), names):
            found.append(DeferredChange(redact(text_in(item, "reason", place)), change))
    yield from sorted(found, key=lambda item: (_order(item.change), item.reason))


def _actions(entries: list[tuple[str, Mapping[str, Any]]]) -> list[ActionInvocation]:
    found = [
        ActionInvocation(redact(text_in(item, "address", place)), redact(text_in(item, "type", place)))
        for place, item in entries
    ]
    return sorted(found, key=lambda action: (action.address, action.type))


def _written(document: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Returns which attributes the configuration of each resource sets, by its address without indices."""
    return {
        address: frozenset(object_in(resource.get("expressions"), place))
        for place, address, resource in configured_in(document)
    }


def _provisioners(document: Mapping[str, Any], entries: Sequence[Entry]) -> list[ProvisionerRun]:
    """Returns the provisioners that run for resources the plan creates or destroys.

    One for each provisioner in the configuration, however many instances of the resource there are.
    """
    created, destroyed = (
        {bare(entry.address) for entry in entries if action in entry.actions}
        for action in ("create", "delete")
    )
    found = []
    for place, address, resource in configured_in(document):
        for _, provisioner in objects_in(resource, "provisioners", place):
            if address in (destroyed if provisioner.get("when") == "destroy" else created):
                type_ = text_in(provisioner, "type", "provisioner")
                found.append(
                    ProvisionerRun(redact(address), redact(type_), _command(provisioner), type_ == _LOCAL)
                )
    return sorted(found, key=lambda each: (each.address, each.type, repr(each.command)))


def _command(provisioner: Mapping[str, Any]) -> Tree:
    expressions = object_in(provisioner.get("expressions"), "provisioner.expressions")
    for name in _COMMANDS:
        if name in expressions:
            expression = expressions[name]
            known = isinstance(expression, Mapping) and "constant_value" in expression
            return tree_of(expression["constant_value"]) if known else UNKNOWN
    return UNKNOWN


def _accounts(document: Mapping[str, Any], entries: Sequence[Entry]) -> Iterator[str]:
    """Yields the accounts of managed resources that are there, and of `data.aws_caller_identity`."""
    for entry in entries:
        before = entry.change.get("before")
        arn = before.get("arn") if isinstance(before, dict) and not entry.is_data else None
        if isinstance(arn, str) and (match := _ARN.match(arn)):
            yield match[1]
    for place, resource in former_in(document):
        if text_in(resource, "type", place) == "aws_caller_identity":
            number = object_in(resource.get("values"), f"{place}.values").get("account_id")
            if isinstance(number, str) and _ACCOUNT.fullmatch(number):
                yield number


def _sorted(changes: list[ResourceChange]) -> tuple[ResourceChange, ...]:
    return tuple(sorted(changes, key=_order))


def _order(change: ResourceChange) -> tuple[object, str]:
    return natural(change.address), change.deposed or ""
