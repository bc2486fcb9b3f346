"""Pictures of the page, for people to look at: they are in .oaktree/screenshots afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import Stage
from tests.webapp.environment import ALARMS_ID, WEB_ID, environ_of
from tests.webapp.faults import silence
from tests.webapp.processes import running_app
from tests.webapp.waiting import soon

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).parents[2] / ".oaktree" / "screenshots"
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "mobile": {"color_scheme": "light", "viewport": {"width": 320, "height": 640}, "device_scale_factor": 2},
    "contrast": {"forced_colors": "active"},
}


@pytest.fixture
def incident(stage: Stage) -> Iterator[None]:
    """An incident that goes on."""
    stage.raise_alarm()
    identifier = stage.open_incident(
        "CPU of the web tasks is high since the last release",
        "Answers take longer than usual. No data is at risk; we are looking into it.",
        WEB_ID,
        ALARMS_ID,
    )
    message = "A job that was meant to run once a day runs every minute. We roll the release back."
    stage.update_incident(identifier, "identified", message)
    yield
    stage.update_incident(identifier, "resolved", "The former release runs again.")
    stage.quiet_alarm()
    soon(stage.state_of_cloudwatch, lambda state: state == "operational")


def picture(page: Page, name: str) -> None:
    """Takes a picture of the whole page."""
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True, animations="disabled")
    assert path.stat().st_size > 10_000


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_of_good_days(visit: Visit, look: str) -> None:
    page = visit(**LOOKS[look])
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#overall .age")).to_be_visible()
    expect(page.locator("#incidents .empty")).to_have_text("There are none.")
    picture(page, f"good-{look}")


@pytest.mark.usefixtures("incident")
@pytest.mark.parametrize("look", LOOKS)
def test_pictures_of_an_incident(visit: Visit, look: str) -> None:
    page = visit(**LOOKS[look])
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".incident")).to_be_visible()
    expect(page.locator("#component-status\\.alarms .state")).to_have_text("Degraded")
    page.locator("#details-status\\.alarms summary").click()
    page.locator("#bars-status\\.alarms i").nth(75).hover()
    picture(page, f"incident-{look}")


def test_pictures_of_an_app_that_reaches_nothing(browser: Browser) -> None:
    with silence() as server, running_app(environ_of(server.url)) as app, browser.new_context() as context:
        page = context.new_page()
        page.goto(str(app.client.base_url))
        picture(page, "start")
        expect(page.locator("#overall .age")).to_be_visible()
        picture(page, "down")
