from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.comparing.policies import Statement, statements_of
from review.comparing.policy_changes import denials_removed, matches, newly_allowed
from review.model import Document, Masked
from tests.review.flagging import allow, copied, policy


def read(*statements: dict[str, Any]) -> list[Statement]:
    found = statements_of(policy(*statements))
    assert found is not None
    return found


def new(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> set[str]:
    return {action for grant in newly_allowed(read(*before), read(*after)) for action in grant.actions}


@pytest.mark.parametrize("tree", [None, "text", {"a": 1}, [], Document([1]), Document({"Statement": 1})])
def test_what_is_no_policy_has_no_allowing_statements(tree: Any) -> None:
    assert all(statement.hidden for statement in statements_of(tree) or [])


def test_a_statement_alone_is_one_of_a_list() -> None:
    found = statements_of(Document({"Statement": allow("s3:GetObject")}))
    assert found is not None
    assert found[0].actions == {"s3:getobject"}


@pytest.mark.parametrize(
    ("pattern", "text", "is_matched"),
    [
        ("s3:*", "s3:GetObject", True),
        ("s3:Get*", "s3:*", False),
        ("s3:*", "s3:Get*", True),
        ("s3:Get?bject", "s3:GetObject", True),
        ("a?", "a*", False),
        ("a.c", "abc", False),
        ("*", "anything\nat all", True),
    ],
)
def test_patterns_take_in_texts_and_narrower_patterns(pattern: str, text: str, is_matched: bool) -> None:
    assert matches(pattern, text) is is_matched


STATEMENTS = st.builds(
    allow,
    st.lists(st.sampled_from(["s3:*", "s3:GetObject", "*", "iam:PassRole"]), min_size=1, max_size=3),
    st.lists(st.sampled_from(["*", "arn:aws:s3:::b", "arn:aws:s3:::*"]), min_size=1, max_size=2),
    Effect=st.sampled_from(["Allow", "Deny"]),
    Condition=st.sampled_from([{}, {"Bool": {"aws:SecureTransport": "true"}}]),
)


@given(st.lists(STATEMENTS, max_size=4))
def test_a_policy_newly_allows_nothing_against_itself(statements: list[dict[str, Any]]) -> None:
    assert newly_allowed(read(*statements), read(*copied(statements))) == []
    assert denials_removed(read(*statements), read(*copied(statements))) == []


@given(st.lists(STATEMENTS, max_size=3), STATEMENTS)
def test_less_of_a_policy_allows_nothing_new(statements: list[dict[str, Any]], more: dict[str, Any]) -> None:
    assert newly_allowed(read(*statements, more), read(*statements)) == []
    assert denials_removed(read(*statements), read(*statements, more)) == []


def test_what_a_wider_statement_allowed_is_not_new() -> None:
    assert new([allow("s3:*", "*")], [allow(["s3:GetObject", "sqs:SendMessage"], "arn:aws:s3:::b")]) == {
        "sqs:sendmessage"
    }
    assert new([allow("S3:getobject")], [allow("s3:GetObject")]) == set()


def test_a_wider_resource_makes_an_action_new() -> None:
    assert new([allow("s3:GetObject", "arn:aws:s3:::a")], [allow("s3:GetObject", "*")]) == {"s3:getobject"}


def test_an_account_written_as_number_or_as_arn_is_the_same() -> None:
    number = allow("s3:GetObject", Principal={"AWS": "111111111111"})
    arn = allow("s3:GetObject", Principal={"AWS": ["arn:aws:iam::111111111111:root"]})
    role = allow("s3:GetObject", Principal={"AWS": "arn:aws:iam::111111111111:role/x"})
    assert new([number], [arn]) == set()
    assert new([number], [role]) == set()
    assert new([role], [number]) == {"s3:getobject"}


@pytest.mark.parametrize(
    ("before", "after", "only_loosened"),
    [
        ({"StringEquals": {"a": "x"}}, {}, True),
        ({"StringEquals": {"a": "x"}}, {"StringEquals": {"a": ["x", "y"]}}, True),
        ({"StringEquals": {"a": "x"}}, {"StringLike": {"a": "x*"}}, True),
        ({"StringNotEquals": {"a": ["x", "y"]}}, {"StringNotEquals": {"a": "x"}}, True),
    ],
)
def test_a_condition_that_is_wider_makes_a_statement_new(
    before: dict[str, Any], after: dict[str, Any], only_loosened: bool
) -> None:
    grants = newly_allowed(read(allow("s3:*", Condition=before)), read(allow("s3:*", Condition=after)))
    assert [grant.only_loosened for grant in grants] == [only_loosened]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"StringEquals": {"a": "x"}}),
        ({"StringEquals": {"a": ["x", "y"]}}, {"StringEquals": {"A": "x"}}),
        ({"StringLike": {"a": "x*"}}, {"StringEquals": {"a": "xy"}}),
        ({"StringLike": {"a": "x*"}}, {"StringLike": {"a": "xy*"}}),
        ({"StringEquals": {"a": "x"}}, {"StringLike": {"a": "x"}}),
        ({"StringNotEquals": {"a": "x"}}, {"StringNotEquals": {"a": ["x", "y"]}}),
    ],
)
def test_a_condition_that_is_narrower_makes_nothing_new(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert new([allow("s3:*", Condition=before)], [allow("s3:*", Condition=after)]) == set()


def test_allowing_all_but_something_is_new_unless_as_much_was_left_out() -> None:
    but = {"Effect": "Allow", "NotAction": ["iam:*"], "Resource": "*"}
    fewer = {"Effect": "Allow", "NotAction": ["iam:*", "s3:*"], "Resource": "*"}
    assert new([but], [fewer]) == set()
    assert new([fewer], [but]) == {"*"}
    assert new([but], [allow("sqs:*", "*")]) == set()
    assert new([but], [allow("iam:GetRole", "*")]) == {"iam:getrole"}


def test_denying_less_is_told() -> None:
    deny = {**allow(["s3:DeleteObject", "s3:PutObject"]), "Effect": "Deny", "Sid": "No"}
    less = {**allow("s3:DeleteObject"), "Effect": "Deny", "Sid": "No"}
    assert [each.label for each in denials_removed(read(deny), read(less))] == ["No"]
    assert denials_removed(read(less), read(deny)) == []


def test_what_is_masked_in_a_statement_is_told() -> None:
    (statement,) = statements_of(Document({"Statement": {"Effect": "Allow", "Action": Masked(b"1")}})) or []
    assert statement.hidden
