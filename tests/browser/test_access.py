"""The pages are for everybody: by keyboard, by screen reader, without JavaScript, on a small screen."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import ORDERS_ID, PRICES_ID, PUBLIC_IDS, Stage
from tests.webapp.environment import TOKEN, WEB_ID
from tests.webapp.waiting import soon

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(autouse=True, scope="module")
def incident(stage: Stage) -> Iterator[str]:
    """There is something of everything on the page; the id of an incident."""
    stage.raise_alarm()
    identifier = stage.open_incident("Answers are slow", "We look into it.", [PRICES_ID])
    stage.correct(identifier, 1, "We are looking into it.")
    maintenance = stage.announce("New disks", "Orders wait.", [ORDERS_ID], -1, 60)
    soon(lambda: stage.state_of(PRICES_ID), lambda state: state == "degraded")
    yield identifier
    stage.update_incident(identifier, "resolved", "It is well.")
    stage.update_incident(maintenance, "completed", "Done.")
    stage.quiet_alarm()


def settled(page: Page) -> Page:
    """The first page with all that is to be seen on it."""
    expect(page.locator(".incident").first).to_be_visible()
    expect(page.locator(".bar").first).to_be_visible()
    expect(page.locator(f"[id='component-{PRICES_ID}'] .state")).to_have_text("Degraded")
    return page


def unfolded(page: Page) -> Page:
    """The page with all details open."""
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    return page


def problems_of(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds wrong with a page."""
    assert AXE.is_file(), f"{AXE} is missing: make test installs it"
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("(rules) => axe.run({ runOnly: rules })", RULES)
    assert len(found["passes"]) > 15
    return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_axe_finds_nothing_on_the_pages_for_everybody(
    visit: Visit, incident: str, scheme: str, width: int
) -> None:
    page = settled(visit(color_scheme=scheme, viewport={"width": width, "height": 900}))
    home = page.url
    assert problems_of(unfolded(page)) == []
    for path in (f"components/{PRICES_ID}", "incidents", f"incidents/{incident}"):
        page.goto(f"{home}{path}")
        assert problems_of(unfolded(page)) == [], path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_for_operators(visit: Visit, scheme: str) -> None:
    page = visit(f"/operator/components/{WEB_ID}", color_scheme=scheme)
    assert problems_of(page) == []
    page.get_by_label("Token").fill(TOKEN)
    page.keyboard.press("Enter")
    expect(page.locator("#insight")).to_be_visible()
    assert problems_of(unfolded(page)) == []
    page.get_by_role("link", name="All components").click()
    assert problems_of(unfolded(settled(page))) == []
    page.get_by_role("button", name="Sign out").click()
    expect(page.locator(".row")).to_have_count(len(PUBLIC_IDS))
    page.goto(f"{page.url}operator")
    expect(page.get_by_label("Token")).to_be_visible()


def test_a_wrong_token_is_said_so_at_its_field(browser: Browser, stage: Stage) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"{stage.url}/operator")
        page.get_by_label("Token").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_label("Token")).to_have_attribute("aria-describedby", "wrong")
        expect(page.locator("#wrong")).to_have_text("This token is wrong.")
        assert problems_of(page) == []


def test_the_keyboard_reaches_the_content_and_folds_groups(visit: Visit) -> None:
    page = settled(visit())
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.id") == "group-shop":
            break
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator(f"[id='component-{WEB_ID}']")).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Web shop")


def test_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    page = unfolded(settled(visit()))
    home = page.url
    for path in ("", f"components/{PRICES_ID}", "incidents"):
        page.goto(f"{home}{path}")
        for width in (320, 390, 768, 1920):
            page.set_viewport_size({"width": width, "height": 700})
            assert page.evaluate(
                "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            ), (path, width)


def test_text_may_be_twice_as_large(visit: Visit) -> None:
    page = settled(visit(viewport={"width": 640, "height": 700}))
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_all_is_there_without_javascript(visit: Visit) -> None:
    page = settled(visit(java_script_enabled=False))
    expect(page.locator("#heading")).to_have_text("Prices is degraded")
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator("#overall .age")).to_have_text(re.compile(r"^at \d\d:\d\d UTC$"))
    expect(page.locator(".bar")).to_have_count(len(PUBLIC_IDS))
    assert page.locator("noscript meta").get_attribute("content") == "60"
    page.locator("#group-shop summary").click()
    expect(page.locator(f"[id='component-{WEB_ID}']")).to_be_hidden()
    page.goto(f"{page.url}components/{PRICES_ID}")
    page.locator("#troubled summary").click()
    expect(page.locator(".troubled li").first).to_be_visible()


def test_operators_sign_in_without_javascript(visit: Visit) -> None:
    page = visit("/operator", java_script_enabled=False)
    page.get_by_label("Token").fill(TOKEN)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#release")).to_be_visible()


def test_motion_is_never_needed() -> None:
    from webapp.endpoints.page import FILES

    css = FILES["page.css"].content.decode()
    assert "transition" not in css
    assert "animation" not in css
