"""Who may write, and what the others are told."""

from collections.abc import Iterator
from hashlib import sha256

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.webapp.environment import AUTHORIZED, TOKEN, TOKEN_SHA256, environ_of
from tests.webapp.faults import nobody
from tests.webapp.processes import App, running_app
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.incidents.requests import is_token

WRITES = [("POST", INCIDENTS_PATH), ("PATCH", f"{INCIDENTS_PATH}/any")]


@pytest.fixture(scope="module")
def desk() -> Iterator[App]:
    """An app with a token, and without a table: nobody gets that far."""
    with nobody() as url, running_app(environ_of(url) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as app:
        yield app


@given(st.text(alphabet=st.characters(codec="ascii")), st.text(alphabet=st.characters(codec="ascii")))
def test_a_token_is_known_by_its_hash(token: str, other: str) -> None:
    digest = sha256(token.encode()).hexdigest()
    assert is_token(token, SecretStr(digest))
    assert is_token(token, SecretStr(digest.upper()))
    assert is_token(other, SecretStr(digest)) is (token == other)


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_without_a_token_of_its_own_the_app_lets_nobody_write(method: str, path: str) -> None:
    with nobody() as url, running_app(environ_of(url)) as app:
        for headers in ({}, AUTHORIZED):
            answer = app.client.request(method, path, headers=headers, content=b"{")
            assert answer.status_code == 403
            assert answer.json()["detail"].startswith("Writing is off")


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", TOKEN)],
        [("Authorization", f"Basic {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN} {TOKEN}")],
        [("Authorization", f"Bearer {TOKEN}, Bearer {TOKEN}")],
        [("Authorization", f"Bearer\t{TOKEN}")],
        [("Authorization", "Bearer tökén".encode("latin-1"))],
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", f"Bearer {TOKEN}")],
    ],
)
def test_whoever_brings_no_token_is_asked_for_one(
    desk: App, method: str, path: str, headers: list[tuple[str, str | bytes]]
) -> None:
    encoded = [
        (name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers
    ]
    answer = desk.client.request(method, path, headers=httpx.Headers(encoded), content=b"{")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert "Authorization: Bearer <token>" in answer.json()["detail"]


@pytest.mark.parametrize(("method", "path"), WRITES)
@pytest.mark.parametrize("token", ["wrong", TOKEN[:-1], f"{TOKEN}=", TOKEN.upper(), TOKEN_SHA256])
def test_whoever_brings_a_wrong_token_is_told(desk: App, method: str, path: str, token: str) -> None:
    answer = desk.client.request(method, path, headers={"Authorization": f"Bearer {token}"}, content=b"{")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert answer.json()["detail"] == "This token may not write."


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_whoever_brings_the_token_gets_to_the_body(desk: App, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}", "Content-Type": "application/json"}
    answer = desk.client.post(INCIDENTS_PATH, headers=headers, content=b"{")
    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("The body is not JSON")


def test_the_token_is_nowhere_in_the_log(desk: App) -> None:
    desk.client.post(INCIDENTS_PATH, headers=AUTHORIZED)
    desk.client.post(INCIDENTS_PATH, headers={"Authorization": "Bearer another-token"})
    desk.process.wait_for('"status":401')
    printed = "".join(desk.process.stdout + desk.process.stderr)
    assert TOKEN not in printed
    assert TOKEN_SHA256 not in printed
    assert "another-token" not in printed
