import json
import re
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.model import ABSENT, UNKNOWN, Action, ActionInvocation, Document, FailedCheck, Masked, Plan
from review.reading.plans import plan_of
from review.reading.secret_detection import REDACTED
from review.reading.structure import PlanError

RECORDED = sorted(File(__file__).with_name("plans").glob("*/*.json"))
AWS_KEY = "AK" + "IA" + "Q" * 15


def resource(address: str = "aws_a.x", actions: Any = ("update",), **fields: Any) -> dict[str, Any]:
    after = {"a": 1 if list(actions) == ["no-op"] else 2}
    change = {"actions": list(actions), "before": {"a": 1}, "after": after, "after_unknown": {}}
    change |= {key: fields.pop(key) for key in list(fields) if key in CHANGE_FIELDS}
    return {"address": address, "mode": "managed", "type": "aws_a", "name": "x", "change": change, **fields}


CHANGE_FIELDS = {
    "before",
    "after",
    "after_unknown",
    "before_sensitive",
    "after_sensitive",
    "importing",
    "replace_paths",
}


def plan(*resources: dict[str, Any], **fields: Any) -> Plan:
    return plan_of({"format_version": "1.2", "resource_changes": list(resources), **fields}, "0f")


@pytest.mark.parametrize("file", RECORDED, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_recorded_plans_are_counted_as_terraform_counts_them(file: File) -> None:
    document = json.loads(file.read_bytes())
    entries = document.get("resource_changes", [])
    does_nothing = [
        item
        for item in entries
        if item["change"]["actions"] == ["no-op"]
        and "importing" not in item["change"]
        and item.get("previous_address", item["address"]) == item["address"]
    ]
    found = plan_of(document, "0f")
    assert found.unchanged == len(does_nothing)
    assert len(found.changes) + found.unchanged == len(entries)
    assert [change.address for change in found.changes] == sorted(change.address for change in found.changes)
    outputs = document.get("output_changes", {}).values()
    assert len(found.outputs) == sum(output["actions"] != ["no-op"] for output in outputs)


@pytest.mark.parametrize(
    ("actions", "action", "creates_first"),
    [
        (["create"], Action.CREATE, False),
        (["update"], Action.UPDATE, False),
        (["delete"], Action.DELETE, False),
        (["read"], Action.READ, False),
        (["forget"], Action.FORGET, False),
        (["create", "forget"], Action.REPLACE, True),
        (["delete", "create"], Action.REPLACE, False),
        (["create", "delete"], Action.REPLACE, True),
        (["explode"], Action.UNRECOGNISED, False),
        (["update", "delete"], Action.UNRECOGNISED, False),
        (["no-op", "no-op"], Action.UNRECOGNISED, False),
        ([], Action.UNRECOGNISED, False),
    ],
)
def test_actions_are_told_apart(actions: list[str], action: Action, creates_first: bool) -> None:
    (change,) = plan(resource(actions=actions)).changes
    assert (change.action, change.create_before_destroy) == (action, creates_first)


def test_a_no_op_is_an_import_or_a_move_or_counted() -> None:
    found = plan(
        resource("aws_a.a", ["no-op"], importing={"id": "i-1"}),
        resource("aws_a.b", ["no-op"], previous_address="aws_a.old"),
        resource("aws_a.c", ["no-op"], previous_address="aws_a.c"),
        resource("aws_a.d", ["no-op"]),
        resource("aws_a.e", ["no-op"], importing={"id": "i-2"}, previous_address="aws_a.old_e"),
        resource("aws_a.f", ["update"], importing={"identity": {"name": "x"}}),
        resource("aws_a.g", ["update"], importing={"unknown": True}),
    )
    assert found.unchanged == 2
    assert [(change.address, change.action, change.import_id) for change in found.changes] == [
        ("aws_a.a", Action.IMPORT, "i-1"),
        ("aws_a.b", Action.MOVE, ABSENT),
        ("aws_a.e", Action.IMPORT, "i-2"),
        ("aws_a.f", Action.UPDATE, {"name": "x"}),
        ("aws_a.g", Action.UPDATE, UNKNOWN),
    ]
    assert [change.previous_address for change in found.changes] == [
        None,
        "aws_a.old",
        "aws_a.old_e",
        None,
        None,
    ]


def test_deposed_objects_are_changes_of_their_own() -> None:
    found = plan(
        resource(), resource(actions=["delete"], deposed="bb"), resource(actions=["delete"], deposed="aa")
    )
    assert [change.deposed for change in found.changes] == [None, "aa", "bb"]


def test_values_are_masked_by_both_trees_and_unknown_where_terraform_says_so() -> None:
    (change,) = plan(
        resource(
            before={"a": "x", "b": "y", "password": "hunter2"},
            after={"a": "x", "b": "y"},
            before_sensitive={"a": True},
            after_sensitive={"b": True},
            after_unknown={"password": True, "id": True},
            replace_paths=[["a"], ["list", 0, AWS_KEY + "Q"]],
            action_reason="replace_because_cannot_update",
        )
    ).changes
    assert isinstance(change.before, dict)
    assert isinstance(change.after, dict)
    assert [type(change.before[key]) for key in ("a", "b", "password")] == [Masked, Masked, Masked]
    assert [type(change.after[key]) for key in ("a", "b")] == [Masked, Masked]
    assert change.no_longer_sensitive == (("a",),)
    assert change.after["password"] is change.after["id"] is UNKNOWN
    assert change.replace_paths == (("a",), ("list", 0, REDACTED))
    assert change.reason == "replace_because_cannot_update"


def test_there_is_nothing_before_a_creation_and_after_a_deletion() -> None:
    created, deleted, unknown = plan(
        resource("aws_a.a", ["create"], before=None),
        resource("aws_a.b", ["delete"], after=None),
        resource("aws_a.c", ["create"], before=None, after=None, after_unknown={"id": True}),
    ).changes
    assert (created.before, created.after) == (ABSENT, {"a": 2})
    assert (deleted.before, deleted.after) == ({"a": 1}, ABSENT)
    assert (unknown.before, unknown.after) == (ABSENT, {"id": UNKNOWN})


def test_outputs_keep_null_apart_from_nothing_and_are_masked_by_name() -> None:
    changes = {
        "b": {"actions": ["create"], "before": None, "after": "x", "after_sensitive": False},
        "a": {"actions": ["update"], "before": None, "after": '{"a": 1}'},
        "c": {"actions": ["delete"], "before": "x", "after": None, "before_sensitive": True},
        "d": {"actions": ["no-op"], "before": "x", "after": "x"},
        "db_password": {"actions": ["update"], "before": "x", "after": None, "after_unknown": True},
    }
    outputs = plan(output_changes=changes).outputs
    assert [(output.name, output.action) for output in outputs] == [
        ("a", Action.UPDATE),
        ("b", Action.CREATE),
        ("c", Action.DELETE),
        ("db_password", Action.UPDATE),
    ]
    assert (outputs[0].before, outputs[0].after) == (None, Document({"a": 1}))
    assert (outputs[1].before, outputs[1].after) == (ABSENT, "x")
    assert isinstance(outputs[2].before, Masked)
    assert outputs[2].after is ABSENT
    assert isinstance(outputs[3].before, Masked)
    assert outputs[3].after is UNKNOWN


@pytest.mark.parametrize(
    ("version", "actions"),
    [
        (
            "0.1",
            {"new": Action.CREATE, "raised": Action.UPDATE, "later": Action.UPDATE, "hidden": Action.UPDATE},
        ),
        ("1.2", dict.fromkeys(("new", "raised", "later", "hidden", "same"), Action.CREATE)),
    ],
)
def test_outputs_that_an_old_terraform_creates_anew_are_compared_with_its_state(
    version: str, actions: dict[str, Action]
) -> None:
    former = {"same": "x", "raised": 1, "later": "x", "hidden": "x", "gone": "x"}
    outputs = {name: {"sensitive": name == "hidden", "value": value} for name, value in former.items()}
    after = {"same": "x", "raised": 2, "later": None, "hidden": "y", "new": "x"}
    changes = {
        name: {"actions": ["create"], "before": None, "after": value, "after_unknown": name == "later"}
        for name, value in after.items()
    }
    prior = {"format_version": version, "values": {"outputs": outputs, "root_module": {}}}
    found = plan(format_version=version, output_changes=changes, prior_state=prior).outputs
    assert {each.name: each.action for each in found} == actions
    (hidden,) = (each for each in found if each.name == "hidden")
    if version == "0.1":
        assert isinstance(hidden.before, Masked)
        assert isinstance(hidden.after, Masked)


def test_failed_checks_are_found_by_instance() -> None:
    checks = [
        {"address": {"to_display": "check.ok"}, "status": "pass", "instances": [{"status": "pass"}]},
        {
            "address": {"to_display": "aws_b.y"},
            "status": "fail",
            "instances": [
                {"address": {"to_display": "aws_b.y[0]"}, "status": "pass"},
                {
                    "address": {"to_display": "aws_b.y[1]"},
                    "status": "fail",
                    "problems": [{"message": "token=hunter2 is wrong"}, {"message": "a"}],
                },
            ],
        },
        {"address": {"to_display": "aws_a.x"}, "status": "error", "instances": []},
        {"address": {"to_display": "aws_c.z"}, "status": "unknown"},
    ]
    assert plan(checks=checks).failed_checks == (
        FailedCheck("aws_a.x", "error", ()),
        FailedCheck("aws_b.y[1]", "fail", ("a", f"token={REDACTED} is wrong")),
    )


def test_deferred_changes_and_actions_are_found_and_make_a_plan_incomplete() -> None:
    found = plan(
        deferred_changes=[
            {"reason": "provider_config_unknown", "resource_change": resource("aws_a.b", ["create"])},
            {"reason": "unknown", "resource_change": resource("aws_a.a", ["no-op"])},
        ],
        action_invocations=[{"address": "action.b.y", "type": "b"}, {"address": "action.a.x", "type": "a"}],
        deferred_action_invocations=[
            {"reason": "unknown", "action_invocation": {"address": "action.c", "type": "c"}}
        ],
    )
    assert [(item.reason, item.change.address, item.change.action) for item in found.deferred] == [
        ("unknown", "aws_a.a", Action.UNRECOGNISED),
        ("provider_config_unknown", "aws_a.b", Action.CREATE),
    ]
    assert found.actions == (
        ActionInvocation("action.a.x", "a"),
        ActionInvocation("action.b.y", "b"),
        ActionInvocation("action.c", "c"),
    )
    assert not found.complete


def test_what_formats_before_1_2_do_not_say_is_as_they_had_it() -> None:
    found = plan()
    assert (found.errored, found.complete, found.sha256) == (False, True, "0f")
    found = plan(errored=True, complete=False, terraform_version="1.11.4")
    assert (found.errored, found.complete) == (True, False)


def test_addresses_show_no_secret_and_stay_different() -> None:
    keys = [AWS_KEY + letter for letter in "ABC"]
    found = plan(
        *(resource(f'aws_a.x["{key}"]', ["create"]) for key in keys),
        resource('aws_a.y["a"]', ["no-op"], previous_address=f'aws_a.x["{keys[1]}"]', deposed=keys[0]),
    )
    assert [change.address for change in found.changes] == [
        f'aws_a.x["{REDACTED} 2"]',
        f'aws_a.x["{REDACTED} 3"]',
        f'aws_a.x["{REDACTED}"]',
        'aws_a.y["a"]',
    ]
    assert found.changes[3].previous_address == f'aws_a.x["{REDACTED} 2"]'
    assert AWS_KEY not in repr(found)


def drift_of(*drift: dict[str, Any], relevant: Any = None, **fields: Any) -> tuple[list[str], int]:
    fields = {"resource_changes": [resource("aws_a.other", ["no-op"])], **fields}
    if relevant is not None:
        fields["relevant_attributes"] = [{"resource": name, "attribute": path} for name, path in relevant]
    found = plan_of({"format_version": "1.2", "resource_drift": list(drift), **fields}, "0f")
    return [change.address for change in found.drift], found.other_drift


@pytest.mark.parametrize(
    ("path", "is_relevant"),
    [
        (["tags"], True),
        (["tags", "a"], True),
        (["tags", "b"], False),
        (["list"], True),
        (["list", 1], True),
        (["list", 0], False),
        (["list", 1, "deeper"], True),
        (["list", 7], True),
        (["name"], False),
        (["unheard-of"], False),
        ([], True),
    ],
)
def test_drift_is_shown_where_a_relevant_attribute_is_holds_or_is_within_what_differs(
    path: list[Any], is_relevant: bool
) -> None:
    drift = resource(
        before={"name": "x", "tags": {"a": "1", "b": "2"}, "list": ["x", "y"]},
        after={"name": "x", "tags": {"a": "9", "b": "2"}, "list": ["x", "z"]},
    )
    assert drift_of(drift, relevant=[("aws_a.x", path)]) == ((["aws_a.x"], 0) if is_relevant else ([], 1))
    assert drift_of(drift, relevant=[("aws_a.y", path)]) == ([], 1)


def test_relevance_is_found_for_one_of_several_instances() -> None:
    drift = resource('aws_a.x["a.b[0]"]', index="a.b[0]", before={"a": 1}, after={"a": 2})
    for relevant in (("aws_a.x", ["a"]), ("aws_a.x", ["a.b[0]", "a"]), ('aws_a.x["a.b[0]"]', ["a"])):
        assert drift_of(drift, relevant=[relevant])[1] == 0
    assert drift_of(drift, relevant=[("aws_a.x", ["other", "a"])])[1] == 1


def test_null_against_empty_is_no_drift() -> None:
    before: dict[str, Any] = {"a": None, "b": "", "c": [], "d": {"e": None}, "f": 0}
    after: dict[str, Any] = {"a": "", "b": [], "c": None, "d": {}, "f": 0, "g": None}
    assert drift_of(resource(before=before, after=after), relevant=[("aws_a.x", [])]) == ([], 0)
    assert drift_of(resource(before=before, after={**after, "f": False}), relevant=[("aws_a.x", [])])[1] == 0
    assert drift_of(resource(before=before, after={**after, "f": False}), relevant=[("aws_a.x", ["f"])]) == (
        ["aws_a.x"],
        0,
    )


def test_a_deletion_behind_terraforms_back_is_relevant_when_it_is_undone_or_referred_to() -> None:
    deleted = resource(actions=["delete"], before={"id": "x"}, after=None)
    created = resource(actions=["create"], before=None)
    assert drift_of(deleted, resource_changes=[created]) == (["aws_a.x"], 0)
    assert drift_of(deleted, relevant=[("aws_a.x", ["id"])]) == (["aws_a.x"], 0)
    assert drift_of(deleted, relevant=[]) == ([], 1)


def test_all_drift_is_relevant_in_old_formats_and_in_a_refresh_only_plan() -> None:
    assert drift_of(resource()) == ([], 1)
    assert drift_of(resource(), resource_changes=[]) == (["aws_a.x"], 0)
    for version in ("0.2", "1.0"):
        assert drift_of(resource(), format_version=version) == (["aws_a.x"], 0)


@pytest.mark.parametrize("version", ["0.1", "0.2", "1.0", "1.1", "1.2", "1.99"])
def test_formats_with_a_newer_minor_version_are_read(version: str) -> None:
    assert plan(format_version=version, unheard_of={"a": 1}).changes == plan().changes


@pytest.mark.parametrize(
    "version", ["2.0", "10.1", "1", "1.x", "", "one", 1.2, None, "1.2.3", "1.2\n", "\u0661.\u0660"]
)
def test_other_formats_are_refused(version: Any) -> None:
    with pytest.raises(PlanError, match="format version"):
        plan(format_version=version)


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"resource_changes": "x"}, "resource_changes is a string, but must be a list"),
        ({"resource_changes": {}}, "resource_changes is an object"),
        ({"resource_changes": [None]}, r"resource_changes\[0\] is null, but must be an object"),
        ({"resource_changes": [resource(), 7]}, r"resource_changes\[1\] is a number"),
        ({"resource_changes": [{"address": "a"}]}, r"resource_changes\[0\].change.actions must be a list"),
        ({"resource_changes": [{"address": "a", "change": []}]}, r"resource_changes\[0\].change is a list"),
        ({"resource_changes": [resource(actions=[1])]}, r"resource_changes\[0\].change.actions must be"),
        ({"resource_changes": [resource("")]}, r"resource_changes\[0\].address is missing"),
        ({"resource_changes": [resource(mode=1)]}, r"resource_changes\[0\].mode is a number"),
        ({"resource_changes": [resource(deposed=[])]}, r"resource_changes\[0\].deposed is a list"),
        (
            {"resource_changes": [resource(importing="x")]},
            r"resource_changes\[0\].change.importing is a string",
        ),
        ({"resource_changes": [resource(replace_paths="x")]}, r"replace_paths must be a list of lists"),
        ({"resource_changes": [resource(replace_paths=["x"])]}, r"replace_paths must be a list of lists"),
        ({"output_changes": []}, "output_changes is a list, but must be an object"),
        ({"output_changes": {"a": "x"}}, "output_changes.a"),
        ({"errored": "no"}, "errored is a string, but must be true or false"),
        ({"complete": 1}, "complete is a number"),
        ({"checks": {}}, "checks is an object"),
        ({"checks": [{"instances": [1]}]}, r"checks\[0\].instances\[0\] is a number"),
        ({"checks": [{"status": "fail", "address": "x"}]}, r"checks\[0\].address is a string"),
        (
            {"deferred_changes": [{"reason": 1, "resource_change": resource()}]},
            r"deferred_changes\[0\].reason",
        ),
        ({"deferred_changes": [{}]}, r"deferred_changes\[0\].resource_change.change.actions must be"),
        ({"resource_drift": 1}, "resource_drift is a number"),
        ({"resource_drift": [{"address": "a"}]}, r"resource_drift\[0\].change.actions must be"),
        ({"relevant_attributes": [1]}, r"relevant_attributes\[0\] is a number"),
        ({"action_invocations": [{"address": 1}]}, r"action_invocations\[0\].address is a number"),
        ({"deferred_action_invocations": [{"action_invocation": 1}]}, r"action_invocation is a number"),
    ],
)
def test_what_is_not_built_like_a_plan_is_told_with_its_place(fields: dict[str, Any], place: str) -> None:
    with pytest.raises(PlanError, match=place):
        plan_of({"format_version": "1.2", "resource_changes": [resource("aws_a.other")], **fields}, "0f")


KEYS = re.findall(
    r"\w+",
    """
    resource_changes resource_drift output_changes deferred_changes action_invocations relevant_attributes
    configuration deferred_action_invocations errored complete address change actions before after
    importing replace_paths instances problems status resource_change action_invocation resource attribute
    after_unknown checks mode
    """,
)
garbage = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(0, 3)
    | st.sampled_from(["no-op", "update", "create", "fail", "x", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)


@given(st.dictionaries(st.sampled_from(KEYS), garbage, max_size=8))
def test_any_document_is_a_plan_or_told_not_to_be_one(document: dict[str, Any]) -> None:
    try:
        found = plan_of({"format_version": "1.2", **document}, "0f")
    except PlanError:
        return
    assert len(found.changes) + found.unchanged == len(document.get("resource_changes") or [])


def test_a_mark_that_is_taken_away_shows_nothing_and_is_told() -> None:
    (change,) = plan(
        resource(
            before={"value": "hunter2", "nested": [{"x": "hunter2"}]},
            after={"value": "hunter2", "nested": [{"x": "hunter2"}, {"x": "other"}]},
            before_sensitive={"value": True, "nested": [{"x": True}]},
            after_sensitive={},
        )
    ).changes
    assert "hunter2" not in repr(change)
    assert change.no_longer_sensitive == (("nested",), ("value",))
    (output,) = plan_of(
        {
            "format_version": "1.2",
            "output_changes": {
                "address": {
                    "actions": ["update"],
                    "before": "hunter2",
                    "after": "hunter2",
                    "before_sensitive": True,
                    "after_sensitive": False,
                }
            },
        },
        "0" * 64,
    ).outputs
    assert "hunter2" not in repr(output)
    assert output.no_longer_sensitive


def test_commands_that_an_apply_runs_are_told_with_the_resources_that_run_them() -> None:
    def provisioner(when: str | None, command: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"type": "local-exec", "expressions": {"command": command}}
        return found | ({"when": when} if when else {})

    def configured(address: str, *provisioners: Any) -> dict[str, Any]:
        return {"address": address, "provisioners": list(provisioners)}

    known, unknown = {"constant_value": "make it"}, {"references": ["var.command"]}
    module = {"resources": [configured("terraform_data.inner", provisioner(None, unknown))]}
    found = plan_of(
        {
            "format_version": "1.2",
            "resource_changes": [
                {"address": 'terraform_data.made["a"]', "change": {"actions": ["create"]}},
                {"address": "module.m[0].terraform_data.inner", "change": {"actions": ["delete", "create"]}},
                {"address": "terraform_data.gone", "change": {"actions": ["delete"]}},
                {"address": "terraform_data.kept", "change": {"actions": ["update"]}},
            ],
            "configuration": {
                "root_module": {
                    "resources": [
                        configured("terraform_data.made", provisioner(None, known)),
                        configured(
                            "terraform_data.gone", provisioner(None, known), provisioner("destroy", known)
                        ),
                        configured("terraform_data.kept", provisioner(None, known)),
                    ],
                    "module_calls": {"m": {"module": module}},
                }
            },
        },
        "0" * 64,
    ).provisioners
    assert [(each.address, each.command) for each in found] == [
        ("module.m.terraform_data.inner", UNKNOWN),
        ("terraform_data.gone", "make it"),
        ("terraform_data.made", "make it"),
    ]
    assert all(each.is_local for each in found)


def test_a_path_that_forces_a_replacement_ends_where_all_is_sensitive() -> None:
    paths = [["tags", "hidden", "x"], ["rules", 0, "hidden"], ["rules", 1, "key"], ["size"]]
    change: dict[str, Any] = {
        "actions": ["delete", "create"],
        "before": {"tags": {"hidden": {"x": 1}}, "rules": [{"hidden": 1}, {"key": 1}], "size": 1},
        "after": {"tags": {"hidden": {"x": 2}}, "rules": [{"hidden": 2}, {"key": 2}], "size": 2},
        "before_sensitive": {"tags": True},
        "after_sensitive": {"rules": [True, {"key": True}]},
        "replace_paths": paths,
    }
    item = {"address": "aws_a.x", "mode": "managed", "type": "aws_a", "name": "x", "change": change}
    document = {"format_version": "1.2", "resource_changes": [item]}
    [found] = plan_of(document, "").changes
    assert found.replace_paths == (("tags",), ("rules", 0), ("rules", 1, "key"), ("size",))
    change["before_sensitive"] = True
    [found] = plan_of(document, "").changes
    assert found.replace_paths == (("tags",), ("rules",), ("rules",), ("size",))


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("aws_iam_virtual_mfa_device", {"base_32_string_seed": "canary", "qr_code_png": "canary"}),
        ("aws_ssm_parameter", {"name": "/a", "type": "SecureString", "value": "canary"}),
        ("datadog_api_key", {"name": "n", "key": "canary"}),
        ("cloudflare_api_token", {"name": "n", "value": "canary"}),
        ("aws_api_gateway_api_key", {"value": "canary"}),
        ("vault_approle_auth_backend_role_secret_id", {"secret_id": "canary"}),
        ("acme_certificate", {"certificate_p12": "canary"}),
        ("local_sensitive_file", {"content": "canary", "content_base64": "canary"}),
        ("kubernetes_manifest", {"manifest": {"kind": "Secret", "stringData": {"a": "canary"}}}),
        ("kubectl_manifest", {"yaml_body": "apiVersion: v1\nkind: Secret\nstringData:\n  a: canary\n"}),
        ("helm_release", {"values": ['- kind: "Secret"\n  data:\n    a: canary\n']}),
        ("random_id", {"keepers": {"otp_seed": "canary", "mfaSeed": "canary"}}),
        ("consul_keys", {"key": [{"path": "shop/password", "value": "canary"}]}),
    ],
)
def test_a_secret_without_a_mark_is_masked_by_its_type(kind: str, values: dict[str, Any]) -> None:
    for before in (None, values | {"id": "x"}):
        change = {"actions": ["update"], "before": before, "after": values}
        (found,) = plan(resource(f"{kind}.x", type=kind, change=change)).changes
        assert "canary" not in repr(found)


@pytest.mark.parametrize("gone", [True, False])
def test_a_variable_that_is_a_secret_by_reference_on_the_other_side_is_masked(gone: bool) -> None:
    kind = "aws_ecs_task_definition"
    variables = [{"name": "API", "value": "canary"}, {"name": "LEVEL", "value": "debug"}]
    plain = {"container_definitions": json.dumps([{"name": "web", "environment": variables}])}
    secrets = [{"name": "API", "valueFrom": "arn:aws:ssm:::parameter/api"}]
    safe = {"container_definitions": json.dumps([{"name": "web", "secrets": secrets}])}
    before, after = (safe, plain) if gone else (plain, safe)
    change = {"actions": ["update"], "before": before, "after": after}
    (found,) = plan(resource(f"{kind}.x", type=kind, change=change)).changes
    assert "canary" not in repr(found)
    assert "debug" in repr(found)
