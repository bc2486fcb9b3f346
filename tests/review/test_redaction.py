"""Updates of which a redacted plan does not show what changes."""

from typing import Any

import pytest

from review.flags import judge
from review.model import Flag, Stack, Verdict
from review.reading.plans import plan_of
from review.table import default_table
from review.verdicts import verdict_of

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
