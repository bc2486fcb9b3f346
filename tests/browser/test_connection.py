"""What the page says and does when the server is gone, or has no room for another listener."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.stage import ORDERS_ID, stage_environ
from tests.webapp.environment import AUTHORIZED
from tests.webapp.processes import running_app
from webapp.endpoints.status import EVENTS_PATH
from webapp.events import LARGEST_NUMBER

pytestmark = pytest.mark.browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page whose clock the test may put forward."""
    with browser.new_context() as context:
        page = context.new_page()
        page.clock.install()
        yield page


def test_says_that_it_reconnects_then_that_it_may_be_out_of_date_and_recovers(
    page: Page, stage_aws: str
) -> None:
    connection, notice = page.locator("#connection"), page.locator("#notice")
    with running_app(stage_environ(stage_aws)) as app:
        page.goto(str(app.client.base_url))
        expect(connection).to_have_text("Live")
    expect(connection).to_have_text("Reconnecting…")
    expect(notice).to_be_hidden()
    page.clock.fast_forward("00:46")
    expect(notice).to_contain_text("This page may be out of date.")
    expect(page.locator("#components-heading")).to_be_visible()
    with running_app(stage_environ(stage_aws), port=app.port):
        page.clock.fast_forward("00:31")
        expect(connection).to_have_text("Live")
        expect(notice).to_be_hidden()


def test_asks_every_30_seconds_while_too_many_listen_and_listens_once_there_is_room(
    page: Page, stage_aws: str
) -> None:
    with running_app(stage_environ(stage_aws)) as app:
        with ExitStack() as listeners:
            unlimited = httpx.Limits(max_connections=None)
            client = listeners.enter_context(httpx.Client(base_url=app.client.base_url, limits=unlimited))
            for _ in range(LARGEST_NUMBER["public"]):
                listeners.enter_context(client.stream("GET", EVENTS_PATH))
            page.goto(str(app.client.base_url))
            connection = page.locator("#connection")
            page.clock.fast_forward("00:02")
            expect(connection).to_have_text("Updated every 30 s")
            content = {
                "title": "Orders wait",
                "message": "Soon.",
                "components": [ORDERS_ID],
                "severity": "major",
            }
            made = app.client.post("/api/incidents", json=content, headers=AUTHORIZED).json()
            page.clock.fast_forward("00:31")
            expect(page.locator("#heading")).to_have_text("Orders is down")
            expect(page.locator("#notice")).to_be_hidden()
        page.clock.fast_forward("00:31")
        expect(connection).to_have_text("Live")
        app.client.patch(
            f"/api/incidents/{made['id']}",
            json={"state": "resolved", "message": "Done."},
            headers=AUTHORIZED | {"If-Match": "*"},
        )
