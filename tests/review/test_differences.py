import random
from collections.abc import Iterator

from hypothesis import assume, given
from hypothesis import strategies as st

from review.comparing.differences import differences
from review.model import ABSENT, UNKNOWN, Difference, Document, Masked, Tree

SCALARS: st.SearchStrategy[Tree] = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.text("ab*", max_size=2)
)
KEYS = st.sampled_from(["name", "Sid", "id", "value", "Statement", "Action", "command", "x"])
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS | st.just(UNKNOWN) | st.sampled_from([Masked(b"1"), Masked(b"2")]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=4), inner.map(Document)
    ),
    max_leaves=20,
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=5)
PLAIN: st.SearchStrategy[Tree] = st.recursive(
    st.integers(0, 5), lambda inner: st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)


def copied(tree: Tree) -> Tree:
    match tree:
        case list():
            return [copied(item) for item in tree]
        case dict():
            return {key: copied(value) for key, value in tree.items()}
        case Document():
            return Document(copied(tree.content))
        case Masked():
            return Masked(bytes(tree.mark))
        case _:
            return tree


def places(tree: Tree, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a tree has values that hold no others."""
    match tree:
        case list():
            for index, item in enumerate(tree):
                yield from places(item, (*path, index))
        case dict():
            for key, value in tree.items():
                yield from places(value, (*path, key))
        case Document():
            yield from places(tree.content, (*path, "document"))
        case _:
            yield path


def replaced(tree: Tree, path: tuple[str | int, ...], value: Tree) -> Tree:
    if not path:
        return value
    head, rest = path[0], path[1:]
    match tree:
        case list():
            return [replaced(item, rest, value) if index == head else item for index, item in enumerate(tree)]
        case dict():
            return {key: replaced(item, rest, value) if key == head else item for key, item in tree.items()}
        case Document():
            return Document(replaced(tree.content, rest, value))
        case _:
            raise AssertionError(tree)


def holds(tree: Tree, value: Tree) -> bool:
    match tree:
        case list():
            return any(holds(item, value) for item in tree)
        case dict():
            return value in tree or any(holds(item, value) for item in tree.values())
        case Document():
            return holds(tree.content, value)
        case _:
            return tree == value


def containers(*definitions: Tree) -> Tree:
    return {"container_definitions": Document(list(definitions))}


def policy(*statements: Tree) -> Tree:
    return {"policy": Document({"Version": "2012-10-17", "Statement": list(statements)})}


@given(OBJECTS)
def test_a_tree_does_not_differ_from_itself(tree: dict[str, Tree]) -> None:
    assert differences(tree, copied(tree)) == []


@given(OBJECTS, OBJECTS)
def test_what_differs_one_way_differs_the_other_way(one: dict[str, Tree], other: dict[str, Tree]) -> None:
    assert bool(differences(one, other)) == bool(differences(other, one))


@given(PLAIN, PLAIN)
def test_differences_of_objects_swap_with_the_sides(one: Tree, other: Tree) -> None:
    swapped = [Difference(each.path, each.after, each.before) for each in differences(other, one)]
    assert differences(one, other) == swapped


@given(OBJECTS, st.data())
def test_every_value_that_changes_is_in_a_difference(tree: dict[str, Tree], data: st.DataObject) -> None:
    where = list(places(tree))
    assume(where)
    changed = replaced(tree, data.draw(st.sampled_from(where)), "something new")
    found = differences(tree, changed)
    assert any(holds(each.after, "something new") or "something new" in each.path for each in found)


@given(OBJECTS, OBJECTS)
def test_differences_come_in_the_same_order_each_time(one: dict[str, Tree], other: dict[str, Tree]) -> None:
    assert differences(one, other) == differences(copied(one), copied(other))


@given(
    st.lists(st.tuples(st.text("abc", min_size=1), st.integers()), unique_by=lambda pair: pair[0]),
    st.randoms(),
)
def test_containers_in_another_order_are_the_same(
    pairs: list[tuple[str, int]], chance: random.Random
) -> None:
    definitions: list[Tree] = [{"name": name, "cpu": cpu, "image": "i"} for name, cpu in pairs]
    shuffled = [copied(each) for each in definitions]
    chance.shuffle(shuffled)
    assert differences(containers(*definitions), containers(*shuffled)) == []


def test_null_is_the_same_as_not_there() -> None:
    assert differences({"a": None, "b": {"c": None}}, {"b": {}}) == []
    assert differences({"tags": {}, "mode": "", "list": []}, {"tags": None, "mode": None}) == []


def test_an_empty_text_is_something_where_it_is_no_attribute() -> None:
    assert differences({"tags": {"a": ""}}, {"tags": {}}) == [Difference(("tags", "a"), "", ABSENT)]


def test_true_is_not_one_and_a_number_is_not_its_text() -> None:
    assert differences({"a": True}, {"a": 1}) == [Difference(("a",), True, 1)]
    assert differences({"a": [True]}, {"a": [1]}) == [Difference(("a",), True, 1)]
    assert differences({"a": 1}, {"a": "1"}) == [Difference(("a",), 1, "1")]
    assert differences({"a": 1}, {"a": 1.0}) == []


def test_a_creation_and_a_deletion_list_the_attributes() -> None:
    resource: Tree = {"name": "x", "tags": {"a": "b"}, "arn": UNKNOWN, "none": None}
    assert differences(ABSENT, resource) == [
        Difference(("arn",), ABSENT, UNKNOWN),
        Difference(("name",), ABSENT, "x"),
        Difference(("tags",), ABSENT, {"a": "b"}),
    ]
    assert differences({"name": "x"}, ABSENT) == [Difference(("name",), "x", ABSENT)]


def test_a_masked_value_shows_that_it_changed() -> None:
    one, other = Masked(b"1"), Masked(b"2")
    assert differences({"a": one}, {"a": Masked(b"1")}) == []
    assert differences({"a": one}, {"a": other}) == [Difference(("a",), one, other)]


def test_containers_are_matched_by_name_and_variables_by_theirs() -> None:
    web: Tree = {"name": "web", "environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    now: Tree = {"name": "web", "environment": [{"name": "B", "value": "3"}, {"name": "A", "value": "1"}]}
    side: Tree = {"name": "side", "image": "i"}
    assert differences(containers(web), containers(side, now)) == [
        Difference(("container_definitions", "side"), ABSENT, side),
        Difference(("container_definitions", "web", "environment", "B"), "2", "3"),
    ]


def test_a_variable_of_another_name_is_another_variable() -> None:
    before: Tree = {"name": "web", "environment": [{"name": "A", "value": "1"}]}
    after: Tree = {"name": "web", "environment": [{"name": "B", "value": "1"}]}
    assert differences(containers(before), containers(after)) == [
        Difference(("container_definitions", "web", "environment", "A"), "1", ABSENT),
        Difference(("container_definitions", "web", "environment", "B"), ABSENT, "1"),
    ]


def test_variables_named_twice_are_not_lost() -> None:
    twice: Tree = {"name": "web", "environment": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}
    once: Tree = {"name": "web", "environment": [{"name": "A", "value": "1"}]}
    found = differences(containers(once), containers(twice))
    assert [(each.before, each.after) for each in found] == [(ABSENT, {"name": "A", "value": "2"})]


def test_the_order_of_a_command_is_a_difference_as_a_whole() -> None:
    before: Tree = {"name": "web", "command": ["a", "b", "c"]}
    after: Tree = {"name": "web", "command": ["a", "c", "b"]}
    path = ("container_definitions", "web", "command")
    assert differences(containers(before), containers(after)) == [
        Difference(path, ["a", "b", "c"], ["a", "c", "b"])
    ]


def test_items_of_a_list_that_came_and_went_are_told_one_by_one() -> None:
    assert differences({"a": ["x", "y"]}, {"a": ["y", "z"]}) == [Difference(("a",), "x", "z")]
    assert differences({"a": ["x"]}, {"a": ["x", "y", "z"]}) == [
        Difference(("a",), ABSENT, "y"),
        Difference(("a",), ABSENT, "z"),
    ]
    assert differences({"a": ["x", "x"]}, {"a": ["x"]}) == [Difference(("a",), "x", ABSENT)]
    assert differences({"a": ["x", "y"]}, {"a": ["y", "x"]}) == [Difference(("a",), ["x", "y"], ["y", "x"])]


def test_statements_are_matched_by_sid_and_others_by_likeness() -> None:
    reading: Tree = {"Sid": "Read", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "a"}
    wider: Tree = {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": "a",
    }
    listing: Tree = {"Effect": "Allow", "Action": "sqs:*", "Resource": "q"}
    narrower: Tree = {"Effect": "Allow", "Action": ["sqs:*"], "Resource": ["p"]}
    assert differences(policy(reading, listing), policy(narrower, wider)) == [
        Difference(("policy", "Statement", "0", "Resource"), "q", "p"),
        Difference(("policy", "Statement", "Read", "Action"), ABSENT, "s3:ListBucket"),
    ]


def test_a_policy_is_compared_without_the_freedoms_of_its_grammar() -> None:
    one: Tree = {
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": ["b", "a"],
            "Resource": "*",
            "Condition": {"Bool": {"aws:SecureTransport": True}},
        }
    }
    other: Tree = {
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": ["a", "b"],
                "Resource": ["*"],
                "Condition": {"Bool": {"aws:SecureTransport": ["true"]}},
            }
        ]
    }
    assert differences({"policy": Document(one)}, {"policy": Document(other)}) == []


def test_blocks_without_names_are_matched_by_likeness() -> None:
    web: Tree = {"from_port": 80, "to_port": 80, "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}
    tls: Tree = {"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["10.0.0.0/8"]}
    wide: Tree = {"from_port": 443, "to_port": 443, "protocol": "tcp", "cidr_blocks": ["0.0.0.0/0"]}
    assert differences({"ingress": [web, tls]}, {"ingress": [wide, web]}) == [
        Difference(("ingress", "0", "cidr_blocks"), "10.0.0.0/8", "0.0.0.0/0")
    ]
    assert differences({"ingress": [web]}, {"ingress": [web, tls]}) == [
        Difference(("ingress", "1"), ABSENT, tls)
    ]


def test_the_only_block_needs_no_name() -> None:
    before: Tree = {"network": [{"public": False, "subnets": ["a"]}]}
    after: Tree = {"network": [{"public": True, "subnets": ["b"]}]}
    assert differences(before, after) == [
        Difference(("network", "public"), False, True),
        Difference(("network", "subnets"), "a", "b"),
    ]


def test_equal_blocks_in_another_order_are_one_difference_outside_of_documents() -> None:
    one: Tree = {"path_pattern": "/a", "ttl": 1}
    other: Tree = {"path_pattern": "/b", "ttl": 1}
    assert differences({"behavior": [one, other]}, {"behavior": [other, one]}) == [
        Difference(("behavior",), [one, other], [other, one])
    ]


def test_a_document_that_is_none_any_longer_is_one_difference() -> None:
    document = Document({"a": 1})
    assert differences({"d": document}, {"d": UNKNOWN}) == [Difference(("d",), document, UNKNOWN)]
    assert differences({"d": document}, {"d": "text"}) == [Difference(("d",), document, "text")]


def test_each_of_thousands_of_blocks_that_changed_is_told() -> None:
    before: list[Tree] = [
        {"port": port, "cidr": f"10.0.{port % 250}.0/24", "text": "a"} for port in range(5000)
    ]
    after: list[Tree] = [
        {"port": port, "cidr": f"10.0.{port % 250}.0/24", "text": "b"} for port in range(5000)
    ]
    after.reverse()
    found = differences({"ingress": before}, {"ingress": after})
    assert len(found) == 5000
    assert {(each.before, each.after) for each in found} == {("a", "b")}
