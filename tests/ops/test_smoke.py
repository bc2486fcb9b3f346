"""The smoke test, against something that answers over real HTTP."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, replace
from inspect import unwrap
from pathlib import Path
from typing import Any

import pytest

from ops.commands import rollout
from ops.core.ecs import Image
from ops.core.errors import OpsError, ReleaseFailedError, UsageError
from ops.core.progress import Phase
from ops.local.embedded import Embedded
from ops.rollout.smoke import TIMES, Asked, address_of, checked_address, look, smoke_test
from ops.rollout.tasks import wait_until_healthy
from ops.rollout.verify import require_balanced, verify
from stacks.reading import read_platform
from stacks.workloads import Workload, workload
from tests.ops.conftest import REGION
from tests.ops.fake_app import FakeApp, fake_app, status
from tests.stacks.platform_files import environment, write_platform
from webapp import contract

WANTED = Image("registry/app@sha256:" + "a" * 64, "abcdef0")
OTHER = Image("registry/app@sha256:" + "b" * 64, "abcdef1")


@pytest.fixture
def app() -> Iterator[FakeApp]:
    with fake_app() as found:
        found.be(WANTED.digest, WANTED.commit)
        yield found


def test_the_right_release_passes_after_several_good_answers(app: FakeApp) -> None:
    phase = Phase("smoke test")
    smoke_test(app.address, WANTED, phase)
    assert app.asked == [contract.HEALTH_PATH, contract.READY_PATH, contract.STATUS_PATH] * TIMES
    assert phase.result == f"{app.address} answers as abcdef0 (sha256:aaaaaaaaaaaa)"


def test_good_answers_have_to_come_in_a_row(app: FakeApp) -> None:
    good, bad = status(WANTED.digest, WANTED.commit), status(OTHER.digest, OTHER.commit)
    app.in_turn = [good, good, bad, good, bad]
    smoke_test(app.address, WANTED, Phase("smoke test"), interval=0)
    assert app.asked.count(contract.STATUS_PATH) == 5 + TIMES


@pytest.mark.parametrize(
    "other", [OTHER, replace(WANTED, commit="abcdef1"), replace(OTHER, commit="abcdef0")]
)
def test_another_release_fails(app: FakeApp, other: Image) -> None:
    app.be(other.digest, other.commit)
    with pytest.raises(ReleaseFailedError) as failed:
        smoke_test(app.address, WANTED, Phase("smoke test"), seconds=0)
    assert failed.value.reason == (
        f"The smoke test failed after 0 s: {app.address}/api/status reports another release than abcdef0 "
        f"(sha256:aaaaaaaaaaaa): its fingerprint is {contract.fingerprint(other.digest, other.commit)}, not "
        f"{contract.fingerprint(WANTED.digest, WANTED.commit)}."
    )


@pytest.mark.parametrize(
    ("path", "answer", "told"),
    [
        (contract.HEALTH_PATH, (500, b""), "/healthz answers 500"),
        (contract.READY_PATH, (503, b""), "/readyz answers 503"),
        (contract.STATUS_PATH, (404, b""), "/api/status answers 404"),
        (
            contract.HEALTH_PATH,
            (301, b""),
            "/healthz answers 301 and redirects to https://elsewhere.example.com/",
        ),
        (contract.STATUS_PATH, (200, b"<html>"), "/api/status does not say which release it is"),
        (contract.STATUS_PATH, (200, b"\xff"), "/api/status does not say which release it is"),
        (contract.STATUS_PATH, (200, b"[]"), "/api/status does not say which release it is"),
        (contract.STATUS_PATH, (200, b'{"release": {}}'), "/api/status does not say which release it is"),
        (contract.STATUS_PATH, (200, b"[" * 100_000), "/api/status does not say which release it is"),
        (contract.STATUS_PATH, (200, b"x" * 1_000_001), "/api/status answers with more than 1,000,000 bytes"),
    ],
)
def test_every_other_answer_is_told(app: FakeApp, path: str, answer: tuple[int, bytes], told: str) -> None:
    app.answers[path] = answer
    assert look(app.address, WANTED) == app.address + told


def test_a_foreign_release_steers_no_terminal(app: FakeApp) -> None:
    app.answers[contract.STATUS_PATH] = (200, status("\x1b[31m", "\x07\n"))
    assert look(app.address, WANTED).isprintable()


def test_nobody_there_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{probe.getsockname()[1]}"
        assert look(address, WANTED).startswith(f"{address}/healthz does not answer (")


@pytest.mark.parametrize("name", ["nowhere.invalid", "a..b", "x" * 64 + ".example.com"])
def test_a_name_that_nobody_knows_is_told(name: str) -> None:
    assert "does not answer (" in look(checked_address(f"http://{name}"), WANTED)


def test_a_proxy_is_not_asked_for_this_machine(app: FakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "HTTP_PROXY", "http://127.0.0.1:9")
    assert look(app.address, WANTED) == ""


@pytest.mark.parametrize(
    "wrong",
    [
        "www.example.com",
        "ftp://www.example.com",
        "https://",
        "https://www.example.com/path",
        "https://www.example.com?x=1",
        "https://user@www.example.com",
        "http://[",
        "http://a:b",
    ],
)
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(UsageError) as refused:
        checked_address(wrong)
    assert str(refused.value) == f"ADDRESS={wrong} is not an address such as https://www.example.com."


def test_an_address_loses_its_last_slash() -> None:
    assert checked_address("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"


SHOP = """
[services.web]
dockerfile = "shop/Dockerfile"
health_path = "/health"
health_status = "200,204"
version_path = "/version"

[services.api]
dockerfile = "shop/Dockerfile"
path = "/api"
health_path = "/api/health"
version_path = "/api/version"

[services.admin]
dockerfile = "shop/Dockerfile"
path = "/admin"
health_path = "/health"

[services.own]
dockerfile = "shop/Dockerfile"
load_balancer = "own"

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]
"""


def of_shop(directory: Path, service: str, services: str = SHOP) -> Workload:
    platform = read_platform(write_platform(directory, dev=environment(services=services)))
    return workload(platform.project, platform.environments["dev"], service)


def test_a_service_is_reached_by_its_domain_else_by_its_load_balancer(
    embedded: Embedded, tmp_path: Path
) -> None:
    elb = embedded.client("elbv2", REGION)
    with pytest.raises(OpsError, match=r"The load balancer oaktree-dev does not exist yet\. .* ADDRESS="):
        address_of(elb, of_shop(tmp_path, "api"))
    ec2 = embedded.client("ec2", REGION)
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    names: dict[str, str] = {}
    for name in ("oaktree-dev", "oaktree-dev-own"):
        made: dict[str, Any] = elb.create_load_balancer(Name=name, Subnets=subnets)
        names[name] = made["LoadBalancers"][0]["DNSName"]
    assert address_of(elb, of_shop(tmp_path, "api")) == f"http://{names['oaktree-dev']}/api"
    assert address_of(elb, of_shop(tmp_path, "own")) == f"http://{names['oaktree-dev-own']}"
    domain = '[load_balancer]\ndomain = "www.example.com"\nhosted_zone = "example.com"\n'
    assert address_of(elb, of_shop(tmp_path, "api", SHOP + domain)) == "https://www.example.com/api"


def test_the_status_app_is_asked_what_only_it_answers(tmp_path: Path) -> None:
    assert Asked.of(of_shop(tmp_path, "web", '[services.web]\nkind = "status"\n'), direct=False) is None


@pytest.mark.parametrize(
    ("service", "direct", "asked"),
    [
        ("web", False, Asked("/health", "200,204", "/version")),
        ("api", False, Asked("/health", "200-399", "/version")),
        ("api", True, Asked("/api/health", "200-399", "/api/version")),
        # Through the load balancer only what is below its path reaches it.
        ("admin", False, Asked("", "200-499", None)),
        ("admin", True, Asked("/health", "200-399", None)),
    ],
)
def test_a_web_service_is_asked_what_its_settings_say(
    tmp_path: Path, service: str, direct: bool, asked: Asked
) -> None:
    assert Asked.of(of_shop(tmp_path, service), direct=direct) == asked


def test_a_web_service_passes_by_its_health_path_and_the_commit_at_its_version_path(app: FakeApp) -> None:
    app.answers = {"/health": (204, b""), "/version": (200, b'{"build": "abcdef0"}')}
    phase = Phase("smoke test")
    smoke_test(app.address, WANTED, phase, asked=Asked("/health", "200,204", "/version"))
    assert app.asked == ["/health", "/version"] * TIMES
    assert phase.result == f"{app.address} answers as abcdef0 (sha256:aaaaaaaaaaaa)"


def test_without_a_version_path_it_is_said_that_the_release_is_not_known(app: FakeApp) -> None:
    app.answers = {"/health": (302, b"")}
    phase = Phase("smoke test")
    smoke_test(app.address, WANTED, phase, asked=Asked("/health", "200-399", None))
    assert phase.result == f"{app.address} answers, and does not say which release it is"


@pytest.mark.parametrize(
    ("answers", "wrong"),
    [
        (
            {"/health": (200, b""), "/version": (200, b"abcdef1")},
            "/version does not contain the commit abcdef0",
        ),
        ({"/health": (200, b""), "/version": (500, b"abcdef0")}, "/version answers 500"),
        ({"/health": (404, b"")}, "/health answers 404"),
    ],
)
def test_another_commit_or_status_of_a_web_service_fails(
    app: FakeApp, answers: dict[str, tuple[int, bytes]], wrong: str
) -> None:
    app.answers = answers
    assert look(app.address, WANTED, Asked("/health", "200", "/version")) == f"{app.address}{wrong}"


@dataclass
class Tasks:
    """ECS with one service."""

    running: int = 2
    health: tuple[str, ...] = ("HEALTHY", "HEALTHY")

    class exceptions:  # noqa: N801 - as boto3 names it
        ClusterNotFoundException = KeyError

    def describe_services(self, **_: object) -> dict[str, Any]:
        service = {"status": "ACTIVE", "desiredCount": 2, "runningCount": self.running}
        return {"services": [service]}

    def get_paginator(self, _: str) -> "Tasks":
        return self

    def paginate(self, **_: object) -> list[dict[str, Any]]:
        return [{"taskArns": ["task"] * len(self.health)}]

    def describe_tasks(self, **_: object) -> dict[str, Any]:
        containers = [[{"healthStatus": each}] for each in self.health]
        return {
            "tasks": [
                {"healthStatus": each, "containers": of}
                for each, of in zip(self.health, containers, strict=True)
            ]
        }


@pytest.mark.parametrize(
    ("tasks", "wrong"),
    [
        (Tasks(running=1), "1 of 2 tasks run"),
        (Tasks(health=("HEALTHY", "UNHEALTHY")), "1 of 2 tasks are not healthy"),
    ],
)
def test_tasks_that_are_missing_or_unhealthy_fail(tasks: Tasks, wrong: str) -> None:
    with pytest.raises(ReleaseFailedError, match=f"after 0 s: {wrong}"):
        wait_until_healthy(tasks, "oaktree-dev", "oaktree-dev-worker", Phase("smoke test"), 0)


@pytest.mark.parametrize(
    ("health", "told"),
    [("HEALTHY", "healthy by their health checks"), ("UNKNOWN", "without a health check")],
)
def test_a_service_without_an_address_passes_by_what_ecs_says(health: str, told: str) -> None:
    phase = Phase("smoke test")
    wait_until_healthy(Tasks(health=(health, health)), "oaktree-dev", "oaktree-dev-worker", phase, 0)
    assert phase.result == f"no address to ask: ECS says 2 of 2 tasks run, {told}"


@dataclass
class Served:
    """As `ops.rollout.deployed.Deployed` and `ops.local.stand_in.StandIn`."""

    workload: Workload
    at: str = ""
    service: str = "worker"

    def test_tasks(self, phase: Phase, seconds: float) -> None:
        phase.result = f"tasks within {seconds:.0f} s"

    def address(self, _: str = "") -> str:
        return self.at

    def state(self, _: str) -> str:
        return "runs on this machine"


def test_a_worker_is_tested_by_its_tasks_and_at_a_desk_by_its_process(tmp_path: Path) -> None:
    worker: Any = Served(of_shop(tmp_path, "worker"))
    phase = Phase("smoke test")
    verify(worker, None, "", None, phase, 9)
    assert phase.result == "tasks within 9 s"
    verify(worker, None, "", worker, phase, 9)
    assert phase.result == "nothing to ask: runs on this machine"


def test_an_address_is_refused_for_a_service_that_takes_no_requests(tmp_path: Path) -> None:
    require_balanced(of_shop(tmp_path / "1", "admin"))
    with pytest.raises(UsageError, match=r"ADDRESS= is for services behind a load balancer, and worker is"):
        require_balanced(of_shop(tmp_path / "2", "worker"))


def test_make_deploy_refuses_it_before_it_asks_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_shop(tmp_path / "environments", "worker")
    monkeypatch.setattr(rollout, "act_in_environment", lambda *_: pytest.fail("AWS was asked"))
    with pytest.raises(UsageError, match=r"ADDRESS= is for services behind a load balancer, and worker is"):
        unwrap(rollout.deploy_command)(
            env="dev", service="worker", address="http://127.0.0.1:8080", directory=tmp_path
        )


def test_at_a_desk_a_web_service_is_asked_at_its_own_address(app: FakeApp, tmp_path: Path) -> None:
    app.answers = {"/health": (200, b"")}
    admin: Any = Served(of_shop(tmp_path, "admin"), app.address)
    verify(admin, None, "", admin, Phase("smoke test"), 9)
    assert app.asked == ["/health"] * TIMES
