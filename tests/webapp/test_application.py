"""The app in healthy surroundings, over real HTTP."""

from datetime import UTC, datetime
from itertools import islice

import pytest

from tests.webapp.environment import (
    ALARMS_ID,
    AUTHORIZED,
    DIGEST,
    IDS,
    TABLE_ID,
    TOKEN_SHA256,
    WATCHED,
    environ_of,
)
from tests.webapp.processes import App, running_app
from tests.webapp.waiting import soon
from webapp.components import COMPONENTS
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH, fingerprint
from webapp.endpoints.history import HISTORY_PATH, OPERATOR_HISTORY_PATH
from webapp.endpoints.status import OPERATOR_EVENTS_PATH, OPERATOR_STATUS_PATH
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


def test_status_tells_the_state_of_each_component(app: App) -> None:
    status = soon(
        lambda: app.client.get(STATUS_PATH).json(),
        lambda status: all(item["checked_at"] for item in status["components"].values()),
    )
    services = status.pop("components")
    assert [*services] == [*IDS]
    started_at, checked_at = (datetime.fromisoformat(status.pop(key)) for key in ("started_at", "checked_at"))
    assert started_at <= checked_at <= datetime.now(UTC)
    assert status.pop("fingerprint") == fingerprint(DIGEST, "0123456789abcdef0123456789abcdef01234567")
    assert isinstance(status.pop("maintenances"), int)
    assert isinstance(status.pop("open_incidents"), int)
    assert status.pop("state") in {*State}
    assert status.pop("message")
    status.pop("note")
    assert status == {
        "title": "Status",
        "notice": None,
        "stale": False,
    }
    dynamodb = services[TABLE_ID]
    assert (dynamodb["state"], dynamodb["stale"]) == ("operational", False)
    assert "latency_ms" not in dynamodb
    assert app.client.get(f"{STATUS_PATH}/{TABLE_ID}").json().keys() == dynamodb.keys()


def test_a_component_that_does_not_exist_is_a_problem(app: App) -> None:
    answer = app.client.get(f"{STATUS_PATH}/s3")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "There is no such component."


def test_writing_is_on_with_a_token_which_nothing_tells(embedded_aws: str) -> None:
    secret = "5e" * 32
    environ = environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": secret, "LOG_LEVEL": "debug"}
    with running_app(environ) as app:
        token = {"Authorization": "Bearer wrong"}
        answer = app.client.get(OPERATOR_STATUS_PATH, headers=token)
        page = app.client.get("/")
    printed = "".join(app.process.stdout + app.process.stderr)
    assert answer.status_code == 401
    assert secret not in answer.text + page.text + printed
    assert "session-token-of-the-task" not in printed
    assert "GET" in printed


OPERATOR_PATHS = (
    OPERATOR_STATUS_PATH,
    f"{OPERATOR_STATUS_PATH}/{TABLE_ID}",
    OPERATOR_EVENTS_PATH,
    f"{OPERATOR_HISTORY_PATH}?component={TABLE_ID}",
)


def test_operators_are_told_more_with_the_token(writing_app: App) -> None:
    client = writing_app.client
    soon(lambda: client.get(READY_PATH).status_code, (200).__eq__)
    for path in OPERATOR_PATHS:
        refused = client.get(path)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    document = client.get(OPERATOR_STATUS_PATH, headers=AUTHORIZED).json()
    assert document["release"]["digest"] == DIGEST
    assert (document["writing"], document["environment"], document["service"]) == ("on", "dev", "web")
    table = client.get(OPERATOR_PATHS[1], headers=AUTHORIZED).json()
    assert table["latency_ms"] > 0
    assert table["details"] == {"readable": True, "status": "ACTIVE"}
    with client.stream("GET", OPERATOR_EVENTS_PATH, headers=AUTHORIZED) as stream:
        (data,) = islice((line for line in stream.iter_lines() if line.startswith("data:")), 1)
    assert DIGEST in data
    history = client.get(OPERATOR_PATHS[3], headers=AUTHORIZED)
    assert history.json()["component"] == TABLE_ID


def test_without_a_token_or_when_it_is_off_there_is_no_operators_view(app: App, embedded_aws: str) -> None:
    for path in OPERATOR_PATHS:
        assert app.client.get(path, headers=AUTHORIZED).status_code == 404
    environ = environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256, "OPERATOR_VIEW": "off"}
    with running_app(environ) as off:
        for path in OPERATOR_PATHS:
            assert off.client.get(path, headers=AUTHORIZED).status_code == 404


def test_what_is_for_operators_only_is_not_there_for_the_public(embedded_aws: str) -> None:
    watched = tuple(each.model_copy(update={"public": each.id != ALARMS_ID}) for each in WATCHED)
    variables = {"COMPONENTS": COMPONENTS.dump_json(watched, exclude_none=True).decode()}
    with running_app(environ_of(embedded_aws) | variables) as app:
        assert ALARMS_ID not in app.client.get(STATUS_PATH).text
        assert app.client.get(f"{STATUS_PATH}/{ALARMS_ID}").status_code == 404
        refused = app.client.get(f"{HISTORY_PATH}?component={ALARMS_ID}")
        assert refused.status_code == 400
        assert "status.alarms" not in refused.json()["errors"][0]["detail"]


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
