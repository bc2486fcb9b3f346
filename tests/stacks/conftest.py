"""The platform as synthesized, for tests that read its Terraform JSON."""

from collections.abc import Callable
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


@pytest.fixture
def synthesize(tmp_path: Path) -> Synthesize:
    """Synthesize environments given as text, by name; returns the stacks by name."""
    from stacks import synthesis

    def from_text(project: str = PROJECT, **environments: str) -> dict[str, Stack]:
        directory = write_platform(tmp_path / "environments", project, **environments)
        synthesis.synthesize(read_platform(directory), tmp_path / "cdktf.out")
        return read_stacks(tmp_path / "cdktf.out")

    return from_text
