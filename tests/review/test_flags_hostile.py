"""Changes that somebody would like to get past a reviewer, each of which raises its flag."""

from dataclasses import replace
from typing import Any

import pytest

from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    Concern,
    Document,
    Masked,
    OutputChange,
    ProvisionerRun,
    Tree,
)
from tests.review.flagging import allow, change, flags, flags_of, plan, policy, titles

OURS = change("aws_sqs_queue", {"arn": "arn:aws:sqs:eu-central-1:111111111111:q", "a": 1}, {"a": 2})
FOREIGN = {"AWS": "arn:aws:iam::666666666666:root"}


def statement(principal: Any, **more: Any) -> dict[str, Any]:
    return {**allow("s3:*", "arn:aws:s3:::b/*"), "Principal": principal, **more}


@pytest.mark.parametrize("principal", [FOREIGN, {"AWS": "666666666666"}])
def test_a_new_policy_that_lets_another_account_in_is_flagged(principal: dict[str, str]) -> None:
    new = change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": policy(statement(principal))})
    assert "Access for another account" in titles(OURS, new)
    own = {"AWS": "arn:aws:iam::111111111111:root"}
    new = change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": policy(statement(own))})
    assert titles(OURS, new) == ["Access for another principal"]
    assert titles(OURS, new, change("aws_s3_bucket", ABSENT, {"bucket": "b"}, name="b")) == []
    unknown = change("aws_s3_bucket_policy", ABSENT, {"bucket": UNKNOWN, "policy": policy(statement(own))})
    assert titles(OURS, unknown) == []


def test_a_first_policy_of_what_is_there_already_is_not_taken_as_new() -> None:
    own = policy(statement({"AWS": "arn:aws:iam::111111111111:root"}))
    queue = change("aws_sqs_queue", {"name": "q", "policy": None}, {"name": "q", "policy": own}, name="q")
    assert titles(OURS, queue) == ["Access for another principal"]


def test_statements_for_the_same_other_account_are_one_flag() -> None:
    both = policy(statement(FOREIGN, Sid="One"), statement(FOREIGN, Sid="Two", Action="s3:Get*"))
    (flag,) = flags(change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": both}))
    assert flag.path == ("policy", "Statement", "One, Two", "Principal")


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalAccount": "666666666666"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::666666666666:role/*"}},
        {"StringEquals": {"aws:PrincipalOrgID": "o-aaaaaaaaaa"}},
    ],
)
def test_everybody_of_another_account_is_another_account(condition: dict[str, Any]) -> None:
    new = policy(statement("*", Condition=condition))
    found = titles(OURS, change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": new}))
    assert found == ["Access for another account"]


@pytest.mark.parametrize(
    ("type", "after"),
    [
        ("aws_lambda_permission", {"principal": "666666666666"}),
        ("aws_lambda_permission", {"principal": "arn:aws:iam::666666666666:root"}),
        ("aws_kms_grant", {"grantee_principal": "arn:aws:iam::666666666666:root"}),
        ("aws_eks_access_entry", {"principal_arn": "arn:aws:iam::666666666666:role/x"}),
    ],
)
def test_an_attribute_that_lets_another_account_in_is_flagged(type: str, after: dict[str, Tree]) -> None:
    assert titles(OURS, change(type, ABSENT, after)) == ["Access for another account"]
    own: dict[str, Tree] = {key: str(value).replace("6" * 12, "1" * 12) for key, value in after.items()}
    assert titles(OURS, change(type, ABSENT, own)) == []
    assert titles(OURS, change("aws_lambda_permission", ABSENT, {"principal": "sns.amazonaws.com"})) == []


@pytest.mark.parametrize(
    ("type", "after", "title"),
    [
        ("aws_iam_access_key", {"user": "admin"}, "New credentials"),
        ("aws_iam_user_group_membership", {"user": "x", "groups": ["admins"]}, "Member of a group"),
        ("aws_iam_openid_connect_provider", {"url": "https://x.example"}, "Identity provider changed"),
        (
            "aws_eks_access_policy_association",
            {"policy_arn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"},
            "Administration allowed",
        ),
    ],
)
def test_who_gets_in_without_a_policy_is_flagged(type: str, after: dict[str, Tree], title: str) -> None:
    assert titles(change(type, ABSENT, after)) == [title]
    assert titles(change(type, after, {**after, "tags": {}})) == []
    assert titles(change(type, after)) == []


ATTACHMENT = "aws_iam_role_policy_attachment"


@pytest.mark.parametrize("name", ["111111111111:policy/company-admin", "aws:policy/ReadOnlyAccess"])
def test_an_attached_policy_that_the_plan_does_not_make_is_flagged(name: str) -> None:
    attached: dict[str, Tree] = {"role": "app", "policy_arn": f"arn:aws:iam::{name}"}
    assert titles(change(ATTACHMENT, ABSENT, attached)) == ["Policy attached"]
    assert titles(change(ATTACHMENT, ABSENT, {"role": "app", "policy_arn": UNKNOWN})) == []
    moved = change(ATTACHMENT, attached, {**attached, "role": "other"}, action=Action.REPLACE)
    assert "Policy attached" in titles(moved)


@pytest.mark.parametrize(
    ("actions", "resource", "title"),
    [
        ("secretsmanager:GetSecretValue", "*", "All data can be read"),
        ("s3:Get*", "arn:aws:s3:::*/*", "All data can be read"),
        ("dynamodb:Scan", "arn:aws:dynamodb:*:*:table/*", "All data can be read"),
        ("dynamodb:DeleteTable", "arn:aws:dynamodb:*:*:table/*", "Every resource can be changed"),
        (
            "secretsmanager:DeleteSecret",
            "arn:aws:secretsmanager:*:*:secret:*",
            "Every resource can be changed",
        ),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:*:*:function:*", "Every resource can be changed"),
        ("s3:DeleteBucket", "arn:aws:s3:::?*", "Every resource can be changed"),
        ("s3:**", "arn:aws:s3:::prod/*", "Every action of a service allowed"),
        ("iam:*", "*", "Every action of a service allowed"),
    ],
)
def test_wide_permissions_are_flagged_once(actions: str, resource: str, title: str) -> None:
    new = policy(allow(actions, resource))
    assert titles(change("aws_iam_policy", ABSENT, {"name": "p", "policy": new})) == [title]


def test_all_of_iam_is_said_to_raise_permissions() -> None:
    new: dict[str, Tree] = {"name": "p", "policy": policy(allow("iam:*", "*"))}
    (flag,) = flags(change("aws_iam_policy", ABSENT, new))
    assert "more permissions" in flag.reason


def test_only_an_exact_boundary_keeps_permissions_from_being_raised() -> None:
    def raising(operator: str, name: str) -> list[str]:
        condition = {operator: {"iam:PermissionsBoundary": f"arn:aws:iam::111111111111:policy/{name}"}}
        new = policy(allow("iam:PutRolePolicy", "arn:aws:iam::111111111111:role/x", Condition=condition))
        return titles(change("aws_iam_policy", ABSENT, {"name": "p", "policy": new}))

    assert raising("StringEquals", "bound") == []
    assert raising("StringLike", "*") == ["Permissions can be raised"]
    assert raising("StringEqualsIfExists", "bound") == ["Permissions can be raised"]


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:s3:::prod/*",
        "arn:aws:dynamodb:*:*:table/one",
        "arn:aws:logs:*:*:log-group:/aws/ecs/*",
        "arn:aws:sqs:*:*:prod-*",
    ],
)
def test_a_named_resource_is_not_every_one(resource: str) -> None:
    new = policy(allow(["s3:GetObject", "s3:DeleteObject"], resource))
    assert titles(change("aws_iam_policy", ABSENT, {"name": "p", "policy": new})) == []


def test_a_principal_that_gets_more_actions_is_shown_with_these() -> None:
    one = statement(FOREIGN, Action="s3:GetObject", Sid="S")
    more = statement(FOREIGN, Action=["s3:GetObject", "s3:PutObject"], Sid="S")
    moved = change("aws_s3_bucket_policy", {"policy": policy(one)}, {"policy": policy(more)})
    (flag,) = flags_of("dev-service", plan([moved]))
    assert (flag.title, flag.after, flag.principal) == (
        "More is allowed",
        "write: s3:PutObject on arn:aws:s3:::b/*",
        "account 666666666666",
    )


def test_a_new_role_that_trusts_another_account_is_flagged() -> None:
    trust = policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": FOREIGN})
    role = change("aws_iam_role", ABSENT, {"name": "r", "assume_role_policy": trust})
    assert "Role open to another account" in titles(OURS, role)


@pytest.mark.parametrize(
    ("actions", "condition"),
    [
        ("iam:AttachRolePolicy", {"StringLike": {"iam:PolicyARN": "arn:*"}}),
        ("iam:CreateAccessKey", {"Null": {"iam:PermissionsBoundary": "true"}}),
        ("ec2:TerminateInstances", {"StringLikeIfExists": {"ec2:ResourceTag/x": "y"}}),
        ("ec2:TerminateInstances", {"StringLike": {"foo:bar": "x"}}),
        ("s3:DeleteBucket", {"ForAllValues:StringEquals": {"aws:ResourceTag/x": "y"}}),
    ],
)
def test_a_condition_that_narrows_nothing_silences_nothing(actions: str, condition: dict[str, Any]) -> None:
    new = policy(allow(actions, "*", Condition=condition))
    assert titles(change("aws_iam_policy", ABSENT, {"name": "p", "policy": new}))


@pytest.mark.parametrize(
    "condition",
    [
        {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringLike": {"aws:PrincipalArn": "arn:aws*"}},
        {"StringLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*"}},
        {"StringLike": {"aws:userid": "?*"}},
        {"IpAddress": {"aws:SourceIp": ["0.0.0.0/2", "64.0.0.0/2", "128.0.0.0/2", "192.0.0.0/2"]}},
        {"StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}},
        {"stringnotequals": {"aws:PrincipalOrgID": "o-1"}},
        {"StringEquals": {"sts:ExternalId": "x"}},
        {"StringEquals": {"aws:PrincipalTag/team": "a"}},
        {"StringLike": {"aws:userid": "*:me"}},
        {"StringLike": {"aws:PrincipalOrgID": "o-*"}},
    ],
)
def test_a_condition_that_limits_nobody_leaves_a_policy_public(condition: dict[str, Any]) -> None:
    new = policy(statement("*", Condition=condition))
    found = titles(change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": new}))
    assert "Public by policy" in found


@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/x-*"}},
        {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
    ],
)
def test_a_condition_that_says_who_keeps_a_policy_private(condition: dict[str, Any]) -> None:
    new = policy(statement("*", Condition=condition))
    found = titles(change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": new}))
    assert "Public by policy" not in found


@pytest.mark.parametrize("extra", [{"Null": {"x:sub": "false"}}, {"StringEqualsIfExists": {"x:sub": "a"}}])
def test_no_added_condition_hides_that_every_subject_is_let_in(extra: dict[str, Any]) -> None:
    issuer = "token.actions.githubusercontent.com"
    extra = {
        operator: {key.replace("x:", f"{issuer}:"): value for key, value in keys.items()}
        for operator, keys in extra.items()
    }
    for condition in (extra, {**extra, "StringLike": {f"{issuer}:sub": "repo:*"}}):
        trust = policy(
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": f"arn:aws:iam::111111111111:oidc-provider/{issuer}"},
                "Condition": condition,
            }
        )
        assert "Trust widened" in titles(change("aws_iam_role", ABSENT, {"assume_role_policy": trust}))


def test_everybody_of_any_kind_is_everybody() -> None:
    new = change("aws_s3_bucket_policy", ABSENT, {"bucket": "b", "policy": policy(statement({"*": "*"}))})
    assert titles(new) == ["Public by policy"]


@pytest.mark.parametrize(
    "content",
    [
        {"statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
        {"Statement": [{"effect": "Allow", "action": "*", "resource": "*"}]},
        {"Statement": [{"Effect": "Allow", "Action": "s3:Get", "Resource": "b", "principal": "*"}]},
        {"Statement": [], "statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]},
    ],
)
def test_a_policy_that_cannot_be_read_is_not_known(content: dict[str, Tree]) -> None:
    odd = Document(content)
    (flag,) = flags(change("aws_iam_policy", ABSENT, {"name": "p", "policy": odd}))
    assert flag.concern is Concern.UNKNOWN


def test_an_exception_that_becomes_narrower_lets_more_in() -> None:
    def denied(operator: str, role: str) -> Document:
        return policy(
            allow(
                "s3:GetObject", "*", Condition={operator: {"aws:PrincipalArn": f"arn:aws:iam::1:role/{role}"}}
            )
        )

    before: dict[str, Tree] = {"policy": denied("StringNotLike", "guest*")}
    after: dict[str, Tree] = {"policy": denied("StringNotEquals", "guest-x")}
    assert "Condition loosened" in titles(change("aws_iam_policy", before, after))


def test_operators_in_any_case_are_the_same() -> None:
    both = policy(allow("s3:*", Condition={"stringnotequals": {"aws:PrincipalArn": ["a", "b"]}}))
    one = policy(allow("s3:*", Condition={"stringnotequals": {"aws:PrincipalArn": "a"}}))
    found = titles(change("aws_iam_policy", {"policy": both}, {"policy": one}))
    assert "Condition loosened" in found


def test_a_huge_policy_is_not_judged_instead_of_taking_minutes() -> None:
    many = [f"arn:aws:s3:::b/{number}" for number in range(150)]
    accounts = {"AWS": [f"arn:aws:iam::{100000000000 + number}:root" for number in range(150)]}
    huge = {**allow([f"s3:Action{number}" for number in range(150)], many), "Principal": accounts}
    found = flags(
        change("aws_s3_bucket_policy", {"policy": policy(huge)}, {"policy": policy({**huge, "Sid": "x"})})
    )
    assert [(flag.concern, flag.title) for flag in found] == [(Concern.UNKNOWN, "Too large to judge")]


ARN = "arn:aws:ecs:eu-central-1:111111111111:task-definition"


def service(after: Tree) -> Any:
    return change(
        "aws_ecs_service",
        {"name": "s", "task_definition": f"{ARN}/app:5"},
        {"name": "s", "task_definition": after},
    )


def test_a_service_that_runs_another_task_definition_is_flagged() -> None:
    assert "Task definition changed" in titles(service(f"{ARN}/evil:1"))
    assert "Task definition changed" in titles(
        service(UNKNOWN), change("aws_ecs_task_definition", ABSENT, {"family": "evil"})
    )
    revised = change("aws_ecs_task_definition", {"family": "app"}, {"family": "app"}, action=Action.REPLACE)
    assert "Task definition changed" not in titles(service(UNKNOWN), revised)
    assert "Task definition changed" not in titles(service(f"{ARN}/app:6"))


@pytest.mark.parametrize(
    ("old", "new", "title"),
    [
        ({"command": ["serve"]}, {"command": ["sh", "-c", "x"]}, "Command changed"),
        ({}, {"entryPoint": ["sh"]}, "Command changed"),
        (
            {"secrets": [{"name": "T", "valueFrom": "arn:aws:ssm:::parameter/a"}]},
            {"secrets": [{"name": "T", "valueFrom": "arn:aws:ssm:::parameter/b"}]},
            "Secret changed",
        ),
    ],
)
def test_what_a_container_runs_with_is_flagged(old: dict[str, Any], new: dict[str, Any], title: str) -> None:
    def task(side: dict[str, Any]) -> dict[str, Tree]:
        return {"family": "app", "container_definitions": Document([{"name": "web", **side}])}

    assert title in titles(change("aws_ecs_task_definition", task(old), task(new), action=Action.REPLACE))


def test_other_code_of_a_function_is_flagged() -> None:
    found = titles(change("aws_lambda_function", {"image_uri": "a@sha256:1"}, {"image_uri": "evil:latest"}))
    assert "Code changed" in found


def test_commands_of_the_apply_and_lost_marks_are_flagged() -> None:
    runs = (ProvisionerRun("terraform_data.x", "local-exec", "make it", True),)
    marked = replace(
        change("aws_ssm_parameter", {"value": Masked(b"1")}, {"value": Masked(b"1")}),
        no_longer_sensitive=(("value",),),
    )
    output = OutputChange("address", Action.UPDATE, Masked(b"1"), Masked(b"1"), no_longer_sensitive=True)
    found = flags_of("s", replace(plan([marked]), provisioners=runs, outputs=(output,)))
    assert [(flag.title, flag.address) for flag in found] == [
        ("Runs a command during the apply", "terraform_data.x"),
        ("No longer sensitive", "aws_ssm_parameter.it"),
        ("No longer sensitive", "output.address"),
    ]


def test_data_that_is_left_behind_for_an_empty_object_is_flagged() -> None:
    kept = replace(
        change("aws_db_instance", {"identifier": "db"}, {"identifier": "db"}, action=Action.REPLACE),
        keeps_former=True,
    )
    assert "Data left behind" in titles(kept)


@pytest.mark.parametrize("other", [("aws_ssm_parameter", None), ("aws_s3_bucket", "0123abcd")])
def test_a_guard_is_moot_only_with_what_it_guards(other: tuple[str, str | None]) -> None:
    guard = change("aws_s3_bucket_public_access_block", {"bucket": "prod", "block_public_acls": True}, ABSENT)
    type_, deposed = other
    gone = change(type_, {"id": "prod", "bucket": "prod"}, ABSENT, deposed=deposed, name="other")
    assert any(
        "no longer blocked" in title.lower() or "public" in title.lower() for title in titles(guard, gone)
    )
    bucket = change("aws_s3_bucket", {"id": "prod", "bucket": "prod"}, ABSENT, name="other")
    assert not any("public" in title.lower() for title in titles(guard, bucket))
