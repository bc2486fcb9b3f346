"""The order of the workflows comes from the settings."""

import json
import os
from pathlib import Path

import pytest

from ops.core.errors import UsageError
from ops.github.delivery import places
from stacks import kinds
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.commands import run
from tests.ops.small_stacks import ACCOUNT
from tests.stacks.platform_files import PROJECT, environment, write_platform

OTHER = "222222222222"
OWN = [kind.name for kind in kinds.OF_ENVIRONMENT if not kind.released]


def written(directory: Path, releases: str, **accounts: str) -> Path:
    """Settings with environments in these accounts."""
    texts = {
        name: environment(
            network=f'network = {{ cidr = "10.{number}.0.0/16" }}\nbake_minutes = {number}\n'
        ).replace(ACCOUNT, account)
        for number, (name, account) in enumerate(accounts.items())
    }
    return write_platform(directory, PROJECT + releases, **texts)


def read(directory: Path, releases: str, **accounts: str) -> Platform:
    return read_platform(written(directory, releases, **accounts))


def test_environments_come_in_the_order_of_releases_with_their_bakes(tmp_path: Path) -> None:
    platform = read(tmp_path, 'releases = ["dev", "beta", "prod"]\n', prod=ACCOUNT, beta=ACCOUNT, dev=ACCOUNT)
    assert [(place.environment, place.bake) for place in places(platform)] == [
        ("dev", "2"),
        ("beta", "1"),
        ("prod", "0"),
    ]


def test_an_environment_that_is_not_listed_has_no_place(tmp_path: Path) -> None:
    platform = read(tmp_path, 'releases = ["dev"]\n', dev=ACCOUNT, sandbox=OTHER)
    (place,) = places(platform)
    assert (place.environment, [stack.name for stack in place.stacks]) == (
        "dev",
        ["foundation", *(f"dev-{kind}" for kind in OWN)],
    )


def test_a_foundation_comes_with_the_first_environment_of_its_account(tmp_path: Path) -> None:
    platform = read(tmp_path, 'releases = ["one", "two", "three"]\n', one=OTHER, two=ACCOUNT, three=OTHER)
    first, *others = places(platform)
    assert [(each.name, each.environment, each.gate) for each in first.stacks[:2]] == [
        ("foundation", "", "foundation"),
        (f"foundation-{OTHER}", "one", f"foundation-{OTHER}"),
    ]
    for place in others:
        assert [(each.stack, each.environment, each.gate) for each in place.stacks] == [
            (kind, place.environment, place.environment) for kind in OWN
        ]


def test_settings_that_release_nowhere_are_refused(tmp_path: Path) -> None:
    platform = read(tmp_path, "", dev=ACCOUNT, prod=ACCOUNT)
    with pytest.raises(UsageError, match=r"project.toml: releases is missing.* of \"dev\", \"prod\"\."):
        places(platform)


def test_a_workflow_gets_the_places_as_an_output(tmp_path: Path) -> None:
    written(tmp_path / "environments", 'releases = ["dev", "prod"]\n', dev=ACCOUNT, prod=OTHER)
    output = tmp_path / "output"
    done = run(
        ("delivery", "--directory", str(tmp_path)),
        {**os.environ, "GITHUB_OUTPUT": str(output)},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[1] == (
        f"prod: foundation-{OTHER}, {', '.join(f'prod-{kind}' for kind in OWN)}; a release bakes 1 minutes"
    )
    name, _, value = output.read_text().partition("=")
    assert name == "places"
    assert [place["environment"] for place in json.loads(value)] == ["dev", "prod"]
    assert value.count("\n") == 1
