"""What changed since the last review: points that are new, changed, gone or the same."""

import json
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.marker import MOST, Marker, parse
from review.model import ResourceChange, Stack, Tree
from review.rendering.comment import render
from review.rendering.history import State, decoded
from review.rendering.points import Since, marker_of, points, since
from review.rendering.verdict_file import verdict_json
from review.rules import Ignore, Rules
from review.verdicts import Review, review_of
from tests.review.flagging import change
from tests.review.rendering import assert_well_formed, stack

OLD, HEAD = "a" * 40, "b" * 40


def made(commit: str, *changes: ResourceChange, before: Review | None = None) -> Review:
    """A review of a commit, compared with the comment of another one."""
    found = review_of([stack(*changes)], Marker("plans", commit, 0), rules=Rules())
    return replace(found, previous=parse(render(before)) if before else None)


def logs(name: str, days: int = 7) -> ResourceChange:
    before: dict[str, Tree] = {"retention_in_days": 30}
    return change("aws_cloudwatch_log_group", before, {"retention_in_days": days}, name=name)


def queue(name: str) -> ResourceChange:
    return change("aws_sqs_queue", {"name": name, "id": name}, name=name)


BUCKET = change("aws_s3_bucket", {"bucket": "b", "force_destroy": True}, name="b")


def test_the_first_review_says_nothing() -> None:
    first = made(OLD, queue("a"))
    assert since(first) is None
    assert "Since the review" not in render(first)
    assert json.loads(verdict_json(first))["since"] is None


def test_new_changed_and_gone_points_are_counted_and_marked() -> None:
    first = made(OLD, queue("a"), logs("l", 14), change("aws_lb", {"name": "x"}))
    second = made(HEAD, queue("a"), logs("l", 7), BUCKET, before=first)
    text = render(second)
    assert_well_formed(text)
    assert "Since the review of `aaaaaaa`: 1 new point, 1 changed, 1 gone." in text
    assert "**Data deleted** (new) · `bucket` was `b`" in text
    assert "**Kept for less time** (changed) ·" in text
    assert "**Data deleted** · `name` was `a`" in text
    assert json.loads(verdict_json(second))["since"] == {"commit": OLD, "new": 1, "changed": 1, "gone": 1}


def test_of_a_point_at_several_places_the_new_one_is_marked() -> None:
    second = made(HEAD, queue("a"), queue("b"), before=made(OLD, queue("a")))
    text = render(second)
    assert "**2 \u00d7 Data deleted** (changed)" in text
    assert "`aws_sqs_queue.b`: `name` was `b` (new)" in text
    assert "`aws_sqs_queue.a`: `name` was `a`<br>" in text
    assert since(second) == Since(OLD, 0, 1, 0)


def test_the_same_points_are_said_to_be_the_same() -> None:
    second = made(HEAD, queue("a"), before=made(OLD, queue("a")))
    assert "Since the review of `aaaaaaa`: no new points." in render(second)
    assert "(new)" not in render(second)


def test_points_that_are_only_gone_or_changed_are_called_points() -> None:
    first = made(OLD, queue("a"), BUCKET, logs("l", 14))
    assert "`aaaaaaa`: 1 point gone." in render(made(HEAD, BUCKET, logs("l", 14), before=first))
    assert "`aaaaaaa`: 1 changed point, 1 gone." in render(made(HEAD, BUCKET, logs("l", 7), before=first))


def test_a_second_review_of_the_same_commit_is_compared_with_the_commit_before() -> None:
    first = made(OLD, queue("a"))
    second = made(HEAD, BUCKET, before=first)
    again = made(HEAD, BUCKET, before=second)
    assert render(again) == render(second)
    assert since(again) == Since(OLD, 1, 0, 1)
    assert since(made(OLD, queue("a"), before=first)) is None


def test_without_a_commit_nothing_is_compared() -> None:
    assert since(made("", queue("a"), before=made(OLD, queue("a")))) is None
    assert since(made(HEAD, queue("a"), before=made("", queue("a")))) is None


def test_points_of_a_stack_that_could_not_be_planned_are_not_called_gone() -> None:
    first = made(OLD, queue("a"))
    failed = Stack("dev-service", "dev", None, errors="Error: no\n")
    second = replace(
        review_of([failed], Marker("plans", HEAD, 0), rules=Rules()), previous=parse(render(first))
    )
    assert since(second) == Since(OLD, 0, 0, None)
    assert "no new points; what is gone is not known, as not all could be planned." in render(second)


def test_a_point_that_a_rule_ignores_now_is_not_gone() -> None:
    first = made(OLD, queue("a"))
    rules = Rules(ignores=(Ignore("Data deleted", "*", "known", date(2999, 1, 1)),))
    second = review_of([stack(queue("a"))], Marker("plans", HEAD, 0), rules=rules)
    assert since(replace(second, previous=parse(render(first)))) == Since(OLD, 0, 0, 0)


@pytest.mark.parametrize(
    "rest",
    [
        "",
        " points=",
        " points=0abcdef",
        " points=1abcde",
        " points=1abcdef.",
        " points=1abcdef points=1",
        " x",
    ],
)
def test_a_marker_of_another_format_or_cut_off_is_found_and_says_nothing(rest: str) -> None:
    marker = parse(f"<!-- oaktree-review key=plans commit={OLD} run=1{rest} -->")
    assert marker == Marker("plans", OLD, 1)
    found = replace(made(HEAD, queue("a")), previous=marker)
    assert since(found) is None
    assert "Since the review" not in render(found)


@given(st.text(st.sampled_from("1.abcdef+_ =:-%"), max_size=60))
def test_nothing_in_a_marker_is_an_error(text: str) -> None:
    marker = parse(f"<!-- oaktree-review key=plans commit={OLD} run=1 points={text} -->")
    assert marker is not None
    assert_well_formed(render(replace(made(HEAD, queue("a")), previous=marker)))
    assert parse(f"{marker.line()}\n") == marker


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_what_is_new_and_gone_is_the_difference_of_two_reviews(old: set[int], new: set[int]) -> None:
    kinds = ("aws_lb", "aws_sqs_queue", "aws_vpc", "aws_iam_role", "aws_kms_key")
    changes = [change(kinds[at % 5], {"id": f"i{at}"}, name=f"x{at}") for at in range(41)]
    first = made(OLD, *(changes[at] for at in old))
    flags = made(HEAD, *(changes[at] for at in new)).stacks[0].flags
    earlier = decoded(OLD, marker_of(first).points)
    assert earlier is not None
    fresh = {flag.address.rpartition("x")[2] for flag in flags if earlier.state(flag) is State.NEW}
    assert fresh == {str(at) for at in new - old}
    assert earlier.gone(flags) == sum(
        {int(flag.address.rpartition("x")[2]) for flag in point.flags}.isdisjoint(new)
        for point in points(first)
    )


def test_too_many_points_leave_the_marker_short() -> None:
    many = made(OLD, *(queue(f"q{at}") for at in range(500)))
    assert len(render(many).splitlines()[0]) < 200
    assert since(made(HEAD, before=many)) is None
    fewer = made(OLD, *(queue(f"q{at}") for at in range(300)))
    line = render(made(HEAD, *(queue(f"q{at}") for at in range(300)), before=fewer)).splitlines()[0]
    assert MOST < len(line) < 2 * MOST + 300


def test_no_value_is_in_a_marker() -> None:
    line = marker_of(made(OLD, BUCKET)).line()
    assert line.partition(" points=")[2].rstrip(" ->").isascii()
    assert "aws_s3" not in line
