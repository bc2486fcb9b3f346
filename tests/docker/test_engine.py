"""What is particular to an engine's command line."""

import os
import subprocess
from pathlib import Path

import pytest

from ops.core.errors import OpsError
from ops.images.engine import Engine, Image, find_engine
from tests.docker.conftest import COMMIT, run_ops
from tests.docker.containers import running_registry

pytestmark = pytest.mark.engine

USERS = "AWS:$2b$05$abcdefghijklmnopqrstuuSSgfZSwfwKPbBZRnD5O0VgRw2zVgiZC\n"
"""User AWS with the password "correct", by bcrypt, which is all that the registry takes."""


def test_a_registry_with_a_password_takes_a_push_after_a_log_in(
    engine: Engine, image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "auth.json"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with running_registry(tmp_path, USERS) as host:
        name = f"{host}/oaktree/web:{COMMIT}"
        engine.tag(image.id, name)
        with pytest.raises(OpsError, match=f"`{engine.kind} push` failed"):
            engine.push(name)
        with pytest.raises(OpsError, match=f"`{engine.kind} login` failed") as told:
            engine.log_in(host, "AWS", "wrong")
        assert "wrong" not in str(told.value)
        engine.log_in(host, "AWS", "correct")
        assert engine.push(name).startswith("sha256:")
        subprocess.run((engine.executable, "rmi", name), capture_output=True, check=True)


def test_a_build_that_fails_says_so(engine: Engine) -> None:
    flags = f"{os.environ.get('IMAGE_BUILD_FLAGS', '')} --no-such-flag"
    done = run_ops("image", "--commit", COMMIT, IMAGE_BUILD_FLAGS=flags)
    assert done.returncode == 1
    assert "no-such-flag" in done.stderr
    assert f"`{engine.kind} build` failed with status" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_does_not_work_is_named_with_its_complaint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho 'Cannot connect to the Docker daemon' >&2\nexit 1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(OpsError, match=r"docker does not work: Cannot connect to the Docker daemon"):
        find_engine()


def test_podman_under_the_name_of_docker_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker = tmp_path / "docker"
    docker.write_text("#!/bin/sh\necho podman version 4.3.1\n")
    docker.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find_engine() == Engine("podman", str(docker))


@pytest.mark.parametrize("wrong", ["yesterday", "-1", "1.5"])
def test_a_date_that_is_none_is_refused(wrong: str) -> None:
    done = run_ops("image", "--commit", COMMIT, SOURCE_DATE_EPOCH=wrong)
    assert done.returncode == 2
    assert f"SOURCE_DATE_EPOCH={wrong} is not a number of seconds since 1970." in done.stderr
