from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Action, Concern, Document, Masked, Tree
from tests.review.flagging import allow, change, flags, policy, titles

READ = allow("s3:GetObject", Sid="Read")
ROLE_POLICY = "aws_iam_role_policy"
DENY = {"Sid": "No", "Effect": "Deny", "Action": "s3:*", "Resource": "*", "Principal": "*"}


def given_policy(*statements: dict[str, Any]) -> dict[str, Tree]:
    return {"name": "x", "policy": policy(*statements)}


def trusting(*statements: dict[str, Any]) -> dict[str, Tree]:
    return {"name": "x", "assume_role_policy": policy(*statements)}


def trust(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Sid": "T", "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more}


def github(*subjects: str, operator: str = "StringLike") -> dict[str, Any]:
    issuer = "token.actions.githubusercontent.com"
    condition: dict[str, Any] = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"}}
    if subjects:
        condition.setdefault(operator, {})[f"{issuer}:sub"] = list(subjects)
    provider = f"arn:aws:iam::111111111111:oidc-provider/{issuer}"
    return {
        **trust({"Federated": provider}, Condition=condition),
        "Action": "sts:AssumeRoleWithWebIdentity",
    }


WIDE = [
    (allow("*", "*"), "Every action allowed"),
    (allow("*:*"), "Every action allowed"),
    (allow("S3:*"), "Every action of a service allowed"),
    (allow("iam:PassRole", "*"), "iam:PassRole allowed"),
    (allow("iam:Pass*", "arn:aws:iam::1:role/x"), "iam:PassRole allowed"),
    (allow("iam:PutRolePolicy", "arn:aws:iam::1:role/x"), "Permissions can be raised"),
    (allow("s3:DeleteObject", "*"), "Every resource can be changed"),
    (allow("s3:DeleteObject", "arn:aws:s3:::*"), "Every resource can be changed"),
    ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, "Allowed by exclusion"),
    ({"Effect": "Allow", "Action": "s3:Get*", "NotResource": "a"}, "Allowed by exclusion"),
]


@pytest.mark.parametrize(("statement", "title"), WIDE)
def test_what_is_newly_allowed_widely_is_flagged(statement: dict[str, Any], title: str) -> None:
    assert title in titles(change(ROLE_POLICY, given_policy(READ), given_policy(READ, statement)))
    assert title in titles(change(ROLE_POLICY, ABSENT, given_policy(statement)))


@pytest.mark.parametrize(("statement", "title"), WIDE)
def test_what_already_was_allowed_is_not(statement: dict[str, Any], title: str) -> None:
    before = {**given_policy(statement), "tags": {}}
    assert titles(change(ROLE_POLICY, before, {**given_policy(statement, READ), "tags": {"a": "b"}})) == []
    assert title not in titles(change(ROLE_POLICY, given_policy(statement)))


@pytest.mark.parametrize(
    "statement",
    [
        allow(["s3:ListAllMyBuckets", "ecr:BatchGetImage", "ec2:Describe*"], "*"),
        allow(["s3:PutObject"], "arn:aws:s3:::mine/*"),
        allow(
            ["cloudwatch:PutMetricData", "ssmmessages:CreateDataChannel", "ecr:GetAuthorizationToken"], "*"
        ),
        allow("ec2:RunInstances", "*", Condition={"StringEquals": {"aws:ResourceTag/team": "a"}}),
        {**allow("*", "*"), "Effect": "Deny"},
    ],
)
def test_narrow_statements_raise_nothing(statement: dict[str, Any]) -> None:
    assert titles(change(ROLE_POLICY, given_policy(READ), given_policy(READ, statement))) == []


def test_a_flag_shows_the_actions_at_the_statement() -> None:
    wide = allow(["s3:GetObject", "sqs:*", "iam:PassRole"], "*", Sid="Wide")
    found = flags(change(ROLE_POLICY, given_policy(READ), given_policy(READ, wide)))
    assert [(flag.title, flag.path, flag.after) for flag in found] == [
        ("iam:PassRole allowed", ("policy", "Statement", "Wide", "Action"), "iam:PassRole"),
        ("Every action of a service allowed", ("policy", "Statement", "Wide", "Action"), "sqs:*"),
    ]


@pytest.mark.parametrize(
    "type",
    ["aws_iam_policy", "aws_iam_group_policy", "aws_iam_user_policy", "aws_iam_role_policy"],
)
def test_every_type_with_a_policy_is_looked_at(type: str) -> None:
    assert titles(change(type, given_policy(READ), given_policy(allow("*", "*")))) == ["Every action allowed"]


def test_a_policy_under_another_attribute_is_looked_at() -> None:
    for key in ("inline_policy", "policy_text", "something_new"):
        after: dict[str, Tree] = {key: policy(allow("*", "*"))}
        assert titles(change("aws_something", {key: policy(READ)}, after)) == ["Every action allowed"]


def test_inline_policies_of_a_role_are_compared_by_name() -> None:
    one: dict[str, Tree] = {"name": "one", "policy": policy(READ)}
    other: dict[str, Tree] = {"name": "other", "policy": policy(allow("*", "*"))}
    (flag,) = flags(change("aws_iam_role", {"inline_policy": [one]}, {"inline_policy": [other, one]}))
    assert flag.path[:2] == ("inline_policy", "other")
    hidden: dict[str, Tree] = {"name": "one", "policy": UNKNOWN}
    (flag,) = flags(change("aws_iam_role", {"inline_policy": [one]}, {"inline_policy": [hidden]}))
    assert (flag.concern, flag.path) == (Concern.UNKNOWN, ("inline_policy", "one"))


@pytest.mark.parametrize("value", [UNKNOWN, Masked(b"1")])
@pytest.mark.parametrize("type", ["aws_iam_policy", "aws_sqs_queue_policy", "aws_kms_key"])
def test_a_policy_that_is_not_known_is_unknown(type: str, value: Tree) -> None:
    for before in (given_policy(READ), ABSENT):
        (flag,) = flags(change(type, before, {"name": "x", "policy": value}))
        assert (flag.concern, flag.title, flag.after) == (Concern.UNKNOWN, "Policy not known", value)
    assert titles(change(type, {"policy": Masked(b"1")}, {"policy": Masked(b"1")})) == []


def test_what_aws_fills_in_is_not_called_unknown() -> None:
    after: dict[str, Tree] = {"inline_policy": UNKNOWN, "managed_policy_arns": UNKNOWN, "policy": None}
    assert titles(change("aws_iam_role", ABSENT, after)) == []
    assert titles(change("aws_vpc_endpoint", ABSENT, {"policy": UNKNOWN})) == []
    assert titles(change("aws_s3_bucket", ABSENT, {"policy": UNKNOWN})) == []


def test_a_policy_with_a_masked_part_is_unknown() -> None:
    secret = Document(
        {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": Masked(b"1")}]}
    )
    assert titles(change(ROLE_POLICY, given_policy(READ), {"policy": secret})) == ["Policy not known"]


@pytest.mark.parametrize(("kept", "told"), [("bucket", False), ("other", True)])
def test_a_policy_of_what_is_replaced_under_another_name_is_about_that(kept: str, told: bool) -> None:
    sides: list[Tree] = []
    for name, resource in (("logs", "logs"), ("logs-new", "logs-new" if kept == "bucket" else "else")):
        arn = f"arn:aws:s3:::{resource}"
        deny = {
            "Sid": "Tls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": [arn, f"{arn}/*"],
        }
        sides.append({"bucket": name, "arn": f"arn:aws:s3:::{name}", "policy": policy(deny)})
    flags = titles(change("aws_s3_bucket", *sides, action=Action.REPLACE))
    assert ("Deny removed" in flags) == told


def test_a_deny_that_is_gone_is_flagged() -> None:
    deny = given_policy(READ, DENY)
    assert titles(change("aws_s3_bucket_policy", deny, given_policy(READ))) == ["Deny removed"]
    assert titles(change("aws_s3_bucket_policy", deny)) == ["Deny removed"]
    assert titles(change("aws_s3_bucket_policy", deny, given_policy(DENY, READ))) == []
    bucket = change("aws_s3_bucket", {"bucket": "b"}, name="b")
    assert titles(bucket, change("aws_s3_bucket_policy", {**deny, "bucket": "b"})) == ["Data deleted"]


def test_a_condition_that_is_dropped_is_flagged() -> None:
    condition = {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}
    (flag,) = flags(change(ROLE_POLICY, given_policy({**READ, "Condition": condition}), given_policy(READ)))
    assert flag.title == "Condition loosened"
    assert flag.path == ("policy", "Statement", "Read", "Condition")
    assert (flag.before, flag.after) == ({"StringEquals": {"aws:PrincipalOrgID": ["o-1"]}}, ABSENT)


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        (trust({"Service": "ecs-tasks.amazonaws.com"}), trust({"AWS": "111111111111"}), "Trust widened"),
        (trust({"AWS": "111111111111"}), trust({"AWS": "*"}), "Role open to everybody"),
        (
            trust({"AWS": "1" * 12}, Condition={"StringEquals": {"sts:ExternalId": "x"}}),
            trust({"AWS": "1" * 12}),
            "Condition loosened",
        ),
        (github("repo:a/b:ref:refs/heads/main"), github("repo:a/b:*"), "Trust widened"),
        (github("repo:a/b:environment:prod", operator="StringEquals"), github(), "Trust widened"),
        (github("repo:a/b:*"), github("repo:a/*"), "Trust widened"),
    ],
)
def test_wider_trust_is_flagged(before: dict[str, Any], after: dict[str, Any], title: str) -> None:
    assert titles(change("aws_iam_role", trusting(before), trusting(after))) == [title]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (trust({"AWS": "1" * 12}), trust({"AWS": f"arn:aws:iam::{'1' * 12}:root"})),
        (trust({"AWS": "1" * 12}), trust({"AWS": f"arn:aws:iam::{'1' * 12}:role/x"})),
        (github("repo:a/*"), github("repo:a/b:*")),
        (github("repo:a/b:*"), github("repo:a/b:ref:refs/heads/main")),
    ],
)
def test_narrower_trust_is_not(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert titles(change("aws_iam_role", trusting(before), trusting(after))) == []


def test_a_new_role_is_flagged_for_wide_trust_only() -> None:
    assert titles(change("aws_iam_role", ABSENT, trusting(trust({"Service": "ec2.amazonaws.com"})))) == []
    assert titles(change("aws_iam_role", ABSENT, trusting(trust({"AWS": "*"})))) == ["Role open to everybody"]
    assert titles(change("aws_iam_role", ABSENT, trusting(trust("*")))) == ["Role open to everybody"]
    assert titles(change("aws_iam_role", ABSENT, trusting(github("repo:a/*")))) == ["Trust widened"]
    named = github("repo:a/b:environment:prod", operator="StringEquals")
    assert titles(change("aws_iam_role", ABSENT, trusting(named))) == []


def test_a_role_whose_trust_is_not_known_is_unknown() -> None:
    (flag,) = flags(change("aws_iam_role", ABSENT, {"assume_role_policy": UNKNOWN}))
    assert (flag.concern, flag.path) == (Concern.UNKNOWN, ("assume_role_policy",))


def public(**more: Any) -> dict[str, Any]:
    return allow("s3:GetObject", "arn:aws:s3:::b/*", Principal="*", Sid="P", **more)


@pytest.mark.parametrize(
    "type", ["aws_s3_bucket_policy", "aws_sns_topic_policy", "aws_ecr_repository_policy", "aws_kms_key"]
)
def test_a_policy_for_everybody_is_exposure(type: str) -> None:
    (flag,) = flags(change(type, ABSENT, given_policy(public())))
    assert (flag.concern, flag.title) == (Concern.EXPOSURE, "Public by policy")
    assert titles(change(type, given_policy(public()), given_policy(public(), READ))) == []


def test_a_condition_that_says_who_makes_a_policy_less_than_public() -> None:
    limited = public(Condition={"StringEquals": {"aws:SourceAccount": "1" * 12}})
    ours = change("aws_sqs_queue", {"arn": f"arn:aws:sqs:eu-central-1:{'1' * 12}:q"}, {"a": 1})
    assert titles(ours, change("aws_sns_topic_policy", ABSENT, given_policy(limited))) == []
    for condition in (
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringLike": {"aws:SourceArn": "*"}},
        {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}},
        {"StringNotEquals": {"aws:SourceAccount": "1" * 12}},
    ):
        found = titles(change("aws_sns_topic_policy", ABSENT, given_policy(public(Condition=condition))))
        assert found == ["Public by policy"]
    assert titles(change("aws_sns_topic_policy", given_policy(limited), given_policy(public()))) == [
        "Public by policy"
    ]


def test_everybody_but_some_is_public() -> None:
    but = {"Effect": "Allow", "Action": "s3:*", "Resource": "*", "NotPrincipal": {"AWS": "1" * 12}}
    assert titles(change("aws_s3_bucket_policy", ABSENT, given_policy(but))) == ["Public by exclusion"]


def test_an_endpoint_policy_makes_nothing_public() -> None:
    assert titles(change("aws_vpc_endpoint", given_policy(READ), given_policy(public()))) == []


def test_another_principal_in_a_resource_policy_is_flagged() -> None:
    one = allow("s3:GetObject", Principal={"AWS": "1" * 12}, Sid="P")
    two = allow("s3:GetObject", Principal={"AWS": ["1" * 12, "9" * 12]}, Sid="P")
    (flag,) = flags(change("aws_s3_bucket_policy", given_policy(one), given_policy(two)))
    assert (flag.title, flag.after) == ("Access for another principal", f"arn:aws:iam::{'9' * 12}:root")
    assert titles(change("aws_s3_bucket_policy", given_policy(two), given_policy(one))) == []


@pytest.mark.parametrize("name", ["AdministratorAccess", "PowerUserAccess", "IAMFullAccess"])
def test_attaching_administration_is_flagged(name: str) -> None:
    arn = f"arn:aws:iam::aws:policy/{name}"
    attachment = "aws_iam_role_policy_attachment"
    other = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
    title = ["Administration allowed"]
    assert titles(change(attachment, ABSENT, {"policy_arn": arn})) == title
    replaced = change(attachment, {"policy_arn": other}, {"policy_arn": arn}, action=Action.REPLACE)
    assert title[0] in titles(replaced)
    assert titles(change("aws_iam_role", {}, {"managed_policy_arns": [other, arn]})) == title
    assert titles(change(attachment, {"policy_arn": arn}, {"policy_arn": arn})) == []
    assert titles(change(attachment, {"policy_arn": arn})) == []
    assert titles(change(attachment, ABSENT, {"policy_arn": other})) == []


def test_an_attached_policy_that_is_masked_is_unknown() -> None:
    (flag,) = flags(change("aws_iam_role_policy_attachment", ABSENT, {"policy_arn": Masked(b"1")}))
    assert flag.concern is Concern.UNKNOWN


def test_a_boundary_that_is_removed_or_changed_is_flagged() -> None:
    bound: dict[str, Tree] = {"permissions_boundary": "arn:aws:iam::1:policy/bound"}
    other: dict[str, Tree] = {"permissions_boundary": "arn:aws:iam::1:policy/other"}
    assert titles(change("aws_iam_role", bound, {})) == ["Permissions boundary removed"]
    assert titles(change("aws_iam_role", bound, {"permissions_boundary": ""})) == [
        "Permissions boundary removed"
    ]
    assert titles(change("aws_iam_user", bound, other)) == ["Permissions boundary changed"]
    (flag,) = flags(change("aws_iam_role", bound, {"permissions_boundary": UNKNOWN}))
    assert flag.concern is Concern.UNKNOWN
    assert titles(change("aws_iam_role", bound, {**bound, "tags": {}})) == []
    assert titles(change("aws_iam_role", {}, bound)) == []


def test_a_resource_that_is_masked_as_a_whole_is_unknown() -> None:
    (flag,) = flags(change("aws_iam_policy", {"policy": policy(READ)}, Masked(b"1"), action=Action.UPDATE))
    assert (flag.concern, flag.title) == (Concern.UNKNOWN, "Resource not known")


def test_what_a_data_source_reads_raises_nothing() -> None:
    after: dict[str, Tree] = {"json": UNKNOWN, "policy": policy(allow("*", "*"))}
    assert titles(change("aws_iam_policy_document", ABSENT, after, action=Action.READ, is_data=True)) == []


@pytest.mark.parametrize(
    ("action", "resource", "title"),
    [
        ("iam:AttachRolePolicy", "arn:aws:iam::1:role/x", "Permissions can be raised"),
        ("iam:CreateAccessKey", "arn:aws:iam::1:user/x", "Permissions can be raised"),
        ("iam:CreatePolicyVersion", "arn:aws:iam::1:policy/x", "Permissions can be raised"),
        ("iam:DeleteRolePermissionsBoundary", "arn:aws:iam::1:role/x", "Permissions can be raised"),
        ("iam:UpdateAssumeRolePolicy", "arn:aws:iam::1:role/x", "Permissions can be raised"),
        ("sts:AssumeRole", "arn:aws:iam::1:role/x", "Permissions can be raised"),
        ("dynamodb:PutItem", "*", "Every resource can be changed"),
        ("s3:PutObject", "*", "Every resource can be changed"),
        ("dynamodb:Query", "*", "All data can be read"),
        ("logs:GetLogEvents", "*", "All data can be read"),
        ("s3:GetObject", "*", "All data can be read"),
        ("secretsmanager:GetSecretValue", "*", "All data can be read"),
        ("ssm:GetParameters", "*", "All data can be read"),
    ],
)
def test_the_actions_that_matter_most_are_flagged(action: str, resource: str, title: str) -> None:
    assert titles(change(ROLE_POLICY, ABSENT, given_policy(allow(action, resource)))) == [title]


def test_a_deny_that_newly_has_a_condition_is_flagged() -> None:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    before, after = given_policy(READ, DENY), given_policy(READ, {**DENY, "Condition": condition})
    assert titles(change("aws_s3_bucket_policy", before, after)) == ["Deny removed"]
    assert titles(change("aws_s3_bucket_policy", after, before)) == []


def test_a_role_beside_another_accounts_root_is_not_called_known() -> None:
    def named(account: str, *more: str) -> dict[str, Any]:
        principals = [f"arn:aws:iam::{account}:root", *more]
        return allow("s3:GetObject", Principal={"AWS": principals}, Sid="P")

    role = f"arn:aws:iam::{'2' * 12}:role/x"
    for account, expected in (("1" * 12, ["Access for another principal"]), ("2" * 12, [])):
        before, after = given_policy(named(account)), given_policy(named(account, role))
        assert titles(change("aws_s3_bucket_policy", before, after)) == expected
