"""Starting the app with bad input: everything wrong at once, exit status 2, no traceback."""

import json
import socket

import pytest

from tests.webapp.environment import environ_of
from tests.webapp.forking import ForkedApp
from tests.webapp.processes import running


def started(environ: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of an app that does not start."""
    with running(ForkedApp(["--host", "127.0.0.1", *arguments], environ)) as process:
        status = process.wait()
    return status, "".join(process.stdout), "".join(process.stderr)


def test_an_empty_environment_names_every_variable_that_is_needed() -> None:
    status, stdout, stderr = started({})
    assert (status, stdout) == (2, "")
    missing = {line.split()[0] for line in stderr.splitlines()[1:]}
    assert missing == {
        "AWS_REGION",
        "CLUSTER",
        "COMMIT",
        "COMPONENTS",
        "ENVIRONMENT",
        "IMAGE",
        "KEEP_ALIVE",
        "SERVICE",
        "SHUTDOWN_TIMEOUT",
        "TABLE",
    }
    assert "Traceback" not in stderr


def test_every_wrong_variable_is_named_with_what_is_expected_and_no_secret_is_shown() -> None:
    wrong = {
        "CHECK_INTERVAL": "0",
        "KEEP_ALIVE": "soon",
        "IMAGE": "web:latest",
        "TABLE": "",
        "AWS_ENDPOINT_URL": "localhost",
    }
    secret = {"WRITE_TOKEN_SHA256": "hunter2"}
    status, stdout, stderr = started(environ_of("http://127.0.0.1:9") | wrong | secret)
    assert (status, stdout) == (2, "")
    assert sorted(stderr.splitlines()[1:]) == [
        "  AWS_ENDPOINT_URL is 'localhost': expected a stand-in for AWS, such as http://127.0.0.1:5000",
        "  CHECK_INTERVAL is '0': expected seconds, a whole number from 1 to 300",
        "  IMAGE is 'web:latest': expected an image by digest: <repository>@sha256:<64 hexadecimal digits>",
        "  KEEP_ALIVE is 'soon': expected seconds, a whole number above 0",
        "  TABLE is empty: expected the name of a DynamoDB table: 3 to 255 letters, digits, '_', '.' or '-'",
        "  WRITE_TOKEN_SHA256 is wrong (its value is not shown): expected the token's SHA-256 in hexadecimal",
    ]


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        status, stdout, stderr = started(environ_of("http://127.0.0.1:9"), "--port", port)
    assert (status, stdout) == (2, "")
    expected = f"cannot listen on 127.0.0.1, port {port}: Address already in use"
    assert stderr.startswith(expected)
    assert "Traceback" not in stderr


@pytest.mark.parametrize("port", ["http", "-1", "65536"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    status, _, stderr = started(environ_of("http://127.0.0.1:9"), f"--port={port}")
    assert status == 2
    assert f"'{port}' is not a port; allowed: 0 to 65535" in stderr
    assert "Traceback" not in stderr


def test_botocores_own_configuration_is_told_in_one_line_when_it_is_wrong() -> None:
    status, stdout, stderr = started(
        environ_of("http://127.0.0.1:9") | {"AWS_PROFILE": "nowhere"}, "--port=0"
    )
    assert (status, stderr) == (3, "")
    (error,) = (line for line in map(json.loads, stdout.splitlines()) if "cannot start" in line["message"])
    assert error["message"].endswith("ProfileNotFound: The config profile (nowhere) could not be found")
    assert "Traceback" not in stdout
