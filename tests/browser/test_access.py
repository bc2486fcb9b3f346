"""The page is for everybody: by keyboard, by screen reader, without JavaScript, on a small screen."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.stage import Stage
from tests.webapp.environment import WEB_ID

pytestmark = pytest.mark.browser

AXE = Path(__file__).parents[1] / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(autouse=True, scope="module")
def busy(stage: Stage) -> Iterator[None]:
    """There is something of everything on the page: an incident, trouble, a history."""
    stage.raise_alarm()
    identifier = stage.open_incident("Answers are slow", "We look into it.", WEB_ID)
    yield
    stage.update_incident(identifier, "resolved", "It is well.")
    stage.quiet_alarm()


def settled(page: Page) -> Page:
    """The page with all that is to be seen on it."""
    expect(page.locator(".incident")).to_be_visible()
    expect(page.locator("#component-status\\.alarms .state")).to_have_text("Degraded")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
def test_axe_finds_nothing(visit: Visit, scheme: str, width: int) -> None:
    page = settled(visit(color_scheme=scheme, viewport={"width": width, "height": 900}))
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert AXE.is_file(), f"{AXE} is missing: make test installs it"
    page.evaluate(AXE.read_text())
    found: dict[str, Any] = page.evaluate("(rules) => axe.run({ runOnly: rules })", RULES)
    assert len(found["passes"]) > 20
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []


def test_the_keyboard_reaches_the_content_and_the_details(visit: Visit) -> None:
    page = settled(visit())
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.parentElement.id") == "details-ecs":
            break
    page.keyboard.press("Enter")
    expect(page.locator("#details-ecs .figures")).to_be_visible()
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_a_days_words_appear_above_its_bar_and_escape_hides_them(visit: Visit) -> None:
    page = settled(visit())
    page.locator("#bars-status\\.alarms i").nth(70).hover()

    def words() -> str:
        script = (
            "getComputedStyle(document.querySelectorAll('#bars-status\\\\.alarms i')[70], '::after').content"
        )
        return str(page.evaluate(script))

    assert re.match(r'"\d+ \w+ \d{4}\\a ', words())
    page.keyboard.press("Escape")
    assert words() == "none"


def test_nothing_is_wider_than_the_screen(visit: Visit) -> None:
    page = settled(visit())
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    for width in (320, 400, 768, 1920):
        page.set_viewport_size({"width": width, "height": 700})
        assert page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        ), width


def test_text_may_be_twice_as_large(visit: Visit) -> None:
    page = settled(visit(viewport={"width": 640, "height": 700}))
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_all_is_there_without_javascript(visit: Visit) -> None:
    page = settled(visit(java_script_enabled=False))
    expect(page.locator("#heading")).to_have_text("Some components are degraded")
    expect(page.locator("#connection")).to_be_empty()
    checked = page.locator("#component-services\\.worker .checked")
    expect(checked).to_have_text(re.compile(r"^checked \d+ s ago$"))
    expect(page.locator("#bars-ecs i")).to_have_count(90)
    assert page.locator("noscript meta").get_attribute("content") == "60"
    page.locator("#details-ecs summary").click()
    expect(page.locator("#details-ecs .figures")).to_be_visible()
