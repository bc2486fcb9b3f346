"""A stack that cannot be planned, for whatever reason, does not keep the others from being reviewed."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from inspect import unwrap
from pathlib import Path

import pytest

from ops.commands import github
from ops.core.checkout import Checkout
from ops.core.ecs import Image
from ops.core.errors import OpsError
from ops.core.files import exclusive
from ops.github import reviewing
from ops.terraform import provision
from ops.terraform.binary import Terraform
from ops.terraform.workspace import Workspace
from review import model
from review.marker import Marker
from review.model import Verdict
from review.verdicts import review_of
from stacks import kinds
from stacks.kinds import Stack
from stacks.reading import read_platform
from tests.places import ENVIRONMENTS
from tests.stacks.platform_files import environment, write_platform

PLATFORM = read_platform(ENVIRONMENTS)
PLAN = '{"format_version": "1.2", "terraform_version": "1.11.4", "resource_changes": []}'

Planning = Callable[[Workspace], None]


@pytest.fixture
def planning(monkeypatch: pytest.MonkeyPatch) -> dict[str, Planning]:
    """What planning does by stack; a stack that is not named has no changes."""
    steps: dict[str, Planning] = {}

    def plan_here(
        workspace: Workspace,
        _: object,
        __: object,
        target: Stack,
        *,
        lock: bool,
        releases: Mapping[str, Image],
    ) -> None:
        assert not lock, "a review that is killed would leave the lock"
        assert target.kind.released or not releases, "only a release's stack has images"
        workspace.directory.mkdir(parents=True, exist_ok=True)
        if step := steps.get(target.name):
            step(workspace)
        workspace.plan_json.write_text(PLAN)
        workspace.saved_plan.write_text(", ".join(each.commit for each in releases.values()))

    terraform = Terraform(Path("terraform"), "1.11.4", Path("shared"))
    monkeypatch.setattr(provision, "find_terraform", lambda _: terraform)
    monkeypatch.setattr(provision, "plan_here", plan_here)
    for name in ("synthesize", "act_in", "require_account"):
        monkeypatch.setattr(reviewing, name, lambda *_: None)
    return steps


def review(checkout: Checkout, **releases: Image) -> dict[str, tuple[Verdict, str]]:
    """Verdict and error by stack."""
    targets = [kind.of_environment(PLATFORM.environments["dev"]) for kind in kinds.OF_ENVIRONMENT]
    reviewed = reviewing.review(checkout, PLATFORM, targets, lambda _: None, releases=releases)
    return {each.stack.name: (each.verdict, each.stack.errors) for each in reviewed.review.stacks}


def test_a_stack_that_another_command_works_on_is_said_and_the_others_are_reviewed(
    planning: dict[str, Planning], tmp_path: Path
) -> None:
    assert planning == {}
    checkout = Checkout(tmp_path)
    theirs = provision.working_root(checkout) / "dev-network/plan.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("{")
    with exclusive(provision.working_root(checkout) / "locks/dev-network"):
        found = review(checkout)
    assert found["dev-network"][0] == Verdict.ERRORED
    assert "Another command is at work on dev-network" in found["dev-network"][1]
    assert found["dev-service"][0] == Verdict.NO_CHANGES
    assert theirs.exists(), "the plan of the other command is left alone"


@pytest.mark.parametrize(
    "error", [OpsError("no such thing"), OSError(28, "No space left on device"), TimeoutError("too late")]
)
def test_any_failure_of_one_stack_is_its_own(
    planning: dict[str, Planning], tmp_path: Path, error: Exception
) -> None:
    def fail(_: Workspace) -> None:
        raise error

    planning["dev-network"] = fail
    found = review(Checkout(tmp_path))
    assert found["dev-network"] == (Verdict.ERRORED, str(error))
    assert found["dev-service"][0] == Verdict.NO_CHANGES


def test_terraforms_own_error_goes_before_ours(planning: dict[str, Planning], tmp_path: Path) -> None:
    def fail(workspace: Workspace) -> None:
        workspace.plan_error.write_text("Error: Reference to undeclared resource")
        raise OpsError("`terraform plan` failed")

    planning["dev-network"] = fail
    assert review(Checkout(tmp_path))["dev-network"][1] == "Error: Reference to undeclared resource"


def test_a_plan_of_a_release_that_is_not_recorded_is_not_left_to_be_applied(
    planning: dict[str, Planning], tmp_path: Path
) -> None:
    assert planning == {}
    root = provision.working_root(Checkout(tmp_path))
    review(Checkout(tmp_path))
    assert (root / "dev-service/plan.tfplan").exists()
    found = review(Checkout(tmp_path), web=Image("an image", "abcdef1"))
    assert found["dev-service"][0] == Verdict.NO_CHANGES
    assert not (root / "dev-service/plan.tfplan").exists()
    assert (root / "dev-network/plan.tfplan").exists()


@pytest.mark.parametrize(("kind", "status"), [("service", 1), (None, 0)])
def test_a_review_of_one_stack_that_waits_fails_since_nobody_can_approve_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str | None, status: int
) -> None:
    write_platform(tmp_path / "environments", dev=environment())
    wait = model.Wait(
        "dev-network", "dev-service waits for dev-network: it has no zone c yet.", has_state=False
    )
    made = review_of([model.Stack("dev-service", "dev", None, waits=(wait,))], Marker("oaktree", "", 0))
    monkeypatch.setattr(reviewing, "review", lambda *_, **__: reviewing.Reviewed(made, tmp_path))
    told = pytest.raises(OpsError, match="dev-service cannot be applied yet: apply what it waits for")
    with told if status else nullcontext():
        unwrap(github.review)(env="dev", stack=kind, directory=tmp_path)
