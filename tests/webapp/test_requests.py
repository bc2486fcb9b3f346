"""Bodies and query strings: what fits is read, and what does not is told part by part."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.webapp.environment import AUTHORIZED, TOKEN_SHA256, environ_of
from tests.webapp.faults import nobody
from tests.webapp.processes import App, running_app
from webapp.endpoints.history import HISTORY_PATH
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.incidents.changes import NewIncident
from webapp.requests import is_json, json_pointer
from webapp.responses import JSON

TEXT = "a \t\n\u00a0\u00ad\u061c\u200b\u200e\u2028\u202e\u2060\u2069\u2800\ufeff\U000e0041"
"""Characters that are not all to be let in, or not all to be seen."""

WHOLE = {"title": "t", "message": "m"}


@pytest.fixture(scope="module")
def desk() -> Iterator[App]:
    """An app that may write, without a table: what fits is answered with 503."""
    with nobody() as url, running_app(environ_of(url) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as app:
        yield app


def post(desk: App, content: bytes, media_type: str | None = JSON, **headers: str) -> httpx.Response:
    stated = {} if media_type is None else {"Content-Type": media_type}
    return desk.client.post(INCIDENTS_PATH, content=content, headers={**AUTHORIZED, **stated, **headers})


def told(answer: httpx.Response, status: int) -> list[dict[str, str]]:
    """The errors of a problem with this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    errors: list[dict[str, str]] = answer.json().get("errors", [])
    return errors


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/merge-patch+json",
        "json",
        "*/*",
        "application/json; charset=latin-1",
        "application/json, text/plain",
        "application/json;x*;x*0*",
        "application/json;x*0*=y;charset*=utf-8''latin-1; charset=latin-1",
        "application/json;charset",
        "application/json; charset = utf-8",
        'application/json; charset="utf-8',
        "application/json; charset=utf-8; charset=latin-1",
        "application/json" + " ;" * 2000 + "=",
    ],
)
def test_a_body_that_is_not_said_to_be_json_is_refused(desk: App, media_type: str | None) -> None:
    answer = post(desk, b'{"title": "t", "message": "m"}', media_type)
    assert told(answer, 415) == []
    assert answer.headers["accept"] == JSON


@pytest.mark.parametrize(
    "media_type",
    [
        JSON,
        "Application/JSON",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "application/json ;\tCharset=utf-8 ; ;",
        'application/json; note="; charset=latin-1 \\" "',
        "application/json" + " ;" * 2000,
    ],
)
def test_json_has_many_spellings(desk: App, media_type: str) -> None:
    assert told(post(desk, b'{"title": "t", "message": "m"}', media_type), 503) == []


def test_a_compressed_body_is_refused(desk: App) -> None:
    answer = post(desk, b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    assert told(answer, 415) == []
    assert answer.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"title",
        b"{'title': 't'}",
        b'{"title": "t",}',
        b'{"title": "\\ud800", "message": "m"}',
        b'{"title": "a\nb", "message": "m"}',
        b"[" * 20_000,
        b'\xef\xbb\xbf{"title": "t", "message": "m"}',
    ],
)
def test_a_body_that_is_no_json_is_refused(desk: App, content: bytes) -> None:
    answer = post(desk, content)
    assert told(answer, 400) == []
    assert answer.json()["detail"].startswith("The body is not JSON: ")


def test_a_body_that_is_not_utf_8_is_refused(desk: App) -> None:
    answer = post(desk, '{"title": "ä", "message": "m"}'.encode("latin-1"))
    assert told(answer, 400) == []
    assert answer.json()["detail"] == "The body is not UTF-8: byte 11 begins no character."


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], [""]),
        (None, [""]),
        ("text", [""]),
        ({}, ["/title", "/message"]),
        (WHOLE | {"extra": 1}, ["/extra"]),
        (WHOLE | {"a/b~c": 1}, ["/a~1b~0c"]),
        (WHOLE | {"title": None}, ["/title"]),
        (WHOLE | {"title": 1}, ["/title"]),
        (WHOLE | {"title": True}, ["/title"]),
        (WHOLE | {"title": ""}, ["/title"]),
        (WHOLE | {"title": "  "}, ["/title"]),
        (WHOLE | {"title": "t" * 121}, ["/title"]),
        (WHOLE | {"title": "a\u0000b"}, ["/title"]),
        (WHOLE | {"title": "a\nb"}, ["/title"]),
        (WHOLE | {"title": "a\u0085b"}, ["/title"]),
        (WHOLE | {"title": "a\u2028b"}, ["/title"]),
        (WHOLE | {"message": "m" * 2001}, ["/message"]),
        (WHOLE | {"message": "m\x7f"}, ["/message"]),
        (WHOLE | {"message": "m\n"}, ["/message"]),
        (WHOLE | {"components": "services.web"}, ["/components"]),
        (WHOLE | {"components": {}}, ["/components"]),
        (WHOLE | {"components": ["services.web", "s3", "ECS"]}, ["/components/1", "/components/2"]),
        (WHOLE | {"components": ["services.web", "services.web"]}, ["/components"]),
        (WHOLE | {"components": [None]}, ["/components/0"]),
        (WHOLE | {"state": "resolved"}, ["/state"]),
        (WHOLE | {"state": 1}, ["/state"]),
        (
            {"title": 1, "message": 2, "state": 3, "components": 4},
            ["/title", "/message", "/components", "/state"],
        ),
    ],
)
def test_whatever_does_not_fit_is_pointed_at(desk: App, body: Any, pointers: list[str]) -> None:
    answer = post(desk, json.dumps(body).encode())
    errors = told(answer, 422)
    assert [error["pointer"] for error in errors] == pointers
    for error in errors:
        assert error["detail"].endswith(".")
        assert "Value error" not in error["detail"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *((f"a{chr(code)}b", "direction") for code in [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
        *((f"{chr(code)}a", "direction") for code in (0x200E, 0x200F, 0x061C)),
        *((text, "can be seen") for text in (" ", "\u200b", "\u200d \ufe0f", "\ufeff", "\u2060\u00ad")),
        *((text, "can be seen") for text in ("\u3164", "\u2800", "\U000e0041\U000e007f")),
        ("a\u0000b", "control characters"),
    ],
)
@pytest.mark.parametrize("member", ["title", "message"])
def test_text_that_deceives_or_shows_nothing_is_refused_and_told_why(
    desk: App, member: str, text: str, reason: str
) -> None:
    (error,) = told(desk.client.post(INCIDENTS_PATH, json=WHOLE | {member: text}, headers=AUTHORIZED), 422)
    assert error["pointer"] == f"/{member}"
    assert reason in error["detail"]


# No body has a surrogate: it would be no UTF-8.
@given(st.text(st.sampled_from(TEXT) | st.characters(codec="utf-8"), min_size=1, max_size=20))
def test_the_schema_says_of_text_what_the_app_does(text: str) -> None:
    pattern = NewIncident.model_json_schema()["properties"]["title"]["pattern"]
    try:
        NewIncident(title=text, message="m")
    except ValidationError:
        assert not re.search(pattern, text)
    else:
        assert re.search(pattern, text)


@given(st.text(st.sampled_from(' \t;=*"\\/x0') | st.characters(max_codepoint=255), max_size=40))
def test_any_media_type_is_json_or_not(parameters: str) -> None:
    assert is_json(f"{JSON}{parameters}") in {True, False}


def test_no_more_errors_are_told_than_help(desk: App) -> None:
    answer = desk.client.post(INCIDENTS_PATH, json={str(n): 0 for n in range(1000)}, headers=AUTHORIZED)
    assert len(told(answer, 422)) == 20


@pytest.mark.parametrize(
    "body",
    [
        WHOLE,
        {"title": " t ", "message": "\u00a0m"},
        {
            "title": "t" * 120,
            "message": "😀" * 2000,
            "components": ["services.worker", "services.web"],
            "state": "monitoring",
        },
        WHOLE | {"components": []},
        {"title": "\u05e2\u05d1", "message": "\U0001f469\u200d\U0001f467"},
    ],
)
def test_what_fits_is_read(desk: App, body: Any) -> None:
    assert told(desk.client.post(INCIDENTS_PATH, json=body, headers=AUTHORIZED), 503) == []


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        (f"{HISTORY_PATH}", ["component"]),
        (f"{HISTORY_PATH}?component=", ["component"]),
        (f"{HISTORY_PATH}?component=s3", ["component"]),
        (f"{HISTORY_PATH}?component=ECS", ["component"]),
        (f"{HISTORY_PATH}?component=services.web&component=services.web", ["component"]),
        (f"{HISTORY_PATH}?component=services.web&extra=1", ["extra"]),
        (f"{HISTORY_PATH}?component=services.web&from_=2026-11-23", ["from_"]),
        (f"{HISTORY_PATH}?component=services.web&from=yesterday", ["from"]),
        (f"{HISTORY_PATH}?component=services.web&from=2026-11-23T06:25:00+01:00", ["from"]),
        (f"{HISTORY_PATH}?component=services.web&to=&from=", ["from", "to"]),
        (f"{HISTORY_PATH}?component=services.web&from=2026-11-02&to=2026-11-01", ["from"]),
        (f"{HISTORY_PATH}?component=services.web&limit=0", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=1001", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=1.0", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=%2B1", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=1_0", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit=%C2%B2", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&limit={'9' * 3000}", ["limit"]),
        (f"{HISTORY_PATH}?component=services.web&cursor=", ["cursor"]),
        (f"{HISTORY_PATH}?component=services.web&cursor=x", ["cursor"]),
        (f"{HISTORY_PATH}?component=services.web&cursor={'A' * 513}", ["cursor"]),
        (f"{INCIDENTS_PATH}?state=closed", ["state"]),
        (f"{INCIDENTS_PATH}?limit=101", ["limit"]),
        (f"{INCIDENTS_PATH}?cursor=e30", ["cursor"]),
        (f"{INCIDENTS_PATH}?%FF=%00&state=open", ["\ufffd"]),
        (f"{INCIDENTS_PATH}?state=open&state=resolved&limit=1&limit=2", ["state", "limit"]),
    ],
)
def test_whatever_is_wrong_with_a_query_is_named(desk: App, path: str, parameters: list[str]) -> None:
    errors = told(desk.client.get(path), 400)
    assert [error["parameter"] for error in errors] == parameters
    for error in errors:
        assert error["detail"].endswith(".")


@given(st.lists(st.text() | st.integers(0, 9)))
def test_a_pointer_tells_the_parts_apart(location: list[str | int]) -> None:
    parts = json_pointer(location).split("/")[1:]
    assert [part.replace("~1", "/").replace("~0", "~") for part in parts] == [str(part) for part in location]
