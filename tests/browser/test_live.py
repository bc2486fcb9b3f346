"""The page in a browser: it shows what is, and what becomes of it, without being loaded again."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import PRICES_ID, PUBLIC_IDS, Stage
from tests.webapp.environment import WEB_ID
from tests.webapp.waiting import soon

pytestmark = pytest.mark.browser

PRICES = f"[id='component-{PRICES_ID}']"
TABS = 8
"""More than the connections that a browser opens to a server over HTTP/1.1."""


@pytest.fixture(autouse=True)
def quiet(stage: Stage) -> Iterator[None]:
    """Leaves the stage as it was."""
    yield
    stage.quiet_alarm()
    soon(lambda: stage.state_of(PRICES_ID), lambda state: state == "operational")


def is_live(page: Page) -> Page:
    """The page, once it listens and all components are checked."""
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator(".banner .age")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    return page


def was_not_loaded_again(page: Page) -> bool:
    """Whether it is the same page still."""
    return bool(page.evaluate("window.loadedOnce === true"))


def hide(page: Page, *, hidden: bool) -> None:
    """Lets the page believe that its tab is in the background, or in the foreground again."""
    page.evaluate(
        """(hidden) => {
          Object.defineProperty(document, "hidden", { configurable: true, get: () => hidden });
          dispatchEvent(new Event("visibilitychange"));
          document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def test_shows_all_public_components_and_that_it_is_live(visit: Visit) -> None:
    page = is_live(visit())
    rows = page.locator(".row")
    assert [row.get_attribute("id") for row in rows.all()] == [f"component-{name}" for name in PUBLIC_IDS]
    expect(page.locator(".bar")).to_have_count(len(PUBLIC_IDS))
    expect(page.locator("#heading")).to_have_text("All systems operational")
    expect(page).to_have_title("All systems operational · Shop status")


def test_ages_go_on(visit: Visit) -> None:
    page = is_live(visit())
    age = page.locator("#overall .age")
    before = age.get_attribute("datetime")
    assert before
    expect(age).not_to_have_attribute("datetime", before, timeout=40_000)  # times come every 15 s
    expect(age).to_have_text(re.compile(r"^\d+\ss ago$"))
    assert was_not_loaded_again(page)


def test_a_change_of_state_is_shown_and_announced_with_one_fetch(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    fetched: list[str] = []
    page.on(
        "request", lambda request: fetched.append(request.url) if request.url == f"{stage.url}/" else None
    )
    page.locator(f"{PRICES} h4 a").focus()
    stage.raise_alarm()
    expect(page.locator(f"{PRICES} .state")).to_have_text("Degraded")
    expect(page.locator("#heading")).to_have_text("Prices is degraded")
    expect(page).to_have_title("Prices is degraded · Shop status")
    assert "degraded" in str(page.locator("#icon").get_attribute("href"))
    expect(page.locator("#announcer")).to_have_text("Prices is degraded.")
    expect(page.locator(f"{PRICES} h4 a")).to_be_focused()
    assert was_not_loaded_again(page)
    assert len(fetched) == 1


def test_an_incident_comes_and_goes(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    identifier = stage.open_incident("Prices are wrong", "We look into it.", [PRICES_ID], "major")
    expect(page.locator(".incident h3")).to_have_text("Prices are wrong")
    expect(page.locator("#heading")).to_have_text("Prices is down")
    stage.update_incident(identifier, "resolved", "Prices are right.")
    expect(page.locator(".incident")).to_have_count(0)
    expect(page.locator(".past")).to_contain_text("Prices are wrong Resolved after")
    assert was_not_loaded_again(page)


def test_the_reader_decides_which_groups_are_open(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    page.locator("#group-data-stores summary").click()
    stage.raise_alarm()
    expect(page.locator("#heading")).to_have_text("Prices is degraded")
    expect(page.locator(f"[id='component-{PUBLIC_IDS[5]}']")).to_be_hidden()
    expect(page.locator(PRICES)).to_be_visible()


def test_a_hidden_page_has_no_stream_and_catches_up_when_it_is_seen(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    hide(page, hidden=True)
    expect(page.locator("#connection")).not_to_have_class(re.compile("live"))
    stage.raise_alarm()
    soon(lambda: stage.state_of(PRICES_ID), lambda state: state == "degraded")
    expect(page.locator("#heading")).to_have_text("All systems operational")
    hide(page, hidden=False)
    expect(page.locator("#heading")).to_have_text("Prices is degraded")
    expect(page.locator("#connection")).to_have_text("Live")


def test_eight_tabs_are_alive_at_once_over_http_1(browser: Browser, stage: Stage) -> None:
    with browser.new_context() as context:
        tabs: list[Page] = []
        for _ in range(TABS):
            for tab in tabs:
                hide(tab, hidden=True)
            tabs.append(context.new_page())
            tabs[-1].goto(stage.url)
            is_live(tabs[-1])
        assert tabs[0].evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol") == "http/1.1"
        hide(tabs[-1], hidden=True)
        hide(tabs[0], hidden=False)
        is_live(tabs[0])
        assert tabs[3].evaluate("fetch('/healthz').then((answer) => answer.status)") == 200


def test_a_component_has_a_page_that_is_live_too(visit: Visit, stage: Stage) -> None:
    page = visit()
    page.locator(f"{PRICES} h4 a").click()
    is_live(page)
    expect(page.locator("h1")).to_have_text("Prices")
    stage.raise_alarm()
    expect(page.locator(".banner .state")).to_have_text("Degraded")
    assert was_not_loaded_again(page)


def test_times_are_told_in_the_readers_zone_too(visit: Visit) -> None:
    page = visit(f"/components/{WEB_ID}", timezone_id="Asia/Tokyo", locale="en-GB")
    expect(page.locator(".banner time").first).to_have_attribute("title", re.compile(r", your time$"))
    page.locator(".bar").hover(position={"x": 300, "y": 10})
    expect(page.locator(".tip")).to_have_text(
        re.compile(r"^\d+ \w+ \d{4}\s.+\sThe day begins .* 09:00, your time$")
    )
    page.keyboard.press("Escape")
    expect(page.locator(".tip")).to_be_hidden()
