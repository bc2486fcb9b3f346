"""The log: JSON, one object a line, one line a request."""

import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.places import ROOT
from tests.serving import free_port
from tests.webapp.environment import environ_of
from tests.webapp.faults import nobody
from tests.webapp.forking import ForkedApp
from tests.webapp.processes import App, running
from webapp.contract import HEALTH_PATH
from webapp.logs import LARGEST_BACKLOG, JsonFormatter, line_of


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


@contextmanager
def unread_app(environ: dict[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], httpx.Client]]:
    """An app whose output nobody reads yet."""
    port = free_port()
    arguments = ["-W", "error", "-m", "webapp", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        [sys.executable, *arguments], env=environ, cwd=ROOT, stdout=subprocess.PIPE
    ) as process:
        try:
            base_url = f"http://127.0.0.1:{port}"
            with httpx.Client(base_url=base_url, transport=httpx.HTTPTransport(retries=8)) as client:
                yield process, client
        finally:
            process.kill()


LONG_PATH = "/" + "a" * 1000


def test_output_that_nobody_reads_holds_no_request_up_and_what_is_lost_is_counted(embedded_aws: str) -> None:
    asked = 2 * LARGEST_BACKLOG // len(LONG_PATH)
    with unread_app(environ_of(embedded_aws)) as (process, client):
        for _ in range(asked):
            assert client.get(LONG_PATH).status_code == 404
        assert process.stdout is not None
        logged, lost = 0, 0
        for line in map(json.loads, process.stdout):
            logged += line.get("path") == LONG_PATH
            lost += line.get("lost", 0)
            if line["message"] == "log lines were lost":
                break
        assert lost > 0
        client.get("/last")
        process.send_signal(signal.SIGTERM)
        lines = [json.loads(line) for line in process.stdout]
        logged += sum(line.get("path") == LONG_PATH for line in lines)
        lost += sum(line.get("lost", 0) for line in lines)
        assert process.wait() == 0
    assert logged + lost >= asked
    assert logged < asked
    assert any(line.get("path") == "/last" for line in lines)
    assert "Finished server process" in lines[-1]["message"]


def test_the_app_goes_on_when_the_reader_of_its_output_is_gone(embedded_aws: str) -> None:
    with unread_app(environ_of(embedded_aws)) as (process, client):
        client.get(HEALTH_PATH)
        assert process.stdout is not None
        process.stdout.close()
        for _ in range(100):
            assert client.get(LONG_PATH).status_code == 404
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0


@given(st.floats(0, 4_000_000_000))
def test_a_time_is_written_in_milliseconds(seconds: float) -> None:
    written = datetime.fromisoformat(json.loads(line_of(seconds, "info", "a", "b", {}))["time"])
    assert abs(written.timestamp() - seconds) < 0.0011
    assert written.utcoffset() == timedelta(0)


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
