"""What commands say at their end about what goes on without them."""

from inspect import unwrap
from typing import Any

import pytest

from ops.commands import rollout, terraform
from ops.terraform import prerequisites, provision
from tests.places import ENVIRONMENTS

HERE = ENVIRONMENTS.parent
"""Stands for a checkout, of which only the settings are read."""


@pytest.mark.parametrize(("stack", "said"), [("service", True), ("network", False)])
def test_an_apply_of_services_says_that_ecs_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], stack: str, said: bool
) -> None:
    monkeypatch.setattr(terraform, "act_in_account", lambda *_: None)
    monkeypatch.setattr(prerequisites, "require", lambda *_: None)
    monkeypatch.setattr(provision, "apply", lambda *_: None)
    unwrap(terraform.apply)("dev", stack, None, HERE)
    goes_on = "ECS may still be rolling one out, and rolls back if it fails. `make status ENV=dev` shows it."
    assert (goes_on in capsys.readouterr().out) is said


class Done:
    """A bootstrap with nothing to do."""

    def __init__(self, *_: Any) -> None:
        """Take what a bootstrap takes."""

    def steps(self, *_: Any) -> tuple[()]:
        """No step is left."""
        return ()

    def run(self) -> dict[str, str]:
        """No app runs on this machine."""
        return {}


@pytest.mark.parametrize(("environment", "said"), [("prod", True), ("dev", False)])
def test_bootstrap_asks_to_confirm_the_alarms_subscription(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: str, said: bool
) -> None:
    monkeypatch.setattr(rollout, "require_account", lambda *_: None)
    monkeypatch.setattr(rollout, "Bootstrap", Done)
    unwrap(rollout.bootstrap)(environment, yes=True, directory=HERE)
    told = "AWS sends alarms to on-call@example.com, platform@example.com once somebody follows the link"
    assert (told in capsys.readouterr().out) is said
