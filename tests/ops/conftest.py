"""An embedded AWS for each module, and checkouts with small stacks."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from ops.core.checkout import SOURCE, Checkout
from ops.local.embedded import Embedded, find_embedded, start_embedded, stop_embedded
from ops.local.up import stop_all
from ops.terraform import fetch
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.commands import Command, run
from tests.ops.small_stacks import ACCOUNT, BUCKET, REGION

__all__ = ["ACCOUNT", "REGION"]

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
kind = "status"
secrets = {{ WRITE_TOKEN_SHA256 = "ssm:/oaktree/dev/web/write-token-sha256" }}
token_over_http = true
"""


@dataclass(frozen=True)
class Desk:
    """A checkout with small stacks, and the commands run in it."""

    checkout: Checkout
    environment: Mapping[str, str]
    cwd: Path = SOURCE

    def run(self, *arguments: str, answer: str = "") -> "subprocess.CompletedProcess[str]":
        """Run one of the commands to its end; `answer` is what the person types."""
        return run(self._located(arguments), self.environment, answer=answer, cwd=self.cwd)

    def begin(self, *arguments: str) -> Command:
        """Start one of the commands."""
        return Command(self._located(arguments), self.environment, cwd=self.cwd)

    def _located(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        return (*arguments, "--directory", str(self.checkout.directory))


@pytest.fixture(scope="session")
def embedded_directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the embedded AWS that all modules share keeps its memory."""
    directory = tmp_path_factory.mktemp("embedded")
    start_embedded(directory, ACCOUNT)
    yield directory
    stop_embedded(directory)


@pytest.fixture(scope="module")
def embedded(embedded_directory: Path) -> Embedded:
    """An embedded AWS with nothing in it."""
    found = find_embedded(embedded_directory)
    assert found
    httpx.post(f"{found.endpoint}/moto-api/reset", trust_env=False, timeout=60).raise_for_status()
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk without credentials, of its own for each module."""
    checkout = Checkout(tmp_path_factory.mktemp("desk"))
    checkout.environments.mkdir()
    (checkout.environments / "project.toml").write_text(PROJECT)
    (checkout.environments / "dev.toml").write_text(ENVIRONMENT)
    for content in ("network.txt", "service.txt"):
        (checkout.environments / content).write_text("first")
    shutil.copyfile(Path(__file__).with_name("small_stacks.py"), checkout.directory / "main.py")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    yield Desk(checkout, kept)
    stop_all(checkout.local)


@pytest.fixture(scope="module")
def releasing(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk with a Terraform that shows resources as those of the AWS provider.

    A deployment looks for them by type in plans and states. All else is the real Terraform's.
    """
    real = fetch.find()
    assert real, "make setup"
    program = tmp_path_factory.mktemp("terraform") / "terraform"
    naming = f"'{sys.executable}' -IS '{desk.checkout.directory / 'main.py'}' named"
    program.write_text(
        f'#!/bin/bash\nset -- "${{@/#-target=aws_/-target=terraform_data.aws_}}"\n'
        # A type is the first part of a name here: -target=aws_x.y is -target=terraform_data.aws_x-y.
        "for given; do shift; [[ $given == -target=* ]] && given=${given%.*}-${given##*.}; "
        'set -- "$@" "$given"; done\n'
        f"case $1 in show | state) ;; *) exec '{real.path}' \"$@\" ;; esac\n"
        f"'{real.path}' \"$@\" | {naming}\n"
    )
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{desk.environment['PATH']}"
    # Not where a `.tools/terraform` may be, which goes before PATH.
    return replace(desk, environment={**desk.environment, "PATH": path}, cwd=program.parent)


def put_secret_of_dev(embedded: Embedded) -> None:
    """Put the secret that `ENVIRONMENT` names, without which the service stack is not planned."""
    embedded.client("ssm", REGION).put_parameter(
        Name="/oaktree/dev/web/write-token-sha256", Value="a" * 64, Type="SecureString"
    )


def applied_network(embedded: Embedded) -> str | None:
    """The content of the network stack that was applied last, as its state has it."""
    s3 = embedded.client("s3", REGION)
    try:
        state = s3.get_object(Bucket=BUCKET, Key="dev-network.tfstate")["Body"].read()
    except s3.exceptions.NoSuchKey:
        return None
    values = [resource["instances"][0]["attributes"]["input"] for resource in json.loads(state)["resources"]]
    return str(values[0]["value"]) if values else None


@pytest.fixture
def platform(desk: Desk) -> Platform:
    """What the desk's settings say."""
    return read_platform(desk.checkout.environments)
