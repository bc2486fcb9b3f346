"""The command: what it prints and writes, and how it ends."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from review.marker import Marker, parse
from review.posting.pipeline import InputError, checked_url, pipeline_of
from review.rendering.comment import SUMMARY_BUDGET
from tests.places import ROOT
from tests.review.command import run, start
from tests.scan.plans import plan_of

PLANS = Path(__file__).parent / "plans"


def test_the_comment_is_printed_when_no_file_is_asked_for() -> None:
    arguments = (PLANS / "change-image", "--commit", "abc1234", "--run-url", "https://example.com/1")
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    first, second, *_ = done.stdout.splitlines()
    assert parse(first) == Marker("oaktree", "abc1234", 0)
    assert second.startswith("## ")
    assert "[run](https://example.com/1)" in done.stdout


def test_the_same_input_gives_the_same_bytes_in_any_process() -> None:
    here = run(PLANS / "create-all")
    for seed in ("1", "2"):
        done = start(PLANS / "create-all", PYTHONHASHSEED=seed)
        assert (done.returncode, done.stdout, done.stderr) == (0, here.stdout, "")


def test_a_process_ends_with_the_status_of_the_review() -> None:
    done = start(PLANS / "replace-table", "--detailed-exitcode")
    assert (done.returncode, done.stderr) == (3, "")


def test_files_are_written_and_nothing_is_printed(tmp_path: Path) -> None:
    comment, summary, verdict = tmp_path / "c.md", tmp_path / "s.md", tmp_path / "v.json"
    summary.write_text("before")
    done = run(PLANS / "replace-table", "--comment", comment, "--summary", summary, "--json", verdict)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert comment.read_text().startswith("<!-- oaktree-review ")
    assert summary.read_text() == f"before\n{comment.read_text()}"
    assert json.loads(verdict.read_text())["verdict"] == "DESTRUCTIVE"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.md", "s.md", "v.json"]


def test_a_summary_that_is_nearly_full_gets_what_fits(tmp_path: Path) -> None:
    summary = tmp_path / "s.md"
    summary.write_bytes(b"x" * (SUMMARY_BUDGET - 5_000))
    assert run(PLANS / "create-all", "--summary", summary).returncode == 0
    assert SUMMARY_BUDGET - 5_000 < summary.stat().st_size <= SUMMARY_BUDGET
    assert "Left out" in summary.read_text()


def test_a_full_summary_is_left_alone_and_told(tmp_path: Path) -> None:
    summary = tmp_path / "s.md"
    summary.write_bytes(b"x" * SUMMARY_BUDGET)
    done = run(PLANS / "create-all", "--summary", summary)
    assert done.returncode == 0
    assert "has no room for the review" in done.stderr
    assert summary.stat().st_size == SUMMARY_BUDGET


@pytest.mark.parametrize(
    ("story", "status"), [("no-changes", 0), ("change-image", 2), ("replace-table", 3), ("error", 1)]
)
def test_the_detailed_exit_status(story: str, status: int) -> None:
    assert run(PLANS / story, "--detailed-exitcode").returncode == status


def test_a_truncated_plan_is_told_and_the_others_are_rendered(tmp_path: Path) -> None:
    shutil.copy(PLANS / "change-image" / "dev-service.json", tmp_path / "dev-service.json")
    text = (PLANS / "change-image" / "dev-service.json").read_text()
    (tmp_path / "dev-network.json").write_text(text[: len(text) // 2])
    done = run(tmp_path)
    assert done.returncode == 2
    assert "ERRORED" in done.stdout
    assert "aws_ecs_task_definition.web_task" in done.stdout
    assert run(tmp_path, "--detailed-exitcode").returncode == 1


def test_an_expected_stack_without_a_plan_is_missing() -> None:
    done = run(PLANS / "no-changes", "--expect", "dev-service", "--expect", "prod-service")
    assert done.returncode == 0
    assert "## 🚧 INCOMPLETE" in done.stdout
    assert "`prod-service`" in done.stdout
    assert run(PLANS / "no-changes", "--expect", "prod-service", "--detailed-exitcode").returncode == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--expect"], "--expect"),
        (["--key", "a b", PLANS / "retag"], "--key 'a b': a key has letters"),
        (["--commit=-->", PLANS / "retag"], "--commit '-->': a commit has letters"),
        (["--run-url", "javascript:x", PLANS / "retag"], "give an address that starts with https://"),
        (["--detailed-exitcode"], "give at least one plan"),
        (["post", PLANS / "retag"], "--pull-request: give its number"),
        (["post", PLANS / "retag", "--pull-request", "1"], "--repository: give owner/name"),
        (["outdated"], "--pull-request: give its number"),
    ],
)
def test_bad_input_ends_with_status_two_and_words(arguments: list[str | Path], words: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stdout


@pytest.mark.parametrize(
    ("flavour", "least", "most"),
    [("github", 50_000, 60_000), ("azure-devops", 120_000, 150_000), ("gitlab", 200_000, 1_000_000)],
)
def test_a_comment_has_the_size_that_its_place_takes(
    tmp_path: Path, flavour: str, least: int, most: int
) -> None:
    resources = {"aws_sqs_queue": {f"q{index}": {"name": f"{index:0>99}"} for index in range(1_500)}}
    (tmp_path / "dev-data.json").write_text(json.dumps(plan_of({"resource": resources})))
    done = run(tmp_path / "dev-data.json", "--flavour", flavour)
    assert least < len(done.stdout.encode()) <= most
    assert ("Left out" in done.stdout) == (flavour != "gitlab")


def test_another_place_than_the_known_ones_is_refused() -> None:
    done = run(PLANS / "retag", "--flavour", "bitbucket")
    assert done.returncode == 2
    assert all(name in done.stderr for name in ("github", "gitlab", "azure-devops"))


def test_posting_without_a_token_is_refused_in_words() -> None:
    done = run("post", PLANS / "retag", "--pull-request", "1", "--repository", "o/r")
    assert done.returncode == 1
    assert "GITHUB_TOKEN is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_names_the_commands() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("render", "post", "outdated", "issue"))


def test_a_run_of_github_actions_is_taken_from_its_variables(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 5, "head": {"sha": "f" * 40}}}))
    done = run(
        PLANS / "no-changes",
        GITHUB_SERVER_URL="https://github.com",
        GITHUB_REPOSITORY="o/r",
        GITHUB_RUN_ID="77",
        GITHUB_SHA="e" * 40,
        GITHUB_EVENT_PATH=str(event),
    )
    assert parse(done.stdout) == Marker("oaktree", "f" * 40, 77)
    assert "[run](https://github.com/o/r/actions/runs/77)" in done.stdout


def test_without_an_event_the_commit_and_the_number_come_from_the_variables() -> None:
    found = pipeline_of({"GITHUB_SHA": "e" * 40, "GITHUB_REF": "refs/pull/12/merge", "GITHUB_RUN_ID": "x"})
    assert (found.commit, found.pull_request, found.run, found.run_url) == ("e" * 40, 12, 0, "")
    assert pipeline_of({}).pull_request is None


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://", "https://a b", "ftp://a", "x", "http://[", "https://a\n"]
)
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(InputError, match="--run-url"):
        checked_url(url)


def test_an_address_cannot_end_its_link() -> None:
    assert checked_url("https://a.example/)x<b>`\\") == "https://a.example/%29x%3Cb%3E%60%5C"
    assert (
        checked_url("https://github.com/o/r/actions/runs/1?x=1#y")
        == "https://github.com/o/r/actions/runs/1?x=1#y"
    )
    assert checked_url("") == ""


def test_a_review_loads_nothing_that_it_does_not_need() -> None:
    code = "import sys, review.cli; print([each for each in sys.argv[1:] if each in sys.modules])"
    unneeded = ("httpx", "jinja2", "pydantic", "rich", "typer", "xml.etree.ElementTree")
    done = subprocess.run(
        [sys.executable, "-c", code, *unneeded], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("option", ["--comment", "--json", "--summary"])
def test_a_file_that_cannot_be_written_is_told_by_its_name(tmp_path: Path, option: str) -> None:
    path = tmp_path / "missing" / "out"
    done = run(PLANS / "no-changes", option, path)
    assert (done.returncode, done.stderr) == (1, f"{path} cannot be written: No such file or directory\n")
