import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from review.reading.canonical import changes_hash
from review.reading.structure import PlanError

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
objects = st.dictionaries(st.text(max_size=4), scalars | st.lists(scalars, max_size=3), max_size=4)
ACTIONS = [
    ["create"],
    ["update"],
    ["delete"],
    ["delete", "create"],
    ["create", "delete"],
    ["forget"],
    ["read"],
]


@st.composite
def resources(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "address": draw(st.sampled_from(["aws_a.x", "aws_a.y", "aws_b.x[0]"])),
        "mode": "managed",
        "type": "aws_a",
        "name": "x",
        "provider_name": "aws",
        "deposed": draw(st.sampled_from(["abc", "def"])),
        "previous_address": "aws_a.old",
        "change": {
            "actions": draw(st.sampled_from(ACTIONS)),
            "before": draw(objects),
            "after": draw(objects),
            "after_unknown": draw(
                st.dictionaries(st.text(max_size=3), st.just(True), min_size=1, max_size=3)
            ),
            "replace_paths": draw(
                st.lists(st.lists(st.text(max_size=3), min_size=1, max_size=2), max_size=2)
            ),
            "importing": {"id": draw(st.text(max_size=4))},
        },
    }


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "timestamp": "2026-01-01T00:00:00Z",
        "resource_changes": draw(st.lists(resources(), min_size=1, max_size=4)),
        "output_changes": {
            "url": {
                "actions": ["update"],
                "before": draw(scalars),
                "after": draw(scalars),
                "after_unknown": {"a": True},
            }
        },
        "deferred_changes": [{"reason": "unknown", "resource_change": draw(resources())}],
        "action_invocations": [
            {"address": "action.aws_x.y", "type": "aws_x", "config_values": draw(objects)}
        ],
        "configuration": {
            "provider_config": {"aws": {"expressions": {"region": {"constant_value": draw(scalars)}}}},
            "root_module": {
                "module_calls": {
                    "m": {
                        "module": {
                            "resources": [
                                {"address": "aws_a.x", "provisioners": [{"type": draw(st.text(max_size=4))}]}
                            ]
                        }
                    }
                }
            },
        },
        "errored": draw(st.booleans()),
        "complete": draw(st.booleans()),
    }


def shuffled(value: Any) -> Any:
    """The same with the keys of objects the other way round."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in reversed(list(value))}
    return [shuffled(item) for item in value] if isinstance(value, list) else value


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every scalar, as what holds it and its key there."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        if isinstance(value[key], (dict, list)):
            yield from places(value[key])
        else:
            yield value, key


@given(plans(), st.randoms(use_true_random=False))
def test_neither_order_nor_times_nor_the_prior_state_change_the_hash(
    plan: dict[str, Any], random: Any
) -> None:
    other = shuffled(copy.deepcopy(plan))
    random.shuffle(other["resource_changes"])
    other |= {
        "timestamp": "2027-02-02T00:00:00Z",
        "format_version": "1.9",
        "terraform_version": "9.9.9",
        "prior_state": {"values": {}},
        "planned_values": {},
        "relevant_attributes": [],
        "applyable": True,
    }
    assert changes_hash(other) == changes_hash(plan)


@given(plans(), st.data())
def test_any_other_value_gives_another_hash(plan: dict[str, Any], data: st.DataObject) -> None:
    # Of what is there already, only that counts which differs; see the tests below.
    changes = [item["change"] for item in plan["resource_changes"]]
    changes.append(plan["deferred_changes"][0]["resource_change"]["change"])
    ignored = [id(holder) for change in changes for holder, _ in places(change["before"])]
    candidates = [
        (holder, key)
        for holder, key in places(plan)
        # A name is part of the address; actions and marks are tested below.
        if key not in {"format_version", "timestamp", "name"}
        and id(holder) not in ignored
        and holder not in ACTIONS
        and holder[key] is not True
    ]
    holder, key = data.draw(st.sampled_from(candidates))
    before, old = changes_hash(plan), holder[key]
    if key in {"errored", "complete"}:
        holder[key] = not old
    else:
        holder[key] = data.draw(
            st.integers(1) | st.text(min_size=1, max_size=5) | st.just(True) | st.floats(min_value=0.5)
        )
    assume(json.dumps(old) != json.dumps(holder[key]))
    assert changes_hash(plan) != before


def plan_with(after: Any = None, **fields: Any) -> dict[str, Any]:
    change = {"actions": ["update"], "before": {}, "after": after, **fields}
    return {
        "resource_changes": [{"address": "aws_a.x", "mode": "managed", "type": "aws_a", "change": change}]
    }


def test_values_that_only_look_alike_are_told_apart() -> None:
    values = [
        1,
        1.0,
        True,
        "1",
        "true",
        None,
        "null",
        [1],
        ["1"],
        {},
        [],
        "",
        {"a": 1},
        [[1]],
        [1, []],
    ]
    assert len({changes_hash(plan_with(value)) for value in values}) == len(values)


@pytest.mark.parametrize(
    "fields",
    [
        {"actions": ["delete", "create"]},
        {"actions": ["create", "delete"]},
        {"after_unknown": {"id": True}},
        {"replace_paths": [["a"]]},
        {"importing": {"id": "x"}},
        {"importing": {}},
    ],
)
def test_actions_marks_and_imports_are_part_of_the_hash(fields: dict[str, Any]) -> None:
    assert changes_hash(plan_with({}, **fields)) != changes_hash(plan_with({}))


def test_what_formats_leave_out_or_spell_out_gives_the_same_hash() -> None:
    old, new = plan_with({"a": 1}), plan_with({"a": 1}, after_unknown={"a": False, "b": [{}], "c": [False]})
    new["resource_changes"][0] |= {"deposed": "", "previous_address": None, "index": None}
    new |= {"errored": False, "complete": True, "output_changes": {}, "action_invocations": [], "checks": []}
    assert changes_hash(old) == changes_hash(new)


def test_the_order_of_replace_paths_is_irrelevant_and_that_of_values_is_not() -> None:
    assert changes_hash(plan_with({}, replace_paths=[["a"], ["b", 0]])) == changes_hash(
        plan_with({}, replace_paths=[["b", 0], ["a"]])
    )
    assert changes_hash(plan_with({"a": [1, 2]})) != changes_hash(plan_with({"a": [2, 1]}))


def test_what_does_nothing_is_no_part_unless_it_moves_or_imports() -> None:
    empty = changes_hash({"resource_changes": []})
    assert changes_hash(plan_with({"a": 1}, before={"a": 1}, actions=["no-op"])) == empty
    assert changes_hash({"output_changes": {"a": {"actions": ["no-op"], "before": 1, "after": 1}}}) == empty
    moved = plan_with({"a": 1}, before={"a": 1}, actions=["no-op"])
    moved["resource_changes"][0]["previous_address"] = "aws_a.old"
    imported = plan_with({"a": 1}, before={"a": 1}, actions=["no-op"], importing={"id": "x"})
    assert len({empty, changes_hash(moved), changes_hash(imported)}) == 3


def test_the_same_change_twice_is_another_than_once() -> None:
    plan = plan_with({"a": 1})
    assert changes_hash({"resource_changes": plan["resource_changes"] * 2}) != changes_hash(plan)


def test_drift_is_part_of_a_refresh_only_plan_alone() -> None:
    drift = {"resource_drift": plan_with({"a": 1})["resource_changes"]}
    assert changes_hash(drift) != changes_hash({})
    assert changes_hash(plan_with({}) | drift) == changes_hash(plan_with({}))


@pytest.mark.parametrize(
    "document",
    [
        {"resource_changes": "x"},
        {"resource_changes": ["x"]},
        {"resource_changes": [{"address": "a"}]},
        {"resource_changes": [{"address": "a", "change": {"actions": "create"}}]},
        {"output_changes": []},
        {"output_changes": {"a": 1}},
        {"deferred_changes": [{"resource_change": 1}]},
        {"action_invocations": 1},
        {"errored": "yes"},
        {"configuration": 1},
        {"configuration": {"root_module": {"resources": 1}}},
    ],
)
def test_what_is_not_built_like_a_plan_is_told(document: dict[str, Any]) -> None:
    with pytest.raises(PlanError, match="must be"):
        changes_hash(document)


def update(before: dict[str, Any], after: dict[str, Any], **more: Any) -> str:
    change = {"actions": ["update"], "before": before, "after": after, **more}
    return changes_hash(
        {"resource_changes": [{"address": "aws_db_instance.x", "type": "aws_db_instance", "change": change}]}
    )


def test_what_aws_alone_changes_in_the_meantime_does_not_change_the_hash_of_an_update() -> None:
    def tagged(time: str, policy: str, tag: str = "b") -> str:
        same = {"id": "db-1", "latest_restorable_time": time, "policy": policy}
        return update({**same, "tags": {"a": "a"}}, {**same, "tags": {"a": tag}})

    first = tagged("10:00", '{"a": 1, "b": 2}')
    assert tagged("10:05", '{"b": 2, "a": 1}') == first
    assert tagged("10:00", '{"a": 1, "b": 2}', "c") != first


def test_an_update_of_another_object_or_from_another_value_has_another_hash() -> None:
    first = update({"id": "db-1", "size": 1}, {"id": "db-1", "size": 2})
    assert update({"id": "db-2", "size": 1}, {"id": "db-2", "size": 2}) != first
    assert update({"id": "db-1", "size": 3}, {"id": "db-1", "size": 2}) != first
    assert update({"id": "db-1", "size": True}, {"id": "db-1", "size": 1}) != first
    unknown = {"after_unknown": {"size": True}}
    assert update({"id": "db-1", "size": 1}, {"id": "db-1"}, **unknown) != first


def test_a_deletion_is_bound_to_the_object_and_not_to_all_that_it_says() -> None:
    def delete(before: dict[str, Any]) -> str:
        change = {"actions": ["delete"], "before": before, "after": None}
        return changes_hash({"resource_changes": [{"address": "aws_db_instance.x", "change": change}]})

    assert delete({"id": "a", "time": 1}) == delete({"id": "a", "time": 2})
    assert delete({"id": "a"}) != delete({"id": "b"})


def test_which_provider_acts_and_what_variables_say_is_part_of_the_hash() -> None:
    plan = plan_with({"a": 1})
    seen = {changes_hash(plan)}
    for key in ("aws", "aws.us"):
        resources = [{"address": "aws_a.x", "provider_config_key": key}]
        seen.add(changes_hash({**plan, "configuration": {"root_module": {"resources": resources}}}))
    for region in ("a", "b"):
        seen.add(changes_hash({**plan, "variables": {"region": {"value": region}}}))
    for source in ("./one", "./two"):
        calls: dict[str, Any] = {"m": {"source": source, "module": {}}}
        seen.add(changes_hash({**plan, "configuration": {"root_module": {"module_calls": calls}}}))
    assert len(seen) == 7
