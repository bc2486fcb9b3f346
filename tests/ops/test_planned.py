"""What a plan's JSON says a release would do."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.errors import OpsError
from ops.rollout.plan import applied_task_definition, changed_services, changes_nothing, counts, refusals

ACTIONS = {
    "nothing": ["no-op"],
    "read": ["read"],
    "added": ["create"],
    "changed": ["update"],
    "deleted": ["delete"],
    "replaced": ["delete", "create"],
    "created before it is deleted": ["create", "delete"],
    "forgotten": ["forget"],
    "forgotten and created again": ["create", "forget"],
}
APPLIED = """{"version": 4, "resources": [
  {"mode": "managed", "type": "aws_iam_role", "name": "task", "instances": [
    {"attributes": {"arn": "a role"}}
  ]},
  {"mode": "managed", "type": "aws_ecs_task_definition", "name": "web", "instances": [
    {"deposed": "3a41d4a6", "attributes": {"family": "dev-web", "arn": "dev-web:1"}},
    {"attributes": {"family": "dev-web", "arn": "dev-web:2"}}
  ]},
  {"mode": "managed", "type": "aws_ecs_task_definition", "name": "api", "instances": [
    {"attributes": {"family": "dev-api", "arn": "dev-api:7"}}
  ]}
]}"""


class Applied:
    """As `ops.terraform.workspace.Workspace`."""

    def __init__(self, state: str) -> None:
        self.stack = "dev-service"
        self.pull_state = state.encode


def applied(state: str, family: str) -> str:
    return applied_task_definition(Applied(state), family)  # type: ignore[arg-type]  # has all that is read


def test_the_applied_task_definition_is_the_one_of_its_family_that_was_not_replaced() -> None:
    assert applied(APPLIED, "dev-web") == "dev-web:2"
    assert applied(APPLIED, "dev-api") == "dev-api:7"


@pytest.mark.parametrize("state", ["", "{}", APPLIED])
def test_a_state_without_the_task_definition_is_told(state: str) -> None:
    with pytest.raises(OpsError, match="The state of dev-service has no task definition prod-web"):
        applied(state, "prod-web")


ALLOWED = ("nothing", "read", "added", "changed")


def plan(*changes: tuple[str, list[str]], **more: Any) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "applyable": True,
        "complete": True,
        "errored": False,
        "resource_changes": [
            {
                "address": f"{kind}.thing",
                "type": kind,
                "change": {"actions": actions, "after": {"name": f"{kind}-name"}},
            }
            for kind, actions in changes
        ],
        **more,
    }


@pytest.mark.parametrize("what", ALLOWED)
def test_what_adds_and_changes_is_allowed(what: str) -> None:
    assert refusals(plan(("aws_dynamodb_table", ACTIONS[what]))) == []


@pytest.mark.parametrize("what", sorted(set(ACTIONS) - set(ALLOWED)))
def test_what_takes_something_away_is_refused(what: str) -> None:
    (told,) = refusals(plan(("aws_dynamodb_table", ACTIONS[what]), ("aws_iam_role", ["update"])))
    assert told.startswith("aws_dynamodb_table.thing would be ")


@pytest.mark.parametrize("what", sorted(ACTIONS))
def test_a_task_definition_may_have_a_new_revision(what: str) -> None:
    assert refusals(plan(("aws_ecs_task_definition", ACTIONS[what]))) == []


def test_a_replacement_says_because_of_what() -> None:
    replaced = plan(("aws_dynamodb_table", ["delete", "create"]))
    replaced["resource_changes"][0]["change"]["replace_paths"] = [["name"], ["attribute", 0, "type"]]
    (told,) = refusals(replaced)
    assert told.endswith("would be replaced: deleted and created again (because of name, attribute.0.type)")


def test_a_plan_that_failed_half_way_is_refused() -> None:
    assert refusals(plan(errored=True)) == ["the plan failed half-way"]


def test_a_plan_with_deferred_parts_is_refused() -> None:
    assert refusals(plan(complete=False)) == [
        "the plan is incomplete: it defers some changes to a later plan"
    ]


@pytest.mark.parametrize("version", ["2.0", "", None, "10.1"])
def test_a_plan_of_an_unknown_format_is_refused(version: str | None) -> None:
    (told,) = refusals(plan(format_version=version))
    assert told.startswith("the plan has a format version that is not supported")


def test_an_unknown_action_is_refused() -> None:
    assert refusals(plan(("aws_lb", ["shrink"]))) == ["aws_lb.thing would be touched by shrink"]


@given(st.lists(st.tuples(st.sampled_from(["aws_lb", "aws_ecs_service"]), st.sampled_from(list(ACTIONS)))))
def test_counts_are_terraforms(drawn: list[tuple[str, str]]) -> None:
    found = plan(*((kind, ACTIONS[what]) for kind, what in drawn))
    added, changed, destroyed = counts(found)
    whats = [what for _, what in drawn]
    twice = ("replaced", "created before it is deleted")
    assert changed == whats.count("changed")
    assert destroyed == whats.count("deleted") + sum(map(whats.count, twice))
    assert added == sum(map(whats.count, ("added", "forgotten and created again", *twice)))
    assert changes_nothing(found) == (added + changed + destroyed == 0)


def test_changed_outputs_are_a_change() -> None:
    assert changes_nothing(plan(output_changes={"url": {"actions": ["no-op"]}}))
    assert not changes_nothing(plan(output_changes={"url": {"actions": ["update"]}}))


def test_changed_services_are_named() -> None:
    found = plan(("aws_ecs_service", ["update"]), ("aws_lb", ["update"]))
    assert list(changed_services(found)) == ["aws_ecs_service-name"]
    assert list(changed_services(plan(("aws_ecs_service", ["no-op"])))) == []
