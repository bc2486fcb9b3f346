"""If-Match, as RFC 9110 has it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.incidents.requests import entity_tag, parse_if_match
from webapp.responses import HTTPProblem

TAGS = st.from_regex(r'\A(W/)?"[!#-~\x80-\xff]*"\Z')


@pytest.mark.parametrize(
    ("value", "matches"),
    [
        ("*", True),
        (" * ", True),
        ('"3"', True),
        ('\t"3" ', True),
        ('"1", "3"', True),
        ('"1","3",', True),
        (', ,"3"', True),
        ('W/"2", "3"', True),
        ('"2"', False),
        ('W/"3"', False),
        ('"03"', False),
        ('"3,"', False),
        ('""', False),
        ('"a,\\"', False),
    ],
)
def test_a_condition_holds_for_the_strong_tag_of_the_version_only(value: str, matches: bool) -> None:
    assert parse_if_match(value).holds(3) is matches


@pytest.mark.parametrize(
    "value", ["", " ", ",", "3", '"3', '3"', 'w/"3"', 'W/ "3"', '"1" "3"', '*, "3"', "**"]
)
def test_what_is_no_condition_is_refused(value: str) -> None:
    with pytest.raises(HTTPProblem) as refused:
        parse_if_match(value)
    assert refused.value.status_code == 400


@given(st.lists(TAGS, min_size=1), st.sampled_from([",", ", ", " ,\t", ", ,"]))
def test_every_list_of_tags_is_read_whole(tags: list[str], separator: str) -> None:
    assert parse_if_match(separator.join(tags)).tags == frozenset(tags)


@given(st.text(max_size=50))
def test_nothing_else_is_raised(value: str) -> None:
    try:
        parse_if_match(value)
    except HTTPProblem as refusal:
        assert refusal.status_code == 400  # noqa: PT017 - most are refused, not all


def test_a_long_value_that_is_wrong_takes_no_long_time() -> None:
    for value in (" " * 16_000 + "x", '"1" , ' * 2_000 + "x", "," * 16_000 + "x"):
        with pytest.raises(HTTPProblem):
            parse_if_match(value)


@given(st.integers(1, 10**6))
def test_the_tag_of_a_version_is_its_own(version: int) -> None:
    assert parse_if_match(entity_tag(version)).holds(version)
    assert not parse_if_match(entity_tag(version)).holds(version + 1)
