"""Reads a plan's JSON into a `Plan`: every change, with values that are safe to show.

Source: Terraform's documentation, "JSON Output Format", plan representation, formats 0.1 to 1.2. It asks
readers to ignore names that it does not list.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from review.model import (
    ActionInvocation,
    DeferredChange,
    FailedCheck,
    Plan,
    ResourceChange,
    natural,
)
from review.reading.accounts import accounts_of
from review.reading.billed import billed_of
from review.reading.canonical import changes_hash
from review.reading.changes import Names, change_of
from review.reading.dependents import users_of
from review.reading.drift import drift_of
from review.reading.formats import is_partial, not_a_plan
from review.reading.holders import Holders
from review.reading.outputs import outputs_of
from review.reading.policy_documents import with_documents
from review.reading.provisioners import provisioners_of
from review.reading.references import References
from review.reading.secret_detection import redact
from review.reading.structure import (
    PlanError,
    bare,
    flag_in,
    modules_in,
    object_in,
    objects_in,
    text_in,
)

FAILED: Final = frozenset({"fail", "error"})


def plan_of(document: Mapping[str, Any], sha256: str) -> Plan:
    """Reads a plan from the output of `terraform show -json`; `sha256` is that of its bytes.

    Raises PlanError if it is something else, is of a format not known, or is not built like a plan.
    """
    if reason := not_a_plan(document):
        raise PlanError(reason)
    partial = is_partial(document)
    changes_sha256 = changes_hash(document)
    entries = objects_in(document, "resource_changes")
    names = Names()
    written = _written(document)
    references = References(document)
    holders = Holders(document, references)
    users = users_of(document, references, names.shown)
    found = []
    changed = set()
    for item, place in _entries(entries):
        address = text_in(item, "address", place)
        if change := change_of(item, place, names, written.get(bare(address))):
            if of := holders.of(address):
                change = replace(change, holders=of, attached=holders.attached(address))
            if address in users and change.deposed is None:
                change = replace(change, users=users[address])
            found.append((address, change))
            changed.add(address)
    changes, documents = with_documents(found, references)
    drift, other_drift = drift_of(document, names, frozenset(changed))
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
        outputs=tuple(outputs_of(document)),
        failed_checks=tuple(_failed_checks(document)),
        deferred=tuple(_deferred(document, names)),
        actions=tuple(_actions([*objects_in(document, "action_invocations"), *deferred_actions])),
        drift=_sorted(drift),
        other_drift=other_drift,
        provisioners=provisioners_of(document),
        billed=billed_of(document, names.shown, references),
        accounts=accounts_of(document),
        documents=documents,
    )


def _entries(entries: list[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for place, item in entries:
        if not text_in(item, "address", place):
            raise PlanError(f"{place}.address is missing")
        yield item, place


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
        entry = object_in(item.get("resource_change"), where)
        change = change_of(entry, where, names)
        if change is None:
            # A deferred change counts even if its actions are not known yet.
            change = change_of({**entry, "change": {**entry["change"], "actions": ["unknown"]}}, where, names)
        if change:
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
        prefix + text_in(resource, "address", place): frozenset(object_in(resource.get("expressions"), place))
        for prefix, _, module in modules_in(document)
        for place, resource in objects_in(module, "resources", "configuration")
    }


def _sorted(changes: list[ResourceChange]) -> tuple[ResourceChange, ...]:
    return tuple(sorted(changes, key=_order))


def _order(change: ResourceChange) -> tuple[object, str]:
    return natural(change.address), change.deposed or ""
