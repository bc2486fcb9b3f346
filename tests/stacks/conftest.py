"""The platform as synthesized, for tests that read its Terraform JSON."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.reading import read_platform
from tests.stacks.platform_files import write_platform
from tests.stacks.terraform_json import Stack, read_stacks

REPOSITORY = Path(__file__).parents[2]

Synthesize = Callable[..., dict[str, Stack]]


@pytest.fixture(scope="session")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    """The stacks of this repository's own environments, by name."""
    from stacks.synthesis import synthesize

    outdir = tmp_path_factory.mktemp("synthesis") / "cdktf.out"
    synthesize(read_platform(REPOSITORY / "environments"), outdir)
    return read_stacks(outdir)


@pytest.fixture
def synthesize(tmp_path: Path) -> Synthesize:
    """Synthesize environments given as text, by name; returns the stacks by name."""
    from stacks import synthesis

    def from_text(**environments: str) -> dict[str, Stack]:
        directory = write_platform(tmp_path / "environments", **environments)
        synthesis.synthesize(read_platform(directory), tmp_path / "cdktf.out")
        return read_stacks(tmp_path / "cdktf.out")

    return from_text
