"""What the page says and does when the server is gone, or has no room for another listener."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.webapp.environment import environ_of
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
    with running_app(environ_of(stage_aws, check_interval=1)) as app:
        page.goto(str(app.client.base_url))
        expect(connection).to_have_text("Live")
    expect(connection).to_have_text("Reconnecting…")
    expect(notice).to_be_hidden()
    page.clock.fast_forward("00:46")
    expect(notice).to_contain_text("This page may be out of date.")
    expect(page.locator("#component-services\\.worker h3")).to_be_visible()
    with running_app(environ_of(stage_aws, check_interval=1), port=app.port):
        page.clock.fast_forward("00:31")
        expect(connection).to_have_text("Live")
        expect(notice).to_be_hidden()


def test_stays_up_to_date_while_too_many_listen_and_listens_once_there_is_room(
    page: Page, stage_aws: str
) -> None:
    with running_app(environ_of(stage_aws, check_interval=1)) as app:
        with ExitStack() as listeners:
            unlimited = httpx.Limits(max_connections=None)
            client = listeners.enter_context(httpx.Client(base_url=app.client.base_url, limits=unlimited))
            for _ in range(LARGEST_NUMBER):
                listeners.enter_context(client.stream("GET", EVENTS_PATH))
            page.goto(str(app.client.base_url))
            connection = page.locator("#connection")
            checked_at = page.locator("#component-services\\.worker .checked-at")
            expect(connection).to_have_text("Reconnecting…")
            before = checked_at.get_attribute("datetime")
            assert before
            page.clock.fast_forward("00:31")
            expect(checked_at).not_to_have_attribute("datetime", before)
            expect(page.locator("#notice")).to_be_hidden()
        page.clock.fast_forward("00:31")
        expect(connection).to_have_text("Live")
