"""How much work a review does, counted: what is the same for all of a plan is done once."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from review import table, verdicts
from review.flags import judge
from review.model import Action, ResourceChange
from review.reading import masking
from review.rendering import comment
from review.rendering.verdict_file import verdict_json
from review.verdicts import Review
from tests.review.rendering import change, plan, review, stack

Count = Callable[[Any, str], Counter[Any]]


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Count:
    """Counts the calls of a function by their arguments."""

    def counting(place: Any, name: str) -> Counter[Any]:
        calls: Counter[Any] = Counter()
        real = getattr(place, name)

        def counted(*arguments: Any) -> Any:
            calls[repr(arguments[-2:])] += 1
            return real(*arguments)

        monkeypatch.setattr(place, name, counted)
        return calls

    return counting


def updates(resources: int) -> Iterator[ResourceChange]:
    """So many changes of two types."""
    return (
        change(f"{kind}.x{number}", Action.UPDATE, before={"size": number}, after={"size": number + 1})
        for number in range(resources)
        for kind in ("aws_thing", "aws_sqs_queue")
    )


def big(resources: int) -> Review:
    """A review of them, by rules to which the change is harmless."""
    return review(stack(*updates(resources)))


def test_the_rows_of_a_type_are_looked_for_once_however_many_resources_change(count: Count) -> None:
    quiet, found = count(table.Table, "quiet"), count(table.Table, "find")
    big(50)
    assert (sorted(quiet.values()), found.total()) == ([1, 1], 0)
    judge("dev-service", plan(*updates(50)), table.default_table())
    assert (sorted(quiet.values()), sorted(found.values())) == ([1, 1, 1, 1], [1, 1])


def test_each_file_of_the_table_is_read_once(count: Count) -> None:
    calls = count(table, "extended")
    table.default_table.cache_clear()
    try:
        for _ in range(3):
            comment.render(verdicts.review_of([], big(1).marker))
    finally:
        table.default_table.cache_clear()
    assert calls.total() == len(list(table.TABLES.glob("*.toml")))


def test_a_review_is_estimated_and_its_groups_are_rendered_once_for_all_outputs(count: Count) -> None:
    estimates, groups = count(verdicts, "estimate"), count(comment, "blocks_of")
    found = review(*(stack(change(), name=f"dev{number}-service") for number in range(3)))
    for budget in (60_000, 1_000_000, 500):
        comment.render(found, budget)
    verdict_json(found)
    assert (estimates.total(), groups.total()) == (1, 3)


def test_two_reviews_are_not_taken_for_one_another() -> None:
    first, second = (review(stack(change(f"aws_thing.{name}"))) for name in ("one", "other"))
    assert "aws_thing.one" in comment.render(first)
    assert "aws_thing.other" in comment.render(second)
    assert "aws_thing.one" in comment.render(first)


def test_a_text_that_many_resources_have_is_parsed_once(count: Count) -> None:
    parsed = count(json, "loads")
    masking._document.cache_clear()
    policy = '{"Version": "2012-10-17", "Statement": []}'
    for _ in range(50):
        masking.tree_of({"assume_role_policy": policy})
    assert parsed.total() == 1
