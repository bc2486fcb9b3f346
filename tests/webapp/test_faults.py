"""What the app answers while AWS fails: always in its usual time, by kind, without internals."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.webapp.environment import CREDENTIALS, environ_of
from tests.webapp.faults import Answering, answering, dynamodb_error, nobody, silence
from tests.webapp.processes import App, running_app
from webapp.checks import DEADLINE
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH

INTERNAL = "arn:aws:iam::123456789012:role/secret-role"
SLACK = 1.0


@pytest.fixture(scope="module")
def aws() -> Iterator[Answering]:
    with answering(200, b"{}") as server:
        yield server


@pytest.fixture(scope="module")
def faulty(aws: Answering) -> Iterator[App]:
    with running_app(environ_of(aws.url)) as running:
        yield running


def assert_told(app: App, reason: str, state: str) -> None:
    """The app is not ready for this reason, its table is in this state, and it is alive."""
    started = time.monotonic()
    ready = app.client.get(READY_PATH)
    assert time.monotonic() - started < DEADLINE + SLACK
    assert ready.status_code == 503
    assert ready.json() == {"ready": False, "reason": reason, "message": ready.json()["message"]}
    started = time.monotonic()
    status = app.client.get(STATUS_PATH)
    assert time.monotonic() - started < DEADLINE + SLACK
    assert status.status_code == 200
    assert status.json()["services"]["dynamodb"]["state"] == state
    assert app.client.get(HEALTH_PATH).status_code == 200
    assert INTERNAL not in ready.text + status.text
    assert "127.0.0.1" not in ready.text + status.text


@pytest.mark.parametrize(
    ("code", "reason", "state"),
    [
        ("ResourceNotFoundException", "table_missing", "down"),
        ("AccessDeniedException", "access_denied", "unknown"),
        ("ExpiredTokenException", "credentials", "down"),
        ("UnrecognizedClientException", "credentials", "down"),
        ("ThrottlingException", "throttled", "degraded"),
        ("ValidationException", "unexpected", "unknown"),
    ],
)
def test_an_error_is_told_by_kind(faulty: App, aws: Answering, code: str, reason: str, state: str) -> None:
    aws.status, aws.body = 400, dynamodb_error(code, INTERNAL)
    assert_told(faulty, reason, state)


def test_the_log_names_action_code_and_cause(faulty: App, aws: Answering) -> None:
    aws.status, aws.body = 400, dynamodb_error("AccessDeniedException", "look for me")
    faulty.client.get(READY_PATH)
    line = json.loads(faulty.process.wait_for("^.*look for me.*$")[0])
    assert (line["action"], line["code"]) == ("dynamodb:GetItem", "AccessDeniedException")


def test_a_server_error_is_told(faulty: App, aws: Answering) -> None:
    aws.status, aws.body = 500, dynamodb_error("InternalServerError")
    assert_told(faulty, "unexpected", "unknown")


def test_an_error_that_is_not_of_aws_is_told(faulty: App, aws: Answering) -> None:
    aws.status, aws.body = 502, b"<html>a proxy</html>"
    assert_told(faulty, "unexpected", "unknown")


def test_a_refused_signature_is_logged_without_what_was_signed(faulty: App, aws: Answering) -> None:
    signed = "x-amz-security-token:session-token-of-the-task"
    aws.status, aws.body = 403, dynamodb_error("InvalidSignatureException", signed)
    assert_told(faulty, "credentials", "down")
    faulty.process.wait_for("InvalidSignatureException")
    assert "session-token-of-the-task" not in "".join(faulty.process.stdout + faulty.process.stderr)


def test_what_nobody_foresaw_is_a_problem_without_internals(faulty: App, aws: Answering) -> None:
    aws.status, aws.body = 200, b"{}"
    answer = faulty.client.get(STATUS_PATH)
    assert answer.status_code == 500
    assert answer.headers["connection"] == "close"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "The app failed to answer; its log says why.",
    }
    assert faulty.process.wait_for("KeyError")
    assert faulty.client.get(HEALTH_PATH).status_code == 200


@pytest.mark.parametrize(
    ("status", "state"),
    [("ACTIVE", "operational"), ("UPDATING", "operational"), ("CREATING", "down"), ("DELETING", "down")],
)
def test_the_state_follows_the_status_of_the_table(
    faulty: App, aws: Answering, status: str, state: str
) -> None:
    aws.status, aws.body = 200, json.dumps({"Table": {"TableStatus": status}}).encode()
    dynamodb = faulty.client.get(STATUS_PATH).json()["services"]["dynamodb"]
    assert (dynamodb["state"], dynamodb["message"]) == (state, f"The table is {status}.")


def test_the_app_is_ready_again_when_the_fault_is_over(faulty: App, aws: Answering) -> None:
    aws.status, aws.body = 400, dynamodb_error("ExpiredTokenException")
    assert faulty.client.get(READY_PATH).status_code == 503
    aws.status, aws.body = 200, b"{}"
    assert faulty.client.get(READY_PATH).status_code == 200


def test_a_table_that_is_not_there_is_told(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws) | {"TABLE": "nowhere"}) as app:
        assert_told(app, "table_missing", "down")


def test_an_endpoint_that_is_down_is_told() -> None:
    with nobody() as url, running_app(environ_of(url)) as app:
        assert_told(app, "endpoint_unreachable", "down")


def test_missing_credentials_are_told(embedded_aws: str) -> None:
    environ = {name: value for name, value in environ_of(embedded_aws).items() if name not in CREDENTIALS}
    with running_app(environ | {"AWS_EC2_METADATA_DISABLED": "true"}) as app:
        assert_told(app, "credentials", "down")


def test_an_answer_that_never_ends_is_cut_at_the_deadline(faulty: App, aws: Answering) -> None:
    aws.status, aws.body, aws.pause = 200, b"{}" + b" " * 20, 0.4
    started = time.monotonic()
    answer = faulty.client.get(READY_PATH)
    aws.pause = 0
    assert (answer.status_code, answer.json()["reason"]) == (503, "timeout")
    assert time.monotonic() - started < DEADLINE + SLACK


def test_an_endpoint_that_hangs_is_told_in_time_and_delays_no_other_request() -> None:
    with silence() as server, running_app(environ_of(server.url)) as app, ThreadPoolExecutor() as pool:
        started = time.monotonic()
        hanging = [pool.submit(app.client.get, path) for path in (READY_PATH, STATUS_PATH)]
        assert server.reached.wait(10)
        asked = time.monotonic()
        assert app.client.get(HEALTH_PATH).status_code == 200
        assert time.monotonic() - asked < 0.5
        assert not any(request.done() for request in hanging)
        ready, status = (request.result() for request in hanging)
        assert time.monotonic() - started < DEADLINE + SLACK
        assert (ready.status_code, ready.json()["reason"]) == (503, "timeout")
        assert status.json()["services"]["dynamodb"]["state"] == "down"
