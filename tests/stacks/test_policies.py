"""IAM policies against what AWS says of its actions, as policy_sentry has it.

An action that knows no resource is denied by a statement that names one, and no embedded AWS tells.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from policy_sentry.querying.actions import get_action_data

from tests.stacks.terraform_json import Stack

IN_THE_WHOLE_ACCOUNT = {"Describe", "ChangeNetworks", "ChangeTasksAndScaling"}
"""Statements on `*` although some of their actions know resources: these have ids nobody can foresee."""


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


def test_an_action_is_limited_to_resources_where_it_knows_any(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        if statement["Resource"] == ["*"] and statement["Sid"] not in IN_THE_WHOLE_ACCOUNT:
            for action in statement["Action"]:
                assert not resources_of(action), f"{place}: {action} could be limited"


def test_no_statement_mixes_everything_with_something(stacks: dict[str, Stack]) -> None:
    for place, statement in statements_of(stacks):
        assert "*" not in statement["Resource"] or len(statement["Resource"]) == 1, place
        assert not any(action == "*" or action.endswith(":*") for action in statement["Action"]), place


def test_an_action_that_does_not_exist_is_noticed() -> None:
    with pytest.raises(AssertionError, match="AWS knows no action ecs:CreateEverything"):
        resources_of("ecs:CreateEverything")
