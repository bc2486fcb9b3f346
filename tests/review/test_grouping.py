"""Groups, and what many resources have in common."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from review.model import Action
from review.rendering.grouping import ORDER, group_of, groups_of
from tests.review.rendering import change


def test_groups_come_dangerous_first() -> None:
    changes = [change(f"aws_thing.{action.value}", action) for action in Action]
    assert [group.action for group in groups_of(changes)] == list(ORDER)
    assert set(ORDER) == set(Action)


def test_the_same_difference_on_three_resources_is_told_once() -> None:
    group = group_of(Action.UPDATE, [change(f"aws_thing.{name}") for name in "abc"])
    (shared,) = group.shared
    assert [(each.path, each.before, each.after) for each in shared.differences] == [(("size",), 1, 2)]
    assert [item.change.address for item in shared.items] == ["aws_thing.a", "aws_thing.b", "aws_thing.c"]
    assert not group.items


def test_the_same_difference_on_two_resources_is_told_twice() -> None:
    group = group_of(Action.UPDATE, [change(f"aws_thing.{name}") for name in "ab"])
    assert not group.shared
    assert [len(item.differences) for item in group.items] == [1, 1]


def test_what_a_resource_has_beyond_stays_with_it() -> None:
    changes = [change(f"aws_thing.{name}") for name in "abc"]
    changes.append(change("aws_thing.d", before={"size": 1, "name": "x"}, after={"size": 2, "name": "y"}))
    (shared,) = group_of(Action.UPDATE, changes).shared
    assert [[each.path for each in item.differences] for item in shared.items] == [[], [], [], [("name",)]]


def test_replacements_keep_their_differences() -> None:
    group = group_of(Action.REPLACE, [change(f"aws_thing.{name}", Action.REPLACE) for name in "abc"])
    assert not group.shared
    assert all(item.differences for item in group.items)


def test_true_and_one_are_not_the_same() -> None:
    changes = [
        change("aws_thing.a", before={"size": 0}, after={"size": 1}),
        change("aws_thing.b", before={"size": 0}, after={"size": 1}),
        change("aws_thing.c", before={"size": False}, after={"size": True}),
    ]
    assert not group_of(Action.UPDATE, changes).shared


def test_tags_all_is_left_out_only_where_it_says_what_tags_says() -> None:
    group = group_of(
        Action.UPDATE,
        [
            change(
                before={"tags": {"a": "1"}, "tags_all": {"a": "1", "b": "1"}},
                after={"tags": {"a": "2"}, "tags_all": {"a": "2", "b": "2"}},
            )
        ],
    )
    assert [each.path for each in group.items[0].differences] == [("tags", "a"), ("tags_all", "b")]


@given(st.lists(st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 1)), max_size=40))
def test_every_difference_stands_in_exactly_one_place(states: list[dict[str, int]]) -> None:
    changes = [
        change(f"aws_thing.r{index:03}", before=dict.fromkeys(state, 9), after=state)
        for index, state in enumerate(states)
    ]
    group = group_of(Action.UPDATE, changes)
    told: Counter[tuple[str, str, object]] = Counter()
    for item in group.items:
        told.update((item.change.address, each.path[0], each.after) for each in item.differences)
    for shared in group.shared:
        assert len(shared.items) >= 3
        assert shared.differences
        for item in shared.items:
            both = (*shared.differences, *item.differences)
            told.update((item.change.address, each.path[0], each.after) for each in both)
    assert told == Counter(
        (each.address, key, value)
        for each, state in zip(changes, states, strict=True)
        for key, value in state.items()
    )
    addresses = [item.change.address for item in group.items]
    addresses += [item.change.address for shared in group.shared for item in shared.items]
    assert sorted(addresses) == [each.address for each in changes]
