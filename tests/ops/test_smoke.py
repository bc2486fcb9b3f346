"""The smoke test, against something that answers over real HTTP."""

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ops.core.errors import OpsError, ReleaseFailedError, UsageError
from ops.core.progress import Phase
from ops.local.embedded import Embedded
from ops.rollout.smoke import TIMES, Expected, address_of, checked_address, look, smoke_test
from stacks.settings import Platform
from tests.ops.conftest import REGION
from tests.ops.fake_app import FakeApp, fake_app, status
from webapp import contract

WANTED = Expected("sha256:" + "a" * 64, "abcdef0")
OTHER = Expected("sha256:" + "b" * 64, "abcdef1")


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
def test_another_release_fails(app: FakeApp, other: Expected) -> None:
    app.be(other.digest, other.commit)
    with pytest.raises(ReleaseFailedError) as failed:
        smoke_test(app.address, WANTED, Phase("smoke test"), seconds=0)
    assert failed.value.reason == (
        f"The smoke test failed after 0 s: {app.address}/api/status reports {other.commit} "
        f"({other.digest[:19]}), expected is abcdef0 (sha256:aaaaaaaaaaaa)."
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


def test_a_service_is_reached_by_its_domain_else_by_its_load_balancer(
    embedded: Embedded, platform: Platform
) -> None:
    elb = embedded.client("elbv2", REGION)
    environment = platform.environments["dev"]
    with pytest.raises(OpsError, match=r"The load balancer oaktree-dev-web does not exist yet\. .* ADDRESS="):
        address_of(elb, platform.project, environment, "web")
    ec2 = embedded.client("ec2", REGION)
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    made: dict[str, Any] = elb.create_load_balancer(Name="oaktree-dev-web", Subnets=subnets)
    name = made["LoadBalancers"][0]["DNSName"]
    assert address_of(elb, platform.project, environment, "web") == f"http://{name}"
    web = environment.services["web"].model_copy(update={"domain": "www.example.com"})
    named = environment.model_copy(update={"services": {"web": web}})
    assert address_of(elb, platform.project, named, "web") == "https://www.example.com"
