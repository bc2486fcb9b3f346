"""The commands that run services: containers as ECS's definition says, local commands in their directory."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ops.core.errors import OpsError
from ops.images.engine import Engine
from ops.local.runners import CommandRunner, TaskRunner

ENGINE = Engine("docker", "/usr/bin/docker")


def command(definition: dict[str, Any]) -> tuple[str, ...]:
    runner = TaskRunner(ENGINE, "sha256:1", "oaktree-web", definition, 1024)
    return runner.program(0, {"KEY": "secret"}).command


def test_a_container_runs_as_its_definition_says() -> None:
    found = command(
        {
            "command": ["serve", "--fast"],
            "entryPoint": ["/bin/tini", "--"],
            "user": "10001:10001",
            "workingDirectory": "/app",
            "readonlyRootFilesystem": True,
            "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
            "mountPoints": [{"containerPath": "/heartbeat", "sourceVolume": "heartbeat"}],
        }
    )
    assert {
        "--name=oaktree-web",
        "--network=host",
        "--read-only",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--entrypoint=/bin/tini",
        "--user=10001:10001",
        "--workdir=/app",
        "--volume=/heartbeat",
        "--memory=1024m",
        "--env=KEY",
    } <= set(found)
    assert found[-4:] == ("sha256:1", "--", "serve", "--fast")
    assert "secret" not in " ".join(found)


def test_volumes_are_directories_of_this_machine_and_those_of_the_task_are_its_own() -> None:
    mounts = [
        {"containerPath": "/media", "sourceVolume": "volume-media", "readOnly": True},
        {"containerPath": "/heartbeat", "sourceVolume": "heartbeat"},
    ]
    volumes = {"volume-media": Path("/here/media")}
    runner = TaskRunner(ENGINE, "sha256:1", "oaktree-web", {"mountPoints": mounts}, 1024, volumes)
    found = {word for word in runner.program(0, {}).command if word.startswith("--volume=")}
    assert found == {"--volume=/here/media:/media:ro", "--volume=/heartbeat"}


def test_a_writable_root_and_the_engines_capabilities_are_given_where_the_settings_ask_for_them() -> None:
    found = command({"readonlyRootFilesystem": False, "linuxParameters": {"initProcessEnabled": True}})
    assert not {"--read-only", "--cap-drop=all"} & set(found)
    assert "--security-opt=no-new-privileges" in found
    assert found[-1] == "sha256:1"


def test_before_deploy_runs_in_another_container_of_the_same_image() -> None:
    runner = TaskRunner(
        ENGINE, "sha256:1", "oaktree-web", {"command": ["serve"], "entryPoint": ["sh"], "user": "1:1"}, 512
    )
    found = runner.one_off("oaktree-web-before", ["migrate"], {}).command
    assert {"--name=oaktree-web-before", "--user=1:1"} <= set(found)
    assert found[-2:] == ("sha256:1", "migrate")
    assert "--entrypoint=sh" not in found


def test_a_local_command_runs_in_its_directory_with_its_port_and_no_other_variables(tmp_path: Path) -> None:
    text = "import os, sys; print(os.getcwd(), sys.argv[1], sorted(set(os.environ) & {'HOME', 'KEY'}))"
    runner = CommandRunner(("python", "-c", text, "--port={port}"), tmp_path)
    program = runner.program(8001, {"KEY": "value"})
    done = subprocess.run(
        program.command, env=program.environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{tmp_path} --port=8001 ['KEY']\n"


def test_it_changes_with_its_files_and_not_with_what_programs_leave_behind(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("1")
    runner = CommandRunner((sys.executable, "app.py"), tmp_path)
    before = runner.identity
    for left in ("__pycache__", "node_modules", ".cache"):
        (tmp_path / left).mkdir()
        (tmp_path / left / "file").write_text("left")
    assert runner.identity == before
    (tmp_path / "app.py").write_text("22")
    assert runner.identity != before


def test_a_directory_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(OpsError, match=r"The directory .*/nowhere does not exist\."):
        CommandRunner(("python",), tmp_path / "nowhere").program(1, {})
