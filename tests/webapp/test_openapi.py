"""The OpenAPI document: it tells all there is, and the app answers as it tells."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from starlette.routing import Route

from tests.places import ROOT
from tests.webapp.environment import AUTHORIZED, environ_of
from tests.webapp.processes import App
from webapp.api import OPERATIONS
from webapp.application import create_app
from webapp.endpoints import operators, page
from webapp.operations import Operation
from webapp.resources import Shutdown
from webapp.settings import read_settings

pytestmark = pytest.mark.e2e


UNDESCRIBED = {route.path for route in (*page.ROUTES, *operators.ROUTES)}
"""Pages for people, and what they need."""


OPERATORS = ("/api/operator/", "/metrics")


def test_only_what_the_page_needs_is_not_described() -> None:
    app = create_app(read_settings(environ_of("http://127.0.0.1:9")), Shutdown())
    routes = {route.path for route in app.routes if isinstance(route, Route)}
    assert routes == UNDESCRIBED


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_everybody_reads_without_a_token_and_nobody_writes_without_one(operation: Operation) -> None:
    reads = operation.method == "GET"
    assert (operation.authorize is None) is (reads and not operation.path.startswith(OPERATORS))
    assert not (operation.public and operation.authorize)


def test_every_problem_of_a_write_is_declared() -> None:
    (patch,) = (operation for operation in OPERATIONS if operation.name == "patchIncident")
    statuses = {400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 422, 428, 431, 500, 502, 503}
    assert patch.problems == statuses


def test_the_document_is_openapi_3_1_with_a_name_for_each_operation(app: App) -> None:
    document = app.client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"]
        assert all(parameter["description"] for parameter in operation.get("parameters", ()))
    described = [
        (name, member)
        for name, schema in document["components"]["schemas"].items()
        for member, content in schema.get("properties", {}).items()
        if "description" not in content
    ]
    assert described == []


def test_the_app_answers_all_that_the_document_allows_as_the_document_says(
    writing_app: App, tmp_path: Path
) -> None:
    command = Path(sys.executable).with_name("schemathesis")
    address = str(writing_app.client.base_url).rstrip("/")
    report = tmp_path / "report.json"
    done = subprocess.run(
        [
            command,
            f"--config-file={ROOT}/tests/webapp/schemathesis.toml",
            "run",
            f"{address}/openapi.json",
            "--checks=all",
            "--exclude-path=/api/events",  # they never end; tests of their own read them
            "--exclude-path=/api/operator/events",
            f"--header=Authorization: {AUTHORIZED['Authorization']}",
            # As many as it takes to draw each kind of value; the profile `explore` has ten times as many.
            f"--max-examples={settings().max_examples // 8}",
            "--generation-deterministic",
            "--request-timeout=10",
            f"--report-json-path={report}",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    streams = sum(operation.path.endswith("/events") for operation in OPERATIONS)
    counted = len(OPERATIONS) - 1  # without that of the document itself
    assert f"{counted - streams} selected / {counted} total" in done.stdout
    errors = [line for line in map(json.loads, writing_app.process.stdout) if line["level"] == "error"]
    assert errors == []


def test_an_event_stream_is_what_the_document_says(app: App) -> None:
    with app.client.stream("GET", "/api/events") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
