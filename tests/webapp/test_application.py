"""The app in healthy surroundings, over real HTTP."""

from datetime import UTC, datetime

import pytest

from tests.webapp.environment import DIGEST, IDS, REGION, TABLE_ID, environ_of
from tests.webapp.processes import App, running_app
from tests.webapp.waiting import soon
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH
from webapp.states import State


@pytest.mark.parametrize("path", [HEALTH_PATH, READY_PATH, "/openapi.json", "/nothing"])
def test_no_answer_may_be_cached_or_names_its_server(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


def test_is_alive(app: App) -> None:
    answer = app.client.get(HEALTH_PATH)
    assert (answer.status_code, answer.json()) == (200, {"alive": True})


def test_is_ready_once_the_table_was_read(app: App) -> None:
    answer = soon(lambda: app.client.get(READY_PATH), lambda answer: answer.status_code == 200)
    assert answer.json() == {"ready": True, "reason": None}


def test_status_tells_the_release_and_the_state_of_each_service(app: App) -> None:
    status = soon(
        lambda: app.client.get(STATUS_PATH).json(),
        lambda status: all(item["checked_at"] for item in status["components"].values()),
    )
    services = status.pop("components")
    assert [*services] == [*IDS]
    started_at, checked_at = (datetime.fromisoformat(status.pop(key)) for key in ("started_at", "checked_at"))
    assert started_at <= checked_at <= datetime.now(UTC)
    assert 0 <= status.pop("age") <= status.pop("uptime") < 3600
    release = status.pop("release")
    assert datetime.fromisoformat(release.pop("since")).tzinfo is not None
    assert release == {"digest": DIGEST, "commit": "0123456789abcdef0123456789abcdef01234567"}
    assert isinstance(status.pop("open_incidents"), int)
    assert status.pop("state") in {*State}
    assert status.pop("message").endswith(".")
    assert status == {
        "environment": "dev",
        "service": "web",
        "region": REGION,
        "stale": False,
        "writing": "off",
    }
    dynamodb = services[TABLE_ID]
    assert (dynamodb["state"], dynamodb["stale"]) == ("operational", False)
    assert dynamodb["latency_ms"] > 0
    assert app.client.get(f"{STATUS_PATH}/{TABLE_ID}").json().keys() == dynamodb.keys()


def test_a_component_that_does_not_exist_is_a_problem(app: App) -> None:
    answer = app.client.get(f"{STATUS_PATH}/s3")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such component."


def test_writing_is_on_with_a_token_which_nothing_tells(embedded_aws: str) -> None:
    secret = "5e" * 32
    environ = environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": secret, "LOG_LEVEL": "debug"}
    with running_app(environ) as app:
        answer = app.client.get(STATUS_PATH)
        page = app.client.get("/")
    printed = "".join(app.process.stdout + app.process.stderr)
    assert answer.json()["writing"] == "on"
    assert secret not in answer.text + page.text + printed
    assert "session-token-of-the-task" not in printed
    assert "GET" in printed


@pytest.mark.parametrize("path", ["/nothing", f"{HEALTH_PATH}/", "/api", "/api/status/", "/%00%ff"])
def test_an_unknown_path_is_a_problem(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem.pop("detail").startswith("There is nothing at /")
    assert problem.pop("request_id") == answer.headers["x-request-id"]
    assert problem == {"type": "about:blank", "title": "Not Found", "status": 404}


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [HEALTH_PATH, READY_PATH, STATUS_PATH])
def test_a_wrong_method_is_a_problem_that_tells_the_right_ones(app: App, path: str, method: str) -> None:
    answer = app.client.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": f"{path} answers GET, HEAD, OPTIONS, not {method}.",
        "request_id": answer.headers["x-request-id"],
    }


def test_head_answers_like_get_without_a_body(app: App) -> None:
    head, get = app.client.head(HEALTH_PATH), app.client.get(HEALTH_PATH)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]
