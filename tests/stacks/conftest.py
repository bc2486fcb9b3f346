"""The platform as synthesized, for tests that read its Terraform JSON."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from stacks.reading import read_platform
from tests.stacks.platform_files import PROJECT, write_platform
from tests.stacks.terraform_json import Stack, read_stacks, stacks_of_tests

Synthesize = Callable[..., dict[str, Stack]]


@pytest.fixture(scope="session")
def stacks() -> dict[str, Stack]:
    """The stacks of the tests' environments, by name."""
    return stacks_of_tests()


def synthesized(directory: Path, project: str = PROJECT, **environments: str) -> dict[str, Stack]:
    """Synthesize environments given as text, by name, into a directory; returns the stacks by name."""
    # The bindings take seconds to load: not when tests are collected.
    from stacks import synthesis

    written = write_platform(directory / "environments", project, **environments)
    synthesis.synthesize(read_platform(written), directory / "cdktf.out")
    return read_stacks(directory / "cdktf.out")


@pytest.fixture
def synthesize(tmp_path: Path) -> Synthesize:
    """Synthesize environments given as text, by name; returns the stacks by name."""
    return partial(synthesized, tmp_path)
