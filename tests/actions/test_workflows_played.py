"""The player of workflows: what GitHub would skip, stop or hand on, it does too."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.actions.expressions import filled, holds
from tests.actions.workflows import Event, Runner
from tests.ops.github_tokens import serving_tokens

EVENT = Event("push", "repo:example/oaktree:ref:refs/heads/main", "a" * 40)
HEAD = "    runs-on: ubuntu-latest\n    permissions: {contents: read}\n"


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    (tmp_path / "scratch").mkdir()
    (tmp_path / ".github/workflows").mkdir(parents=True)
    with serving_tokens() as tokens:
        yield Runner(tmp_path, tmp_path / "scratch", "example/oaktree", tokens, "token", {}, {"ON": "yes"})


def workflow(runner: Runner, jobs: str, name: str = "flow.yml") -> None:
    (runner.checkout / ".github/workflows" / name).write_text(f"name: flow\non: push\njobs:\n{jobs}")


def test_a_failed_step_ends_its_job_and_what_needs_it(runner: Runner) -> None:
    workflow(
        runner,
        f"  one:\n{HEAD}    steps:\n"
        "      - run: echo first; false; echo never\n"
        "      - run: echo skipped\n"
        "      - run: echo cleaned up\n        if: always()\n"
        "      - run: echo told\n        if: failure()\n"
        f"  two:\n    needs: one\n{HEAD}    steps: [{{run: echo two}}]\n"
        f"  three:\n    needs: two\n    if: always()\n{HEAD}    steps: [{{run: echo three}}]\n",
    )
    played = runner.play("flow.yml", EVENT)
    assert {name: job.result for name, job in played.items()} == {
        "one": "failure",
        "two": "skipped",
        "three": "success",
    }
    printed = [line for line in played["one"].said.splitlines() if not line.startswith("$ ")]
    assert printed == ["first", "cleaned up", "told"]


def test_outputs_and_artifacts_go_from_job_to_job_and_into_what_is_called(runner: Runner) -> None:
    workflow(
        runner,
        f"  make:\n{HEAD}    outputs:\n      word: ${{{{ steps.say.outputs.word }}}}\n    steps:\n"
        "      - id: say\n        run: echo word=oak >> $GITHUB_OUTPUT; echo acorn > made\n"
        "      - uses: actions/upload-artifact@0\n        with: {name: made, path: made}\n"
        "  call:\n    needs: make\n    uses: ./.github/workflows/called.yml\n"
        "    with: {word: '${{ needs.make.outputs.word }}'}\n",
    )
    workflow(
        runner,
        f"  use:\n{HEAD}    env: {{WORD: '${{{{ inputs.word }}}}'}}\n    steps:\n"
        "      - uses: actions/download-artifact@0\n        with: {name: made, path: got}\n"
        '      - run: echo "$WORD tree, $(cat got/made)"\n',
        "called.yml",
    )
    played = runner.play("flow.yml", EVENT)
    assert "oak tree, acorn\n" in played["call/use"].said
    assert played["call"].result == "success"


def test_a_job_has_a_token_only_if_it_may_and_one_that_names_its_environment(runner: Runner) -> None:
    steps = "    steps: [{run: 'echo ${ACTIONS_ID_TOKEN_REQUEST_URL:-none}'}]\n"
    workflow(
        runner,
        f"  plain:\n{HEAD}{steps}"
        f"  main:\n    runs-on: x\n    permissions: {{id-token: write}}\n{steps}"
        f"  prod:\n    runs-on: x\n    environment: prod\n    permissions: {{id-token: write}}\n{steps}",
    )
    played = runner.play("flow.yml", EVENT)
    assert played["plain"].said.endswith("none\n")
    assert "http://127.0.0.1" in played["prod"].said
    assert runner.subjects == [EVENT.subject, "repo:example/oaktree:environment:prod"]
    assert runner.asked_for == ["prod"]


def test_an_action_that_nobody_plays_is_an_error(runner: Runner) -> None:
    workflow(runner, f"  one:\n{HEAD}    steps: [{{uses: somebody/something@0}}]\n")
    with pytest.raises(AssertionError, match="nobody plays somebody/something@0"):
        runner.play("flow.yml", EVENT)


CONTEXTS = {
    "vars": {"ON": "yes"},
    "job": {"status": "success"},
    "inputs": {"stack": "network", "list": ["a"]},
}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("vars.ON == 'yes'", True),
        ("vars.on == 'YES'", True),
        ("vars.OFF == 'yes'", False),
        ("vars.OFF", False),
        ("failure()", False),
        ("${{ always() && inputs.stack != 'foundation' }}", True),
        ("inputs.stack == 'foundation' || contains(inputs.list, 'a')", True),
    ],
)
def test_conditions_are_those_of_github(condition: str, expected: bool) -> None:
    assert holds(condition, CONTEXTS) is expected


def test_after_a_failure_only_a_condition_that_asks_for_it_holds() -> None:
    failed = {**CONTEXTS, "job": {"status": "failure"}}
    assert not holds("vars.ON == 'yes'", failed)
    assert holds("failure() && vars.ON == 'yes'", failed)


def test_texts_are_filled_as_github_fills_them() -> None:
    values = {
        "ROLE": "${{ inputs.stack == 'foundation' && vars.ROLE || 'deploy' }}",
        "TWO": "${{ inputs.stack }}-${{ vars.ON }}",
        "FLAG": False,
        "NUMBER": 5,
        "NOTHING": "${{ vars.OFF }}",
    }
    assert filled(values, CONTEXTS) == {
        "ROLE": "deploy",
        "TWO": "network-yes",
        "FLAG": "false",
        "NUMBER": "5",
        "NOTHING": "",
    }
