"""Verdicts, counts, the verdict file and exit statuses."""

import json
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.cli import exit_status
from review.marker import Marker, parse
from review.model import (
    ABSENT,
    Action,
    ActionInvocation,
    DeferredChange,
    FailedCheck,
    Masked,
    Stack,
    Tree,
    Verdict,
    Wait,
)
from review.rendering.verdict_file import verdict_json
from review.table import default_table
from review.verdicts import Counts
from tests.review.rendering import HOSTILE, MARKER, change, output, review, stack

EMPTY = stack()
ZONE = Wait("dev-network", "it has no zone c yet", has_state=True)
NO_STATE = Wait("dev-network", "it is not applied yet", has_state=False)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (EMPTY, Verdict.NO_CHANGES),
        (stack(other_drift=3, unchanged=9), Verdict.NO_CHANGES),
        (stack(change()), Verdict.SAFE),
        (stack(change(action=Action.CREATE)), Verdict.SAFE),
        (stack(change(before={"colour": 1}, after={"colour": 2})), Verdict.UNJUDGED),
        (stack(change(action=Action.READ)), Verdict.SAFE),
        (stack(change(action=Action.MOVE)), Verdict.SAFE),
        (stack(change(action=Action.IMPORT)), Verdict.SAFE),
        (stack(outputs=(output("a"),)), Verdict.SAFE),
        (stack(change(previous_address="aws_thing.y")), Verdict.REVIEW),
        (stack(change(import_id="i-1")), Verdict.REVIEW),
        (stack(change(action=Action.FORGET)), Verdict.REVIEW),
        (stack(change(action=Action.UNRECOGNISED)), Verdict.REVIEW),
        (stack(drift=(change(),)), Verdict.REVIEW),
        (stack(failed_checks=(FailedCheck("check.x", "fail", ()),)), Verdict.REVIEW),
        (stack(actions=(ActionInvocation("action.x", "x"),)), Verdict.REVIEW),
        (stack(change("aws_iam_role.x", action=Action.DELETE)), Verdict.DESTRUCTIVE),
        (stack(change(action=Action.REPLACE)), Verdict.DESTRUCTIVE),
        (stack(change(action=Action.DELETE, deposed="0123abcd")), Verdict.DESTRUCTIVE),
        (stack(outputs=(output("a", Action.DELETE, 1, ABSENT),)), Verdict.REVIEW),
        (stack(deferred=(DeferredChange("absent_prereq", change()),)), Verdict.INCOMPLETE),
        (stack(complete=False), Verdict.INCOMPLETE),
        (Stack("dev-service", "dev", None, missing=True), Verdict.INCOMPLETE),
        (stack(errored=True, complete=False), Verdict.ERRORED),
        (replace(EMPTY, errors="Error: no"), Verdict.ERRORED),
        (Stack("dev-service", "dev", None, problem="is empty"), Verdict.ERRORED),
        (replace(EMPTY, waits=(ZONE,)), Verdict.WAITS),
        (replace(stack(change(action=Action.REPLACE)), waits=(ZONE,)), Verdict.WAITS),
        (replace(stack(errored=True, complete=False), waits=(NO_STATE,)), Verdict.WAITS),
        (Stack("dev-service", "dev", None, waits=(NO_STATE,)), Verdict.WAITS),
        (replace(stack(errored=True, complete=False), waits=(ZONE,)), Verdict.ERRORED),
        (replace(EMPTY, waits=(ZONE,), errors="Error: no"), Verdict.ERRORED),
    ],
)
def test_a_plan_is_judged_by_the_worst_of_it(given: Stack, expected: Verdict) -> None:
    assert review(given).verdict is expected
    assert review(given, EMPTY).verdict is expected


REVISIONS = sorted(name for name in default_table().types if default_table().is_revision(name))


@pytest.mark.parametrize("type", REVISIONS)
def test_a_revision_that_is_made_or_goes_destroys_nothing(type: str) -> None:
    assert (
        review(stack(change(f"{type}.x", Action.REPLACE, after={"id": "i-2", "size": 1}))).verdict
        is Verdict.SAFE
    )
    assert review(stack(change(f"{type}.x", Action.DELETE))).verdict is Verdict.REVIEW


@pytest.mark.parametrize("type", ["aws_lb", "aws_ecs_service", "aws_nat_gateway", "aws_db_instance"])
def test_what_stops_or_loses_data_while_it_is_replaced_is_no_revision(type: str) -> None:
    found = review(stack(change(f"{type}.x", Action.REPLACE)))
    assert found.verdict is Verdict.DESTRUCTIVE
    assert (found.counts.replace, found.counts.revisions) == (1, 0)


def test_no_plans_at_all_are_incomplete() -> None:
    assert review().verdict is Verdict.INCOMPLETE


def test_the_worst_stack_comes_first() -> None:
    found = review(
        stack(name="dev-network"),
        stack(change(), name="prod-service"),
        stack(change(), name="dev-service"),
        stack(change(action=Action.DELETE), name="prod-network"),
    )
    names = [each.stack.name for each in found.stacks]
    assert names == ["prod-network", "dev-service", "prod-service", "dev-network"]


def test_an_update_that_is_a_move_and_an_import_counts_as_all_three() -> None:
    counts = review(stack(change(previous_address="aws_thing.y", import_id="i"))).counts
    assert (counts.update, counts.moves, counts.imports) == (1, 1, 1)


@given(st.lists(st.sampled_from(Action), max_size=30))
def test_every_change_is_counted(actions: list[Action]) -> None:
    changes = [change(f"aws_thing.r{index}", action) for index, action in enumerate(actions)]
    counts = review(stack(*changes)).counts
    names = {Action.IMPORT: "imports", Action.MOVE: "moves"}
    for action in Action:
        assert getattr(counts, names.get(action, action.value)) == actions.count(action)
    assert counts.outputs == counts.drift == counts.deferred == 0


def test_counts_add_up() -> None:
    ones = Counts(*[1 for _ in fields(Counts)])
    assert ones + ones == Counts(*[2 for _ in fields(Counts)])


@pytest.mark.parametrize(
    ("given", "detailed", "bad_input", "status"),
    [
        (EMPTY, False, False, 0),
        (stack(change(action=Action.DELETE)), False, False, 0),
        (EMPTY, False, True, 2),
        (EMPTY, True, False, 0),
        (stack(change()), True, False, 2),
        (stack(change(action=Action.FORGET)), True, False, 2),
        (stack(change(action=Action.DELETE)), True, False, 3),
        (stack(complete=False), True, False, 1),
        (stack(errored=True), True, False, 1),
        (EMPTY, True, True, 1),
    ],
)
def test_exit_statuses(given: Stack, detailed: bool, bad_input: bool, status: int) -> None:
    assert exit_status(review(given), detailed=detailed, bad_input=bad_input) == status


def test_the_verdict_file_binds_each_plan_by_its_hashes() -> None:
    table = change(
        "aws_dynamodb_table.table",
        Action.REPLACE,
        before={"name": "a", "hash_key": "x"},
        after={"name": "a", "hash_key": "y"},
        replace_paths=(("hash_key",),),
    )
    missing = Stack("prod-service", "prod", None, missing=True)
    found = json.loads(verdict_json(review(missing, stack(table), run_url="https://example.com/1")))
    assert found["schema"] == 1
    assert found["verdict"] == "INCOMPLETE"
    assert found["commit"] == MARKER.commit
    assert found["run_url"] == "https://example.com/1"
    service, prod = found["stacks"]
    assert (service["name"], service["environment"], service["verdict"]) == (
        "dev-service",
        "dev",
        "DESTRUCTIVE",
    )
    assert (service["sha256"], service["changes_sha256"]) == ("a" * 64, "b" * 64)
    assert service["counts"]["replace"] == 1
    assert service["changes"] == [
        {"address": "aws_dynamodb_table.table", "action": "replace", "used_by": [], "findings": []}
    ]
    assert service["problem"] is None
    flag = service["flags"][0]
    assert (flag["concern"], flag["address"]) == ("DATA_LOSS", "aws_dynamodb_table.table")
    assert flag["forced_by"] == ["hash_key"]
    assert (prod["verdict"], prod["sha256"], prod["flags"]) == ("INCOMPLETE", None, [])
    assert prod["changes"] == []
    assert prod["problem"]


def test_the_verdict_file_can_be_written_whatever_the_names_are() -> None:
    for text in HOSTILE:
        found = review(stack(change(f"aws_s3_bucket.{text}", Action.DELETE), name=f"dev-{text}"))
        written = verdict_json(found).encode()
        (only,) = json.loads(written)["stacks"]
        assert only["flags"][0]["address"] == f"aws_s3_bucket.{text}"


def test_nothing_of_a_masked_value_is_in_the_verdict_file() -> None:
    hidden = Masked(b"\x01mark")
    before = {"bucket": hidden, "id": hidden, "acl": hidden}
    text = verdict_json(review(stack(change("aws_s3_bucket.b", Action.DELETE, before=before))))
    assert "mark" not in text
    assert "(sensitive)" in text


@pytest.mark.parametrize("marker", [MARKER, Marker("a.b_c-d", "", 0), Marker("k" * 64, "v1.0", 10**20 - 1)])
def test_a_marker_is_found_again(marker: Marker) -> None:
    assert parse(f"{marker.line()}\nbody") == marker
    assert parse(f"{marker.line()}\r\nbody") == marker
    assert parse(marker.line()) == marker


def test_a_marker_anywhere_but_in_the_first_line_is_none() -> None:
    assert parse(f"> quoted\n{MARKER.line()}") is None
    assert parse(f" {MARKER.line()}") is None
    assert parse(f"{MARKER.line()} and more") is None
    assert parse("") is None


@pytest.mark.parametrize(
    "text", [*sorted(set(HOSTILE) - {"www.example.com"}), "-->", "a b", "none ", "x" * 65]
)
def test_a_marker_takes_nothing_that_could_break_out(text: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Marker(text, "", 0)
    if text:
        with pytest.raises(ValueError, match="commit"):
            Marker("key", text, 0)
    with pytest.raises(ValueError, match="run"):
        Marker("key", "", -1)


@pytest.mark.parametrize(
    ("action", "sides"),
    [
        (Action.UPDATE, {"before": ABSENT, "after": ABSENT}),
        (Action.UPDATE, {"before": ABSENT, "after": {"tags": {}}}),
        (Action.UPDATE, {"before": {"tags": {}}, "after": ABSENT}),
        (Action.CREATE, {"after": ABSENT}),
    ],
)
def test_a_change_whose_values_the_plan_leaves_out_is_never_safe(
    action: Action, sides: dict[str, Tree]
) -> None:
    found = review(stack(change("aws_sqs_queue.orders", action, **sides)))
    assert [flag.title for flag in found.stacks[0].flags] == ["Resource not known"]
    assert found.verdict is Verdict.REVIEW
