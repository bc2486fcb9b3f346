"""Changes that somebody would like to get past a reviewer, each of which raises its flag."""

from dataclasses import replace
from typing import Any

import pytest

from review.flags import flags_of
from review.model import Action, Concern, OutputChange, ProvisionerRun
from review.trees import ABSENT, UNKNOWN, Document, Masked, Tree
from tests.review.flagging import allow, change, flags, plan, policy, titles

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
    assert "Access for another account" not in titles(OURS, new)


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


def test_a_policy_that_cannot_be_read_is_not_known() -> None:
    odd = Document({"statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
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


def test_a_huge_policy_is_not_judged_instead_of_taking_minutes() -> None:
    many = [f"arn:aws:s3:::b/{number}" for number in range(150)]
    accounts = {"AWS": [f"arn:aws:iam::{100000000000 + number}:root" for number in range(150)]}
    huge = {**allow([f"s3:Action{number}" for number in range(150)], many), "Principal": accounts}
    found = flags(
        change("aws_s3_bucket_policy", {"policy": policy(huge)}, {"policy": policy({**huge, "Sid": "x"})})
    )
    assert [flag.concern for flag in found] == [Concern.UNKNOWN]


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
