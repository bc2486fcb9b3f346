"""Text of a plan stays where it is put, whatever it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.model import ABSENT, UNKNOWN, Document, Masked, Tree
from review.rendering.markdown import cell, code, dollars, fence, visible
from review.rendering.values import clip, pair, pretty, show, text_difference
from tests.review.rendering import HOSTILE, tokens

ANYTHING = st.one_of(
    st.text(st.characters(exclude_categories=())),
    st.lists(st.sampled_from(HOSTILE)).map("".join),
)


@given(ANYTHING)
def test_a_code_span_holds_all_of_its_text(text: str) -> None:
    found = [token for token in tokens(f"before {code(text)} after") if token.type != "softbreak"]
    kept = [token.content for token in found if token.type == "code_inline"]
    assert kept == ([visible(text)] if text else [])
    free = "".join(token.content for token in found if token.type == "text")
    assert free == ("before  after" if text else "before (empty) after")


@given(ANYTHING)
def test_a_cell_stays_one_cell(text: str) -> None:
    found = tokens(f"| a | b |\n| --- | --- |\n| {cell(text)} | x |\n")
    assert [token.type for token in found].count("td_open") == 2
    assert [token.content for token in found if token.type == "text"][-1] == "x"
    if text:
        assert [token.content for token in found if token.type == "code_inline"] == [
            visible(text).replace("|", "\\u007c")
        ]


@given(ANYTHING)
def test_a_fence_holds_all_of_its_lines(text: str) -> None:
    found = tokens(f"{fence(text, 'diff')}after\n")
    assert [token.type for token in found] == ["fence", "paragraph_open", "text", "paragraph_close"]
    assert found[0].content == "".join(f"{visible(line)}\n" for line in text.split("\n"))


@given(ANYTHING)
def test_what_is_made_visible_has_one_line_and_can_be_encoded(text: str) -> None:
    shown = visible(text)
    shown.encode()
    assert shown.isprintable()
    assert visible(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a\\u202eb"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\x1b[0m", "\\u001b[0m"),
        ("\ud800", "\\ud800"),
        ("\u200b\ufeff\u3164\xa0", "\\u200b\\ufeff\\u3164\\u00a0"),
        ("\U000e0041", "\\U000e0041"),
        ("ümlaut → 日本", "ümlaut → 日本"),
    ],
)
def test_characters_that_do_not_show_are_written_as_escapes(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_hidden_value_is_told_in_words_that_no_value_can_imitate() -> None:
    assert show(["(sensitive)", Masked(b"1"), UNKNOWN, ABSENT]) == (
        '["(sensitive)", (sensitive), (known after apply), (none)]'
    )
    assert show(Document({"a": [True, None, 1.5]})) == '{"a": [true, null, 1.5]}'


def test_a_masked_change_shows_that_it_changed() -> None:
    assert pair(Masked(b"1"), Masked(b"2"), 50) == ("(sensitive)", "(sensitive, changed)")
    assert pair({"a": Masked(b"1")}, {"a": Masked(b"2")}, 50) == (
        '{"a": (sensitive)}',
        '{"a": (sensitive, changed)}',
    )


def test_a_masked_change_beside_another_one_shows_as_well() -> None:
    before: Tree = {"a": 1, "b": Masked(b"1"), "c": [Masked(b"1")], "d": Masked(b"1")}
    after: Tree = {"a": 2, "b": Masked(b"2"), "c": [Masked(b"2")], "d": Masked(b"1"), "e": Masked(b"3")}
    assert pair(before, after, 200)[1] == (
        '{"a": 2, "b": (sensitive, changed), "c": [(sensitive, changed)], "d": (sensitive), "e": (sensitive)}'
    )


def test_long_lines_of_a_text_are_cut_around_what_differs() -> None:
    before, after = (f"same\n{'x' * 9_000}{word}\nend" for word in ("old", "new"))
    lines = text_difference(before, after)
    assert lines is not None
    assert max(map(len, lines)) < 500
    assert [line[-3:] for line in lines if line[0] in "-+"] == ["old", "new"]


def test_long_values_are_clipped_around_the_first_difference() -> None:
    before, after = pair("x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500, 60)
    assert before == f"[481 characters]… {'x' * 20}old{'y' * 37} …[464 characters]"
    assert after == f"[481 characters]… {'x' * 20}new{'y' * 37} …[464 characters]"


@given(st.text("ab"), st.integers(0, 40), st.integers(1, 20))
def test_clipping_counts_what_it_leaves_out(text: str, around: int, limit: int) -> None:
    clipped = clip(text, around, limit)
    numbers = [int(word.strip("[…")) for word in clipped.split() if word.strip("[…").isdigit()]
    kept = "".join(part for part in clipped.split(" ") if part and set(part) <= {"a", "b"})
    assert sum(numbers) + len(kept) == len(text)
    assert len(kept) <= limit
    if around < len(text):
        assert numbers or kept == text


def test_texts_of_several_lines_are_compared_line_by_line() -> None:
    before = "".join(f"line {number}\n" for number in range(10))
    assert text_difference(before, before.replace("line 5", "changed")) == [
        "    … 3 equal lines …",
        "    line 3",
        "    line 4",
        "-   line 5",
        "+   changed",
        "    line 6",
        "    line 7",
        "    … 3 equal lines …",
    ]
    assert text_difference("one", "two\nlines") is None
    assert text_difference("a\n" * 10_000, "b\n" * 10_000) is None


def test_a_large_value_takes_several_lines() -> None:
    assert pretty({"a": ["x" * 20, "y" * 20], "b": Document([])}, 30) == [
        "{",
        '  "a": [',
        '    "xxxxxxxxxxxxxxxxxxxx"',
        '    "yyyyyyyyyyyyyyyyyyyy"',
        "  ]",
        '  "b": []',
        "}",
    ]


def test_equal_values_are_not_called_changed() -> None:
    assert pair({"a": 1}, {"a": 1}, 50) == ('{"a": 1}', '{"a": 1}')
    assert pair(Masked(b"1"), Masked(b"1"), 50) == ("(sensitive)", "(sensitive)")
    same: Tree = {"a": Masked(b"1"), "b": [Document({"c": 1})]}
    assert pair(same, {"a": Masked(b"1"), "b": [{"c": 1}]}, 50)[1] == '{"a": (sensitive), "b": [{"c": 1}]}'


def test_a_long_image_keeps_its_repository_and_the_start_of_its_digest() -> None:
    image = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:"
    before, after = pair(image + "a" * 64, image + "b" * 64, 100)
    assert before == f'"{image}{"a" * 12}…"'
    assert after == f'"{image}{"b" * 12}…"'
    assert show(image + "a" * 64, 100) == before
    assert show(image + "a" * 64, 160) == f'"{image}{"a" * 64}"'


def test_digests_that_begin_alike_are_told_apart() -> None:
    image = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:" + "a" * 12
    before, after = pair(image + "b" * 52, image + "c" * 52, 100)
    assert before.endswith('b"')
    assert after.endswith('c"')


def test_no_line_of_a_block_starts_a_quick_action_of_gitlab() -> None:
    assert fence("/merge\n/label ~x\na /b") == "```\n /merge\n /label ~x\na /b\n```\n"


def test_an_amount_is_neither_a_snippet_nor_the_end_of_a_formula() -> None:
    shown = dollars("from $7.30 to $9")
    assert shown == r"from \$7.30 to \$9"
    assert "".join(token.content for token in tokens(shown)) == "from $7.30 to $9"
