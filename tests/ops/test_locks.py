"""Locks of states: waiting for them, and removing one that was left behind; Terraform is a script."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ops.core.errors import OpsError
from ops.core.files import exclusive
from ops.local.embedded import Embedded
from ops.terraform import locks
from ops.terraform.binary import Terraform, TerraformError
from ops.terraform.locks import StateLock, StateLockedError
from ops.terraform.states import StateBucket
from ops.terraform.workspace import StalePlanError, Workspace
from tests.ops.amending import amending
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.small_stacks import BUCKET

ID = "1b1ca6b8-7b4f-4b3c-9a60-1a2b3c4d5e6f"
CONTENT = {
    "ID": ID,
    "Operation": "OperationTypeApply",
    "Who": "ada@desk",
    "Created": "2026-11-26T20:00:00.123456789Z",
}
KEY = "dev-network.tfstate.tflock"
HELD = f"held by ada@desk since 2026-11-26 20:00:00 UTC for apply (id {ID})"
COMMAND = f"make unlock ENV=dev STACK=network ID={ID}"

REFUSAL = f"""\
Error: Error acquiring the state lock

Error message: operation error S3: PutObject, https response error
StatusCode: 412, api error PreconditionFailed: At least one of the
pre-conditions you specified did not hold
Lock Info:
  ID:        {ID}
  Path:      {BUCKET}/dev-network.tfstate
  Operation: OperationTypeApply
  Who:       ada@desk
  Version:   1.11.4
  Created:   2026-11-26 20:00:00.123456789 +0000 UTC
  Info:

Terraform acquires a state lock to protect the state from being written
"""
UNREADABLE = (
    "Error: Error acquiring the state lock\n\napi error PreconditionFailed: no\nfailed to unmarshal\n"
)
DENIED = "Error: Error acquiring the state lock\n\nStatusCode: 403, api error AccessDenied: no\n"


def workspace(tmp_path: Path, script: str) -> Workspace:
    """The directory of dev-network with a Terraform that notes its arguments and then does as the script."""
    executable = tmp_path / "terraform"
    executable.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/calls\nprintf "  # planned\\n"\n{script}\n')
    executable.chmod(0o755)
    (tmp_path / "refusal").write_text(REFUSAL)
    found = Workspace("dev-network", tmp_path, Terraform(executable, "1.11.4", tmp_path / "shared"), {})
    found.directory.mkdir()
    (found.directory / "cdk.tf.json").write_text("{}")
    return found


def calls(tmp_path: Path) -> list[str]:
    return (tmp_path / "calls").read_text().splitlines()


def test_who_holds_a_lock_is_said_before_waiting_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    once = f"[ -e {tmp_path}/released ] || {{ touch {tmp_path}/released; cat {tmp_path}/refusal; exit 1; }}"
    said: list[str] = []
    workspace(tmp_path, once).apply(on_line=said.append)
    assert calls(tmp_path) == [
        "apply -auto-approve -no-color",
        "apply -lock-timeout=120s -auto-approve -no-color",
    ]
    waiting = f"Waiting for the lock of dev-network: {HELD}. Gives up after 2 min.\n"
    assert capsys.readouterr().err.endswith(waiting)
    assert said == ["  # planned", "  # planned"], "Terraform's own text about the lock is left out"


@pytest.mark.parametrize("command", ["apply", "apply_plan", "destroy", "plan", "init"])
def test_a_lock_that_is_not_released_is_an_error_with_the_command_that_removes_it(
    tmp_path: Path, command: str
) -> None:
    with pytest.raises(StateLockedError) as error:
        getattr(workspace(tmp_path, f"cat {tmp_path}/refusal; exit 1"), command)()
    assert str(error.value) == (
        f"dev-network is still locked after 2 min: {HELD}. Wait until that command ends. If it has ended and "
        f"left the lock, remove it: {COMMAND}"
    )
    assert len(calls(tmp_path)) == 2


@pytest.mark.parametrize("words", ["is stale", "does not match the given state"])
def test_a_plan_that_went_stale_while_waiting_is_not_applied(tmp_path: Path, words: str) -> None:
    once = f"[ -e {tmp_path}/released ] || {{ touch {tmp_path}/released; cat {tmp_path}/refusal; exit 1; }}"
    with pytest.raises(StalePlanError, match=r"nothing was applied\. Plan again"):
        workspace(tmp_path, f'{once}\necho "Error: Saved plan {words}"; exit 1').apply_plan()
    assert len(calls(tmp_path)) == 2


def test_a_lock_that_may_not_be_taken_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "denied").write_text(DENIED)
    with pytest.raises(TerraformError, match="AccessDenied"):
        workspace(tmp_path, f"cat {tmp_path}/denied; exit 1").apply()
    assert len(calls(tmp_path)) == 1


def test_a_lock_that_cannot_be_read_is_one_of_somebody() -> None:
    found = locks.refused("dev-network", [UNREADABLE])
    assert found == StateLock("dev-network")
    assert "held by somebody" in str(locks.given_up(found))
    assert "`make doctor` prints the command" in str(locks.given_up(found))


@pytest.mark.parametrize(
    ("stack", "command"),
    [
        ("prod-eu-service", "make unlock ENV=prod-eu STACK=service ID=1"),
        ("foundation", "make unlock STACK=foundation ID=1"),
        (
            "foundation-222222222222",
            "make unlock ENV=<an environment of account 222222222222> STACK=foundation",
        ),
    ],
)
def test_the_command_names_the_stack(stack: str, command: str) -> None:
    assert StateLock(stack, "1").command.startswith(command)


@pytest.mark.parametrize("lock_id", ["1; rm -rf ~", f"{ID} $(id)", f"{ID}\u2028", ID.upper()])
def test_an_id_that_terraform_does_not_make_is_in_no_command(lock_id: str) -> None:
    assert locks.refused("dev-network", [REFUSAL.replace(ID, lock_id)]) == StateLock("dev-network")
    content = json.dumps({**CONTENT, "ID": lock_id}).encode()
    s3 = SimpleNamespace(
        get_object=lambda **_: {"Body": BytesIO(content), "ETag": "tag"},
        exceptions=SimpleNamespace(NoSuchKey=KeyError),
    )
    assert locks.read(StateBucket(s3, BUCKET), "dev-network") == (StateLock("dev-network"), "tag")


def test_what_terraform_writes_only_its_owner_can_read(tmp_path: Path) -> None:
    found = workspace(tmp_path, "echo sensitive > plan.tfplan; ls -l plan.tfplan")
    said: list[str] = []
    before = os.umask(0o022)
    try:
        found.apply(on_line=said.append)
    finally:
        os.umask(before)
    assert said[-1].startswith("-rw------- ")


def test_the_process_of_a_running_terraform_is_known_while_it_runs(tmp_path: Path) -> None:
    found = workspace(
        tmp_path, 'test "$(cat terraform.pid)" = $$ || { sleep 1; test "$(cat terraform.pid)" = $$; }'
    )
    found.apply()
    found.refuse_running()
    assert not (found.directory / "terraform.pid").exists()


@pytest.fixture(scope="module")
def states(embedded: Embedded) -> StateBucket:
    s3 = embedded.client("s3", REGION)
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    return StateBucket(s3, BUCKET)


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded, states: StateBucket) -> Desk:
    assert states.exists()
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture
def locked(states: StateBucket) -> Iterator[StateBucket]:
    """The state of dev-network is locked."""
    states.s3.put_object(Bucket=BUCKET, Key=KEY, Body=json.dumps(CONTENT).encode())
    yield states
    states.s3.delete_object(Bucket=BUCKET, Key=KEY)


def unlock(desk: Desk, *arguments: str) -> Any:
    return desk.run("unlock", "--env", "dev", "--stack", "network", *arguments)


def test_a_state_that_is_not_locked_is_said_to_be(here: Desk) -> None:
    for arguments in ((), ("--id", ID)):
        done = unlock(here, *arguments)
        assert (done.returncode, done.stdout, done.stderr) == (0, "dev-network is not locked.\n", "")


def test_without_an_id_the_lock_is_shown_and_stays(here: Desk, locked: StateBucket) -> None:
    done = unlock(here)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        f"dev-network is locked: {HELD}. Wait until that command ends. If it has ended and left the lock, "
        f"remove it: {COMMAND}\n"
    )
    assert locked.locked() == ("dev-network",)


def test_only_the_lock_with_the_id_is_removed(here: Desk, locked: StateBucket) -> None:
    done = unlock(here, "--id", "another")
    assert done.returncode == 1
    assert (
        f"ID=another is not the id of the lock of dev-network, so nothing was removed. It is {HELD}."
        in done.stderr
    )
    assert locked.locked() == ("dev-network",)
    done = unlock(here, "--id", ID)
    assert (done.returncode, done.stdout) == (0, f"dev-network is unlocked. The lock was {HELD}.\n")
    assert locked.locked() == ()


def test_a_lock_is_not_removed_while_a_command_here_is_at_work(here: Desk, locked: StateBucket) -> None:
    root = here.checkout.local
    with exclusive(root / "locks/dev-network"):
        done = unlock(here, "--id", ID)
    assert done.returncode == 1
    assert "Another command is at work on dev-network" in done.stderr
    pid = root / "dev-network/terraform.pid"
    pid.parent.mkdir(parents=True, exist_ok=True)
    pid.write_text(str(os.getpid()))
    done = unlock(here, "--id", ID)
    pid.unlink()
    assert done.returncode == 1
    assert (
        f"Terraform is still at work on dev-network, though its command was killed (process {os.getpid()})"
        in (done.stderr)
    )
    assert locked.locked() == ("dev-network",)


class Taken:
    """An S3 client beside which another command takes the lock right before it is removed."""

    def __init__(self, s3: Any) -> None:
        self.s3 = s3
        self.asked: dict[str, Any] = {}

    def delete_object(self, **arguments: Any) -> Any:
        self.asked = arguments
        error = {"Error": {"Code": "PreconditionFailed"}, "ResponseMetadata": {"HTTPStatusCode": 412}}
        raise self.s3.exceptions.ClientError(error, "DeleteObject")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.s3, name)


def test_a_lock_that_was_taken_meanwhile_is_not_removed(locked: StateBucket) -> None:
    found = locks.read(locked, "dev-network")
    assert found
    taken = Taken(locked.s3)
    with pytest.raises(OpsError, match="has changed meanwhile, so nothing was removed"):
        locks.remove(replace(locked, s3=taken), *found)
    etag = locked.s3.head_object(Bucket=BUCKET, Key=KEY)["ETag"]
    assert taken.asked == {"Bucket": BUCKET, "Key": KEY, "IfMatch": etag}


COMMANDS = [
    ("plan", "--env", "dev", "--stack", "network"),
    ("apply", "--env", "dev", "--stack", "network"),
    ("unlock", "--env", "dev", "--stack", "network"),
    ("destroy", "--env", "dev", "--stack", "network"),
    ("deploy", "--env", "dev"),
    ("bootstrap", "--env", "dev"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
@pytest.mark.parametrize(
    ("code", "told"),
    [("ExpiredToken", "the credentials have expired"), ("InvalidClientTokenId", "AWS does not know these")],
)
def test_credentials_that_aws_refuses_are_said_at_once(
    here: Desk, embedded: Embedded, arguments: tuple[str, ...], code: str, told: str
) -> None:
    with amending(embedded.endpoint) as amended:
        amended.refusals["GetCallerIdentity"] = code
        refused = replace(here, environment={**here.environment, "AWS_ENDPOINT_URL": amended.endpoint})
        done = refused.run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"AWS refuses the credentials in use: {told}")
    assert "aws sso login" in done.stderr


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda arguments: arguments[0])
def test_no_credentials_and_those_of_another_account_are_said_at_once(
    here: Desk, embedded: Embedded, arguments: tuple[str, ...]
) -> None:
    none = {name: value for name, value in here.environment.items() if "ACCESS_KEY" not in name}
    done = replace(here, environment=none).run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("Unable to locate credentials. Set AWS_PROFILE, or sign in with aws sso")
    other = embedded.environment("222222222222", REGION, here.environment)
    done = replace(here, environment=other).run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"those of account 222222222222; this belongs to account {ACCOUNT}" in done.stderr
