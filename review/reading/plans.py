"""Reads a plan's JSON into a `Plan`: every change, with values that are safe to show.

Source: Terraform's documentation, "JSON Output Format", plan representation, formats 0.1 to 1.2. It asks
readers to ignore names that it does not list.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
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
    Path,
    Plan,
    ProvisionerRun,
    ResourceChange,
    Tree,
    natural,
)
from review.reading.accounts import accounts_of
from review.reading.billed import billed_of
from review.reading.canonical import changes_hash
from review.reading.dependents import users_of
from review.reading.drift import is_drift, is_relevant, relevant_paths
from review.reading.formats import not_a_plan
from review.reading.holders import Holders
from review.reading.masking import either, has_mark, tree_of, trees_of, without_former_secrets
from review.reading.policy_documents import with_documents
from review.reading.redaction import redacted_in
from review.reading.references import References
from review.reading.secret_detection import REDACTED, is_secret_name, redact
from review.reading.structure import (
    PlanError,
    actions_in,
    acts,
    bare,
    flag_in,
    modules_in,
    object_in,
    objects_in,
    text_in,
)

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

NO_OP: Final = ("no-op",)
CREATES_AND_FORGETS: Final = ("create", "forget")
CREATES_FIRST: Final = frozenset({("create", "delete"), ("create", "forget")})
FAILED: Final = frozenset({"fail", "error"})


def plan_of(document: Mapping[str, Any], sha256: str) -> Plan:
    """Reads a plan from the output of `terraform show -json`; `sha256` is that of its bytes.

    Raises PlanError if it is something else, is of a format not known, or is not built like a plan.
    """
    if reason := not_a_plan(document):
        raise PlanError(reason)
    changes_sha256 = changes_hash(document)
    entries = objects_in(document, "resource_changes")
    names = _Names()
    written = _written(document)
    references = References(document)
    holders = Holders(document, references)
    users = users_of(document, references, names.shown)
    found = []
    changed = set()
    for item, place in _entries(entries):
        address = text_in(item, "address", place)
        if change := _change(item, place, names, written.get(bare(address))):
            if of := holders.of(address):
                change = replace(change, holders=of, attached=holders.attached(address))
            if address in users and change.deposed is None:
                change = replace(change, users=users[address])
            found.append((address, change))
            changed.add(address)
    changes, documents = with_documents(found, references)
    drift, other_drift = _drift(document, names, frozenset(changed))
    deferred_actions = [
        (f"{place}.action_invocation", object_in(item.get("action_invocation"), f"{place}.action_invocation"))
        for place, item in objects_in(document, "deferred_action_invocations")
    ]
    return Plan(
        sha256=sha256,
        changes_sha256=changes_sha256,
        errored=flag_in(document, "errored", default=False),
        complete=flag_in(document, "complete", default=True) and not deferred_actions,
        applyable=flag_in(document, "applyable", default=True),
        changes=_sorted(changes),
        unchanged=len(entries) - len(changes),
        outputs=tuple(_outputs(document)),
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


class _Names:
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


def _entries(entries: list[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[Mapping[str, Any], str]]:
    for place, item in entries:
        if not text_in(item, "address", place):
            raise PlanError(f"{place}.address is missing")
        yield item, place


def _change(
    item: Mapping[str, Any], place: str, names: _Names, written: frozenset[str] | None = None
) -> ResourceChange | None:
    """Reads a resource change; None if nothing happens to it."""
    change = object_in(item.get("change"), f"{place}.change")
    actions = actions_in(change, place)
    address = text_in(item, "address", place)
    previous = text_in(item, "previous_address", place)
    previous = "" if previous == address else previous
    importing = change.get("importing")
    action = ACTIONS.get(actions, Action.UNRECOGNISED)
    if not acts(change, actions):
        if importing is None and not previous:
            return None
        action = Action.MOVE if importing is None else Action.IMPORT
    before, after = _values(change, text_in(item, "type", place))
    unmarked = _no_longer_sensitive(change)
    return ResourceChange(
        address=names.shown(address),
        deposed=redact(text_in(item, "deposed", place)) or None,
        previous_address=names.shown(previous) if previous else None,
        type=redact(text_in(item, "type", place)),
        name=redact(text_in(item, "name", place)),
        is_data=text_in(item, "mode", place) == "data",
        action=action,
        create_before_destroy=actions in CREATES_FIRST,
        replace_paths=tuple(_paths(change, f"{place}.change.replace_paths")),
        reason=redact(text_in(item, "action_reason", place)) or None,
        import_id=_import_id(importing, f"{place}.change.importing"),
        before=before,
        after=after,
        keeps_former=actions == CREATES_AND_FORGETS,
        no_longer_sensitive=tuple((redact(key),) for key in unmarked),
        written=written,
        redacted=redacted_in(change) if action is Action.UPDATE else None,
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


TASK_DEFINITION: Final = "aws_ecs_task_definition"
CONTAINERS: Final = "container_definitions"

UNMARKED: Final = {
    "acme_certificate": ("certificate_p12",),
    "aws_iam_virtual_mfa_device": ("base_32_string_seed", "qr_code_png"),
    "aws_ssm_parameter": ("value",),
    "github_actions_environment_secret": ("plaintext_value",),
    "github_actions_organization_secret": ("plaintext_value",),
    "github_actions_secret": ("plaintext_value",),
    "github_dependabot_secret": ("plaintext_value",),
    "helm_release": ("set_sensitive", "set_wo"),
    "local_file": ("sensitive_content",),
    "local_sensitive_file": ("content", "content_base64"),
    "kubernetes_secret": ("data", "binary_data", "string_data"),
    "kubernetes_secret_v1": ("data", "binary_data", "string_data"),
    "random_bytes": ("base64", "hex"),
    "random_password": ("result", "bcrypt_hash"),
    "tls_private_key": ("private_key_pem", "private_key_openssh", "private_key_pem_pkcs8"),
    "vault_approle_auth_backend_role_secret_id": ("secret_id", "wrapping_token"),
    "vault_generic_secret": ("data", "data_json"),
    "vault_kv_secret": ("data", "data_json"),
    "vault_kv_secret_v2": ("data", "data_json"),
}
"""Attributes that are secret, although formats before 1.0 do not mark them and their names do not say so."""


SECRET_VALUES: Final = ("key", "value")
"""Attributes that are secret if the name of the type says that it is a secret: `datadog_api_key`."""


def _values(change: Mapping[str, Any], type: str = "", name: str = "") -> tuple[Tree, Tree]:
    """Returns before and after; ABSENT without an object. A `name` may itself say that they are secret."""
    unknown = change.get("after_unknown")
    # A secret marked on one side is the same secret on the other, even if a change removes the mark.
    marks = either(change.get("before_sensitive"), change.get("after_sensitive"))
    unmarked = UNMARKED.get(type, SECRET_VALUES if is_secret_name(type) else ())
    if unmarked:
        marks = either(marks, dict.fromkeys(unmarked, True))
    if not name and change.get("before") is not None and change.get("after") is not None:
        old, new = trees_of(change["before"], change["after"], marks, unknown)
        if type == TASK_DEFINITION and isinstance(old, dict) and isinstance(new, dict):
            sides = without_former_secrets(old.get(CONTAINERS), new.get(CONTAINERS))
            old, new = ({**tree, CONTAINERS: side} for tree, side in zip((old, new), sides, strict=True))
        return old, new
    before: Tree = ABSENT
    after: Tree = ABSENT
    if change.get("before") is not None:
        before = _named_tree(name, change["before"], marks, None)
    if change.get("after") is not None or unknown:
        after = _named_tree(name, change.get("after"), marks, unknown)
    return before, ABSENT if after is None else after


def _named_tree(name: str, value: Any, sensitive: Any, unknown: Any) -> Tree:
    if not name:
        return tree_of(value, sensitive, unknown)
    tree = tree_of({name: value}, {name: sensitive}, {name: unknown})
    return next(iter(tree.values())) if isinstance(tree, dict) else tree


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


def _outputs(document: Mapping[str, Any]) -> Iterator[OutputChange]:
    former = _former_outputs(document)
    for name, value in sorted(object_in(document.get("output_changes"), "output_changes").items()):
        place = f"output_changes.{name}"
        change = object_in(value, place)
        actions = actions_in(change, place)
        if name in former and actions == ("create",):
            change = {**change, **former[name]}
            is_known = not has_mark(change.get("after_unknown"))
            actions = NO_OP if is_known and change["before"] == change.get("after") else ("update",)
        if not acts(change, actions):
            continue
        action = ACTIONS.get(actions, Action.UNRECOGNISED)
        before, after = _values(change, name=name)
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


def _deferred(document: Mapping[str, Any], names: _Names) -> Iterator[DeferredChange]:
    found = []
    for place, item in objects_in(document, "deferred_changes"):
        where = f"{place}.resource_change"
        entry = object_in(item.get("resource_change"), where)
        change = _change(entry, where, names)
        if change is None:
            # A deferred change counts even if its actions are not known yet.
            change = _change({**entry, "change": {**entry["change"], "actions": ["unknown"]}}, where, names)
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


def _drift(
    document: Mapping[str, Any], names: _Names, changed: frozenset[str]
) -> tuple[list[ResourceChange], int]:
    """Returns the drift that bears on the plan, and the number of other drifted resources.

    It bears on the plan if Terraform calls it relevant, or if the plan changes the same resource, and so
    may undo it: `relevant_attributes` lists references only.
    """
    relevant = relevant_paths(document)
    found = []
    other = 0
    for place, given in objects_in(document, "resource_drift"):
        # Terraform 1.0 writes no address here.
        item = given if text_in(given, "address", place) else {**given, "address": _address(given, place)}
        if not is_drift(item, place):
            continue
        bears = relevant is None or is_relevant(item, relevant) or text_in(item, "address", place) in changed
        change = _change(item, place, names) if bears else None
        if change:
            found.append(change)
        else:
            other += 1
    return found, other


def _address(item: Mapping[str, Any], place: str) -> str:
    """Builds an address from a resource's module, type, name and index."""
    module, type_, name = (text_in(item, key, place) for key in ("module", "type", "name"))
    index = item.get("index")
    suffix = "" if index is None else f"[{json.dumps(index)}]"
    return ".".join(filter(None, (module, type_, name))) + suffix


def _sorted(changes: list[ResourceChange]) -> tuple[ResourceChange, ...]:
    return tuple(sorted(changes, key=_order))


def _order(change: ResourceChange) -> tuple[object, str]:
    return natural(change.address), change.deposed or ""


_COMMANDS: Final = ("command", "inline", "script", "scripts", "content", "source")
_LOCAL: Final = "local-exec"


def provisioners_of(document: Mapping[str, Any]) -> tuple[ProvisionerRun, ...]:
    """Returns the provisioners that run for resources the plan creates or destroys.

    One for each provisioner in the configuration, however many instances of the resource there are.
    Raises PlanError if the document is not built like a plan.
    """
    created, destroyed = set(), set()
    for place, item in objects_in(document, "resource_changes"):
        actions = actions_in(object_in(item.get("change"), f"{place}.change"), place)
        address = bare(text_in(item, "address", place))
        if "create" in actions:
            created.add(address)
        if "delete" in actions:
            destroyed.add(address)
    found = []
    for address, provisioner in _configured(document):
        runs_at_end = provisioner.get("when") == "destroy"
        if address in (destroyed if runs_at_end else created):
            type_ = text_in(provisioner, "type", "provisioner")
            found.append(
                ProvisionerRun(redact(address), redact(type_), _command(provisioner), type_ == _LOCAL)
            )
    return tuple(sorted(found, key=lambda each: (each.address, each.type, repr(each.command))))


def _configured(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields every provisioner with the address of its resource."""
    for prefix, _, module in modules_in(document):
        for place, resource in objects_in(module, "resources", "configuration"):
            address = prefix + text_in(resource, "address", place)
            for _, provisioner in objects_in(resource, "provisioners", place):
                yield address, provisioner


def _command(provisioner: Mapping[str, Any]) -> Tree:
    expressions = object_in(provisioner.get("expressions"), "provisioner.expressions")
    for name in _COMMANDS:
        if name in expressions:
            expression = expressions[name]
            known = isinstance(expression, Mapping) and "constant_value" in expression
            return tree_of(expression["constant_value"]) if known else UNKNOWN
    return UNKNOWN
