"""The health check that runs inside the container."""

import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.places import ROOT
from tests.webapp.faults import answering, nobody, silence
from tests.webapp.processes import App
from webapp.contract import HEALTH_COMMAND, HEALTH_PATH, PORT, READY_PATH
from webapp.health import TIMEOUT, main


def check(port: int | str, path: str = HEALTH_PATH) -> tuple[int, str]:
    """Exit status and stderr of the contract's health command, asked of this port and path."""
    stated = {str(PORT): str(port), HEALTH_PATH: path}
    arguments = [stated.get(argument, argument) for argument in HEALTH_COMMAND[1:]]
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    return done.returncode, done.stderr


def test_passes_when_the_app_is_alive(app: App) -> None:
    assert check(app.port) == (0, "")


def test_fails_when_the_path_is_unknown(app: App) -> None:
    assert check(app.port, "/nothing") == (1, "/nothing answered 404\n")


def test_fails_when_the_answer_is_an_error() -> None:
    with answering(503) as server:
        assert check(server.server_port, READY_PATH) == (1, f"{READY_PATH} answered 503\n")


def test_fails_when_nobody_listens() -> None:
    with nobody() as url:
        status, reason = check(url.rpartition(":")[2])
    assert status == 1
    assert "Connection refused" in reason
    assert "Traceback" not in reason


def test_fails_in_time_when_nobody_answers() -> None:
    started = time.monotonic()
    with silence() as server:
        status, reason = check(server.url.rpartition(":")[2])
    assert status == 1
    assert "timed out" in reason
    assert time.monotonic() - started < TIMEOUT + 2


def test_starts_without_the_app_and_its_libraries() -> None:
    code = "import sys, webapp.health; print(sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True
    )
    assert "webapp" in done.stdout
    for library in ("pydantic", "starlette", "uvicorn", "aiobotocore", "botocore"):
        assert f"'{library}'" not in done.stdout


def is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536


@given(
    st.lists(st.text(), max_size=4).filter(lambda arguments: len(arguments) != 2 or not is_port(arguments[0]))
)
def test_wrong_arguments_fail_and_never_with_the_status_docker_reserves(arguments: list[str]) -> None:
    assert main(arguments) == 1


@pytest.mark.parametrize(
    "arguments", [[], ["8080"], ["8080", "healthz"], ["0", "/"], ["65536", "/"], ["²", "/"]]
)
def test_wrong_arguments_are_told_the_right_ones(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith("usage: ")
