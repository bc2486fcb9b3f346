"""The task definition as synthesized and the image say the same."""

import json
import re
from pathlib import Path

import pytest

from ops.local.runners import STOP_SECONDS
from stacks.reading import read_platform
from stacks.synthesis import synthesize
from tests.docker.dockerfile import final_stage, only
from tests.places import ENVIRONMENTS, ROOT
from tests.stacks.terraform_json import Stack, read_stacks


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The service stack of a `dev` that keeps to the defaults."""
    outdir = tmp_path_factory.mktemp("synthesis") / "cdktf.out"
    synthesize(read_platform(ENVIRONMENTS), outdir)
    return read_stacks(outdir)["dev-service"]


def test_user_command_and_port(dev: Stack) -> None:
    container = dev.container()
    assert container["user"] == only("USER")
    assert container["command"] == json.loads(only("CMD"))
    assert [str(port["containerPort"]) for port in container["portMappings"]] == [only("EXPOSE")]


def test_health_check(dev: Stack) -> None:
    options, _, command = only("HEALTHCHECK").partition("CMD ")
    said = dict(re.findall(r"--([a-z-]+)=(\d+)", options))
    assert dev.container()["healthCheck"] == {
        "command": ["CMD", *json.loads(command)],
        "interval": int(said["interval"]),
        "timeout": int(said["timeout"]),
        "retries": int(said["retries"]),
        "startPeriod": int(said["start-period"]),
    }


def test_stop_signal_and_time(dev: Stack) -> None:
    """ECS sends the image's signal and kills after the stop timeout; the app is done before."""
    container = dev.container()
    variables = {item["name"]: item["value"] for item in container["environment"]}
    assert only("STOPSIGNAL") == "SIGTERM"
    assert container["stopTimeout"] == STOP_SECONDS
    assert 0 < int(variables["SHUTDOWN_TIMEOUT"]) < container["stopTimeout"]


def test_a_read_only_root_is_enough(dev: Stack) -> None:
    assert dev.container()["readonlyRootFilesystem"] is True
    assert dev.container()["mountPoints"] == []
    assert not {"VOLUME", "RUN", "ADD"} & {name for name, _ in final_stage()}
    assert not re.search("chmod|chown", Path(ROOT, "docker/Dockerfile").read_text())
