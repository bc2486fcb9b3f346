"""What all tests share: whose settings, how hypothesis draws, which worker gets which test, and costs."""

import os
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

from tests.costs import Costs
from tests.guard import sitecustomize

# The programs that tests run import it, too, as they start.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH")))
)

settings.register_profile("test", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

# Terraform and its provider mostly collect garbage of the provider's schema, which they read each time.
os.environ.setdefault("GOGC", "off")
os.environ.setdefault("GOMEMLIMIT", "3GiB")

_LONGEST_FIRST: Final = ("tests/e2e/", "tests/docker/", "tests/ops/", "tests/browser/", "tests/webapp/")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Costs())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together on one worker, and begin with what takes longest."""
    items.sort(key=_turn)
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.location[0]))


def _turn(item: pytest.Item) -> int:
    found = (turn for turn, start in enumerate(_LONGEST_FIRST) if item.location[0].startswith(start))
    return next(found, len(_LONGEST_FIRST))
