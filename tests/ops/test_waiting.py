"""A service waits for its network: when nothing is applied yet, and when a zone is added."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ops.local.embedded import Embedded, start_embedded
from ops.local.up import stop_all
from tests.ops.conftest import ACCOUNT, REGION, Desk, put_secret_of_dev
from tests.ops.small_stacks import RECORD

pytestmark = pytest.mark.e2e

SERVICE, NETWORK = ("--env", "dev", "--stack", "service"), ("--env", "dev", "--stack", "network")
FIRST = "Apply it first: `make plan ENV=dev STACK=network && make apply ENV=dev STACK=network`."
NOT_APPLIED = f"dev-service waits for dev-network: it is not applied yet. {FIRST}"
NO_ZONE = f"dev-service waits for dev-network: it has no private_subnet_b yet. {FIRST}"


@pytest.fixture(scope="module")
def embedded(desk: Desk) -> Iterator[Embedded]:
    started = start_embedded(desk.checkout.local, ACCOUNT)
    put_secret_of_dev(started)
    release = json.dumps({"image": "web", "commit": "1abcdef"})
    started.client("ssm", REGION).put_parameter(Name=RECORD, Value=release, Type="String")
    yield started
    stop_all(desk.checkout.local)


@pytest.fixture(scope="module")
def here(desk: Desk, embedded: Embedded) -> Desk:
    """The desk of a person on the embedded AWS, with a foundation and no environment."""
    (desk.checkout.environments / "zones.txt").write_text("a")
    found = replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))
    applied(found, "--stack", "foundation")
    return found


def applied(desk: Desk, *stack: str) -> None:
    for command in ("plan", "apply"):
        done = desk.run(command, *stack)
        assert (done.returncode, done.stderr) == (0, ""), done


def reviewed(desk: Desk) -> dict[str, Any]:
    """The stacks of a review, none of which failed; what it wrote says whom the service waits for."""
    done = desk.run("review", "--env", "dev")
    assert (done.returncode, done.stderr.count("failed")) == (0, 0), done
    directory = desk.checkout.local / "review/dev"
    for name in ("comment.md", "summary.md"):
        text = (directory / name).read_text()
        waits = "`dev-service` waits for `dev-network`" in text
        assert waits == ("WAITS" in text) == ("WAITS" in done.stdout)
    stacks = json.loads((directory / "verdict.json").read_text())["stacks"]
    return {stack["name"]: stack | {"told": done.stdout} for stack in stacks}


def refused(desk: Desk, told: str) -> None:
    """Neither a plan nor an apply of the service goes on, with or without a review."""
    done = desk.run("plan", *SERVICE)
    assert (done.returncode, done.stderr) == (1, f"{told}\n")
    verdict = desk.checkout.local / "review/dev/verdict.json"
    done = desk.run("apply", *SERVICE, "--verdict", str(verdict))
    assert done.returncode == 1
    assert "There is no saved plan of dev-service" in done.stderr


def test_without_a_network_the_service_waits_for_it(here: Desk) -> None:
    stacks = reviewed(here)
    assert stacks["dev-network"]["verdict"] == "SAFE"
    assert stacks["dev-service"]["verdict"] == "WAITS"
    assert stacks["dev-service"]["waits"] == [
        {"stack": "dev-network", "reason": "dev-service waits for dev-network: it is not applied yet."}
    ]
    assert NOT_APPLIED in stacks["dev-service"]["told"]
    refused(here, NOT_APPLIED)


def test_a_zone_that_is_added_is_waited_for_and_all_else_is_shown(here: Desk) -> None:
    applied(here, *NETWORK)
    applied(here, *SERVICE)
    (here.checkout.environments / "zones.txt").write_text("a b")
    stacks = reviewed(here)
    assert stacks["dev-network"]["verdict"] == "SAFE"
    service = stacks["dev-service"]
    assert service["verdict"] == "WAITS"
    assert service["waits"] == [{"stack": "dev-network", "reason": NO_ZONE}]
    assert (service["counts"]["outputs"], service["counts"]["failed_checks"]) == (1, 0)
    assert NO_ZONE in service["told"]
    refused(here, NO_ZONE)


def test_once_the_network_is_applied_nothing_waits(here: Desk) -> None:
    applied(here, *NETWORK)
    assert reviewed(here)["dev-service"]["verdict"] == "SAFE"
    applied(here, *SERVICE)


def test_what_waits_is_not_applied_even_if_somebody_saved_a_plan_of_it(here: Desk) -> None:
    verdict = here.checkout.directory / "waits.json"
    entry = {"name": "dev-service", "verdict": "WAITS", "changes_sha256": "0" * 64}
    verdict.write_text(json.dumps({"schema": 1, "stacks": [entry]}))
    assert here.run("plan", *SERVICE).returncode == 0
    done = here.run("apply", *SERVICE, "--verdict", str(verdict))
    assert done.returncode == 1
    assert "the reviewed plan of dev-service is WAITS; it cannot be applied." in done.stderr


def test_a_destroyed_network_is_one_that_lacks_everything(here: Desk) -> None:
    for stack in (SERVICE, NETWORK):
        done = here.run("destroy", *stack, answer="dev\n")
        assert done.returncode == 0, done
    done = here.run("plan", *SERVICE)
    assert done.returncode == 1
    assert "it has no private_subnet_a, private_subnet_b yet." in done.stderr
