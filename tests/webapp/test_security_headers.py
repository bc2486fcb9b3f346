"""What every answer tells a browser to be strict about."""

import httpx
import pytest

from tests.webapp.processes import App
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.endpoints.page import URLS
from webapp.security_headers import STRICT_TRANSPORT_SECURITY, security_headers

PATHS = ["/", HEALTH_PATH, STATUS_PATH, "/api/events", "/nothing", "/assets/nothing.css", "/favicon.ico"]


def answer_to(app: App, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer without its body, which may go on for ever."""
    with app.client.stream("GET", path, headers=headers or {}) as answer:
        return answer


@pytest.mark.parametrize("path", PATHS)
def test_no_browser_guesses_the_type_of_an_answer(app: App, path: str) -> None:
    assert answer_to(app, path).headers["x-content-type-options"] == "nosniff"


def test_the_page_says_what_a_browser_may_do_with_it(app: App) -> None:
    headers = answer_to(app, "/").headers
    assert {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-frame-options": "DENY",
    }.items() <= dict(headers).items()
    assert "camera=()" in headers["permissions-policy"].split(", ")


@pytest.mark.parametrize("path", ["/", URLS["favicon.svg"]])
def test_nothing_may_be_loaded_from_elsewhere_or_run_from_the_text_itself(app: App, path: str) -> None:
    policy = answer_to(app, path).headers["content-security-policy"]
    directives = dict(directive.split(maxsplit=1) for directive in policy.split("; "))
    assert directives.pop("default-src") == "'none'"
    assert {directives.pop(f"{kind}-src") for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert directives == dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'")


@pytest.mark.parametrize("path", [HEALTH_PATH, STATUS_PATH, "/nothing", URLS["page.css"]])
def test_what_is_not_rendered_has_no_headers_for_pages(app: App, path: str) -> None:
    assert not {"content-security-policy", "permissions-policy"} & answer_to(app, path).headers.keys()


def test_an_answer_may_bring_its_own_policy() -> None:
    usual = security_headers(b"text/html; charset=utf-8", https=False)
    names = (b"content-security-policy", b"referrer-policy")
    own = security_headers(b"text/html; charset=utf-8", https=False, own=names)
    assert b"content-security-policy: " in usual
    assert b"content-security-policy: " not in own
    assert b"referrer-policy: " not in own
    assert b"x-frame-options: DENY" in own


def test_each_header_is_sent_once(app: App) -> None:
    names = [name.lower() for name, _ in answer_to(app, "/").headers.raw]
    assert len(names) == len(set(names))


def test_health_has_few_headers(app: App) -> None:
    raw = answer_to(app, HEALTH_PATH).headers.raw
    assert sum(len(name) + len(value) + 4 for name, value in raw) < 350


@pytest.mark.parametrize("path", PATHS)
def test_https_is_asked_for_where_the_load_balancer_says_that_it_was_used(app: App, path: str) -> None:
    headers = answer_to(app, path, {"X-Forwarded-Proto": "https"}).headers
    assert headers["strict-transport-security"] == STRICT_TRANSPORT_SECURITY


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "httpsx"}])
def test_https_is_not_asked_for_over_http(app: App, headers: dict[str, str]) -> None:
    assert "strict-transport-security" not in answer_to(app, "/", headers).headers
