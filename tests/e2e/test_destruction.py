"""Three environments are destroyed, production only once it is no longer protected, and nothing is left."""

from pathlib import Path

import pytest

from tests.e2e import calls
from tests.e2e.clone import Clone
from tests.e2e.delivery import ACCOUNTS, BUCKET, DEPLOY, HOME, KINDS, PROD, bootstrapped
from tests.e2e.desk import REGION, Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import beyond, read_role

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


def test_a_protected_environment_refuses_to_be_destroyed(desk: Clone) -> None:
    done = desk.make(PROD, "destroy", "ENV=prod", "STACK=service", typed="prod\n")
    assert done.returncode == 2
    assert "prod-service is protected" in done.stderr
    person = Desk(desk.directory)
    assert succeeded(person.terraform("prod-service", PROD, "init"))
    by_hand = person.terraform("prod-service", PROD, "plan", "-destroy", "-lock=false")
    assert by_hand.returncode == 1
    assert "prevent_destroy" in by_hand.stderr


def test_unprotected_everything_is_destroyed_and_nothing_is_left(desk: Clone, brought_up: Path) -> None:
    desk.edit("environments/prod.toml", "protected   = true", "protected   = false")
    desk.edit("environments/prod.toml", "deletion_protection = true", "deletion_protection = false")
    for command in ("plan", "apply"):
        assert succeeded(desk.make(PROD, command, "ENV=prod", "STACK=service"))
    role = read_role(desk.embedded.client("iam", REGION, HOME), DEPLOY)
    for env, account in reversed(ACCOUNTS.items()):
        first = calls.count(desk.memory)
        for kind in reversed(KINDS):
            done = desk.make(account, "destroy", f"ENV={env}", f"STACK={kind}", typed=f"{env}\n")
            assert succeeded(done)
        if account == HOME:
            made = calls.calls(desk.memory, {}, first)
            # Former revisions are deregistered by `make destroy` itself, which no workflow runs.
            assert beyond(role, made, f"AKIA{HOME}", BUCKET) <= {"ecs:ListTaskDefinitions"}
    assert succeeded(desk.make(PROD, "destroy", "ENV=prod", "STACK=foundation", typed="oaktree\n"))
    assert succeeded(desk.make(HOME, "destroy", "STACK=foundation", typed="oaktree\n"))
    for account, empty in bootstrapped(brought_up).empty.items():
        assert inventory(desk.embedded, account, REGION) - set(empty) == frozenset()
