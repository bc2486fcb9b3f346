"""The operators' pages in a browser: signing in without HTTPS, and figures that change with each check."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from pydantic import SecretStr

from tests.browser.chromium import PLAIN_NAME
from tests.browser.stage import ORDERS_ID, PUBLIC_IDS, Stage
from tests.webapp.environment import AUTHORIZED, TOKEN, TOKEN_SHA256
from webapp.endpoints.status import OPERATOR_STATUS_PATH
from webapp.operators import COOKIE, HOME, open_session

pytestmark = pytest.mark.browser

FAKE = """
class Fake extends EventTarget {
  constructor() { super(); window.source = this; }
  close() {}
}
window.EventSource = Fake;
"""


@pytest.fixture
def page(browser: Browser, stage: Stage) -> Iterator[Page]:
    """The first page of an operator, whose events and clock are the test's."""
    with browser.new_context() as context:
        value = open_session(SecretStr(TOKEN_SHA256), time.time())
        context.add_cookies([{"name": COOKIE, "value": value, "url": stage.url}])
        page = context.new_page()
        page.clock.install()
        page.add_init_script(FAKE)
        page.goto(f"{stage.url}{HOME}")
        yield page


def tell(page: Page, type: str, data: object) -> None:
    """Has the page hear an event."""
    page.evaluate(
        "([type, data]) => source.dispatchEvent(new MessageEvent(type, { data }))", [type, json.dumps(data)]
    )


def document(stage: Stage) -> dict[str, Any]:
    """The operators' status document."""
    found: dict[str, Any] = stage.app.client.get(OPERATOR_STATUS_PATH, headers=AUTHORIZED).json()
    return found


def test_operators_sign_in_and_out_over_plain_http(browser: Browser, stage: Stage) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://{PLAIN_NAME}:{stage.app.port}/operator")
        assert page.evaluate("isSecureContext") is False
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Sign in").click()
        expect(page.locator("#release")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.locator(".row")).to_have_count(len(PUBLIC_IDS))


def test_figures_change_in_place_without_a_fetch(page: Page, stage: Stage) -> None:
    fetched: list[str] = []
    found = document(stage)
    tell(page, "status", found)
    tell(page, "times", {"now": found["checked_at"], "checked_at": found["checked_at"], "components": {}})
    expect(page.locator("#connection")).to_have_text("Live")
    page.on("request", lambda request: fetched.append(request.url))
    component = found["components"][ORDERS_ID]
    name = next(key for key, value in component["details"].items() if type(value) is int)
    details = component["details"] | {name: 4321}
    figures = {"checked_at": "2026-11-27T00:00:30Z", "finding": "It took 843 ms.", "latency_ms": 843.4}
    told = {"now": "2026-11-27T00:01:12Z", "checked_at": "2026-11-27T00:00:30Z"}
    tell(page, "times", told | {"components": {ORDERS_ID: figures | {"details": details}}})
    row = page.locator(f"[id='component-{ORDERS_ID}']")
    expect(row.locator("[data-finding]")).to_have_text("It took 843 ms.")
    expect(row.locator("[data-latency]")).to_have_text("843\N{NO-BREAK SPACE}ms")
    expect(row.locator(f"[data-figure='{ORDERS_ID} {name}']")).to_have_text("4321")
    expect(row.locator("[data-checked]")).to_have_text("27 Nov 2026, 00:00 UTC")
    expect(page.locator("#overall .age")).to_contain_text("42\N{NO-BREAK SPACE}s ago")
    page.clock.fast_forward("00:02")
    page.evaluate("fetch('/healthz')")
    assert fetched == [f"{stage.url}/healthz"]


def test_a_page_that_disagrees_is_fetched_once_more_for_each_change(page: Page, stage: Stage) -> None:
    found, url = document(stage), f"{stage.url}{HOME}"
    found["components"][ORDERS_ID]["state"] = "operational"
    tell(page, "status", found)
    fetched: list[str] = []
    page.on("response", lambda answer: fetched.append(answer.url) if answer.url == url else None)
    found["components"][ORDERS_ID]["state"] = "down"
    with page.expect_response(url):
        tell(page, "status", found)
    page.evaluate("fetch('/healthz')")
    with page.expect_response(url):
        page.clock.fast_forward("00:06")
    page.evaluate("fetch('/healthz')")
    for _ in range(2):
        page.clock.fast_forward("00:06")
        page.evaluate("fetch('/healthz')")
    assert len(fetched) == 2
