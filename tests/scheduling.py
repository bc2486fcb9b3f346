"""Which worker runs which tests: those of a file together and in order, and what takes longest first."""

from typing import Final

import pytest
from xdist.scheduler import LoadScopeScheduling

_TOGETHER: Final = {
    # One browser, one image.
    "tests/browser/": "browser",
    "tests/docker/": "image",
    # These hold deadlines of the app: none of them runs beside another one.
    "tests/webapp/test_faults.py": "deadlines",
    "tests/webapp/test_keep_alive.py": "deadlines",
    "tests/webapp/test_monitor.py": "deadlines",
    "tests/webapp/test_shutdown.py": "deadlines",
}
"""Files that stay on one worker, by the beginning of their paths."""

_FIRST: Final = (
    "tests/e2e/test_life_of_an_environment.py",
    "tests/e2e/test_bootstrap.py",
    # While those wait for AWS, what needs nothing that they make.
    "tests/docker/",
    "tests/webapp/test_faults.py",
    "tests/ops/test_deploy.py",
    "tests/browser/",
    # These begin with what the first two have made.
    "tests/e2e/",
    "tests/test_environments.py",
    "tests/ops/",
    "tests/webapp/",
)
"""What is begun with, by the beginning of the paths: a story of minutes that begins last ends last."""


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands whole files to the workers."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((group for start, group in _TOGETHER.items() if file.startswith(start)), file)


def turn(item: pytest.Item) -> int:
    """Return a number by which tests are sorted."""
    return next((turn for turn, start in enumerate(_FIRST) if item.nodeid.startswith(start)), len(_FIRST))
