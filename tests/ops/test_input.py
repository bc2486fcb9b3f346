"""What is said about input that is missing or wrong, in the words that people typed: make's variables."""

import pytest

from tests.ops.conftest import Desk

MISSING = (
    "ENV is missing. Use one of dev. Write it after the command (`make <command> ENV=dev`): variables of the "
    "shell do not count.\n"
)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("plan", "--stack", "network"), MISSING),
        (("up", "--run", "img"), "RUN=img is not a way to run services. Use one of process, image.\n"),
    ],
)
def test_it_names_the_variable_and_what_is_allowed(desk: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = desk.run(*arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
