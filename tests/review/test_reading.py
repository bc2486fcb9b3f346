import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.model import Stack
from review.reading.documents import documents_in
from review.reading.secret_detection import REDACTED
from review.reading.stacks import environment_of, has_bad_input, read_stacks

PLAN: dict[str, Any] = {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}
TEXT = json.dumps(PLAN)
INDENTED = json.dumps(PLAN, indent=2)


def read(directory: Path, content: bytes | str, name: str = "dev-service.json") -> tuple[Stack, ...]:
    directory.joinpath(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return read_stacks([directory / name])


def problem(directory: Path, content: bytes | str) -> str:
    (stack,) = stacks = read(directory, content)
    assert stack.plan is None
    assert stack.problem
    assert stack.problem.startswith("dev-service.json ")
    assert "Traceback" not in stack.problem
    assert has_bad_input(stacks)
    return stack.problem


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_a_plan_is_read_with_the_hash_of_its_own_bytes(tmp_path: Path) -> None:
    (stack,) = stacks = read(tmp_path, f"  {TEXT}\n\n")
    assert stack.plan
    assert (stack.name, stack.environment, stack.problem, stack.notes) == ("dev-service", "dev", None, ())
    assert stack.plan.sha256 == sha256(TEXT)
    assert not has_bad_input(stacks)


@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("dev-service", "dev"),
        ("dev-service#2", "dev"),
        ("eu-prod-network", "eu-prod"),
        ("foundation", "foundation"),
        ("foundation-222222222222", "foundation-222222222222"),
        ("service", "service"),
        ("-service", "-service"),
        ("dev-services", "dev-services"),
    ],
)
def test_the_environment_is_what_stands_before_the_kind(name: str, environment: str) -> None:
    assert environment_of(name) == environment


def test_a_byte_order_mark_is_no_part_of_the_plan(tmp_path: Path) -> None:
    (stack,) = read(tmp_path, "\ufeff" + TEXT)
    assert stack.plan
    assert stack.plan.sha256 == sha256(TEXT)
    assert stack.notes == ()


@pytest.mark.parametrize("text", [TEXT, INDENTED])
@pytest.mark.parametrize(
    "noise",
    [
        "[command]/usr/bin/terraform show -json tfplan",
        "Warning: {x} is { deprecated }",
        '{"a": broken}',
        "2026-01-01T00:00:00Z",
        "[[[",
        '"',
    ],
)
def test_noise_around_a_plan_is_skipped_and_said_but_not_shown(tmp_path: Path, noise: str, text: str) -> None:
    (stack,) = stacks = read(tmp_path, f"{noise}\n{text}\n{noise}\n")
    assert stack.plan
    assert stack.plan.sha256 == sha256(text)
    size = len(noise.encode())
    assert stack.notes == (f"skipped {size} bytes before the plan", f"skipped {size} bytes after the plan")
    assert not has_bad_input(stacks)


def test_a_plan_may_follow_noise_on_the_same_line(tmp_path: Path) -> None:
    (stack,) = read(tmp_path, f"out: {TEXT}; done")
    assert stack.plan
    assert len(stack.notes) == 2


def test_several_documents_are_several_plans(tmp_path: Path) -> None:
    other = json.dumps(PLAN | {"errored": True})
    stacks = read(tmp_path, f"noise\n{TEXT}\n{other}{INDENTED}\nmore\n{TEXT[:-1]}\n")
    assert [stack.name for stack in stacks] == [
        "dev-service",
        "dev-service#2",
        "dev-service#3",
        "dev-service#4",
    ]
    assert {stack.environment for stack in stacks} == {"dev"}
    assert [bool(stack.plan) for stack in stacks] == [True, True, True, False]
    assert stacks[1].plan
    assert stacks[1].plan.errored
    assert stacks[1].plan.sha256 == sha256(other)
    assert stacks[3].problem
    assert "cut off" in stacks[3].problem
    assert has_bad_input(stacks)


def test_more_than_nine_documents_stay_in_order(tmp_path: Path) -> None:
    stacks = read(tmp_path, f"{TEXT}\n" * 12)
    assert [stack.name for stack in stacks][1:] == [f"dev-service#{number}" for number in range(2, 13)]


def test_a_broken_document_leaves_the_others_of_its_file(tmp_path: Path) -> None:
    stacks = read(tmp_path, f'{TEXT}\n{{"format_version": NaN}}\n{TEXT}\n')
    assert [bool(stack.plan) for stack in stacks] == [True, False, True]


@pytest.mark.parametrize("cut", range(1, len(TEXT), 3))
def test_a_truncated_plan_is_told_wherever_it_ends(tmp_path: Path, cut: int) -> None:
    words = problem(tmp_path, TEXT[:cut])
    assert "is cut off" in words or cut < 3


RICH: dict[str, Any] = PLAN | {
    "applyable": True,
    "resource_changes": [
        {
            "address": 'aws_a.x["{"]',
            "change": {
                "actions": ["create"],
                "after": {
                    "a": [1.5e-7, -20, True, False, None],
                    "b": '{"c": "\\n\u00e4\U0001f600"}',
                    "d": {},
                },
            },
        }
    ],
}


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("is_sorted", [False, True])
@pytest.mark.parametrize("after", ["", "\n", "\nProcess exited\n", "\n" + TEXT, "\n" + INDENTED])
@pytest.mark.parametrize("before", ["", "\n", "\n+ terraform show\n", "\nplan: "])
def test_a_second_plan_that_is_cut_off_is_an_error_wherever_it_ends(
    before: str, after: str, is_sorted: bool, indent: int | None
) -> None:
    whole = json.dumps(RICH, indent=indent, sort_keys=is_sorted)
    missed = []
    for cut in range(1, len(whole)):
        documents, _ = documents_in((TEXT + before + whole[:cut] + after).encode())
        if documents[0].content is None or all(each.content for each in documents):
            missed.append(whole[:cut][-30:])
    # Within a line, the first characters of what may be a plan are noise, as they may be of anything.
    assert [each for each in missed if not before.endswith(": ") or not after.strip()] == []


@pytest.mark.parametrize("log", ['{"@level":"info","@mess', '{"@level":"info",\n', "resource {\n  a = 1\n}"])
def test_a_log_that_is_cut_off_is_noise_beside_a_plan(tmp_path: Path, log: str) -> None:
    (stack,) = read(tmp_path, f"{TEXT}\n{log}")
    assert stack.plan
    assert stack.notes


def test_half_a_character_of_utf_16_is_not_called_utf_8(tmp_path: Path) -> None:
    (tmp_path / "dev-service.json").write_bytes(b"\xff\xfe" + TEXT.encode("utf-16-le")[:-1])
    (stack,) = read_stacks([tmp_path])
    assert "is not UTF-16 text" in (stack.problem or "")


def test_a_truncated_plan_is_told_and_the_other_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "prod-service.json").write_text(TEXT[:-9])
    (tmp_path / "dev-service.json").write_text(TEXT)
    first, second = read_stacks([tmp_path])
    assert first.plan
    assert second.problem == (
        "prod-service.json is cut off: the JSON that begins on line 1 has no end "
        f"(line 1, column {TEXT.index('resource_changes')})"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\t\n", "is empty"),
        (b"PK\x03\x04\x14\x00rest", "binary form; write the plan with `terraform plan -out=tfplan` and"),
        (b"\x1f\x8b\x08rest", "compressed with gzip"),
        (
            TEXT.replace("1.11.4", "ä").encode("latin-1"),
            "is not UTF-8 text: byte {} is wrong".format(TEXT.index("1.11.4") + 1),
        ),
        ("Error: no such file", "holds no JSON object"),
        ("[]", "is JSON, but not a Terraform plan"),
        ("42", "is JSON, but not a Terraform plan"),
        ("{}", "is JSON, but not a Terraform plan"),
        ('{"a": 1}', "is JSON, but not a Terraform plan"),
        ('{"a": 1,}', "is not JSON: "),
        ('{"version": 4, "serial": 1, "lineage": "x", "terraform_version": "1.11.4"}', "is a state file"),
        ('{"format_version": "1.0", "terraform_version": "1", "values": {}}', "is a state as"),
        ('{"format_version": "1.0"}', "without a plan file"),
        ('{"format_version": "1.0", "provider_schemas": {}}', "is the schemas of providers"),
        ('{"format_version": "1.0", "valid": true, "diagnostics": []}', "`terraform validate -json`"),
        ('{"plan_format_version": "1.2", "resource_changes": []}', "HCP Terraform's redacted form"),
        (
            '{"format_version": "1.2", "planned_values": {"root_module": {"resources": [{}]}}}',
            "has resources in planned_values, but no resource_changes",
        ),
        ('{"format_version": "2.0", "resource_changes": []}', "has format version 2.0, but only 0.x and 1.x"),
        ('{"format_version": 1, "resource_changes": []}', "has no format version such as 1.2"),
        (
            '{"format_version": "1.2", "resource_changes": "x"}',
            "is not built like a plan: resource_changes is",
        ),
        (
            '{"format_version": "1.2", "resource_changes": [Infinity]}',
            "is not JSON: Infinity is not a JSON number",
        ),
        ('{"format_version": "1.2", "resource_changes": [' + "1" * 5000 + "]}", "is not JSON: "),
        ('{"format_version": "1.2", "resource_changes": ' + "[" * 200_000, "is nested too deep"),
        ('{"a":' * 200_000, "is nested too deep"),
    ],
)
def test_what_is_no_plan_is_told_in_one_sentence_with_what_to_do(
    tmp_path: Path, content: bytes | str, words: str
) -> None:
    assert words in problem(tmp_path, content)


def test_the_log_of_a_plan_is_one_problem_and_noise_beside_a_plan(tmp_path: Path) -> None:
    log = '{"@level":"info","@message":"Terraform 1.11.4","type":"version"}\n' * 3
    assert "is the log of `terraform plan -json`" in problem(tmp_path, log)
    (stack,) = read(tmp_path, log + TEXT)
    assert stack.plan
    assert stack.notes == (f"skipped {len(log) - 1} bytes before the plan",)


def test_other_json_is_one_problem_and_noise_beside_a_plan(tmp_path: Path) -> None:
    lines = '{"time": 1, "msg": "planning"}\n' * 3
    assert "is JSON, but not a Terraform plan" in problem(tmp_path, lines)
    (stack,) = read(tmp_path, lines + TEXT)
    assert stack.plan
    assert stack.notes == (f"skipped {len(lines) - 1} bytes before the plan",)


@pytest.mark.parametrize(
    "after",
    [
        '{"a":1,"a":2}',
        '{"a":1,"a":1}',
        '{"a" :1, "b":"\\"a\\":", "a":2}',
        '{"b":[{"a":{"a":1},"a":2}]}',
    ],
)
def test_a_key_that_stands_twice_in_an_object_is_refused_by_its_name(tmp_path: Path, after: str) -> None:
    change = '{"address":"aws_a.x","change":{"actions":["create"],"after":' + after + "}}"
    text = '{"format_version":"1.2","resource_changes":[' + change + "]}"
    assert "has the key 'a' twice in one object" in problem(tmp_path, text)
    first, second = read(tmp_path, f'{{"log":1,"log":2}}\n{text}\n{TEXT}\n')
    assert first.problem
    assert second.plan


def test_resource_changes_that_stand_twice_are_refused(tmp_path: Path) -> None:
    entry = '{"address":"a.b","change":{"actions":["delete"],"before":{},"after":null}}'
    text = '{"format_version":"1.2","resource_changes":[' + entry + '],"resource_changes":[]}'
    assert "'resource_changes' twice" in problem(tmp_path, text)


def test_a_secret_in_a_key_that_stands_twice_is_not_shown(tmp_path: Path) -> None:
    key = '"AKIA' + "Q" * 16 + '"'
    assert "AKIAQ" not in problem(tmp_path, f'{{"format_version":"1.2",{key}:1,{key}:2}}')


def test_lone_surrogates_are_read(tmp_path: Path) -> None:
    change = r'{"address":"aws_a.x[\"\ud800\"]","change":{"actions":["create"],"after":{"a":"\udfff"}}}'
    (stack,) = read(tmp_path, '{"format_version":"1.2","resource_changes":[' + change + "]}")
    assert stack.plan
    assert stack.plan.changes[0].after == {"a": "\udfff"}


def test_values_nested_deep_do_no_harm(tmp_path: Path) -> None:
    for depth in (50, 200, 450, 700, 950):
        value = "[" * depth + "]" * depth
        change = '{"address":"a.b","change":{"actions":["create"],"after":{"v":' + value + "}}}"
        (stack,) = read(tmp_path, '{"format_version":"1.2","resource_changes":[' + change + "]}")
        assert stack.plan or "nested too deep" in str(stack.problem)


def test_what_terraform_said_is_kept_without_secrets_and_colours(tmp_path: Path) -> None:
    (tmp_path / "dev-service.error").write_bytes(b"\x1b[31mError:\x1b[0m password=hunter2 \xff\n")
    (stack,) = stacks = read_stacks([tmp_path])
    assert stack == Stack(
        "dev-service", "dev", None, "planning failed", f"Error: password={REDACTED} \N{REPLACEMENT CHARACTER}"
    )
    assert not has_bad_input(stacks)


def test_an_errored_plan_comes_with_what_terraform_said(tmp_path: Path) -> None:
    (tmp_path / "dev-service.error").write_text("Error: no")
    (stack,) = read(tmp_path, json.dumps(PLAN | {"errored": True}))
    assert stack.plan
    assert (stack.errors, stack.problem) == ("Error: no", None)
    assert read_stacks([tmp_path / "dev-service.error"]) == read_stacks([tmp_path]) == (stack,)
    assert read_stacks([tmp_path, tmp_path / "dev-service.error", tmp_path / "dev-service.json"]) == (stack,)


def test_an_empty_plan_beside_errors_is_a_failed_plan_and_no_bad_input(tmp_path: Path) -> None:
    (tmp_path / "dev-service.error").write_text("Error: no")
    (stack,) = stacks = read(tmp_path, "\n")
    assert (stack.plan, stack.problem, stack.errors) == (None, "planning failed", "Error: no")
    assert not has_bad_input(stacks)
    assert has_bad_input(read(tmp_path, "{"))


def test_an_empty_error_beside_a_plan_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "dev-service.error").write_text(" \n")
    (stack,) = read(tmp_path, TEXT)
    assert stack.plan
    assert stack.errors == ""
    (tmp_path / "dev-service.json").unlink()
    (stack,) = read_stacks([tmp_path])
    assert stack.problem == "planning failed"


def test_expected_stacks_without_anything_are_missing(tmp_path: Path) -> None:
    (tmp_path / "dev-service.json").write_text(TEXT)
    stacks = read_stacks([tmp_path], ["dev-service", "prod-network", "foundation", "prod-network"])
    assert [(stack.name, stack.environment, stack.missing) for stack in stacks] == [
        ("dev-service", "dev", False),
        ("foundation", "foundation", True),
        ("prod-network", "prod", True),
    ]
    assert all(stack.problem for stack in stacks if stack.missing)
    assert not has_bad_input(stacks)


def test_files_that_are_not_there_or_cannot_be_read_are_bad_input(tmp_path: Path) -> None:
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    (tmp_path / "empty").mkdir()
    (tmp_path / "folder.json").mkdir()
    paths = [tmp_path / "none.json", tmp_path / "loop.json", tmp_path / "empty", tmp_path / "folder.json"]
    stacks = read_stacks([*paths, tmp_path / "none.error"])
    assert [stack.name for stack in stacks] == ["empty", "folder", "loop", "none"]
    words = [str(stack.problem) for stack in stacks]
    for expected, said in zip(
        ["holds neither", "holds neither", "cannot be read", "does not exist"], words, strict=True
    ):
        assert expected in said
    assert has_bad_input(stacks)


def test_two_files_of_one_name_are_two_stacks(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dev-service.json").write_text(TEXT)
    stacks = read_stacks([tmp_path / "a", tmp_path / "b"])
    assert [stack.name for stack in stacks] == ["dev-service", "dev-service#2"]
    assert all(stack.plan for stack in stacks)


def test_stacks_are_sorted_whatever_the_order_of_the_files(tmp_path: Path) -> None:
    names = ["prod-service", "dev-service", "foundation", "dev-network"]
    for name in names:
        (tmp_path / f"{name}.json").write_text(TEXT)
    expected = ["dev-network", "dev-service", "foundation", "prod-service"]
    assert [stack.name for stack in read_stacks([tmp_path])] == expected
    files = [tmp_path / f"{name}.json" for name in names]
    assert [stack.name for stack in read_stacks(files)] == expected


HOSTILE = [
    "{" * 1_000_000,
    '{"' * 500_000,
    '{"a":1,' * 150_000,
    '{"a":1}x' * 100_000,
    "{   " * 250_000,
    "\n{" * 500_000,
    '{"format_version":"' + "{" * 1_000_000,
    ('{"format_version":"1.2","a":[' + "1," * 50) * 5_000,
    "noise { not } json\n" * 50_000,
    "\\" * 1_000_000 + TEXT,
    '{"a":"' + '\\"' * 500_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_large_noise_is_read_in_linear_time(text: str) -> None:
    # With anything quadratic one of these takes minutes, and the run is stopped.
    documents, _ = documents_in(text.encode())
    assert documents


@given(
    st.lists(
        st.sampled_from([TEXT, INDENTED, TEXT[:40], '{"a":1}', "{", "}", '"', "noise", "\n", "[", "\u00e4"]),
        max_size=8,
    )
)
def test_whole_plans_are_found_in_any_mixture_of_lines(pieces: list[str]) -> None:
    documents, _ = documents_in("\n".join(pieces).encode())
    assert documents
    for document in documents:
        assert (document.content is None) == bool(document.problem)
    whole = [
        document.sha256 for document in documents if document.content and "format_version" in document.content
    ]
    # Only what begins within a string or an object that does not end can swallow a plan.
    if not any(piece.startswith(("{", '"')) and piece not in (TEXT, INDENTED, '{"a":1}') for piece in pieces):
        assert whole == [sha256(piece) for piece in pieces if piece in (TEXT, INDENTED)]


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,1 a\n', max_size=40).map(str.encode))
def test_any_bytes_are_documents_or_a_problem(raw: bytes) -> None:
    documents, _ = documents_in(raw)
    assert documents
    assert all((document.content is None) == bool(document.problem) for document in documents)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-16-le", "utf-8-sig"])
def test_a_plan_of_windows_powershell_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "dev-service.json").write_bytes(TEXT.encode(encoding))
    (stack,) = read_stacks([tmp_path])
    assert stack.plan is not None


@pytest.mark.parametrize(
    "workspace",
    ["/home/runner/work/shop/shop/", "/__w/shop/shop/", "/builds/team/shop/", "/home/vsts/work/1/s/"],
)
def test_no_path_of_the_runner_is_shown(tmp_path: Path, workspace: str) -> None:
    (tmp_path / "dev-data.error").write_text(f"Error: Unreadable module directory\n\n{workspace}modules/a")
    (tmp_path / "dev-service.json").mkdir()
    stacks = read_stacks([tmp_path, tmp_path / "missing.json", tmp_path / "dev-service.json"])
    said = {stack.name: f"{stack.problem} {stack.errors}" for stack in stacks}
    assert said["dev-data"].endswith("directory\n\nmodules/a")
    assert said["missing"].strip() == "missing.json does not exist"
    assert str(tmp_path) not in "".join(said.values())
