"""Desks whose embedded AWS is gone when a test module is done."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ops.embedded import start_embedded
from tests.e2e.desk import Desk

REPOSITORY = Path(__file__).parents[2]

MakeDesk = Callable[[], Desk]


@pytest.fixture(scope="module")
def make_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeDesk]:
    """Makes a desk with this repository's own environments, none of them protected."""
    made: list[Desk] = []

    def make() -> Desk:
        desk = Desk(tmp_path_factory.mktemp("desk"))
        made.append(desk)
        shutil.copytree(REPOSITORY / "environments", desk.directory / "environments")
        project = desk.directory / "environments/project.toml"
        project.write_text(project.read_text() + "protected = false\n")
        start_embedded(desk.directory / ".oaktree/local", "111111111111")
        return desk

    yield make
    for desk in made:
        desk.ops("down")
