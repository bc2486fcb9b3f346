"""A browser that looks at the real app."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.chromium import Complaints, running_chromium
from tests.browser.stage import Stage, put_days, stage_environ
from tests.webapp.furnishing import furnish
from tests.webapp.processes import running_app, running_moto

expect.set_options(timeout=15_000)

Visit = Callable[..., Page]
"""Opens a page of the stage, the first unless told another, in a browser context with the options given."""


@pytest.fixture(scope="package")
def stage_aws() -> Iterator[str]:
    """Address of an embedded AWS whose table has 90 days of history."""
    with running_moto() as url:
        furnish(url)
        put_days(url)
        yield url


@pytest.fixture(scope="package")
def stage(stage_aws: str) -> Iterator[Stage]:
    """An app with a history, which may be written to."""
    with running_app(stage_environ(stage_aws)) as app:
        yield Stage(app, stage_aws)


# While Playwright runs, its event loop is the thread's: nothing else may run one until the package ends.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser."""
    with running_chromium() as running:
        yield running


@pytest.fixture
def visit(browser: Browser, stage: Stage) -> Iterator[Visit]:
    """Opens pages of the stage; at the end of the test, none may have complained about anything."""
    complaints: list[Complaints] = []
    with ExitStack() as contexts:

        def open_page(path: str = "/", **options: Any) -> Page:
            context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
            contexts.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(15_000)
            complaints.append(Complaints(page))
            page.goto(f"{stage.url}{path}")
            return page

        yield open_page
    assert [found for each in complaints for found in each.found] == []
