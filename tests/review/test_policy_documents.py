"""Policy documents that only the apply reads: their statements, and which resource takes them."""

import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.flags import judge
from review.model import UNKNOWN, Document, Plan, Stack, Tree
from review.reading.plans import plan_of
from review.reading.structure import PlanError
from review.table import default_table
from review.verdicts import verdict_of

DOCUMENT = "aws_iam_policy_document"


def refers(*references: str) -> dict[str, Any]:
    return {"references": [each for name in references for each in (name, name.rpartition(".")[0])]}


def statement(actions: list[str], resources: list[str | None], **more: Any) -> dict[str, Any]:
    return {"actions": actions, "resources": resources, "effect": "Allow", "principals": [], **more}


def document(address: str, *statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A data source that the apply reads; a resource that is None is not known."""
    unknown = [{"resources": [each is None for each in one["resources"] or ()]} for one in statements]
    return entry(
        address, "read", None, {"statement": [*statements], **more}, {"json": True, "statement": unknown}
    )


def entry(
    address: str, action: str, before: Any, after: Any, unknown: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    *_, mode, type_, name = ("", *re.sub(r"\[[^]]*\]", "", address).split("."))
    return {
        "address": address,
        "mode": "data" if mode == "data" else "managed",
        "type": type_,
        "name": name,
        "change": {"actions": [action], "before": before, "after": after, "after_unknown": unknown or {}},
    }


def role_policy(address: str = "aws_iam_role_policy.web") -> dict[str, Any]:
    return entry(address, "create", None, {"name": "x", "role": "web"}, {"policy": True})


def resource(address: str, **expressions: Any) -> dict[str, Any]:
    return {"address": address, "expressions": expressions}


def planned(entries: list[dict[str, Any]], root: Mapping[str, Any]) -> Plan:
    document = {"format_version": "1.2", "resource_changes": entries, "configuration": {"root_module": root}}
    return plan_of(json.loads(json.dumps(document)), "")


def policies(plan: Plan, key: str = "policy") -> dict[str, Tree]:
    return {
        change.address: change.after.get(key)
        for change in plan.changes
        if isinstance(change.after, dict) and not change.is_data
    }


READ = statement(["s3:GetObject"], ["arn:aws:s3:::b/*"])
SAID: Tree = {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::b/*"]}


def said(*statements: Tree) -> Document:
    return Document({"Version": "2012-10-17", "Statement": [*statements]})


def test_a_policy_is_that_of_the_document_it_refers_to() -> None:
    entries = [document(f"data.{DOCUMENT}.a", READ), role_policy()]
    root = {"resources": [resource("aws_iam_role_policy.web", policy=refers(f"data.{DOCUMENT}.a.json"))]}
    plan = planned(entries, root)
    assert policies(plan) == {"aws_iam_role_policy.web": said(SAID)}
    assert plan.documents == ()


def test_all_of_a_statement_is_read_and_what_is_not_known_stays_so() -> None:
    full = statement(
        ["s3:GetObject"],
        ["arn:aws:s3:::&{aws:username}/*", None],
        sid="S",
        effect="Deny",
        principals=[{"type": "AWS", "identifiers": ["a"]}, {"type": "AWS", "identifiers": ["b"]}],
        condition=[
            {"test": "StringEquals", "variable": "x", "values": ["1"]},
            {"test": "StringEquals", "variable": "y", "values": ["2"]},
        ],
    )
    root = {"resources": [resource("aws_iam_role_policy.web", policy=refers(f"data.{DOCUMENT}.a.json"))]}
    (found,) = policies(planned([document(f"data.{DOCUMENT}.a", full), role_policy()], root)).values()
    assert found == said(
        {
            "Effect": "Deny",
            "Sid": "S",
            "Action": ["s3:GetObject"],
            "Resource": ["arn:aws:s3:::${aws:username}/*", UNKNOWN],
            "Principal": {"AWS": ["a", "b"]},
            "Condition": {"StringEquals": {"x": ["1"], "y": ["2"]}},
        }
    )


def test_a_document_is_followed_through_variables_and_outputs_of_modules() -> None:
    entries = [
        document(f"module.made.data.{DOCUMENT}.a", READ),
        role_policy("module.outer[0].module.inner.aws_iam_role_policy.web"),
    ]
    made = {"module": {"outputs": {"policy": {"expression": refers(f"data.{DOCUMENT}.a.json")}}}}
    inner = {
        "expressions": {"given": refers("var.passed")},
        "module": {"resources": [resource("aws_iam_role_policy.web", policy=refers("var.given"))]},
    }
    outer = {
        "expressions": {"passed": refers("module.made.policy")},
        "module": {"module_calls": {"inner": inner}},
    }
    plan = planned(entries, {"module_calls": {"made": made, "outer": outer}})
    assert [*policies(plan).values()] == [said(SAID)]


def test_an_instance_takes_the_document_of_its_index() -> None:
    wide = statement(["*"], ["*"])
    entries = [
        document(f'data.{DOCUMENT}.a["x"]', READ),
        document(f'data.{DOCUMENT}.a["y"]', wide),
        role_policy('aws_iam_role_policy.web["x"]'),
    ]
    root = {
        "resources": [
            resource("aws_iam_role_policy.web", policy={"references": [f"data.{DOCUMENT}.a", "each.key"]})
        ]
    }
    plan = planned(entries, root)
    assert [*policies(plan).values()] == [said(SAID)]
    assert [each.address for each in plan.documents] == [f'data.{DOCUMENT}.a["y"]']


def test_a_reference_to_all_instances_is_not_to_that_of_the_own_index() -> None:
    wide = statement(["*"], ["*"])
    entries = [
        document(f'data.{DOCUMENT}.a["x"]', READ),
        document(f'data.{DOCUMENT}.a["y"]', wide),
        role_policy('aws_iam_role_policy.web["x"]'),
    ]
    web = resource("aws_iam_role_policy.web", policy={"references": [f"data.{DOCUMENT}.a"]})
    everything: Tree = {"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}
    assert [*policies(planned(entries, {"resources": [web]})).values()] == [said(SAID, everything, UNKNOWN)]


def test_a_reference_with_an_index_leads_to_that_instance() -> None:
    wide = statement(["*"], ["*"])
    entries = [
        document(f'module.app["x"].data.{DOCUMENT}.a[0]', READ),
        document(f'module.app["x"].data.{DOCUMENT}.a[1]', wide),
        document(f'module.app["y"].data.{DOCUMENT}.a[0]', wide),
        role_policy(),
    ]
    made = [f"data.{DOCUMENT}.a[0].json", f"data.{DOCUMENT}.a[0]", f"data.{DOCUMENT}.a"]
    taken = ['module.app["x"].policy', 'module.app["x"]', "module.app"]
    app = {"module": {"outputs": {"policy": {"expression": {"references": made}}}}}
    web = resource("aws_iam_role_policy.web", policy={"references": taken})
    plan = planned(entries, {"resources": [web], "module_calls": {"app": app}})
    assert [*policies(plan).values()] == [said(SAID)]


def test_an_instance_of_a_module_takes_its_own_document() -> None:
    entries = [
        document(f'module.app["x"].data.{DOCUMENT}.a', READ),
        document(f'module.app["y"].data.{DOCUMENT}.a', statement(["*"], ["*"])),
        role_policy('module.app["x"].aws_iam_role_policy.web["z"]'),
    ]
    web = resource("aws_iam_role_policy.web", policy=refers(f"data.{DOCUMENT}.a.json"))
    plan = planned(entries, {"module_calls": {"app": {"module": {"resources": [web]}}}})
    assert [*policies(plan).values()] == [said(SAID)]


def test_a_document_that_many_ways_lead_to_is_followed_once() -> None:
    inner: dict[str, Any] = {"outputs": {"policy": {"expression": refers(f"data.{DOCUMENT}.a.json")}}}
    for _ in range(20):
        ways = {f"o{way}": {"expression": refers("module.m.policy")} for way in range(20)}
        all_ways = refers(*(f"module.m.o{way}" for way in range(20)), "module.m.policy")
        inner = {
            "outputs": {**ways, "policy": {"expression": all_ways}},
            "module_calls": {"m": {"module": inner}},
        }
    root = {
        "resources": [resource("aws_iam_role_policy.web", policy=refers("module.m.policy"))],
        "module_calls": {"m": {"module": inner}},
    }
    read = document("module.m." * 21 + f"data.{DOCUMENT}.a", READ)
    assert policies(planned([read, role_policy()], root)) != {}


def test_an_address_that_the_configuration_has_elsewhere_leads_nowhere() -> None:
    odd = role_policy("module.app.aws_iam_role_policy.web")
    root = {"resources": [resource("module.app.aws_iam_role_policy.web", policy=refers("var.policy"))]}
    plan = planned([document(f"data.{DOCUMENT}.a", READ), odd], root)
    assert policies(plan) == {"module.app.aws_iam_role_policy.web": UNKNOWN}


def test_a_value_of_for_each_is_followed() -> None:
    web = resource("aws_iam_role_policy.web", policy=refers("each.value"))
    web["for_each_expression"] = refers(f"data.{DOCUMENT}.a.json")
    plan = planned(
        [document(f"data.{DOCUMENT}.a", READ), role_policy('aws_iam_role_policy.web["x"]')],
        {"resources": [web]},
    )
    assert [*policies(plan).values()] == [said(SAID)]


def test_an_inline_policy_of_a_role_is_read() -> None:
    role = entry(
        "aws_iam_role.web",
        "create",
        None,
        {"name": "web", "inline_policy": [{"name": "x"}]},
        {"inline_policy": [{"policy": True}]},
    )
    block = {"name": {"constant_value": "x"}, "policy": refers(f"data.{DOCUMENT}.a.json")}
    root = {"resources": [resource("aws_iam_role.web", inline_policy=[block])]}
    plan = planned([document(f"data.{DOCUMENT}.a", READ), role], root)
    assert policies(plan, "inline_policy") == {"aws_iam_role.web": [{"name": "x", "policy": said(SAID)}]}


def test_the_statements_of_source_documents_are_part_of_a_document() -> None:
    source = document(f"data.{DOCUMENT}.source", READ)
    known = json.dumps({"Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]})
    outer = document(f"data.{DOCUMENT}.a", source_policy_documents=[known, None])
    outer["change"]["after_unknown"]["source_policy_documents"] = [False, True]
    root = {
        "resources": [
            resource("aws_iam_role_policy.web", policy=refers(f"data.{DOCUMENT}.a.json")),
            resource(f"data.{DOCUMENT}.a", source_policy_documents=refers(f"data.{DOCUMENT}.source.json")),
        ]
    }
    plan = planned([source, outer, role_policy()], root)
    more: Tree = {"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
    assert [*policies(plan).values()] == [said(more, SAID)]
    assert plan.documents == ()


@pytest.mark.parametrize(
    "references",
    [(f"data.{DOCUMENT}.a.json", "local.more"), (f"data.{DOCUMENT}.a.json", "aws_s3_bucket.b.arn")],
)
def test_a_policy_that_is_more_than_a_document_is_known_in_part(references: tuple[str, ...]) -> None:
    root = {"resources": [resource("aws_iam_role_policy.web", policy=refers(*references))]}
    plan = planned([document(f"data.{DOCUMENT}.a", READ), role_policy()], root)
    assert [*policies(plan).values()] == [said(SAID, UNKNOWN)]


def test_of_two_documents_a_policy_may_be_each() -> None:
    wide: Tree = {"Effect": "Allow", "Action": ["*"], "Resource": ["*"]}
    entries = [
        document(f"data.{DOCUMENT}.a", READ),
        document(f"data.{DOCUMENT}.b", statement(["*"], ["*"])),
        role_policy(),
    ]
    both = refers(f"data.{DOCUMENT}.a.json", f"data.{DOCUMENT}.b.json", "var.which")
    plan = planned(entries, {"resources": [resource("aws_iam_role_policy.web", policy=both)]})
    assert [*policies(plan).values()] == [said(SAID, wide, UNKNOWN)]


def test_a_document_whose_use_the_plan_does_not_tell_is_a_point_of_its_own() -> None:
    entries = [document(f"data.{DOCUMENT}.a", statement(["*"], ["*"])), role_policy()]
    plan = planned(
        entries, {"resources": [resource("aws_iam_role_policy.web", policy=refers("local.policy"))]}
    )
    found = judge("dev-service", plan).flags
    assert [(flag.title, flag.address, flag.principal) for flag in found] == [
        ("Every action allowed", f"data.{DOCUMENT}.a", "whoever gets it"),
        ("Policy not known", "aws_iam_role_policy.web", "role web"),
        ("Use of a policy not known", f"data.{DOCUMENT}.a", ""),
    ]


HOLDERS = [
    ({"role": "web"}, {}, ["role web"]),
    ({}, {"role": refers("aws_iam_role.web.id")}, ["role site"]),
    ({}, {"role": refers("aws_iam_role.web.id", "aws_iam_role.other.id")}, ["one of role other, role site"]),
    ({}, {"role": refers("local.role")}, [""]),
]


@pytest.mark.parametrize(("after", "expressions", "names"), HOLDERS)
def test_who_has_an_inline_policy_is_known_by_name_or_by_reference(
    after: dict[str, str], expressions: dict[str, Any], names: list[str]
) -> None:
    unknown = {} if after else {"role": True}
    entries = [
        entry("aws_iam_role_policy.web", "create", None, {"policy": "{}", **after}, unknown),
        entry("aws_iam_role.web", "create", None, {"name": "site"}),
        entry("aws_iam_role.other", "no-op", {}, {"name": "other"}),
    ]
    plan = planned(entries, {"resources": [resource("aws_iam_role_policy.web", **expressions)]})
    (found,) = [change.holders for change in plan.changes if change.type == "aws_iam_role_policy"]
    assert [each.name for each in found] == names


def attachment(name: str, **values: Any) -> dict[str, Any]:
    unknown = {} if "policy_arn" in values else {"policy_arn": True}
    return entry(f"aws_iam_{name}", "no-op", values, values, unknown)


ARN = "arn:aws:iam::111111111111:policy/p"


def managed(action: str = "update", **values: Any) -> dict[str, Any]:
    before = {"name": "p", "arn": ARN, "policy": json.dumps({"Statement": []}), **values}
    return entry("aws_iam_policy.p", action, before if action != "create" else None, before)


def test_who_has_a_managed_policy_is_known_by_its_attachments_though_they_stay() -> None:
    entries = [
        managed(),
        attachment("role_policy_attachment.a", role="web", policy_arn=ARN),
        attachment("policy_attachment.b", users=["u"], groups=["g"], roles=None),
        entry("aws_iam_user_policy_attachment.c", "delete", {"user": "gone", "policy_arn": ARN}, None),
        entry("aws_iam_role.job", "no-op", {}, {"name": "job", "managed_policy_arns": [ARN]}),
    ]
    root = {"resources": [resource("aws_iam_policy_attachment.b", policy_arn=refers("aws_iam_policy.p.arn"))]}
    (change,) = [each for each in planned(entries, root).changes if each.type == "aws_iam_policy"]
    assert [each.name for each in change.holders] == ["group g", "role job", "role web", "user u"]


def test_a_managed_policy_that_nothing_here_has_is_that_of_whoever_has_it() -> None:
    (change,) = planned([managed("create")], {}).changes
    assert [(each.name, each.is_new) for each in change.holders] == [("whoever has policy p", True)]


def test_an_attachment_knows_a_policy_that_stays_as_it_is() -> None:
    policy = {"Statement": [{"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}]}
    entries = [
        managed("no-op", policy=json.dumps(policy)),
        entry("aws_iam_role_policy_attachment.a", "create", None, {"role": "web", "policy_arn": ARN}),
    ]
    (flag,) = judge("dev-service", planned(entries, {})).flags
    assert (flag.title, flag.principal) == ("Every resource can be changed", "role web")


def test_a_name_that_is_sensitive_is_not_shown() -> None:
    hidden = entry("aws_iam_role_policy.web", "create", None, {"policy": "{}", "role": "shh"})
    hidden["change"]["after_sensitive"] = {"role": True}
    (change,) = planned([hidden], {}).changes
    assert "shh" not in repr(change)


@pytest.mark.parametrize("shows", ["resource", "caller", "caller of a module", "nothing"])
def test_the_own_account_is_known_by_what_stays_and_by_who_plans(shows: str) -> None:
    own = "arn:aws:iam::111111111111:root"
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": own}}]}
    document: dict[str, Any] = {
        "format_version": "1.2",
        "resource_changes": [
            entry("aws_iam_role.web", "create", None, {"assume_role_policy": json.dumps(trust)})
        ],
    }
    if shows == "resource":
        queue = {"arn": "arn:aws:sqs:eu-central-1:111111111111:q"}
        document["resource_changes"].append(entry("aws_sqs_queue.q", "no-op", queue, queue))
    elif shows != "nothing":
        caller = {"resources": [{"type": "aws_caller_identity", "values": {"account_id": "111111111111"}}]}
        module = {"child_modules": [caller]} if shows == "caller of a module" else caller
        document["prior_state"] = {"values": {"root_module": module}}
    found = [flag.title for flag in judge("dev-service", plan_of(document, "")).flags]
    expected = "Role open to another account" if shows == "nothing" else "New permission"
    assert found == [expected]


STATEMENTS = st.lists(
    st.builds(
        statement,
        st.lists(st.sampled_from(["s3:GetObject", "s3:*", "*", "s3:No"]), min_size=1, max_size=2),
        st.lists(st.sampled_from(["*", "arn:aws:s3:::b", None]), min_size=1, max_size=2),
        effect=st.sampled_from(["Allow", "Deny"]),
    ),
    max_size=3,
)


@given(STATEMENTS, STATEMENTS, st.booleans())
def test_a_further_statement_of_a_document_never_makes_a_verdict_safer(
    some: list[dict[str, Any]], more: list[dict[str, Any]], followed: bool
) -> None:
    def judged(statements: list[dict[str, Any]]) -> tuple[int, int]:
        reference = f"data.{DOCUMENT}.a.json" if followed else "local.policy"
        root = {"resources": [resource("aws_iam_role_policy.web", policy=refers(reference))]}
        former = json.dumps({"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]})
        web = role_policy()
        web["change"] |= {"actions": ["update"], "before": {"name": "x", "role": "web", "policy": former}}
        again = {"Effect": "Allow", "actions": ["s3:GetObject"], "resources": ["*"]}
        plan = planned([document(f"data.{DOCUMENT}.a", again, *statements), web], root)
        found = judge("dev-service", plan)
        weight = max((flag.weight for flag in found.flags), default=0)
        return verdict_of(Stack("dev-service", "dev", plan), found, default_table()), weight

    less, all_of_it = judged(some), judged([*some, *more])
    assert all_of_it[0] >= less[0]
    assert all_of_it[1] >= less[1]


WORDS = (
    "policy",
    "m",
    "var.m",
    "local.m",
    "module.m.policy",
    "each.value",
    f"data.{DOCUMENT}.a.json",
    "module.m",
    "",
)
KEYS = (
    "address",
    "expression",
    "expressions",
    "for_each_expression",
    "m",
    "module",
    "module_calls",
    "outputs",
    "policy",
    "references",
    "resources",
    "root_module",
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=20,
)


@given(ANYTHING, ANYTHING, ANYTHING)
def test_any_configuration_is_followed_or_refused(root: Any, policy: Any, call: Any) -> None:
    module = {"resources": [resource("aws_iam_role_policy.web", policy=policy)], "module_calls": {"m": call}}
    entries = [
        document(f"data.{DOCUMENT}.a", READ),
        role_policy(),
        role_policy("module.m.aws_iam_role_policy.web"),
    ]
    for configured in (
        root,
        module,
        {"module_calls": {"m": {"module": module, "expressions": {"m": policy}}}},
    ):
        with contextlib.suppress(PlanError):
            judge("dev-service", planned(entries, configured))
