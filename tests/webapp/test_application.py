"""The app in healthy surroundings, over real HTTP."""

from datetime import UTC, datetime

import pytest

from tests.webapp.environment import environ_of
from tests.webapp.processes import App, running_app
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH


@pytest.mark.parametrize("path", [HEALTH_PATH, READY_PATH, STATUS_PATH, "/nothing"])
def test_no_answer_may_be_cached_or_names_its_server(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


def test_is_alive(app: App) -> None:
    answer = app.client.get(HEALTH_PATH)
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_is_ready(app: App) -> None:
    answer = app.client.get(READY_PATH)
    assert (answer.status_code, answer.json()) == (200, {"ready": True})


def test_status_tells_the_release_and_the_state_of_each_service(app: App) -> None:
    status = app.client.get(STATUS_PATH).json()
    dynamodb = status["services"].pop("dynamodb")
    started_at, uptime = datetime.fromisoformat(status.pop("started_at")), status.pop("uptime")
    assert status == {
        "environment": "dev",
        "service": "web",
        "region": "eu-central-1",
        "release": {
            "image": f"registry.example/oaktree/web@sha256:{'ab' * 32}",
            "digest": f"sha256:{'ab' * 32}",
            "commit": "0123456789abcdef0123456789abcdef01234567",
        },
        "services": {},
        "writing": "off",
    }
    assert started_at.tzinfo == UTC
    assert 0 < uptime < 3600
    assert dynamodb.pop("latency_ms") > 0
    assert datetime.fromisoformat(dynamodb.pop("checked_at")) > started_at
    assert dynamodb == {"state": "operational", "message": "The table is ACTIVE."}


def test_writing_is_on_with_a_token_which_nothing_tells(embedded_aws: str) -> None:
    secret = "5e" * 32
    environ = environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": secret, "LOG_LEVEL": "debug"}
    with running_app(environ) as app:
        answer = app.client.get(STATUS_PATH)
    printed = "".join(app.process.stdout + app.process.stderr)
    assert answer.json()["writing"] == "on"
    assert secret not in answer.text + printed
    assert "session-token-of-the-task" not in printed
    assert "GET" in printed


@pytest.mark.parametrize("path", ["/nothing", "/", f"{HEALTH_PATH}/", "/api", "/%00%ff"])
def test_an_unknown_path_is_a_problem(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.pop("detail").startswith("There is nothing at /")
    assert problem == {"type": "about:blank", "title": "Not Found", "status": 404}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_wrong_method_is_a_problem_that_tells_the_right_ones(app: App, method: str) -> None:
    answer = app.client.request(method, STATUS_PATH)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": f"{STATUS_PATH} answers GET, HEAD, not {method}.",
    }


def test_head_answers_like_get_without_a_body(app: App) -> None:
    head, get = app.client.head(HEALTH_PATH), app.client.get(HEALTH_PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
