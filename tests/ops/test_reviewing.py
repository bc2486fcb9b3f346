"""Reviews of small stacks, and applies that are bound to them, as commands against the embedded AWS.

The tests are one story, in the order they stand here.
"""

import json
import os
import re
import signal
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError, UsageError
from ops.github.reviewing import require_reviewed
from ops.local.embedded import Embedded, start_embedded
from ops.local.up import stop_all
from ops.terraform.binary import RUNNING, find_terraform
from ops.terraform.workspace import Workspace
from tests.ops.conftest import ACCOUNT, REGION, Desk, applied_network, put_secret_of_dev
from tests.ops.small_stacks import BUCKET

pytestmark = pytest.mark.e2e

NETWORK = ("--env", "dev", "--stack", "network")
FOUNDATION = ("--stack", "foundation")
FIRST, SECOND = "first-value-of-the-network", "second-value-of-the-network"


@pytest.fixture(scope="module")
def embedded(desk: Desk) -> Iterator[Embedded]:
    started = start_embedded(desk.checkout.local, ACCOUNT)
    put_secret_of_dev(started)
    yield started
    stop_all(desk.checkout.local)


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded) -> Desk:
    """The desk after `eval "$(make -s local-env)"`."""
    change(desk, FIRST)
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


def change(desk: Desk, value: str) -> None:
    (desk.checkout.environments / "network.txt").write_text(value)


def kept(desk: Desk, stack: str) -> set[str]:
    """What is kept of a stack's last plan."""
    return {file.name for file in (desk.checkout.local / stack).glob("plan.*")}


def verdict_of(desk: Desk, name: str) -> Path:
    return desk.checkout.local / "review" / name / "verdict.json"


def stacks_in(verdict: Path) -> dict[str, Any]:
    return {each["name"]: each for each in json.loads(verdict.read_text())["stacks"]}


def test_a_foundation_is_reviewed_without_an_environment_before_anything_exists(here: Desk) -> None:
    done = here.run("review", *FOUNDATION)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("REVIEW: foundation\n"), done.stdout
    assert "terraform_data.state: Runs a command during the apply" in done.stdout
    verdict = verdict_of(here, "foundation")
    assert f"Written: {verdict}\n" in done.stdout
    assert stacks_in(verdict)["foundation"]["counts"]["create"] == 2
    comment = (verdict.parent / "comment.md").read_text()
    assert "terraform_data.web" in comment
    assert "terraform_data.web" in (verdict.parent / "summary.md").read_text()


def test_a_review_beyond_a_threshold_of_the_rules_fails(here: Desk) -> None:
    rules = here.checkout.directory / "review.toml"
    rules.write_text("fail_on = 'REVIEW'")
    done = here.run("review", *FOUNDATION)
    rules.unlink()
    assert done.returncode == 1
    assert "the verdict is REVIEW, and fail_on is REVIEW." in " ".join(done.stderr.split())
    assert f"Written: {verdict_of(here, 'foundation')}\n" in done.stdout


def test_a_stack_that_cannot_be_planned_yet_is_in_the_review_as_failed(here: Desk) -> None:
    done = here.run("review", "--env", "dev")
    assert done.returncode == 1
    assert "Not all could be planned: dev-data, dev-network, dev-service." in done.stderr
    assert "The state bucket" in done.stdout
    assert {each["verdict"] for each in stacks_in(verdict_of(here, "dev")).values()} == {"ERRORED"}


def test_what_a_review_planned_is_applied_when_the_verdict_is_given(here: Desk) -> None:
    verdict = str(verdict_of(here, "foundation"))
    done = here.run("apply", *FOUNDATION, "--verdict", verdict)
    assert (done.returncode, done.stderr) == (0, "")
    assert kept(here, "foundation") == set()


def test_a_plan_is_kept_as_json_that_only_its_owner_may_read(here: Desk) -> None:
    assert here.run("plan", *NETWORK).returncode == 0
    assert kept(here, "dev-network") == {"plan.tfplan", "plan.json", "plan.sha256"}
    for name in ("plan.tfplan", "plan.json"):
        assert stat.S_IMODE((here.checkout.local / "dev-network" / name).stat().st_mode) == 0o600
    plan = json.loads((here.checkout.local / "dev-network/plan.json").read_bytes())
    assert [item["change"]["after"]["input"] for item in plan["resource_changes"]] == [FIRST]


def test_a_stack_that_fails_is_reviewed_beside_one_that_does_not(here: Desk) -> None:
    (here.checkout.environments / "service.txt").write_text("${missing.reference}")
    done = here.run("review", "--env", "dev")
    assert done.returncode == 1
    assert done.stdout.startswith("ERRORED: dev-service, dev-data, dev-network\n"), done.stdout
    assert "Reference to undeclared resource" in done.stdout
    assert done.stderr.rstrip().endswith("Not all could be planned: dev-service.")
    stacks = stacks_in(verdict_of(here, "dev"))
    assert {name: each["verdict"] for name, each in stacks.items()} == {
        "dev-data": "REVIEW",
        "dev-network": "SAFE",
        "dev-service": "ERRORED",
    }
    assert kept(here, "dev-network") == {"plan.tfplan", "plan.json", "plan.sha256"}
    assert "plan.tfplan" not in kept(here, "dev-service")
    error = here.checkout.local / "dev-service/plan.error"
    assert error.read_text().startswith("Error: ")
    assert stat.S_IMODE(error.stat().st_mode) == 0o600


def test_a_review_shows_no_sensitive_value(here: Desk) -> None:
    for file in verdict_of(here, "dev").parent.iterdir():
        text = file.read_text()
        assert "terraform_data.network" in text or file.name == "verdict.json"
        assert FIRST not in text


def test_a_failed_plan_is_not_applied_whatever_the_verdict(here: Desk) -> None:
    done = here.run("apply", "--env", "dev", "--stack", "service", "--verdict", str(verdict_of(here, "dev")))
    assert done.returncode == 1
    assert "There is no saved plan of dev-service" in done.stderr


def test_the_same_plan_made_again_is_what_was_reviewed(here: Desk) -> None:
    before = (here.checkout.local / "dev-network/plan.json").read_bytes()
    assert here.run("plan", *NETWORK).returncode == 0
    assert (here.checkout.local / "dev-network/plan.json").read_bytes() != before  # the time is in it
    done = here.run("apply", *NETWORK, "--verdict", str(verdict_of(here, "dev")))
    assert (done.returncode, done.stderr) == (0, "")


def test_another_plan_than_the_reviewed_one_is_refused(here: Desk, embedded: Embedded) -> None:
    change(here, SECOND)
    done = here.run("review", *NETWORK)
    assert done.returncode == 0
    assert done.stdout.startswith("SAFE: dev-network\n"), done.stdout
    verdict = verdict_of(here, "dev")
    reviewed = stacks_in(verdict)["dev-network"]["changes_sha256"]
    change(here, f"{SECOND}!")
    assert here.run("plan", *NETWORK).returncode == 0
    done = here.run("apply", *NETWORK, "--verdict", str(verdict))
    assert done.returncode == 1
    told = " ".join(done.stderr.split())
    assert "The saved plan of dev-network makes other changes than the one in" in told
    assert f"the reviewed ones {reviewed[:12]}. The same resources change, in another way." in told
    assert applied_network(embedded) == FIRST
    assert kept(here, "dev-network") == {"plan.tfplan", "plan.json", "plan.sha256"}


def test_the_plan_is_read_at_the_apply_and_not_its_json(here: Desk) -> None:
    """The JSON beside the saved plan is for looking at; changing it makes nobody apply something else."""
    change(here, SECOND)
    assert here.run("review", *NETWORK).returncode == 0
    reviewed = (here.checkout.local / "dev-network/plan.json").read_bytes()
    verdict = verdict_of(here, "dev").rename(here.checkout.directory / "verdict of before.json")
    change(here, f"{SECOND}!")
    assert here.run("plan", *NETWORK).returncode == 0
    (here.checkout.local / "dev-network/plan.json").write_bytes(reviewed)
    assert here.run("apply", *NETWORK, "--verdict", str(verdict)).returncode == 1


def verdict_with(directory: Path, content: object) -> Path:
    file = directory / "verdict.json"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


STACK = {"name": "dev-network", "verdict": "SAFE", "changes_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("content", "error", "told"),
    [
        ("", UsageError, "is not a verdict of a review"),
        ("[]", UsageError, "is not a verdict of a review"),
        ({"resource_changes": []}, UsageError, "is not a verdict of a review"),
        ({"schema": True, "stacks": [STACK]}, UsageError, "is not a verdict of a review"),
        ({"schema": 1, "stacks": [{"name": "dev-network"}]}, UsageError, "is not a verdict of a review"),
        ({"schema": 9, "stacks": [STACK]}, UsageError, "has schema 9; this reads schema 1"),
        (
            {"schema": 1, "stacks": [STACK | {"name": "prod-network"}]},
            UsageError,
            "has no stack dev-network; it has prod-network",
        ),
        ({"schema": 1, "stacks": []}, UsageError, "has no stack dev-network; it has none"),
        ({"schema": 1, "stacks": [STACK | {"verdict": "INCOMPLETE"}]}, OpsError, "is INCOMPLETE; it cannot"),
        ({"schema": 1, "stacks": [STACK | {"verdict": "ERRORED"}]}, OpsError, "is ERRORED; it cannot"),
        ({"schema": 1, "stacks": [STACK | {"changes_sha256": None}]}, OpsError, "makes other changes"),
    ],
)
def test_a_verdict_that_does_not_do_is_refused_in_words(
    here: Desk, tmp_path: Path, content: object, error: type[OpsError], told: str
) -> None:
    terraform = find_terraform(here.checkout.state)
    workspace = Workspace("dev-network", here.checkout.local, terraform, here.environment)
    verdict = verdict_with(tmp_path, content)
    with pytest.raises(OpsError, match=re.escape(str(verdict))) as refused:
        require_reviewed(verdict, workspace)
    assert told in str(refused.value)
    assert type(refused.value) is error


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "cannot be read: No such file or directory."), ("{", "is not a verdict of a review; name the")],
)
def test_a_file_that_is_no_verdict_is_bad_input(
    here: Desk, tmp_path: Path, content: str | None, told: str
) -> None:
    verdict = tmp_path / "verdict.json" if content is None else verdict_with(tmp_path, content)
    done = here.run("apply", *NETWORK, "--verdict", str(verdict))
    assert done.returncode == 2
    assert f"VERDICT={verdict} {told}" in done.stderr
    assert "plan.tfplan" in kept(here, "dev-network")


def test_an_empty_name_of_a_verdict_is_none(here: Desk) -> None:
    done = here.run("apply", *NETWORK, "--verdict", "")
    assert done.returncode == 2
    assert "VERDICT=. cannot be read: Is a directory." in done.stderr


def test_without_a_verdict_the_saved_plan_is_applied_as_ever(here: Desk, embedded: Embedded) -> None:
    done = here.run("apply", *NETWORK)
    assert (done.returncode, done.stderr) == (0, "")
    assert applied_network(embedded) == f"{SECOND}!"


def test_nothing_to_do_is_told_as_such(here: Desk) -> None:
    done = here.run("review", *NETWORK)
    assert done.returncode == 0
    assert done.stdout.startswith("NO CHANGES: dev-network\n")


def test_a_review_that_is_killed_midway_leaves_no_lock(here: Desk, embedded: Embedded) -> None:
    """As GitHub cancels a job: the command is killed, and what it had begun goes on or not."""
    running = here.checkout.local / "dev-network" / RUNNING
    with here.begin("review", *NETWORK) as command:
        while not running.exists():
            assert command.poll() is None
        command.send_signal(signal.SIGKILL)
    with suppress(FileNotFoundError, ProcessLookupError, ValueError):
        os.kill(int(running.read_text()), signal.SIGKILL)
    found = embedded.client("s3", REGION).list_objects_v2(Bucket=BUCKET)["Contents"]
    assert [item["Key"] for item in found if item["Key"].endswith(".tflock")] == []
    assert here.run("plan", *NETWORK).returncode == 0


def test_a_plan_that_can_no_longer_be_made_leaves_no_old_one(here: Desk) -> None:
    change(here, "${missing.reference}")
    done = here.run("plan", *NETWORK)
    change(here, SECOND)
    assert done.returncode == 1
    assert kept(here, "dev-network") == {"plan.error"}
    error = (here.checkout.local / "dev-network/plan.error").read_text()
    assert error.startswith("Error: Reference to undeclared resource")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--env", "moon"), "ENV=moon is not an environment"),
        (("--env", "dev", "--stack", "moon"), "'moon' is not a kind of stack"),
        (("--env", "dev", "--scan", "moon.sarif"), "--scan moon.sarif cannot be read: No such file"),
    ],
)
def test_what_is_to_be_reviewed_has_to_be_known(here: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = here.run("review", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


PROGRAM = """
import json, sys
from pathlib import Path

service = {"aws_ecs_service": {"web": {"name": "oaktree-dev-web"}}}
for stack, resources in (("dev-network", {}), ("dev-data", {}), ("dev-service", service)):
    file = Path(sys.argv[4], "stacks", stack, "cdk.tf.json")
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"resource": resources}))
"""


def test_a_diagram_of_an_environment_is_printed(here: Desk, tmp_path: Path) -> None:
    (tmp_path / "environments").symlink_to(here.checkout.environments)
    (tmp_path / "main.py").write_text(PROGRAM)
    done = replace(here, checkout=Checkout(tmp_path)).run("diagram", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nflowchart " in done.stdout
    assert done.stdout.endswith("\n")
    assert not done.stdout.endswith("\n\n")
    assert "oaktree-dev-web" in done.stdout


def planned(*addresses: str) -> bytes:
    """A plan that updates resources."""
    changes = [
        {
            "address": address,
            "mode": "managed",
            "type": address.partition(".")[0],
            "name": address.partition(".")[2],
            "provider_name": "aws",
            "change": {"actions": ["update"], "before": {"size": 1}, "after": {"size": 2}},
        }
        for address in addresses
    ]
    return json.dumps({"format_version": "1.2", "resource_changes": changes}).encode()


@dataclass
class Saved:
    """As `ops.terraform.workspace.Workspace`, with a saved plan."""

    plan: bytes
    stack: str = "dev-service"

    def show_plan(self) -> bytes:
        """As `Workspace.show_plan`."""
        return self.plan


@pytest.mark.parametrize("changes", [None, [{"address": 1}, "x", {}]])
def test_what_changed_since_the_review_is_listed(tmp_path: Path, changes: object) -> None:
    before = [{"address": f"aws_ecs_service.{name}", "action": "update"} for name in ("web", "api")]
    stack = {"name": "dev-service", "verdict": "SAFE", "changes_sha256": "a" * 64, "changes": before}
    verdict = tmp_path / "verdict.json"
    now: Any = Saved(planned("aws_ecs_service.web", "aws_lb.own"))
    verdict.write_text(json.dumps({"schema": 1, "stacks": [stack]}))
    with pytest.raises(OpsError) as error:
        require_reviewed(verdict, now)
    lines = str(error.value).splitlines()
    assert lines[0].endswith("Since the review:")
    assert lines[1:3] == ["  no longer: update aws_ecs_service.api", "  now: update aws_lb.own"]
    # A verdict of before the list, or one that somebody edited, is not an error of its own.
    verdict.write_text(json.dumps({"schema": 1, "stacks": [stack | {"changes": changes}]}))
    with pytest.raises(OpsError, match="makes other changes than the one in"):
        require_reviewed(verdict, now)
