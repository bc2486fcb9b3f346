"""Production is destroyed once it is no longer protected: nothing of it is left, all else stays as it is."""

from pathlib import Path

import pytest

from tests.e2e import calls
from tests.e2e.clone import Clone
from tests.e2e.delivery import BUCKET, DEPLOY, HOME, KINDS, PROD, bootstrapped, client
from tests.e2e.desk import REGION, Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import beyond, note_permissions, read_role

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


def test_unprotected_it_is_destroyed_and_nothing_else(desk: Clone, brought_up: Path) -> None:
    others = inventory(desk.embedded, HOME, REGION)
    desk.edit("environments/prod.toml", "protected   = true", "protected   = false")
    desk.edit("environments/prod.toml", "deletion_protection = true", "deletion_protection = false")
    for kind in ("data", "service"):
        for command in ("plan", "apply"):
            assert succeeded(desk.make(PROD, command, "ENV=prod", f"STACK={kind}"))
    role = read_role(desk.embedded.client("iam", REGION, PROD), PROD, DEPLOY)
    first = calls.count(desk.memory)
    for kind in reversed(KINDS):
        assert succeeded(desk.make(PROD, "destroy", "ENV=prod", f"STACK={kind}", typed="prod\n"))
    made = list(calls.recorded(desk.memory, first))
    assert any(each.call.action == "ecs:DeleteService" for each in made)
    # Previous revisions are deregistered by `make destroy` itself, which no workflow runs.
    assert beyond(role, made, BUCKET, client(desk, "s3", "dev")) <= {"ecs:ListTaskDefinitions"}
    note_permissions(desk.embedded, REGION, desk.memory, {PROD})
    assert succeeded(desk.make(PROD, "destroy", "ENV=prod", "STACK=foundation", typed="oaktree\n"))
    empty = bootstrapped(brought_up).empty[PROD]
    assert inventory(desk.embedded, PROD, REGION) <= set(empty)
    assert inventory(desk.embedded, HOME, REGION) == others
