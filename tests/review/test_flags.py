"""What holds for all flags, whatever the plan."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.flags import judge, order
from review.flags.attributes import changed_paths
from review.flags.exposure import DESTINATIONS
from review.flags.permissions import POLICIES
from review.marker import Marker
from review.model import ABSENT, UNKNOWN, Action, Document, Masked, ResourceChange, Stack, Tree
from review.reading.stacks import read_stacks
from review.rendering.points import points
from review.table import default_table
from review.verdicts import review_of
from tests.review.flagging import change, flags_of, plan, titles
from tests.review.test_differences import copied

PLANS = Path(__file__).parent / "plans"
CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))

TABLE = default_table()
TYPES = sorted({*TABLE.types, "aws_vpc_security_group_ingress_rule", "aws_route", "unknown_thing"})
INNER = [
    "Statement",
    "Sid",
    "Effect",
    "Action",
    "NotAction",
    "Resource",
    "Principal",
    "Condition",
    "StringLike",
    "name",
    "value",
    "valueFrom",
    "image",
    "environment",
    "secrets",
    "healthCheck",
    "command",
    "interval",
    "linuxParameters",
    "capabilities",
    "add",
    "drop",
    "logConfiguration",
    "portMappings",
    "containerPort",
    "memory",
    "from_port",
    "to_port",
    "protocol",
    "cidr_blocks",
    "prefix_list_ids",
    "action",
    "status",
    "expiration",
    "days",
    "id",
    "block",
    "enabled",
    "AWS",
]
ATTRIBUTES = sorted(
    {*POLICIES, *DESTINATIONS, "unknown"}
    | {path[0] for kind in (*TABLE.types.values(), *TABLE.every) for path in kind.rows}
    | {"ingress", "rule", "setting", "default_action", "container_definitions", "environment", "volume"}
    | {"cidr_ipv4", "from_port", "to_port", "ip_protocol", "principal", "route", "access_control_policy"}
)
SCALARS: st.SearchStrategy[Tree] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1, 70000),
    st.floats(allow_nan=False),
    st.sampled_from(["", "*", "Allow", "Deny", "0.0.0.0/0", "::/0", "host", "x", "1e999", "iam:*", "root"]),
    st.sampled_from([UNKNOWN, ABSENT, Masked(b"1"), Masked(b"2")]),
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(INNER), inner, max_size=4),
        inner.map(Document),
    ),
    max_leaves=12,
)
RESOURCES: st.SearchStrategy[Tree] = st.one_of(
    st.sampled_from([ABSENT, None, Masked(b"1"), UNKNOWN]),
    st.dictionaries(st.sampled_from(ATTRIBUTES), TREES, max_size=6),
)
CHANGES = st.builds(
    change,
    st.sampled_from(TYPES),
    RESOURCES,
    RESOURCES,
    action=st.sampled_from(Action),
    deposed=st.sampled_from([None, "abcd1234"]),
    replace_paths=st.sampled_from([(), (("rule", 0, "days"),), (("name",), ("ingress", 9))]),
    reason=st.sampled_from([None, "replace_by_request", "else"]),
)


@given(st.lists(CHANGES, max_size=3))
def test_any_plan_has_flags_in_order_and_always_the_same(changes: list[ResourceChange]) -> None:
    some = plan(changes)
    found = flags_of("dev", some)
    assert list(found) == sorted(found, key=order)
    assert found == flags_of("dev", some)
    assert all(flag.title and flag.reason and flag.stack == "dev" for flag in found)


@given(st.sampled_from(TYPES), st.dictionaries(st.sampled_from(ATTRIBUTES), TREES, min_size=1, max_size=6))
def test_an_update_that_changes_nothing_raises_nothing(type: str, resource: dict[str, Tree]) -> None:
    same = change(type, resource, copied(resource), action=Action.UPDATE)
    assert flags_of("dev", plan([same])) == ()


def test_creating_the_whole_platform_raises_few_points() -> None:
    stacks = read_stacks([PLANS / "create-all"])
    found = points(review_of(stacks, Marker("oaktree", "", 0)))
    assert {stack.name for stack in stacks} == {"foundation", "dev-network", "dev-service"}
    assert 5 < len(found) < 15
    assert found[0].flags[0].title == "Open to the world"


@given(st.lists(CHANGES, max_size=3))
def test_every_changed_attribute_is_in_the_table_or_named_as_not_judged(
    changes: list[ResourceChange],
) -> None:
    judgement = judge("dev", plan(changes))
    named = {(each.type, each.path) for each in judgement.unjudged}
    for each in changes:
        sides = [side if isinstance(side, dict) else {} for side in (each.before, each.after)]
        if each.is_data or each.action in (Action.DELETE, Action.FORGET):
            continue
        for path in changed_paths(sides[0], sides[1]):
            assert (TABLE.find(each.type, path) is None) is ((each.type, path) in named)


@given(st.lists(CHANGES, min_size=1, max_size=3), st.lists(CHANGES, max_size=2))
def test_adding_a_change_never_makes_the_verdict_safer(
    changes: list[ResourceChange], more: list[ResourceChange]
) -> None:
    renamed = [replace(each, address=f"{each.address}_{place}") for place, each in enumerate(more)]
    fewer, all_of_them = (
        review_of([Stack("dev-service", "dev", plan(each))], Marker("oaktree", "", 0)).verdict
        for each in (changes, [*changes, *renamed])
    )
    assert all_of_them >= fewer


@pytest.mark.parametrize("one", CASES)
def test_no_case_makes_another_one_safer(one: Path) -> None:
    changes = changes_of(one)
    alone = review_of([Stack("dev", "dev", plan(changes))], Marker("oaktree", "", 0)).verdict
    for other in CASES:
        both = plan([*changes, *changes_of(other)])
        assert review_of([Stack("dev", "dev", both)], Marker("oaktree", "", 0)).verdict >= alone, other


@cache
def changes_of(case: Path) -> tuple[ResourceChange, ...]:
    return tuple(each for stack in read_stacks([case]) if stack.plan for each in stack.plan.changes)


def test_a_change_whose_values_the_plan_leaves_out_is_not_known() -> None:
    values: dict[str, Tree] = {"id": "x"}
    for each in (change("aws_lb", ABSENT, {}), change("aws_lb", values, action=Action.UPDATE)):
        assert "Resource not known" in titles(each)


def test_nothing_else_is_said_of_a_resource_that_is_not_known() -> None:
    assert titles(change("aws_ecs_service", {"desired_count": 3}, UNKNOWN)) == ["Resource not known"]
