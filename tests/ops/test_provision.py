"""Plan, apply and destroy, as commands against the embedded AWS.

The tests are one life of the small stacks, in the order they stand here.
"""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.local import processes
from ops.local.embedded import Embedded, start_embedded
from ops.local.up import stop_all
from ops.terraform import provision
from ops.terraform.binary import Terraform
from ops.terraform.workspace import Workspace
from stacks import kinds
from stacks.reading import read_platform
from tests.ops.conftest import ACCOUNT, REGION, Desk, applied_network
from tests.ops.small_stacks import BUCKET
from tests.stacks.platform_files import environment, write_platform

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def embedded(desk: Desk) -> Iterator[Embedded]:
    yield start_embedded(desk.checkout.local, ACCOUNT)
    stop_all(desk.checkout.local)


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded) -> Desk:
    """The desk after `eval "$(make -s local-env)"`."""
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


def change(desk: Desk, value: str) -> None:
    (desk.checkout.environments / "network.txt").write_text(value)


NETWORK = ("--env", "dev", "--stack", "network")


def test_every_stack_is_valid_without_credentials(desk: Desk) -> None:
    done = desk.run("validate")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"{stack}: valid" for stack in ("foundation", "dev-network", "dev-data", "dev-service")
    ]
    assert desk.run("validate", "--stack", "network").stdout == "dev-network: valid\n"


def test_no_other_stack_is_planned_before_the_state_bucket_exists(here: Desk) -> None:
    done = here.run("plan", *NETWORK)
    assert done.returncode == 1
    assert f"The state bucket {BUCKET} does not exist yet" in done.stderr
    assert "make plan STACK=foundation" in done.stderr


def test_nothing_is_applied_without_a_saved_plan(here: Desk) -> None:
    done = here.run("apply", "--stack", "foundation")
    assert done.returncode == 1
    assert "There is no saved plan of foundation" in done.stderr
    assert "make plan STACK=foundation" in done.stderr


def test_the_foundation_is_planned_and_applied_and_its_state_goes_into_its_bucket(
    here: Desk, embedded: Embedded
) -> None:
    planned = here.run("plan", "--stack", "foundation")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "Plan: 2 to add, 0 to change, 0 to destroy." in planned.stdout
    applied = here.run("apply", "--stack", "foundation")
    assert (applied.returncode, applied.stderr) == (0, "")
    state = embedded.client("s3", REGION).get_object(Bucket=BUCKET, Key="foundation.tfstate")["Body"].read()
    assert len(json.loads(state)["resources"]) == 2
    again = here.run("plan", "--stack", "foundation")
    assert (again.returncode, again.stderr) == (0, "")
    assert "No changes." in again.stdout


def test_exactly_the_saved_plan_is_applied_once(here: Desk, embedded: Embedded) -> None:
    planned = here.run("plan", *NETWORK)
    saved = here.checkout.local / "dev-network" / "plan.tfplan"
    assert planned.returncode == 0
    assert planned.stdout.endswith(f"Saved: {saved}\n")
    assert applied_network(embedded) is None
    assert here.run("apply", *NETWORK).returncode == 0
    assert applied_network(embedded) == "first"
    assert not saved.exists()
    assert here.run("apply", *NETWORK).returncode == 1


def test_a_plan_is_not_applied_once_the_configuration_has_changed(here: Desk, embedded: Embedded) -> None:
    change(here, "second")
    assert here.run("plan", *NETWORK).returncode == 0
    change(here, "third")
    done = here.run("apply", *NETWORK)
    assert done.returncode == 1
    assert "The configuration of dev-network has changed since its plan was saved." in done.stderr
    assert applied_network(embedded) == "first"
    change(here, "second")
    assert here.run("apply", *NETWORK).returncode == 0
    assert applied_network(embedded) == "second"


def test_a_plan_outlives_kill_9_of_the_embedded_aws_and_shows_no_change(here: Desk) -> None:
    pid = processes.running("embedded", here.checkout.local)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while processes.running("embedded", here.checkout.local):
        pass
    start_embedded(here.checkout.local, ACCOUNT)
    for arguments in (NETWORK, ("--stack", "foundation")):
        done = here.run("plan", *arguments)
        assert (done.returncode, done.stderr) == (0, "")
        assert "No changes." in done.stdout


def test_an_error_of_terraforms_names_command_and_log(here: Desk) -> None:
    change(here, "${missing.reference}")
    done = here.run("plan", *NETWORK)
    change(here, "second")
    log = here.checkout.local / "logs" / "dev-network-plan.log"
    assert done.returncode == 1
    assert "`terraform plan" in done.stderr
    assert "Error: Reference to undeclared resource" in done.stderr
    assert done.stderr.endswith(f"Log: {log}\n")
    assert "Traceback" not in done.stderr


def test_a_foundation_is_not_destroyed_while_a_stack_in_its_bucket_has_resources(here: Desk) -> None:
    done = here.run("destroy", "--stack", "foundation", answer="oaktree\n")
    assert done.returncode == 1
    assert (
        "foundation cannot be destroyed while dev-network has resources (1, such as terraform_data"
        in done.stderr
    )


@pytest.mark.parametrize("typed", ["prod\n", "DEV\n", "\n", ""])
def test_nothing_is_destroyed_for_another_name(here: Desk, embedded: Embedded, typed: str) -> None:
    done = here.run("destroy", *NETWORK, answer=typed)
    assert done.returncode == 1
    assert "nothing was destroyed" in done.stderr
    assert applied_network(embedded) == "second"


def test_protected_stacks_are_not_destroyed(here: Desk, embedded: Embedded) -> None:
    for file, arguments in (("dev.toml", NETWORK), ("project.toml", ("--stack", "foundation"))):
        path: Path = here.checkout.environments / file
        before = path.read_text()
        path.write_text("protected = true\n" + before.replace("protected = false\n", ""))
        done = here.run("destroy", *arguments, answer="dev\n")
        path.write_text(before)
        assert done.returncode == 1
        assert f"{path} has `protected = true`" in done.stderr
        assert "set `protected = false`" in done.stderr
    assert applied_network(embedded) == "second"


@pytest.mark.parametrize("file", ["dev.toml", "project.toml"])
def test_a_protected_table_stops_the_destruction_of_an_unprotected_environment(here: Desk, file: str) -> None:
    path = here.checkout.environments / file
    before = path.read_text()
    path.write_text(f"{before}\n[data]\ndeletion_protection = true\n")
    done = here.run("destroy", "--env", "dev", "--stack", "data", answer="dev\n")
    path.write_text(before)
    assert done.returncode == 1
    assert f"{path} has `deletion_protection = true` in [data]" in done.stderr
    assert "set that to false in dev.toml, plan and apply" in done.stderr


def test_what_was_applied_protected_is_not_destroyed_until_it_is_applied_unprotected(
    here: Desk, embedded: Embedded
) -> None:
    assert here.run("destroy", *NETWORK, answer="dev\n").returncode == 0
    protected = [
        {"mode": "managed", "type": kind, "name": "it", "instances": [{"attributes": attributes}]}
        for kind, attributes in (
            ("aws_ecr_repository", {"force_delete": False}),
            ("aws_s3_bucket", {"force_destroy": False}),
        )
    ]
    s3 = embedded.client("s3", REGION)
    file = {"Bucket": BUCKET, "Key": "foundation.tfstate"}
    state = s3.get_object(**file)["Body"].read()
    s3.put_object(**file, Body=json.dumps(json.loads(state) | {"resources": protected}).encode())
    done = here.run("destroy", "--stack", "foundation", answer="oaktree\n")
    assert done.returncode == 1
    assert "still protected (aws_ecr_repository.it has force_delete = false, aws_s3_bucket" in done.stderr
    assert "Run `make plan STACK=foundation` and `make apply STACK=foundation` first." in done.stderr
    s3.put_object(**file, Body=state)
    for command in ("plan", "apply"):
        for arguments in (("--stack", "foundation"), NETWORK):
            assert here.run(command, *arguments).returncode == 0


def test_everything_is_destroyed_for_the_right_name(here: Desk, embedded: Embedded) -> None:
    done = here.run("destroy", *NETWORK, answer="dev\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert applied_network(embedded) is None
    done = here.run("destroy", "--stack", "foundation", answer="oaktree\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert embedded.client("s3", REGION).list_buckets()["Buckets"] == []
    assert embedded.client("ecr", REGION).describe_repositories()["repositories"] == []


def test_a_destroyed_foundation_can_be_built_again(here: Desk, embedded: Embedded) -> None:
    for command in ("plan", "apply"):
        done = here.run(command, "--stack", "foundation")
        assert (done.returncode, done.stderr) == (0, "")
    s3 = embedded.client("s3", REGION)
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]] == ["foundation.tfstate"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("plan", "--env", "dve", "--stack", "network"), "ENV=dve is not an environment. Use one of dev"),
        (("plan", "--stack", "network"), "ENV is missing. Use one of dev."),
        (("plan", "--env", "dev"), "STACK is missing. Use one of foundation, network, data, service."),
        (("apply", "--env", "dev", "--stack", "net"), "'net' is not a kind of stack"),
        (("up", "--env", "dve"), "ENV=dve is not an environment. Use one of dev"),
        (("up", "--run", "img"), "RUN=img is not a way to run services. Use one of process, image."),
        (
            ("validate", "--stack", "net"),
            "net is not a stack. Use one of foundation, dev-network, dev-data, dev-service.",
        ),
    ],
)
def test_bad_input_is_told_with_status_2(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.run(*arguments)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_bad_settings_are_told_as_they_are(desk: Desk) -> None:
    path = desk.checkout.environments / "dev.toml"
    before = path.read_text()
    path.write_text(before + "\n[datas]\n")
    done = desk.run("plan", *NETWORK)
    path.write_text(before)
    assert done.returncode == 2
    assert f"{path}: datas: unknown key" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("protected", "kind", "actions", "refused_for"),
    [
        (True, "data", ["delete"], "destroys aws_sqs_queue.orders"),
        (True, "data", ["delete", "create"], "destroys aws_sqs_queue.orders"),
        (True, "data", ["update"], None),
        (False, "data", ["delete"], None),
        (True, "service", ["delete"], None),
    ],
)
def test_no_plan_is_applied_that_destroys_what_a_protected_environment_keeps(
    tmp_path: Path, protected: bool, kind: str, actions: list[str], refused_for: str | None
) -> None:
    """Whatever became of `prevent_destroy`, which a resource loses that is taken out of the settings."""
    top = f"protected = {str(protected).lower()}\n"
    platform = read_platform(write_platform(tmp_path / "environments", dev=environment(top=top)))
    target = kinds.BY_NAME[kind].of_environment(platform.environments["dev"])
    workspace = Workspace(
        target.name, tmp_path / "work", Terraform(Path("terraform"), "1.11.4", tmp_path), {}
    )
    workspace.directory.mkdir(parents=True)
    change = {"address": "aws_sqs_queue.orders", "type": "aws_sqs_queue", "change": {"actions": actions}}
    workspace.plan_json.write_text(json.dumps({"resource_changes": [change]}))
    if refused_for is None:
        provision.refuse_losses(Checkout(tmp_path), target, workspace)
    else:
        with pytest.raises(OpsError, match=refused_for):
            provision.refuse_losses(Checkout(tmp_path), target, workspace)
