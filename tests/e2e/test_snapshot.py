"""What several modules begin with is made once."""

from pathlib import Path

import pytest

from tests.e2e.snapshot import made_once


def test_what_was_made_is_found_by_those_who_come_later(tmp_path_factory: pytest.TempPathFactory) -> None:
    made: list[Path] = []

    def make(directory: Path) -> None:
        directory.mkdir()
        made.append(directory)

    first, second = (made_once(tmp_path_factory, "found", make) for _ in range(2))
    assert first == second
    assert made == [first]


def test_what_could_not_be_made_is_told_to_all_and_not_tried_again(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    def make(directory: Path) -> None:
        tried.append(directory)
        raise OSError("no space")

    tried: list[Path] = []
    with pytest.raises(OSError, match="no space"):
        made_once(tmp_path_factory, "failed", make)
    with pytest.raises(pytest.fail.Exception, match="no space"):
        made_once(tmp_path_factory, "failed", make)
    assert len(tried) == 1
