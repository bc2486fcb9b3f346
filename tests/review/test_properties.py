"""What holds for every plan, all the way from Terraform's JSON to comment, summary and verdict."""

import contextlib
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from review.marker import parse
from review.reading.secret_detection import redact
from review.reading.stacks import read_stacks
from review.rendering.comment import COMMENT_BUDGET, SUMMARY_BUDGET, render
from review.rendering.head import COLUMNS
from review.rendering.markdown import short, visible
from review.rendering.verdict_file import verdict_json
from review.rendering.wording import SYMBOLS
from review.table import default_table
from review.verdicts import Review, review_of
from tests.review import command
from tests.review.plan_documents import (
    FILE_NAMES,
    MARK,
    Made,
    encoded,
    errors,
    examples,
    many,
    plans,
    reordered,
)
from tests.review.rendering import MARKER, assert_well_formed, free_text, tokens

EVERYTHING = 100_000_000
"""A budget that leaves nothing out."""

NEW_REVISIONS = tuple(name for name in default_table().types if default_table().is_revision(name))
"""Of the types that are generated, those of which a replacement only makes a new version."""


thorough, quick = examples(40), examples(20)


@dataclass(frozen=True)
class Outcome:
    """What the command wrote, and with which status it ended."""

    status: int
    comment: str
    summary: str
    verdict: str
    said: str

    @property
    def everything(self) -> str:
        return f"{self.comment}\n{self.summary}\n{self.verdict}\n{self.said}"

    @property
    def stacks(self) -> dict[str, dict[str, Any]]:
        return {each["name"]: each for each in json.loads(self.verdict)["stacks"]}


@contextlib.contextmanager
def folder_with(files: Mapping[str, bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="review-") as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content)
        yield folder


def run(files: Mapping[str, bytes], *options: str) -> Outcome:
    """`python -m review` over these files, within this process."""
    with folder_with(files) as folder:
        written = [folder / name for name in ("comment", "summary", "verdict")]
        targets = zip(("--comment", "--summary", "--json"), written, strict=True)
        arguments = [*(folder / name for name in files), *(each for pair in targets for each in pair)]
        done = command.run(*arguments, "--commit", "", "--run-url", "", *options)
        comment, summary, verdict = (path.read_text("utf-8") for path in written)
        return Outcome(done.returncode, comment, summary, verdict, done.stdout + done.stderr)


def reviewed(*documents: Made | bytes) -> Review:
    """The review of these plans, by the functions beneath the command."""
    files = {
        f"{name}.json": each if isinstance(each, bytes) else encoded(each)
        for name, each in zip(FILE_NAMES, documents, strict=False)
    }
    with folder_with(files) as folder:
        return review_of(read_stacks([folder]), MARKER)


def counted(made: Made) -> dict[str, int]:
    """How many changes of each kind the JSON has, as the verdict names them."""
    kinds = {
        "delete+create": "replace",
        "create+delete": "replace",
        "create+forget": "replace",
        "levitate": "unrecognised",
    }
    counts = dict.fromkeys(COLUMNS, 0)
    for item in made.document["resource_changes"]:
        actions = "+".join(item["change"]["actions"])
        kind = kinds.get(actions, actions)
        if kind == "replace" and item["type"] in NEW_REVISIONS:
            kind = "revisions"
        if kind != "no-op":
            counts[kind] += 1
        counts["imports"] += "importing" in item["change"]
        counts["moves"] += item.get("previous_address", item["address"]) != item["address"]
    outputs = made.document.get("output_changes", {}).values()
    counts["outputs"] = sum(each["actions"] != ["no-op"] for each in outputs)
    for check in made.document.get("checks", []):
        failed = sum(each["status"] in ("fail", "error") for each in check["instances"])
        counts["failed_checks"] += failed or check["status"] in ("fail", "error")
    counts["deferred"] = len(made.document.get("deferred_changes", []))
    counts["actions"] = sum(
        len(made.document.get(key, [])) for key in ("action_invocations", "deferred_action_invocations")
    )
    counts["drift"] = len(made.relevant_drift)
    return counts


def judged(made: Made, flags: int) -> str:
    """The verdict by the words of the documentation."""
    document, counts = made.document, counted(made)
    changes = document["resource_changes"]
    if document.get("errored"):
        return "ERRORED"
    if (
        not document.get("complete", True)
        or counts["deferred"]
        or document.get("deferred_action_invocations")
    ):
        return "INCOMPLETE"
    acting = [(item["change"]["actions"], item) for item in changes]
    if any("delete" in actions and item["type"] not in NEW_REVISIONS for actions, item in acting):
        return "DESTRUCTIVE"
    odd = [
        item
        for item in changes
        if "importing" in item["change"] or item.get("previous_address", item["address"]) != item["address"]
    ]
    outputs = document.get("output_changes", {}).values()
    needs_a_look = (
        flags > 0,
        any(item["change"]["actions"] != ["no-op"] for item in odd),
        any("forget" in actions or actions == ["delete"] for actions, _ in acting),
        any(each["actions"] == ["delete"] for each in outputs),
        any(counts[key] for key in ("unrecognised", "failed_checks", "drift", "actions")),
    )
    if any(needs_a_look):
        return "REVIEW"
    return "SAFE" if any(counts.values()) else "NO_CHANGES"


def table_of(comment: str) -> list[dict[str, str]]:
    """The rows of the first table, by column."""
    rows: list[list[str]] = []
    for token in tokens(comment):
        if token.type == "tr_open":
            rows.append([])
        elif token.type in ("th_open", "td_open"):
            rows[-1].append("")
        elif token.type == "table_close":
            break
        elif rows and token.type in ("text", "code_inline"):
            rows[-1][-1] += token.content
    columns, *others = rows
    return [dict(zip(columns, row, strict=True)) for row in others]


def assert_sound(markdown: str) -> None:
    """Nothing of a plan is outside of code, and all that was opened is closed."""
    assert_well_formed(markdown)
    assert MARK not in free_text(markdown)
    lines = markdown.split("\n")
    for token in tokens(markdown):
        if token.type == "fence":
            assert token.map is not None
            assert lines[token.map[1] - 1] == token.markup
    # Were something still open, the last line would be part of it.
    *_, before, last, after = tokens(f"{markdown}\n\nthe end")
    assert (before.type, last.content, after.type) == ("paragraph_open", "the end", "paragraph_close")


def assert_silent(text: str, secrets: Sequence[str]) -> None:
    """No secret is in the text, in upper or in lower case."""
    lower = text.lower()
    assert [secret for secret in secrets if secret.lower() in lower] == []


@given(plans(), st.sampled_from(FILE_NAMES))
@thorough
def test_the_counts_and_the_verdict_are_those_of_the_json(made: Made, name: str) -> None:
    outcome = run({f"{name}.json": encoded(made)})
    [stack] = outcome.stacks.values()
    expected = counted(made)
    assert {key: stack["counts"][key] for key in expected} == expected
    assert stack["counts"]["flags"] == len(stack["flags"])
    assert stack["verdict"] == judged(made, len(stack["flags"]))
    [row] = table_of(outcome.comment)
    shown = {COLUMNS[key]: f"{count:,}" for key, count in expected.items() if count}
    assert {column: row[column] for column in row if column in COLUMNS.values()} == shown
    assert row["verdict"].endswith(stack["verdict"].replace("_", " "))


@given(st.lists(plans(most=2), min_size=2, max_size=4))
@quick
def test_the_table_has_a_row_for_each_stack_and_no_column_of_zeros(documents: list[Made]) -> None:
    names = [name for name in FILE_NAMES if "\udcff" not in name][: len(documents)]
    outcome = run(
        {f"{name}.json": encoded(made) for name, made in zip(names, documents, strict=True)},
        "--expect",
        "qa-service",
    )
    # Of other types than task definitions, what loses nothing has another word.
    comment = outcome.comment.replace("| replace without loss |", "| new revision |")
    rows = {row["stack"].replace("\\u007c", "|"): row for row in table_of(comment)}
    assert rows.keys() == {*names, "qa-service"}
    total: dict[str, int] = {}
    for name, made in zip(names, documents, strict=True):
        for key, count in counted(made).items():
            total[key] = total.get(key, 0) + count
            assert rows[name].get(COLUMNS[key], "·") == (f"{count:,}" if count else "·")
    [first, *_] = rows.values()
    assert first.keys() & set(COLUMNS.values()) == {COLUMNS[key] for key, count in total.items() if count}
    assert json.loads(outcome.verdict)["verdict"] == max(
        (each["verdict"] for each in outcome.stacks.values()),
        key=[
            "NO_CHANGES",
            "SAFE",
            "UNJUDGED",
            "REVIEW",
            "WAITS",
            "DESTRUCTIVE",
            "INCOMPLETE",
            "ERRORED",
        ].index,
    )


@given(plans(), errors(), st.sampled_from(FILE_NAMES))
@thorough
def test_nothing_sensitive_is_in_any_output(
    made: Made, error: tuple[str, tuple[str, ...]], name: str
) -> None:
    said, secrets = error
    files = {"dev-service.json": encoded(made), f"qa-{name}.error": said.encode()}
    assert_silent(run(files).everything, [*made.secrets, *secrets])
    assert_silent(render(reviewed(made), EVERYTHING), made.secrets)


@given(plans(), errors(), st.sampled_from(FILE_NAMES))
@thorough
def test_nothing_of_a_plan_gets_out_of_code(
    made: Made, error: tuple[str, tuple[str, ...]], name: str
) -> None:
    outcome = run({f"{name}.json": encoded(made), f"qa-{name}.error": error[0].encode()})
    assert_sound(outcome.comment)
    assert_sound(outcome.summary)
    assert outcome.status == 0
    assert outcome.said == ""


@given(plans(), st.integers(1, 25), st.lists(st.integers(0, 30_000), min_size=1, max_size=3))
@examples(25)
def test_the_size_is_within_the_budget(made: Made, times: int, budgets: list[int]) -> None:
    review = reviewed(many(made, times), made)
    symbol = SYMBOLS[review.verdict]
    verdict = f"## {symbol} {review.verdict.words}"
    sizes = []
    for budget in sorted([*budgets, 200, 1_000, 5_000, COMMENT_BUDGET, SUMMARY_BUDGET]):
        text = render(review, budget)
        sizes.append(len(text.encode()))
        assert sizes[-1] <= budget
        if budget > len(f"{MARKER.line()}\n{verdict}".encode()):
            first, second, *_ = text.splitlines()
            assert parse(first) == MARKER
            assert second.startswith(verdict)
            assert_sound(text)
    complete = render(review, EVERYTHING)
    for budget in (len(complete.encode()), len(complete.encode()) - 1):
        assert len(render(review, budget).encode()) <= budget
    assert render(review, len(complete.encode())) == complete


@given(plans(secret_addresses=False), plans(secret_addresses=False), st.randoms(use_true_random=False))
@thorough
def test_the_order_within_a_plan_changes_nothing_but_its_sha256(made: Made, other: Made, random: Any) -> None:
    document = reordered(made.document)
    for key in document:
        if isinstance(document[key], list):
            random.shuffle(document[key])
    one, two = reviewed(made, other), reviewed(Made(document, made.secrets, made.relevant_drift), other)
    for budget in (2_000, COMMENT_BUDGET):
        assert _without_hash(render(one, budget), one) == _without_hash(render(two, budget), two)
    assert _without_hash(verdict_json(one), one) == _without_hash(verdict_json(two), two)


def _without_hash(text: str, review: Review) -> str:
    for each in review.stacks:
        if each.stack.plan:
            text = text.replace(each.stack.plan.sha256, "").replace(each.stack.plan.sha256[:12], "")
    return text


@pytest.mark.e2e
@given(plans(), errors(), st.integers(1, 4_000_000))
@examples(2)
def test_another_process_writes_the_same_bytes(
    made: Made, error: tuple[str, tuple[str, ...]], seed: int
) -> None:
    files = {"dev-service.json": encoded(made), "prod-service.error": error[0].encode()}
    with folder_with(files) as folder:
        arguments = (folder, "--commit", "", "--run-url", "")
        outputs = [command.start(*arguments, PYTHONHASHSEED=each) for each in (str(seed), "0")]
    assert outputs[0].stdout == outputs[1].stdout == run(files).comment
    assert [(each.returncode, each.stderr) for each in outputs] == [(0, ""), (0, "")]


@given(plans(), st.integers(1, 4))
@thorough
def test_every_change_is_shown_when_nothing_is_left_out(plan: Made, times: int) -> None:
    made = many(plan, times)
    text = render(reviewed(made), EVERYTHING)
    codes = {token.content for token in tokens(text) if token.type == "code_inline"}
    document = made.document
    changed = [
        item
        for item in document["resource_changes"]
        if item["change"]["actions"] != ["no-op"]
        or "importing" in item["change"]
        or item.get("previous_address", item["address"]) != item["address"]
    ]
    names = [
        item[key] for item in changed for key in ("address", "previous_address", "deposed") if key in item
    ]
    names += [each["resource_change"]["address"] for each in document.get("deferred_changes", [])]
    names += [
        name for name, each in document.get("output_changes", {}).items() if each["actions"] != ["no-op"]
    ]
    found = [redact(name) for name in [*names, *made.relevant_drift]]
    assert [name for name in found if codes.isdisjoint({visible(name), visible(short(name))})] == []
    assert "Left out" not in free_text(text)


@given(plans(most=1))
@thorough
def test_no_changes_is_said_of_empty_plans_only(made: Made) -> None:
    outcome = run({"dev-service.json": encoded(made)}, "--detailed-exitcode")
    [stack] = outcome.stacks.values()
    is_empty = not any(counted(made).values()) and judged(made, 0) == "NO_CHANGES"
    assert (stack["verdict"] == "NO_CHANGES") == is_empty
    assert (outcome.status == 0) == is_empty
    assert ("NO CHANGES" in free_text(outcome.comment)) == is_empty
    assert ("No changes" in free_text(outcome.comment)) == is_empty


def assert_rendered(outcome: Outcome) -> None:
    """Whatever the input was, there is a review, and the status tells whether all could be read."""
    assert_sound(outcome.comment)
    assert outcome.status == (2 if any(each["problem"] for each in outcome.stacks.values()) else 0)
    if outcome.status:
        assert json.loads(outcome.verdict)["verdict"] == "ERRORED"
    assert "Traceback" not in outcome.said


@given(st.binary(max_size=200))
@example(b"")
@example(b"{}")
@example(b"null")
@example(b"PK\x03\x04")
@example(b"\xff\xfe{\x00}\x00")
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b'{"format_version":"1.2","resource_changes":' + b"[" * 100_000)
@example(b'{"format_version":"1.2","resource_changes":[],"x":' + b"9" * 5_000 + b"}")
@thorough
def test_any_bytes_are_answered_with_a_review(raw: bytes) -> None:
    assert_rendered(run({"dev-service.json": raw}))


@given(st.data(), plans(most=2))
@thorough
def test_a_plan_with_damaged_bytes_is_answered_with_a_review(data: st.DataObject, made: Made) -> None:
    raw = encoded(made)
    start = data.draw(st.integers(0, len(raw)))
    end = data.draw(st.integers(start, min(len(raw), start + 50)))
    assert_rendered(run({"dev-service.json": raw[:start] + data.draw(st.binary(max_size=9)) + raw[end:]}))


@given(st.data(), plans(most=2), plans(most=2))
@quick
def test_of_a_plan_that_is_cut_off_nothing_is_shown_and_the_others_are_rendered(
    data: st.DataObject, made: Made, other: Made
) -> None:
    raw = encoded(made).strip()
    cut = raw[: data.draw(st.integers(0, len(raw) - 1))]
    outcome = run({"dev-service.json": cut, "prod-service.json": encoded(other)})
    assert_rendered(outcome)
    assert outcome.status == 2
    assert outcome.stacks["dev-service"]["verdict"] == "ERRORED"
    assert outcome.stacks["prod-service"]["sha256"]
    assert_silent(outcome.everything, [*made.secrets, *other.secrets])


STRUCTURE = re.compile(
    r"resource_changes|resource_drift|relevant_attributes|output_changes|deferred_changes|checks|.*_invocations?"
    r"|change|resource_change|address|previous_address|instances|problems|complete|errored|format_version"
)
"""The names of what a plan is built of, down to where values begin."""


def places(value: Any) -> Iterator[tuple[Any, Any]]:
    """What holds a part of the structure, and under which key."""
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        is_structure = isinstance(key, int) or STRUCTURE.fullmatch(key)
        if is_structure and isinstance(value[key], (dict, list)):
            yield from places(value[key])


@given(st.data(), plans(most=2))
@thorough
def test_a_plan_that_is_built_wrongly_is_answered_with_a_review(data: st.DataObject, made: Made) -> None:
    document = json.loads(encoded(made))
    found = [
        (holder, key)
        for holder, key in places(document)
        if key not in ("before_sensitive", "after_sensitive")
    ]
    holder, key = data.draw(st.sampled_from(found))
    holder[key] = data.draw(
        st.sampled_from([None, True, 0, 1.5, "", "x", [], [[]], [None], {}, {"a": {}}, {"id": 1}, ["create"]])
    )
    outcome = run({"dev-service.json": json.dumps(document).encode()})
    assert_rendered(outcome)
    assert_silent(outcome.everything, made.secrets)
