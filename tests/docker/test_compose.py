"""docker/compose.yaml keeps to the contract; what it sets boots the app."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml

from ops.local.runners import SMALLEST_TASK_MIB, STOP_SECONDS
from tests.places import ROOT
from tests.webapp.environment import VARIABLES
from tests.webapp.processes import running_app, running_moto
from tests.webapp.waiting import soon
from webapp.contract import (
    EXPIRY_ATTRIBUTE,
    PARTITION_KEY,
    PORT,
    SORT_KEY,
    USER,
    Configuration,
)

FILE = ROOT / "docker/compose.yaml"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(FILE.read_text())["services"]
    return found


def test_the_app_is_confined_as_its_task_is(services: dict[str, dict[str, Any]]) -> None:
    web = services["web"]
    assert web["user"] == USER
    assert web["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert web["mem_limit"] == f"{SMALLEST_TASK_MIB}m"
    assert web["stop_grace_period"] == f"{STOP_SECONDS}s"
    assert int(web["environment"]["SHUTDOWN_TIMEOUT"]) < STOP_SECONDS
    assert web["init"] is True
    assert "volumes" not in web
    assert "tmpfs" not in web


def test_no_container_may_more_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    for service in services.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert "privileged" not in service


def test_the_app_is_built_from_the_dockerfile(services: dict[str, dict[str, Any]]) -> None:
    build = services["web"]["build"]
    assert (FILE.parent / build["context"] / build["dockerfile"]).resolve() == ROOT / "docker/Dockerfile"


def test_the_app_gets_every_variable_that_it_needs_and_no_unknown_one(
    services: dict[str, dict[str, Any]],
) -> None:
    given = set(services["web"]["environment"])
    needed = {name.upper() for name, field in Configuration.model_fields.items() if field.is_required()}
    assert needed <= given
    assert {name for name in given if not name.startswith("AWS_")} <= VARIABLES


def test_moto_is_that_of_the_lock(services: dict[str, dict[str, Any]]) -> None:
    locked = re.search(r"^moto==(\S+)", (ROOT / "requirements/dev.txt").read_text(), re.MULTILINE)
    assert locked
    assert {services[name]["image"] for name in ("aws", "table")} == {f"motoserver/moto:{locked[1]}"}


def test_things_start_one_after_the_other(services: dict[str, dict[str, Any]]) -> None:
    assert services["table"]["depends_on"] == {"aws": {"condition": "service_healthy"}}
    assert services["web"]["depends_on"] == {"table": {"condition": "service_completed_successfully"}}


def test_the_table_is_made_and_the_app_is_ready_with_it(services: dict[str, dict[str, Any]]) -> None:
    table = services["table"]
    assert table["command"] == [
        services["web"]["environment"]["TABLE"],
        PARTITION_KEY,
        SORT_KEY,
        EXPIRY_ATTRIBUTE,
    ]
    script = table["entrypoint"][1].removeprefix("/")
    assert table["volumes"] == [f"./{script}:/{script}:ro"]
    with running_moto() as url:
        for _ in range(2):
            subprocess.run(
                (sys.executable, FILE.parent / script, *table["command"]),
                env={"PATH": os.environ["PATH"], **table["environment"], "AWS_ENDPOINT_URL": url},
                check=True,
            )
        with running_app({**services["web"]["environment"], "AWS_ENDPOINT_URL": url}) as app:
            soon(lambda: app.client.get("/readyz").status_code, (200).__eq__)
