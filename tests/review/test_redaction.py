"""Plans that do not show all of what changes, and what they say of themselves."""

from typing import Any

import pytest

from review.flags import judge
from review.marker import Marker
from review.model import Action, Flag, Stack, Verdict
from review.reading.plans import plan_of
from review.reading.structure import PlanError
from review.rendering.head import sentence
from review.table import default_table
from review.verdicts import review_of, verdict_of

REDACTED = "Changed, but the plan was redacted"


def reviewed(before: Any, after: Any, **marks: Any) -> tuple[Verdict, tuple[Flag, ...]]:
    change = {"actions": ["update"], "before": before, "after": after, **marks}
    entry = {
        "address": "aws_kms_alias.a",
        "mode": "managed",
        "type": "aws_kms_alias",
        "name": "a",
        "change": change,
    }
    plan = plan_of({"format_version": "1.2", "resource_changes": [entry]}, "")
    found = judge("dev", plan)
    return verdict_of(Stack("dev", "dev", plan), found, default_table()), found.flags


@pytest.mark.parametrize(
    "placeholder",
    [
        "(sensitive)",
        "(sensitive value)",
        "REDACTED",
        "[redacted]",
        "<masked>",
        "***",
        "__REDACTED__",
        "xxxxxxxx",
        "{{hidden}}",
    ],
)
@pytest.mark.parametrize("sensitive", [False, True])
def test_a_placeholder_on_both_sides_of_an_update_is_not_safe(placeholder: str, sensitive: bool) -> None:
    before = {"name": "a", "tags": {"v": "1"}, "policy": placeholder}
    marks = {"before_sensitive": {"policy": sensitive}, "after_sensitive": {"policy": sensitive}}
    verdict, (flag,) = reviewed(before, {**before, "tags": {"v": "2"}}, **marks)
    assert (verdict, flag.title, flag.after) == (Verdict.REVIEW, REDACTED, "policy")


def test_a_placeholder_within_a_block_is_found() -> None:
    before = {"rule": [{"action": ["REDACTED"]}], "tags": {"v": "1"}}
    _, (flag,) = reviewed(before, {**before, "tags": {"v": "2"}})
    assert (flag.title, flag.after) == (REDACTED, "rule")


def test_an_update_without_any_difference_is_not_safe() -> None:
    values = {"name": "a", "policy": None}
    verdict, (flag,) = reviewed(values, values)
    assert (verdict, flag.title) == (Verdict.REVIEW, REDACTED)


@pytest.mark.parametrize("sides", [("REDACTED", "REDACTED"), ({"name": "a"}, "REDACTED"), (["x"], ["x"])])
def test_a_resource_whose_values_are_taken_out_as_a_whole_is_not_safe(sides: tuple[Any, Any]) -> None:
    verdict, flags = reviewed(*sides)
    assert (verdict, [flag.title for flag in flags]) == (Verdict.REVIEW, ["Resource not known"])


def test_what_shows_its_differences_is_as_before() -> None:
    before = {"name": "a", "note": "redacted by hand", "tags": {"v": "1"}}
    assert reviewed(before, {**before, "tags": {"v": "2"}}) == (Verdict.SAFE, ())
    same = {"name": "a", "secret": "s"}
    marked = reviewed(same, same, before_sensitive={}, after_sensitive={"secret": True})
    assert marked == (Verdict.SAFE, ())
    later = reviewed({"arn": "a"}, {}, after_unknown={"arn": True})
    assert REDACTED not in [flag.title for flag in later[1]]


def state(*addresses: str) -> dict[str, Any]:
    return {"root_module": {"resources": [{"address": each, "mode": "managed"} for each in addresses]}}


def unchanged(address: str) -> dict[str, Any]:
    return {"address": address, "change": {"actions": ["no-op"], "before": {}, "after": {}}}


@pytest.mark.parametrize(
    ("planned", "prior", "changes"),
    [
        (["a.new"], [], []),
        (["a.new"], [], None),
        ([], ["a.old"], []),
        ([], ["a.old"], None),
        (["a.b", "a.new"], ["a.b"], [unchanged("a.b")]),
    ],
)
def test_resources_that_come_or_go_without_a_change_are_no_whole_plan(
    planned: list[str], prior: list[str], changes: Any
) -> None:
    document = {
        "format_version": "1.2",
        "planned_values": state(*planned),
        "prior_state": {"values": state(*prior)},
        "resource_changes": changes,
    }
    with pytest.raises(PlanError, match="is incomplete, or was redacted"):
        plan_of(document, "")
    assert not plan_of({**document, "complete": False}, "").complete
    assert plan_of({**document, "errored": True}, "").errored


def test_a_plan_that_leaves_out_a_resource_of_the_state_is_incomplete() -> None:
    document = {
        "format_version": "1.2",
        "planned_values": state("a.b"),
        "prior_state": {"values": state("a.b", "a.old")},
        "resource_changes": [unchanged("a.b")],
    }
    assert not plan_of(document, "").complete


@pytest.mark.parametrize(
    "rest", [{"applyable": False}, {"applyable": True, "resource_drift": [unchanged("a.b")]}]
)
def test_a_refresh_only_plan_has_no_changes_and_is_whole(rest: dict[str, Any]) -> None:
    document = {"format_version": "1.2", "planned_values": {"root_module": {}}, **rest}
    assert plan_of({**document, "prior_state": {"values": state("a.b")}}, "").complete


def test_a_moved_resource_is_known_by_its_former_address() -> None:
    entry = unchanged("a.new") | {"previous_address": "a.old"}
    document = {"planned_values": state("a.new"), "prior_state": {"values": state("a.old")}}
    assert plan_of({"format_version": "1.2", "resource_changes": [entry], **document}, "").changes


def test_a_no_op_whose_sides_differ_is_shown_and_not_safe() -> None:
    change = {"actions": ["no-op"], "before": {"name": "a"}, "after": {"name": "b"}}
    document: dict[str, Any] = {
        "format_version": "1.2",
        "resource_changes": [unchanged("a.b") | {"change": change}],
    }
    plan = plan_of(document, "")
    assert [each.action for each in plan.changes] == [Action.UNRECOGNISED]
    assert verdict_of(Stack("dev", "dev", plan), judge("dev", plan), default_table()) is Verdict.REVIEW
    document["resource_changes"][0]["change"] = {**change, "after": {"name": "c"}}
    assert plan_of(document, "").changes_sha256 != plan.changes_sha256
    plan = plan_of({"format_version": "1.2", "output_changes": {"o": change}}, "")
    assert [each.action for each in plan.outputs] == [Action.UNRECOGNISED]
    assert verdict_of(Stack("dev", "dev", plan), judge("dev", plan), default_table()) is Verdict.REVIEW


@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        ({"applyable": True, "complete": True, "errored": False}, Verdict.SAFE),
        ({"applyable": False}, Verdict.INCOMPLETE),
        ({"complete": False}, Verdict.INCOMPLETE),
        ({"errored": True, "applyable": False}, Verdict.ERRORED),
    ],
)
def test_what_a_plan_says_of_itself_is_said(flags: dict[str, bool], verdict: Verdict) -> None:
    change = {"actions": ["create"], "before": None, "after": 1, "after_unknown": False}
    plan = plan_of({"format_version": "1.2", "output_changes": {"o": change}, **flags}, "")
    reviewed = review_of([Stack("dev", "dev", plan)], Marker("oaktree", "", 0))
    assert reviewed.verdict is verdict
    assert ("(`applyable` is false)" in sentence(reviewed, 0)) == (
        verdict is Verdict.INCOMPLETE and "applyable" in flags
    )


def test_a_plan_without_changes_may_say_that_there_is_nothing_to_apply() -> None:
    plan = plan_of({"format_version": "1.2", "resource_changes": [unchanged("a.b")], "applyable": False}, "")
    assert review_of([Stack("dev", "dev", plan)], Marker("oaktree", "", 0)).verdict is Verdict.NO_CHANGES
