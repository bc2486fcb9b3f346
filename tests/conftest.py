"""What all tests share: whose settings, how hypothesis draws, which worker gets which test, and costs."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings
from xdist.remote import Producer

from tests.costs import Costs
from tests.guard import sitecustomize
from tests.scheduling import ByFile, turn
from tests.webapp.forking import stop_forking

# The programs that tests run import it, too, as they start.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, (str(Path(sitecustomize.__file__).parent), os.environ.get("PYTHONPATH")))
)

# Else each of some thousand processes compiles all that it imports again, which takes 1.5 s.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("test", derandomize=True, deadline=None, database=None)
settings.register_profile("explore", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "test"))

# Terraform and its provider mostly collect garbage of the provider's schema, which they read each time.
os.environ.setdefault("GOGC", "off")
os.environ.setdefault("GOMEMLIMIT", "3GiB")


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Costs())


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: much of what tests do is wait."""
    return (os.cpu_count() or 1) + 1


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=turn)


def pytest_sessionfinish() -> None:
    """Leave no process behind."""
    stop_forking()
