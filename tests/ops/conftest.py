"""An embedded AWS for each module, and checkouts with small stacks."""

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ops.checkout import Checkout
from ops.embedded import Embedded, start_embedded, stop_embedded
from ops.local import stop_all
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.commands import Command, run

ACCOUNT = "111111111111"
REGION = "eu-central-1"

PROJECT = f"""
name = "oaktree"
repository = "example/oaktree"
account_id = "{ACCOUNT}"
region = "{REGION}"
owner = "platform@example.com"
cost_centre = "1000"
protected = false
"""
ENVIRONMENT = f"""
account_id = "{ACCOUNT}"
region = "{REGION}"
owner = "platform@example.com"
cost_centre = "1000"
network = {{ cidr = "10.10.0.0/16" }}

[services.web]
secrets = {{ WRITE_TOKEN_SHA256 = "ssm:/oaktree/dev/web/write-token-sha256" }}
"""


@dataclass(frozen=True)
class Desk:
    """A checkout with small stacks, and the commands run in it."""

    checkout: Checkout
    environment: Mapping[str, str]

    def run(self, *arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
        """Run one of the commands to its end; `answer` is what the person types."""
        return run(self._located(arguments), self.environment, answer=answer)

    def begin(self, *arguments: str) -> Command:
        """Start one of the commands."""
        return Command(self._located(arguments), self.environment)

    def _located(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (*arguments, "--directory", str(self.checkout.directory))


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    directory = tmp_path_factory.mktemp("embedded")
    yield start_embedded(directory, ACCOUNT)
    stop_embedded(directory)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk without credentials, of its own for each module."""
    checkout = Checkout(tmp_path_factory.mktemp("desk"))
    checkout.environments.mkdir()
    (checkout.environments / "project.toml").write_text(PROJECT)
    (checkout.environments / "dev.toml").write_text(ENVIRONMENT)
    (checkout.environments / "network.txt").write_text("first")
    shutil.copyfile(Path(__file__).with_name("small_stacks.py"), checkout.directory / "main.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    yield Desk(checkout, kept)
    stop_all(checkout.local)


@pytest.fixture
def platform(desk: Desk) -> Platform:
    """What the desk's settings say."""
    return read_platform(desk.checkout.environments)
