"""The app's image, built once from the Dockerfile as it is, and what the app in it uses."""

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ops.images.engine import Engine, Image, find_engine
from ops.local.embedded import Embedded, start_embedded, stop_embedded
from tests.places import ENVIRONMENTS, ROOT
from tests.webapp.environment import ACCOUNT_ID
from tests.webapp.furnishing import furnish

COMMIT = "0123456789abcdef0123456789abcdef01234567"
"""The tag of the image under test; any would do."""


def run_ops(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run one of the commands behind the make targets on this repository, with the tests' settings."""
    return subprocess.run(
        (sys.executable, "-m", "ops", *arguments, "--directory", str(ENVIRONMENTS.parent)),
        cwd=ROOT,
        env={**os.environ, "SOURCE_DATE_EPOCH": "1700000000", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Docker or podman; without either, the test fails and says what to install."""
    return find_engine()


@pytest.fixture(scope="session")
def image(engine: Engine) -> Image:
    """The image that `make image` builds."""
    done = run_ops("image", "--commit", COMMIT)
    assert done.returncode == 0, done.stderr[-3000:]
    built = engine.image(f"oaktree/web:{COMMIT}")
    assert built
    assert done.stdout == f"oaktree/web:{COMMIT} {built.id}\n"
    return built


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """An embedded AWS as `make up` starts it, with all that the app uses."""
    directory = tmp_path_factory.mktemp("aws")
    started = start_embedded(directory, ACCOUNT_ID)
    try:
        furnish(started.endpoint)
        yield started
    finally:
        stop_embedded(directory)
