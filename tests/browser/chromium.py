"""The distribution's Chromium, or else Playwright's own, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

from tests import tools

PLAIN_NAME = "status.example.test"
"""A name of the loopback that, unlike 127.0.0.1, a browser does not trust over HTTP."""


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser that ends with the block; fails, saying what to install, where there is none."""
    # Chromium's sandbox refuses to work for root, who is who runs tests in a container.
    arguments = [f"--host-resolver-rules=MAP {PLAIN_NAME} 127.0.0.1"]
    arguments += ["--no-sandbox"] if os.geteuid() == 0 else []
    executable = tools.browser()
    assert executable, "the tests of the page need a browser, and there is none: make test-tools installs one"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Complaints:
    """What a page does not like: errors, warnings, and what the Content-Security-Policy has blocked."""

    def __init__(self, page: Page) -> None:
        self.found: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.found.append(f"error: {error}"))
        page.on("requestfailed", self._note_failure)
        page.add_init_script(
            "addEventListener('securitypolicyviolation', (event) =>"
            " console.error(`blocked: ${event.violatedDirective} ${event.blockedURI}`))"
        )

    def _note_failure(self, request: Request) -> None:
        # A page that is left aborts what it still waits for, such as live events.
        if request.failure != "net::ERR_ABORTED":
            self.found.append(f"failed: {request.url}: {request.failure}")

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.found.append(f"{message.type}: {message.text}")
