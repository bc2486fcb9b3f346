"""The operators' view: who is let in, for how long, and how often one may guess."""

import re
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.webapp.environment import (
    AUTHORIZED,
    COMMIT,
    DIGEST,
    IDS,
    TOKEN,
    TOKEN_SHA256,
    WEB_ID,
    environ_of,
)
from tests.webapp.pages import read_page
from tests.webapp.processes import App, running_app
from webapp.operators import (
    HOME,
    LIFETIME,
    MOST_FAILURES,
    WINDOW,
    Failures,
    cookie,
    is_same_origin,
    open_session,
    own_path,
    seconds_left,
)

SHA256 = SecretStr(TOKEN_SHA256)
OTHER = SecretStr("00" * 32)
NOW = 1_764_000_000.5
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}
PATHS = ["/operator", f"/operator/components/{WEB_ID}", "/metrics"]


@pytest.fixture(scope="module")
def guessed_app(embedded_aws: str) -> Iterator[App]:
    """An app that is sent more wrong tokens than it takes note of."""
    with running_app(environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as app:
        yield app


@pytest.fixture
def browser(writing_app: App) -> Iterator[httpx.Client]:
    """A client that keeps cookies and follows redirects."""
    with httpx.Client(base_url=writing_app.client.base_url, follow_redirects=True) as client:
        yield client


def sign_in(client: httpx.Client, token: str = TOKEN, **form: str) -> httpx.Response:
    """Sends the form as a browser does."""
    return client.post("/operator/sign-in", data={"token": token, **form}, headers=SAME_ORIGIN)


# Sessions


def test_a_session_lasts_twelve_hours() -> None:
    value = open_session(SHA256, NOW)
    assert seconds_left(value, SHA256, NOW + LIFETIME - 1) > 0
    assert seconds_left(value, SHA256, NOW + LIFETIME) == 0
    assert LIFETIME == 12 * 60 * 60


def test_another_token_ends_all_sessions() -> None:
    assert seconds_left(open_session(SHA256, NOW), OTHER, NOW) == 0


@given(st.text() | st.from_regex(r"[0-9]{1,12}\.[0-9a-f]{64}"))
def test_nothing_else_is_a_session(value: str) -> None:
    assert seconds_left(value, SHA256, 0) == 0


@given(st.integers(0, 74), st.characters(categories=["Nd", "Ll"]))
def test_a_session_that_was_changed_is_none(place: int, character: str) -> None:
    value = open_session(SHA256, NOW)
    forged = value[:place] + character + value[place + 1 :]
    assert (seconds_left(forged, SHA256, NOW) > 0) == (forged == value)


def test_scripts_do_not_read_the_cookie_and_other_sites_do_not_send_it() -> None:
    assert cookie("v", secure=True) == "operator=v; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict; Secure"
    assert cookie("", secure=False) == "operator=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict"


# Where to go, and from where


@pytest.mark.parametrize(
    "path", ["/operator", "/operator/components/services.web?hours=168", "/metrics", "/api/operator/status"]
)
def test_sign_in_leads_to_where_one_wanted_to_go(path: str) -> None:
    assert own_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "https://example.com/operator",
        "//example.com/operator",
        "/\\example.com",
        "/operators",
        "/operator\r\nSet-Cookie: a=b",
        "/operator/\\\\example.com",
        "javascript:alert(1)",
        "/operator/\N{SNOWMAN}",
        "//[",
    ],
)
def test_sign_in_leads_nowhere_else(path: str) -> None:
    assert own_path(path) == HOME


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://a.example", "host": "a.example"}, False),
        ({"origin": "http://a.example:8080", "host": "a.example:8080"}, True),
        ({"origin": "http://b.example", "host": "a.example"}, False),
        ({"origin": "null", "host": "a.example"}, False),
        ({"host": "a.example"}, False),
        ({"origin": "http://[", "host": "["}, False),
        ({}, False),
    ],
)
def test_only_the_apps_own_forms_count(headers: dict[str, str], same: bool) -> None:
    assert is_same_origin(headers) is same


_ADDRESSES = st.text("[]:/@%?#\\.a1", max_size=12) | st.text()


@given(_ADDRESSES)
def test_sign_in_leads_to_the_operators_pages_whatever_it_is_told(path: str) -> None:
    assert own_path(path) == HOME or path.startswith(("/operator", "/metrics", "/api/operator"))


@given(_ADDRESSES, _ADDRESSES)
def test_an_origin_that_is_none_is_another(origin: str, host: str) -> None:
    same = is_same_origin({"origin": origin, "host": host})
    assert not same or origin.lower().startswith(("http://", "https://"))


@pytest.mark.parametrize(
    ("method", "path", "headers", "content", "status"),
    [
        ("GET", "/operator/sign-in?next=//[", {}, b"", 200),
        ("POST", "/operator/sign-in", {"Origin": "http://["}, b"token=a", 403),
        ("POST", "/operator/sign-out", {"Origin": "http://["}, b"", 403),
        ("POST", "/operator/sign-in", SAME_ORIGIN, b"&".join([b"a=b"] * 12), 400),
        ("POST", "/operator/sign-in", SAME_ORIGIN, b"token=%ff\xff&next=%00//[", 403),
        ("GET", "/operator", {"Host": "["}, b"", 303),
        ("GET", "/nothing", {"Host": "["}, b"", 404),
        ("DELETE", "/api/status", {"Host": "["}, b"", 405),
        ("GET", "/api/history?component=services.web", {"Host": "["}, b"", 200),
        ("GET", "/feed.atom", {"Host": "["}, b"", 200),
    ],
)
def test_no_input_makes_the_app_fail(
    guessed_app: App, method: str, path: str, headers: dict[str, str], content: bytes, status: int
) -> None:
    answer = guessed_app.client.request(method, path, headers=headers, content=content)
    assert answer.status_code == status


@given(
    st.text("[]:/@%?#.a1", max_size=8),
    st.text("[]:/@.a1", max_size=8),
    st.binary(max_size=40) | st.lists(st.just(b"a=b"), max_size=14).map(b"&".join),
)
@settings(max_examples=60, deadline=None)
def test_nothing_that_is_sent_to_sign_in_makes_the_app_fail(
    guessed_app: App, wanted: str, authority: str, content: bytes
) -> None:
    path, client = "/operator/sign-in", guessed_app.client
    assert client.get(path, params={"next": f"//{wanted}"}).status_code == 200
    headers = {"Origin": f"http://{authority}", "Host": authority}
    assert client.post(path, headers=headers, content=content).status_code in {400, 403, 429}
    assert client.post(path, headers=SAME_ORIGIN, content=content).status_code in {400, 403, 429}


@pytest.mark.parametrize(
    ("path", "allow"), [("/operator/sign-in", "GET, HEAD, POST"), ("/operator/sign-out", "POST")]
)
def test_another_method_is_told_all_that_are_allowed(writing_app: App, path: str, allow: str) -> None:
    answer = writing_app.client.put(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allow)


# Guessing


def test_after_too_many_wrong_tokens_others_are_not_noted_for_a_while() -> None:
    failures = Failures()
    for second in range(MOST_FAILURES):
        assert failures.wait(second) == 0
        failures.note(second)
    assert failures.wait(10) == WINDOW - 10 + 1
    assert failures.wait(WINDOW) == 0
    failures.note(WINDOW)
    assert failures.wait(WINDOW) > 0


def test_too_many_wrong_tokens_keep_nobody_out_who_has_the_right_one(embedded_aws: str) -> None:
    with running_app(environ_of(embedded_aws) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as app:
        statuses = [sign_in(app.client, "wrong").status_code for _ in range(MOST_FAILURES + 1)]
        assert statuses == [403] * MOST_FAILURES + [429]
        refused = sign_in(app.client, "wrong")
        assert 0 < int(refused.headers["retry-after"]) <= WINDOW + 1
        assert read_page(refused.text).by_id("wrong").text == "This token is wrong."
        assert sign_in(app.client).headers["location"] == HOME
        app.client.cookies.clear()
        assert app.client.get("/operator", headers=AUTHORIZED).status_code == 200
        assert "".join(app.process.stdout).count("wrong token") == MOST_FAILURES
        assert TOKEN not in "".join(app.process.stdout)


# As served


@pytest.mark.parametrize("path", PATHS)
def test_there_is_no_operators_view_without_a_token_or_with_the_view_off(
    app: App, embedded_aws: str, path: str
) -> None:
    assert app.client.get(path).status_code == 404
    off = {"WRITE_TOKEN_SHA256": TOKEN_SHA256, "OPERATOR_VIEW": "off"}
    if path == HOME:
        with running_app(environ_of(embedded_aws) | off) as closed:
            for each in (*PATHS, "/operator/sign-in"):
                assert closed.client.get(each, headers=AUTHORIZED).status_code == 404
            assert sign_in(closed.client).status_code == 404
            assert closed.client.post("/operator/sign-out", headers=SAME_ORIGIN).status_code == 404


@pytest.mark.parametrize("path", PATHS)
def test_the_token_opens_everything(writing_app: App, path: str) -> None:
    answer = writing_app.client.get(path, headers=AUTHORIZED)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/operator/status",
        f"/api/operator/status/{WEB_ID}",
        f"/api/operator/history?component={WEB_ID}",
        "/api/operator/events",
        "/operator/sign-in",
    ],
)
def test_nobody_keeps_what_operators_read(writing_app: App, path: str) -> None:
    answer = writing_app.client.head(path, headers=AUTHORIZED)
    assert answer.status_code == 200
    assert "no-store" in answer.headers["cache-control"]


@pytest.mark.parametrize("path", ["/operator", f"/operator/components/{WEB_ID}", "/operator/sign-in"])
def test_browsers_say_where_a_form_comes_from(writing_app: App, path: str) -> None:
    answer = writing_app.client.get(path, headers=AUTHORIZED)
    assert "<form" in answer.text
    assert answer.headers.get_list("referrer-policy") == ["same-origin"]


@pytest.mark.parametrize("path", PATHS)
def test_a_wrong_token_opens_nothing(writing_app: App, path: str) -> None:
    answer = writing_app.client.get(path, headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_without_a_session_people_are_asked_for_the_token_and_programs_refused(writing_app: App) -> None:
    answer = writing_app.client.get(f"/operator/components/{WEB_ID}?hours=168")
    assert answer.status_code == 303
    assert answer.headers["location"] == (
        f"/operator/sign-in?next=/operator/components/{WEB_ID}%3Fhours%3D168"
    )
    assert writing_app.client.get("/metrics").status_code == 401


def test_people_sign_in_look_and_sign_out(browser: httpx.Client) -> None:
    form = browser.get("/operator")
    assert read_page(form.text).one("input", type="hidden").attributes["value"] == "/operator"
    assert "form-action 'self'" in form.headers["content-security-policy"]
    page = sign_in(browser, next=f"/operator/components/{WEB_ID}")
    assert page.url.path == f"/operator/components/{WEB_ID}"
    root = read_page(page.text)
    assert root.by_id("insight").one("h2").text == "Last check"
    for path in PATHS:
        assert browser.get(path).status_code == 200
    assert browser.get("/operator/components/services.nothing").status_code == 404
    assert browser.post("/operator/sign-out", headers=SAME_ORIGIN).url.path == "/"
    assert browser.get("/operator").url.path == "/operator/sign-in"


def test_a_wrong_token_is_said_so_and_sets_no_cookie(browser: httpx.Client) -> None:
    answer = sign_in(browser, "wrong", next="https://example.com/")
    assert answer.status_code == 403
    assert read_page(answer.text).by_id("wrong").text == "This token is wrong."
    assert read_page(answer.text).one("input", type="hidden").attributes["value"] == HOME
    assert "set-cookie" not in answer.headers


def test_forms_of_other_sites_are_refused(writing_app: App) -> None:
    for path in ("/operator/sign-in", "/operator/sign-out"):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.com"}, {}):
            answer = writing_app.client.post(path, data={"token": TOKEN}, headers=headers)
            assert answer.status_code == 403
            assert "set-cookie" not in answer.headers


def test_the_cookie_is_for_https_only_where_the_visitor_uses_https(writing_app: App) -> None:
    headers = SAME_ORIGIN | {"X-Forwarded-Proto": "https"}
    answer = writing_app.client.post("/operator/sign-in", data={"token": TOKEN}, headers=headers)
    assert answer.status_code == 303
    assert answer.headers["set-cookie"].endswith("; Secure")
    writing_app.client.cookies.clear()


def test_the_cookie_changes_nothing_of_what_everybody_sees(browser: httpx.Client) -> None:
    sign_in(browser)
    for path in ("/", f"/components/{WEB_ID}", "/incidents"):
        answer = browser.get(path)
        assert "vary" not in answer.headers or "cookie" not in answer.headers["vary"].lower()
        assert DIGEST not in answer.text
        assert read_page(answer.text).all("form") == []


# Metrics


def test_metrics_tell_states_latencies_incidents_and_the_release(writing_app: App) -> None:
    answer = writing_app.client.get("/metrics", headers=AUTHORIZED)
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    names = {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
    assert names >= {"oaktree_component_state", "oaktree_incidents_open", "oaktree_build_info"}
    for name in IDS:
        states = [line for line in lines if line.startswith(f'oaktree_component_state{{component="{name}"')]
        assert sorted(line.rpartition(" ")[2] for line in states) == ["0.0"] * 4 + ["1.0"]
    build = next(line for line in lines if line.startswith("oaktree_build_info"))
    assert f'commit="{COMMIT}"' in build
    assert f'digest="{DIGEST}"' in build
    for line in lines:
        assert line.startswith("# ") or re.fullmatch(
            r"[a-z_]+(\{([a-z_]+=\"[^\"]*\",?)+\})? [0-9.e+-]+", line
        )
