"""The log: JSON, one object a line, one line a request."""

import json
import logging
import signal

import httpx
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import environ_of
from tests.webapp.faults import nobody
from tests.webapp.processes import App, running
from webapp.contract import HEALTH_PATH
from webapp.logs import JsonFormatter


@given(st.text(), st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_any_record_is_one_line_of_json(message: str, fields: dict[str, object]) -> None:
    record = logging.LogRecord("webapp", logging.INFO, __file__, 1, "%s", (message,), None)
    record.fields = fields
    line = JsonFormatter().format(record)
    assert len(line.splitlines()) == 1
    assert json.loads(line).items() >= fields.items()


def test_each_request_is_logged_once_without_its_query(app: App) -> None:
    for path in ("/one?token=hunter2", "/two"):
        app.client.get(path, headers={"Authorization": "Bearer hunter2"})
    app.process.wait_for('"/two"')
    lines = [line for line in app.requests() if line["path"] in ("/one", "/two")]
    assert [(line["method"], line["path"], line["status"]) for line in lines] == [
        ("GET", "/one", 404),
        ("GET", "/two", 404),
    ]
    for line in lines:
        assert isinstance(line["duration_ms"], float)
        assert line["duration_ms"] < 1000
    assert "hunter2" not in "".join(app.process.stdout + app.process.stderr)
    assert app.process.stderr == []


def test_the_log_level_says_what_is_logged(embedded_aws: str) -> None:
    with nobody() as url:
        port = url.rpartition(":")[2]
    environ = environ_of(embedded_aws) | {"LOG_LEVEL": "warning"}
    with (
        running(["-m", "webapp", "--host", "127.0.0.1", "--port", port], environ) as process,
        httpx.Client(transport=httpx.HTTPTransport(retries=6)) as client,
    ):
        assert client.get(url + HEALTH_PATH).status_code == 200
        process.signal(signal.SIGTERM)
        assert process.wait() == 0
    assert process.stdout == []
