"""`exec`, with an ECS of the embedded AWS and stand-ins for the AWS CLI and its plugin that write down
what they were called with. Where the embedded ECS knows nothing of ECS Exec, a proxy adds it."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.local.embedded import Embedded
from stacks.reading import read_platform
from tests.ops.amending import Amended, amending
from tests.ops.conftest import ACCOUNT, ENVIRONMENT, REGION, Desk
from tests.ops.deployed_service import CLUSTER, REPOSITORY, SERVICE, Account

TOOL = f"""#!{sys.executable}
import json, os, sys
print(json.dumps([sys.argv[1:], os.environ.get("AWS_ENDPOINT_URL")]))
sys.exit(7)
"""


@pytest.fixture(scope="module")
def account(embedded: Embedded, desk: Desk) -> Account:
    return Account(embedded, read_platform(desk.checkout.environments))


@pytest.fixture(scope="module")
def definition(account: Account) -> str:
    made = account.define(f"{REPOSITORY}@sha256:{'a' * 64}", "abcdef0")
    account.serve(made)
    return made


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A directory with both programs."""
    for name in ("aws", "session-manager-plugin"):
        (tmp_path / name).write_text(TOOL)
        (tmp_path / name).chmod(0o755)
    return tmp_path


@pytest.fixture
def amended(embedded: Embedded) -> Iterator[Amended]:
    with amending(embedded.endpoint) as amended:
        amended.amendments["DescribeServices"] = enabled("services")
        amended.amendments["DescribeTasks"] = enabled("tasks")
        yield amended


@pytest.fixture
def here(embedded: Embedded, desk: Desk, amended: Amended, tools: Path) -> Desk:
    variables = embedded.environment(ACCOUNT, REGION, desk.environment)
    return replace(desk, environment=variables | {"AWS_ENDPOINT_URL": amended.endpoint, "PATH": str(tools)})


def enabled(kind: str, agent: str = "RUNNING", **others: object) -> Callable[[Any], None]:
    """Have ECS Exec on, with the agent in a state, and tasks that run: moto moves them on at each look."""

    def amend(found: Any) -> None:
        for each in found[kind]:
            each["enableExecuteCommand"] = True
            if kind == "tasks":
                each["lastStatus"] = "RUNNING"
            for container in each.get("containers", ()):
                container["managedAgents"] = [{"name": "ExecuteCommandAgent", "lastStatus": agent, **others}]

    return amend


def refused(desk: Desk, expected: str, *arguments: str) -> None:
    done = desk.run("exec", "--env", "dev", *arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert expected in done.stderr


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((), "aws is not on PATH. Install the AWS CLI"),
        ((), "session-manager-plugin is not on PATH. Install it"),
        (("aws",), "session-manager-plugin is not on PATH. Install it: AWS Systems Manager User Guide"),
        (("session-manager-plugin",), "aws is not on PATH. Install the AWS CLI: AWS CLI User Guide"),
    ],
)
def test_a_missing_program_is_told_before_aws_is_asked(
    desk: Desk, tools: Path, there: tuple[str, ...], told: str
) -> None:
    for name in {"aws", "session-manager-plugin"} - set(there):
        (tools / name).unlink()
    refused(replace(desk, environment={**desk.environment, "PATH": str(tools)}), told)


def test_without_a_service_there_is_no_shell(here: Desk) -> None:
    refused(here, f"ECS has no service {SERVICE}. `make status ENV=dev`")


@pytest.mark.usefixtures("definition")
def test_a_service_without_exec_is_told_the_setting(here: Desk, amended: Amended) -> None:
    del amended.amendments["DescribeServices"]
    refused(here, 'Set `exec = true` and `writable_paths = ["/managed-agents", ')
    refused(
        here, "AWS supports ECS Exec only with a writable root: if it fails, set `read_only_root = false`"
    )
    path = here.checkout.environments / "dev.toml"
    path.write_text(ENVIRONMENT + "exec = true\nread_only_root = false\n")
    try:
        refused(
            here, "off for web, but on in the settings: apply them with `make plan ENV=dev STACK=service`"
        )
    finally:
        path.write_text(ENVIRONMENT)


@pytest.mark.usefixtures("definition")
def test_without_a_task_there_is_no_shell(here: Desk, account: Account, definition: str) -> None:
    account.run_task(definition, group="family:another")
    refused(here, "No task of web runs in dev. `make status ENV=dev` shows what ECS says.")


def test_the_aws_cli_opens_a_shell_in_the_newest_task(
    here: Desk, account: Account, amended: Amended, definition: str
) -> None:
    account.run_task(definition)
    newest = account.run_task(definition)
    enable = enabled("tasks")

    def amend(found: Any) -> None:
        enable(found)
        for task in found["tasks"]:
            task["startedAt"] = 1_700_000_000 + (task["taskArn"] == newest)

    amended.amendments["DescribeTasks"] = amend
    done = here.run("exec", "--env", "dev", "--service", "web")
    assert done.returncode == 7, "the exit status is that of the AWS CLI"
    arguments, endpoint = json.loads(done.stdout)
    assert arguments == [
        *("ecs", "execute-command", "--interactive"),
        *("--region", REGION),
        *("--cluster", CLUSTER),
        *("--task", newest),
        *("--container", "web"),
        *("--command", "/bin/sh"),
    ]
    assert endpoint == here.environment["AWS_ENDPOINT_URL"]
    assert done.stderr == f"dev web: task {newest.rpartition('/')[2]}\n"


def test_another_command_is_passed_on_as_one_argument(here: Desk) -> None:
    line = "python -c 'print(\"$HOME; `id`\")'"
    done = here.run("exec", "--env", "dev", "--command", line)
    assert json.loads(done.stdout)[0][-2:] == ["--command", line]


def test_a_task_whose_agent_does_not_run_yet_is_told(here: Desk, amended: Amended) -> None:
    amended.amendments["DescribeTasks"] = enabled("tasks", "STOPPED", reason="no way out")
    refused(here, "is STOPPED (no way out). It needs some seconds after a task's start")
    refused(
        here, "AWS supports ECS Exec only with a writable root: if it fails, set `read_only_root = false`"
    )


def test_a_task_that_is_ready_goes_before_a_newer_one_that_is_not(
    here: Desk, account: Account, amended: Amended, definition: str
) -> None:
    newest = account.run_task(definition)
    enable = enabled("tasks")

    def amend(found: Any) -> None:
        enable(found)
        for task in found["tasks"]:
            if task["taskArn"] == newest:
                task["containers"][0]["managedAgents"][0]["lastStatus"] = "PENDING"

    amended.amendments["DescribeTasks"] = amend
    arguments, _ = json.loads(here.run("exec", "--env", "dev").stdout)
    assert newest not in arguments


def test_tasks_from_before_exec_are_told_with_what_starts_others(here: Desk, amended: Amended) -> None:
    def before(found: Any) -> None:
        for task in found["tasks"]:
            task |= {"lastStatus": "RUNNING", "enableExecuteCommand": False}

    amended.amendments["DescribeTasks"] = before
    refused(here, f"`aws ecs update-service --cluster {CLUSTER} --service {SERVICE} --force-new-deployment")


def test_bad_input_is_told_with_status_2(desk: Desk) -> None:
    done = desk.run("exec", "--env", "dev", "--service", "api")
    assert done.returncode == 2
    assert "SERVICE=api is not a service of dev. Use one of web." in done.stderr
