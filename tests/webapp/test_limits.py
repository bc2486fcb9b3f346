"""Requests that are too large are refused with the reason, however they come."""

from collections.abc import Iterator

import pytest

from tests.webapp.environment import AUTHORIZED
from tests.webapp.processes import App
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.protocol import LARGEST_BODY, LARGEST_HEADERS, LARGEST_TARGET


def chunks(size: int) -> Iterator[bytes]:
    """A body that does not tell its length."""
    while size > 0:
        yield b"a" * min(size, 4096)
        size -= 4096


@pytest.mark.parametrize("path", ["/" + "a" * LARGEST_TARGET, f"{STATUS_PATH}?a=" + "b" * LARGEST_TARGET])
def test_an_address_that_is_too_long_is_refused(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.status_code == 414
    assert answer.json()["detail"] == f"The address is longer than {LARGEST_TARGET} bytes."


def test_headers_that_are_too_large_together_are_refused(app: App) -> None:
    headers = {f"X-{number}": "a" * 1000 for number in range(LARGEST_HEADERS // 1000 + 1)}
    answer = app.client.get(HEALTH_PATH, headers=headers)
    assert answer.status_code == 431
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("told", [True, False])
def test_a_body_that_is_too_large_is_refused_and_the_app_goes_on(writing_app: App, told: bool) -> None:
    size = LARGEST_BODY + 1
    body = b"a" * size if told else chunks(size)
    answer = writing_app.client.post(
        "/api/incidents", content=body, headers={"Content-Type": "application/json", **AUTHORIZED}
    )
    assert answer.status_code == 413
    assert answer.json()["detail"] == f"The body is larger than {LARGEST_BODY} bytes."
    assert writing_app.client.get(HEALTH_PATH).status_code == 200
