"""Reads a resource change of a plan, with values and an address that are safe to show."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from review.model import ABSENT, UNKNOWN, Action, Path, ResourceChange, Tree
from review.reading.masking import either, has_mark, tree_of, trees_of, without_former_secrets
from review.reading.redaction import redacted_in
from review.reading.secret_detection import REDACTED, is_secret_name, redact
from review.reading.structure import PlanError, actions_in, acts, object_in, text_in

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


def change_of(
    item: Mapping[str, Any], place: str, names: Names, written: frozenset[str] | None = None
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
    before, after = values_of(change, text_in(item, "type", place))
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
    "aws_vpn_connection": ("customer_gateway_configuration",),
    "azurerm_application_insights": ("instrumentation_key", "connection_string"),
    "azurerm_cosmosdb_account": (
        "primary_key",
        "secondary_key",
        "primary_readonly_key",
        "secondary_readonly_key",
    ),
    "azurerm_eventhub_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_eventhub_namespace_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_kubernetes_cluster": (
        "kube_admin_config",
        "kube_admin_config_raw",
        "kube_config",
        "kube_config_raw",
    ),
    "azurerm_search_service": ("primary_key", "secondary_key"),
    "azurerm_servicebus_namespace_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_servicebus_queue_authorization_rule": ("primary_key", "secondary_key"),
    "cloudinit_config": ("rendered",),
    "github_actions_environment_secret": ("plaintext_value", "encrypted_value"),
    "github_actions_organization_secret": ("plaintext_value", "encrypted_value"),
    "github_actions_secret": ("plaintext_value", "encrypted_value"),
    "github_dependabot_secret": ("plaintext_value", "encrypted_value"),
    "gitlab_project_variable": ("value",),
    "helm_release": ("set_sensitive", "set_wo"),
    "htpasswd_password": ("apr1", "bcrypt", "sha256", "sha512"),
    "kubernetes_secret": ("data", "binary_data", "string_data"),
    "kubernetes_secret_v1": ("data", "binary_data", "string_data"),
    "kubernetes_secret_v1_data": ("data",),
    "local_file": ("sensitive_content",),
    "local_sensitive_file": ("content", "content_base64"),
    "pagerduty_service_integration": ("integration_key",),
    "random_bytes": ("base64", "hex"),
    "random_password": ("result", "bcrypt_hash"),
    "sops_file": ("raw", "data"),
    "tls_private_key": ("private_key_pem", "private_key_openssh", "private_key_pem_pkcs8"),
    "vault_approle_auth_backend_role_secret_id": ("secret_id", "wrapping_token"),
    "vault_generic_secret": ("data", "data_json"),
    "vault_kv_secret": ("data", "data_json"),
    "vault_kv_secret_v2": ("data", "data_json"),
}
"""Attributes that are secret, although formats before 1.0 do not mark them and their names do not say so."""


SECRET_VALUES: Final = ("key", "value")
"""Attributes that are secret if the name of the type says that it is a secret: `datadog_api_key`."""


def values_of(change: Mapping[str, Any], type: str = "", name: str = "") -> tuple[Tree, Tree]:
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
