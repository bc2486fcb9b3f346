"""What says that a stack waits for another: a failed check, or Terraform's error for a missing state."""

import json
from pathlib import Path

import pytest

from review.model import Stack, Verdict, Wait
from review.reading.stacks import read_stacks
from tests.review.rendering import review

NO_STATE = """\
╷
│ Error: Unable to find remote state
│
│   with data.terraform_remote_state.dev-network,
│   on cdk.tf.json line 9, in data.terraform_remote_state.dev-network.config:
│
│ No stored state was found for the given workspace in the given backend.
╵
"""
OTHER = "╷\n│ Error: No credentials\n╵\n"
MESSAGE = "dev-service waits for dev-network: it has no private_subnet_c yet."
PLAN = {"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}


def check(name: str, status: str, message: str) -> dict[str, object]:
    address = {"kind": "check", "name": name, "to_display": f"check.{name}"}
    instance = {"address": address, "status": status, "problems": [{"message": message}]}
    return {"address": address, "status": status, "instances": [instance]}


def read(directory: Path, *, plan: object = None, error: str = "") -> Stack:
    if plan:
        (directory / "dev-service.json").write_text(json.dumps(plan))
    if error:
        (directory / "dev-service.error").write_text(error)
    (stack,) = read_stacks([directory])
    return stack


@pytest.mark.parametrize("plan", [None, PLAN | {"errored": True}])
def test_a_state_that_is_missing_is_waited_for(tmp_path: Path, plan: object) -> None:
    stack = read(tmp_path, plan=plan, error=NO_STATE)
    reason = "dev-service waits for dev-network: it is not applied yet."
    assert stack.waits == (Wait("dev-network", reason, has_state=False),)
    assert (stack.errors, stack.problem) == ("", None)
    assert review(stack).verdict is Verdict.WAITS


@pytest.mark.parametrize("error", [OTHER, OTHER + NO_STATE, NO_STATE + OTHER])
def test_with_another_error_a_stack_has_failed(tmp_path: Path, error: str) -> None:
    stack = read(tmp_path, error=error)
    assert stack.waits == ()
    assert "No credentials" in stack.errors
    assert review(stack).verdict is Verdict.ERRORED


def test_a_failed_check_of_that_name_says_what_is_waited_for(tmp_path: Path) -> None:
    checks = [check("waits_for_dev-network", "fail", MESSAGE), check("waits", "fail", "other")]
    stack = read(tmp_path, plan=PLAN | {"checks": checks})
    assert stack.waits == (Wait("dev-network", MESSAGE, has_state=True),)
    assert stack.plan
    assert [each.address for each in stack.plan.failed_checks] == ["check.waits"]
    assert review(stack).verdict is Verdict.WAITS


@pytest.mark.parametrize("status", ["pass", "unknown", "error"])
def test_a_check_that_did_not_fail_says_nothing(tmp_path: Path, status: str) -> None:
    stack = read(tmp_path, plan=PLAN | {"checks": [check("waits_for_dev-network", status, MESSAGE)]})
    assert stack.waits == ()
    assert review(stack).verdict is (Verdict.REVIEW if status == "error" else Verdict.NO_CHANGES)


def test_only_the_stack_that_says_so_waits(tmp_path: Path) -> None:
    (tmp_path / "dev-network.json").write_text(json.dumps(PLAN))
    (tmp_path / "dev-service.error").write_text(NO_STATE)
    network, service = read_stacks([tmp_path])
    assert network.waits == ()
    assert service.waits
