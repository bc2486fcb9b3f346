"""Settings files for tests: a small valid project and environments that differ from it."""

from pathlib import Path

import pytest

from stacks.reading import SettingsError, read_platform

PROJECT = """\
name = "oaktree"
repository = "example/oaktree"
account_id = "111111111111"
region = "eu-central-1"
owner = "platform@example.com"
cost_centre = "1000"
"""

TAIL = """
account_id = "111111111111"
region = "eu-central-1"
owner = "platform@example.com"
cost_centre = "1000"
"""

NETWORK = 'network = { cidr = "10.10.0.0/16" }\n'

SERVICE = '[services.web]\nkind = "status"\n'


def environment(top: str = "", network: str = NETWORK, services: str = SERVICE) -> str:
    """The text of an environment's file, valid unless what is given is not."""
    return f"{top}{TAIL}{network}{services}"


def write_platform(directory: Path, project: str = PROJECT, **environments: str) -> Path:
    """Write `project.toml` and the given environments; returns the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "project.toml").write_text(project)
    for name, text in environments.items():
        (directory / f"{name}.toml").write_text(text)
    return directory


def errors_of(directory: Path) -> list[str]:
    """What a person is told, without the directory."""
    with pytest.raises(SettingsError) as caught:
        read_platform(directory)
    return [str(problem).removeprefix(f"{directory}/") for problem in caught.value.problems]
