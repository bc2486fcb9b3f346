"""The log: JSON, one object a line, one line a request."""

import json
import logging
import re
import signal

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import environ_of
from tests.webapp.faults import nobody
from tests.webapp.forking import ForkedApp
from tests.webapp.processes import App, running
from webapp.contract import HEALTH_PATH
from webapp.logs import JsonFormatter


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_record_is_one_line_of_json(message: str, fields: dict[str, object]) -> None:
    record = logging.LogRecord("webapp", logging.INFO, __file__, 1, "%s", (message,), None)
    record.fields = fields
    line = JsonFormatter().format(record)
    assert "\n" not in line
    assert json.loads(line).items() >= fields.items()


def test_each_request_is_logged_once_without_its_query(app: App) -> None:
    for path in ("/one?token=hunter2", "/two"):
        app.client.get(path, headers={"Authorization": "Bearer hunter2"})
    app.process.wait_for('"/two"')
    lines = [line for line in app.requests() if line.get("path") in ("/one", "/two")]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/one", 404),
        ("GET", "/two", 404),
    ]
    for line in lines:
        assert isinstance(line["duration_ms"], float)
        assert line["duration_ms"] < 1000
    assert "hunter2" not in "".join(app.process.stdout + app.process.stderr)
    assert app.process.stderr == []


def test_a_request_is_found_again_by_its_id_and_by_the_trace_of_the_load_balancer(app: App) -> None:
    given = {
        "X-Request-Id": "from-the-caller.1",
        "X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678",
    }
    answer = app.client.get("/lost", headers=given)
    assert answer.headers["x-request-id"] == answer.json()["request_id"] == "from-the-caller.1"
    line = json.loads(app.process.wait_for('^.*"/lost".*$')[0])
    assert line["request_id"] == "from-the-caller.1"
    assert line["trace_id"] == given["X-Amzn-Trace-Id"]


@pytest.mark.parametrize("identifier", ["short", "a" * 65, "has spaces", "has\u00e4umlaut"])
def test_an_id_that_could_do_harm_in_a_log_is_replaced(app: App, identifier: str) -> None:
    answer = app.client.get("/lost", headers={b"X-Request-Id": identifier.encode()})
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-request-id"])


def test_each_request_has_an_id_of_its_own(app: App) -> None:
    assert len({app.client.get(HEALTH_PATH).headers["x-request-id"] for _ in range(10)}) == 10


def test_the_log_level_says_what_is_logged(embedded_aws: str) -> None:
    with nobody() as url:
        port = url.rpartition(":")[2]
    environ = environ_of(embedded_aws) | {"LOG_LEVEL": "warning"}
    with (
        running(ForkedApp(["--host", "127.0.0.1", "--port", port], environ)) as process,
        httpx.Client(transport=httpx.HTTPTransport(retries=6)) as client,
    ):
        assert client.get(url + HEALTH_PATH).status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert process.stdout == []
