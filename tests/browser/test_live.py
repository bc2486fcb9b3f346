"""The page in a browser: it shows what is, and what becomes of it, without being loaded again."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import Stage
from tests.webapp.environment import IDS, WATCHED, WEB_ID
from tests.webapp.waiting import soon

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def quiet(stage: Stage) -> Iterator[None]:
    """Leaves the stage as it was."""
    yield
    stage.quiet_alarm()
    soon(stage.state_of_cloudwatch, lambda state: state == "operational")


def is_live(page: Page) -> Page:
    """The page, once it listens and all services are checked."""
    expect(page.locator("#connection")).to_have_text("Live")
    expect(page.locator("#overall .age")).to_be_visible()
    page.evaluate("window.loadedOnce = true")
    return page


def was_not_loaded_again(page: Page) -> bool:
    """Whether it is the same page still."""
    return bool(page.evaluate("window.loadedOnce === true"))


def test_shows_all_services_and_that_it_is_live(visit: Visit) -> None:
    page = is_live(visit())
    assert page.locator(".component h3").count() == len(IDS)
    for component in WATCHED:
        expect(page.locator(f"[id='component-{component.id}'] h3")).to_contain_text(component.name)
        assert page.locator(f"[id='bars-{component.id}'] i").count() == 90
    expect(page.locator("#component-status\\.table .state")).to_have_text("Operational")
    expect(page.locator("h1")).to_have_text("web dev, eu-central-1")


def test_ages_and_figures_go_on(visit: Visit) -> None:
    page = is_live(visit())
    checked_at = page.locator("#component-services\\.worker .checked-at")
    before = checked_at.get_attribute("datetime")
    assert before
    expect(checked_at).not_to_have_attribute("datetime", before)
    checked = page.locator("#component-services\\.worker .checked")
    expect(checked).to_have_text(re.compile(r"^checked \d+ s ago$"))
    assert was_not_loaded_again(page)


def test_a_service_that_changes_its_state_is_shown_and_announced(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    cloudwatch = page.locator("#component-status\\.alarms .state")
    expect(cloudwatch).to_have_text("Operational")
    stage.raise_alarm()
    expect(cloudwatch).to_have_text("Degraded")
    expect(page.locator("#component-status\\.alarms .message")).to_have_text("Raised: cpu.")
    expect(page.locator("#heading")).to_have_text("Some components are degraded")
    expect(page).to_have_title(re.compile("^Some components are degraded · "))
    expect(page.locator("#announcer")).to_have_text("Some components are degraded. Alarms is degraded.")
    stage.quiet_alarm()
    expect(cloudwatch).to_have_text("Operational")
    expect(page.locator("#announcer")).to_contain_text("CloudWatch is operational.")
    assert was_not_loaded_again(page)


def test_an_incident_appears_goes_on_and_disappears(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    identifier = stage.open_incident("Answers are slow <b>", "We look into it.", WEB_ID)
    card = page.locator(f"#incident-{identifier}")
    expect(card.locator("h3")).to_have_text("Answers are slow <b>")
    expect(card.locator(".progress")).to_have_text("Investigating")
    stage.update_incident(identifier, "monitoring", "It is better.")
    expect(card.locator(".progress")).to_have_text("Monitoring")
    expect(card.locator(".said")).to_have_text(["It is better.", "We look into it."])
    stage.update_incident(identifier, "resolved", "It is well.")
    expect(card).to_have_count(0)
    assert was_not_loaded_again(page)


def test_what_the_reader_does_is_left_alone(visit: Visit, stage: Stage) -> None:
    page = is_live(visit(viewport={"width": 800, "height": 500}))
    summary = page.locator("#details-logs summary")
    summary.focus()
    page.keyboard.press("Enter")
    heading = "document.querySelector('#component-services\\\\.worker h3')"
    page.evaluate(f"getSelection().selectAllChildren({heading})")
    scrolled = page.evaluate("scrollTo(0, 700), scrollY")
    assert scrolled > 0
    stage.raise_alarm()
    expect(page.locator("#heading")).to_have_text("Some components are degraded")
    expect(page.locator("#details-logs")).to_have_attribute("open", "")
    expect(summary).to_be_focused()
    assert page.evaluate("getSelection().toString()").startswith("CloudWatch Logs")
    assert page.evaluate("scrollY") == scrolled
    assert was_not_loaded_again(page)


def test_an_answer_of_a_task_that_is_behind_is_looked_at_again(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    behind = stage.app.client.get("/").text
    answers = [behind, behind]
    page.route(stage.url, lambda route: route.fulfill(body=answers.pop()) if answers else route.continue_())
    stage.raise_alarm()
    expect(page.locator("#component-status\\.alarms .state")).to_have_text("Degraded", timeout=30_000)
    assert answers == []


def test_the_page_of_another_release_is_loaded_as_a_whole_but_once(visit: Visit, stage: Stage) -> None:
    page = is_live(visit())
    other = re.sub(r"(/assets/page)\.[0-9a-f]{16}\.", r"\1.0123456789abcdef.", stage.app.client.get("/").text)
    with page.expect_event("load"):
        page.route(stage.url, lambda route: route.fulfill(body=other, content_type="text/html"))
        stage.raise_alarm()
    soon(stage.state_of_cloudwatch, lambda state: state == "degraded")
    page.unroute(stage.url)
    with page.expect_event("load"):
        stage.quiet_alarm()
    is_live(page)
    expect(page.locator("#component-status\\.alarms .state")).to_have_text("Operational")
    page.route(stage.url, lambda route: route.fulfill(body=other, content_type="text/html"))
    stage.raise_alarm()
    expect(page.locator("#announcer")).to_contain_text("Alarms is degraded.")
    page.wait_for_timeout(2_000)
    assert was_not_loaded_again(page)
