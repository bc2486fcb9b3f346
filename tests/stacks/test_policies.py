"""IAM policies against what AWS says of its actions, as policy_sentry has it.

An action that knows no resource is denied by a statement that names one, and no embedded AWS tells.
"""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.stacks.terraform_json import Stack

IN_THE_WHOLE_ACCOUNT = {
    "AppVolumes",
    "ChangeCompositeAlarms",
    "ChangeNetworks",
    "ChangeOwn",
    "ChangeScaling",
    "ChangeTasksAndScaling",
    "CheckVolumes",
    "Create",
    "Describe",
    "ListTasks",
    "ReadMetrics",
    "ReleaseAddresses",
    "TagNew",
}
"""Statements on `*` although some of their actions know resources: these have ids nobody can foresee.

Where AWS has them, conditions on tags or names limit such a statement. Tasks are listed by container
instance, which Fargate has none of: a condition names the clusters. CloudWatch tells of composite alarms, and
takes them, only by a policy on `*`.
"""


def statements_of(stacks: dict[str, Stack]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What roles are allowed, each with its place; the same statement of two stacks comes twice."""
    for name, stack in stacks.items():
        for kind in ("aws_iam_policy", "aws_iam_role_policy"):
            for key, body in stack.all(kind).items():
                for statement in json.loads(body["policy"])["Statement"]:
                    if statement["Effect"] == "Allow":
                        yield f"{name}: {key}: {statement['Sid']}", statement


def resources_of(action: str) -> set[str]:
    """The forms of ARN that an action can be limited to; empty when it knows none."""
    service, name = action.split(":")
    data = get_action_data(service, name)
    assert data, f"AWS knows no action {action}"
    return {row["resource_arn_format"] for row in data[service]} - {"*"}


def test_every_action_exists_and_can_be_limited_as_its_statement_does(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        for action in statement["Action"]:
            if "*" not in action and not resources_of(action):
                assert statement["Resource"] == ["*"], f"{place}: {action} knows no resource"


def names(resource: str, form: str) -> bool:
    """Whether a statement's resource is of the kind that a form of ARN describes: `cluster/…`, `table/…`."""
    if resource.startswith("${"):
        return True  # the ARN of another resource, which Terraform fills in
    (service, what), (form_service, form_what) = (arn.split(":", 5)[2::3] for arn in (resource, form))
    kind, form_kind = (re.split("[/:]", text)[0] for text in (what, form_what))
    alike = ("/" in what) == ("/" in form_what) if form_kind.startswith("${") else kind == form_kind
    return service == form_service and alike


@pytest.mark.parametrize(
    ("resource", "form", "fits"),
    [
        ("arn:aws:ecs:*:1:service/oaktree-*", "arn:${P}:ecs:${R}:${A}:service/${C}/${S}", True),
        ("arn:aws:ecs:*:1:cluster/oaktree-*", "arn:${P}:ecs:${R}:${A}:service/${C}/${S}", False),
        ("arn:aws:s3:::oaktree-*", "arn:${P}:s3:::${Bucket}", True),
        ("arn:aws:s3:::oaktree-*", "arn:${P}:s3:::${Bucket}/${Object}", False),
        ("arn:aws:sns:*:1:oaktree-*", "arn:${P}:s3:::${Bucket}", False),
    ],
)
def test_kinds_of_resources_are_told_apart(resource: str, form: str, fits: bool) -> None:
    assert names(resource, form) == fits


def test_the_resources_named_are_such_as_the_action_knows(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        for action in statement["Action"]:
            if "*" not in action and statement["Resource"] != ["*"]:
                forms = resources_of(action)
                fitting = [r for r in statement["Resource"] if any(names(r, form) for form in forms)]
                assert fitting, (
                    f"{place}: {action} knows none of {statement['Resource']}, only {sorted(forms)}"
                )


OF_ANOTHER_KIND = {
    "amplify:AssociateWebACL",
    "amplify:DisassociateWebACL",
    "apigateway:SetWebACL",
    "apprunner:AssociateWebAcl",
    "apprunner:DisassociateWebAcl",
    "appsync:AssociateWebACL",
    "appsync:DisassociateWebACL",
    "appsync:SetWebACL",
    "autoscaling:DescribeAccountLimits",
    "cloudformation:DescribeAccountLimits",
    "cognito-idp:AssociateWebACL",
    "cognito-idp:DisassociateWebACL",
    "dynamodb:DescribeLimits",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:AssociateVerifiedAccessInstanceWebAcl",
    "ec2:DisassociateVerifiedAccessInstanceWebAcl",
    "ecs:ListClusters",
    "ecs:ListContainerInstances",
    "ecs:ListServices",
    "ecs:ListTaskDefinitions",
    "ecs:ListTasks",
    "iam:GetAccountSummary",
    "kms:CreateGrant",
    "kms:Decrypt",
    "kms:GenerateDataKey",
    "kinesis:DescribeLimits",
    "rds:CreateTenantDatabase",
    "rds:DeleteTenantDatabase",
    "rds:DescribeAccountAttributes",
    "route53:GetAccountLimit",
    "s3:GetObject",
    "wafv2:GetPermissionPolicy",
    "wafv2:PutPermissionPolicy",
    "states:PublishStateMachineVersion",
}
"""Dependent actions of what is not used, such as flow logs of ECS and keys of one's own, quotas but
Fargate's, and what service-linked roles do, as ElastiCache's with network interfaces."""


def test_the_deploy_role_may_do_what_its_actions_depend_on(stacks: dict[str, Stack]) -> None:
    deploy = [
        action
        for place, statement in statements_of({"foundation": stacks["foundation"]})
        if "github_deploy" in place or "github_read" in place
        for action in statement["Action"]
    ]
    for action in deploy:
        if "*" not in action:
            service, name = action.split(":")
            for row in get_action_data(service, name)[service]:
                for needed in row["dependent_actions"]:
                    allowed = any(fnmatchcase(needed, pattern) for pattern in deploy)
                    assert allowed or needed in OF_ANOTHER_KIND, f"{action} needs {needed}"


def test_an_action_is_limited_to_resources_where_it_knows_any(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        if statement["Resource"] == ["*"] and statement["Sid"] not in IN_THE_WHOLE_ACCOUNT:
            for action in statement["Action"]:
                assert not resources_of(action), f"{place}: {action} could be limited"


def test_a_condition_uses_keys_that_each_of_its_actions_knows(stacks: dict[str, Stack]) -> None:
    checked = 0
    for place, statement in statements_of(stacks):
        for keys in statement.get("Condition", {}).values():
            for key in keys:
                for action in statement["Action"]:
                    known = {of_any_tag(each) for each in condition_keys(action)}
                    assert of_any_tag(key) in known, f"{place}: {action} knows no {key}"
                    checked += 1
    assert checked > 50


def condition_keys(action: str) -> set[str]:
    """The condition keys of an action, with those of the resources that it can be limited to."""
    service, name = action.split(":")
    return {key for row in get_action_data(service, name)[service] for key in row["condition_keys"]}


def of_any_tag(key: str) -> str:
    return re.sub(r"(Tag/).*", r"\1", key)


def test_no_statement_mixes_everything_with_something(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        assert "*" not in statement["Resource"] or len(statement["Resource"]) == 1, place
        assert not any(action == "*" or action.endswith(":*") for action in statement["Action"]), place


def test_an_action_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError, match="AWS knows no action ecs:CreateEverything"):
        resources_of("ecs:CreateEverything")
