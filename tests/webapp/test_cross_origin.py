"""What scripts of other sites may do: read what is public, and nothing else."""

import pytest

from tests.webapp.environment import AUTHORIZED
from tests.webapp.processes import App
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.endpoints.incidents import INCIDENTS_PATH

ELSEWHERE = {"Origin": "https://elsewhere.example"}
ANY = "access-control-allow-origin"


@pytest.mark.parametrize(
    "path", [HEALTH_PATH, STATUS_PATH, "/api/history?component=status.table", "/openapi.json"]
)
@pytest.mark.parametrize("headers", [{}, ELSEWHERE])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_public_reads_are_for_every_origin(app: App, path: str, headers: dict[str, str], method: str) -> None:
    answer = app.client.request(method, path, headers=headers)
    assert answer.status_code == 200
    assert answer.headers[ANY] == "*"
    assert "X-Request-Id" in answer.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"), [(f"{INCIDENTS_PATH}/1", 404), (f"{INCIDENTS_PATH}?limit=0", 400)]
)
def test_their_problems_can_be_read_too(app: App, path: str, status: int) -> None:
    answer = app.client.get(path, headers=ELSEWHERE)
    assert (answer.status_code, answer.headers[ANY]) == (status, "*")


@pytest.mark.parametrize("path", [HEALTH_PATH, STATUS_PATH, INCIDENTS_PATH, f"{INCIDENTS_PATH}/1"])
def test_a_preflight_allows_reading_only(app: App, path: str) -> None:
    wish = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-none-match"}
    answer = app.client.options(path, headers={**ELSEWHERE, **wish})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers[ANY] == "*"
    assert answer.headers["access-control-allow-methods"] == "GET, HEAD"
    assert answer.headers["access-control-allow-headers"] == "*"


def test_the_page_and_writes_are_for_no_other_origin(writing_app: App) -> None:
    page = writing_app.client.get("/", headers=ELSEWHERE)
    write = writing_app.client.post(INCIDENTS_PATH, headers={**ELSEWHERE, **AUTHORIZED})
    assert (page.status_code, write.status_code) == (200, 415)
    for answer in (page, write, writing_app.client.options("/", headers=ELSEWHERE)):
        assert ANY not in answer.headers
