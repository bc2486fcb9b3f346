"""Pictures of the pages, for people to look at: they are in .oaktree/screenshots afterwards."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import (
    DATABASE_ID,
    ORDERS_ID,
    PRICES_ID,
    Stage,
    stage_environ,
)
from tests.webapp.environment import TOKEN, WORKER_ID
from tests.webapp.faults import silence
from tests.webapp.processes import running_app
from tests.webapp.waiting import soon

pytestmark = pytest.mark.browser

SCREENSHOTS = Path(__file__).parents[2] / ".oaktree" / "screenshots"
SIZES: dict[str, dict[str, Any]] = {
    "1280": {"viewport": {"width": 1280, "height": 900}},
    "390": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
}
LOOKS: dict[str, dict[str, Any]] = {
    f"{size}-{scheme}": {"color_scheme": scheme} | options
    for size, options in SIZES.items()
    for scheme in ("light", "dark")
}


@pytest.fixture(scope="module")
def bad_day(stage: Stage) -> Iterator[str]:
    """An alarm, an incident of each severity, and maintenance; the id of the worst incident."""
    stage.raise_alarm()
    past = stage.open_incident("Sign-in fails for some customers", "We are looking into it.", (), "major")
    stage.update_incident(
        past, "resolved", "A certificate had expired on one of two servers. It was renewed."
    )
    minor = stage.open_incident(
        "Prices take longer to load than usual", "We are looking into it.", [PRICES_ID], "minor"
    )
    major = stage.open_incident(
        "Receipts arrive late", "Receipts are up to an hour late.", ["buckets.receipts"], "major"
    )
    stage.update_incident(major, "monitoring", "The receipts of this morning are being sent.")
    worst = stage.open_incident(
        "Orders are not processed", "All orders wait.", [ORDERS_ID, WORKER_ID], "critical"
    )
    stage.update_incident(worst, "investigating", "Orders are accepted but not processed. No order is lost.")
    stage.update_incident(
        worst,
        "identified",
        "A job that was meant to run once a day runs every minute. We are rolling the release back; "
        "orders that are placed meanwhile are kept.",
    )
    stage.correct(worst, 1, "Orders of the last half hour wait.")
    running = stage.announce(
        "Database upgrade to PostgreSQL 18", "Orders may take a few seconds longer.", [DATABASE_ID], -10, 50
    )
    coming = stage.announce("Move to new certificates", "No interruption is expected.", (), 2880, 2940)
    soon(lambda: stage.state_of(PRICES_ID), lambda state: state == "degraded")
    yield worst
    for identifier in (minor, major, worst):
        stage.update_incident(identifier, "resolved", "It is well.")
    stage.update_incident(running, "completed", "Done.")
    stage.update_incident(coming, "cancelled", "Later.")
    stage.quiet_alarm()
    soon(lambda: stage.state_of(PRICES_ID), lambda state: state == "operational")


def picture(page: Page, name: str) -> None:
    """Takes a picture of the whole page."""
    path = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=path, full_page=True, animations="disabled")
    assert path.stat().st_size > 10_000


def sign_in(page: Page, name: str) -> None:
    """Signs in by the form, and takes a picture of it."""
    picture(page, name)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_of_a_good_day(visit: Visit, look: str) -> None:
    page = visit(**LOOKS[look])
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".bar").first).to_be_visible()
    picture(page, f"good-{look}")


@pytest.mark.parametrize("look", LOOKS)
def test_pictures_of_a_bad_day(visit: Visit, bad_day: str, look: str) -> None:
    page = visit(**LOOKS[look])
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#heading")).to_have_text("Orders are not processed")
    expect(page.locator(".bar").first).to_be_visible()
    picture(page, f"public-{look}")
    page.goto(page.url + f"components/{WORKER_ID}")
    expect(page.locator("#connection")).to_have_text("Live")
    picture(page, f"component-{look}")
    page.goto(page.url.replace(f"components/{WORKER_ID}", "incidents"))
    picture(page, f"incidents-{look}")
    page.goto(f"{page.url}/{bad_day}")
    page.locator(".was summary").click()
    picture(page, f"incident-{look}")


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.usefixtures("bad_day")
def test_pictures_of_a_bad_day_for_operators(visit: Visit, look: str) -> None:
    page = visit("/operator", **LOOKS[look])
    sign_in(page, f"sign-in-{look}")
    expect(page.locator("#connection")).to_have_text("Live")
    page.locator(f"[id='details-{WORKER_ID}'] summary").click()
    picture(page, f"operator-{look}")
    page.goto(f"{page.url}/components/{WORKER_ID}")
    picture(page, f"operator-component-{look}")


def test_pictures_of_an_app_that_reaches_nothing(browser: Browser) -> None:
    with silence() as server, running_app(stage_environ(server.url)) as app, browser.new_context() as context:
        page = context.new_page()
        page.goto(str(app.client.base_url))
        picture(page, "start")
        expect(page.locator("#heading")).to_have_text("The status page cannot check anything at the moment")
        expect(page.locator("#overall p")).to_contain_text("What follows is how things were at ")
        picture(page, "lost")
