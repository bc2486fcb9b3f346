"""What every answer tells a browser to be strict about."""

import httpx
import pytest

from tests.webapp.processes import App
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.middleware import LARGEST_TARGET, STRICT_TRANSPORT_SECURITY

PATHS = ["/", HEALTH_PATH, STATUS_PATH, "/api/events", "/nothing", "/assets/nothing.css", "/favicon.ico"]


def answer_to(app: App, path: str, headers: dict[str, str] | None = None) -> httpx.Response:
    """The answer without its body, which may go on for ever."""
    with app.client.stream("GET", path, headers=headers or {}) as answer:
        return answer


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_says_what_a_browser_may_do_with_it(app: App, path: str) -> None:
    headers = answer_to(app, path).headers
    assert {
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
    }.items() <= dict(headers).items()
    assert "camera=()" in headers["permissions-policy"].split(", ")


@pytest.mark.parametrize("path", PATHS)
def test_nothing_may_be_loaded_from_elsewhere_or_run_from_the_text_itself(app: App, path: str) -> None:
    policy = answer_to(app, path).headers["content-security-policy"]
    directives = dict(directive.split(maxsplit=1) for directive in policy.split("; "))
    assert directives.pop("default-src") == "'none'"
    assert {directives.pop(f"{kind}-src") for kind in ("script", "style", "img", "connect")} == {"'self'"}
    assert directives == dict.fromkeys(("base-uri", "form-action", "frame-ancestors"), "'none'")


def test_each_header_is_sent_once(app: App) -> None:
    names = [name.lower() for name, _ in answer_to(app, "/").headers.raw]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("method", ["HEAD", "POST", "OPTIONS"])
def test_other_methods_are_no_exception(app: App, method: str) -> None:
    assert "content-security-policy" in app.client.request(method, "/").headers


def test_what_is_refused_before_the_app_sees_it_is_no_exception(app: App) -> None:
    answer = app.client.get("/" + "a" * LARGEST_TARGET)
    assert answer.status_code == 414
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_https_is_asked_for_where_the_load_balancer_says_that_it_was_used(app: App, path: str) -> None:
    headers = answer_to(app, path, {"X-Forwarded-Proto": "https"}).headers
    assert headers["strict-transport-security"] == STRICT_TRANSPORT_SECURITY


@pytest.mark.parametrize("headers", [{}, {"X-Forwarded-Proto": "http"}, {"X-Forwarded-Proto": "httpsx"}])
def test_https_is_not_asked_for_over_http(app: App, headers: dict[str, str]) -> None:
    assert "strict-transport-security" not in answer_to(app, "/", headers).headers
