"""The Dockerfiles and the programs agree with the settings that run them."""

import json
import re
import tomllib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from programs import SHOP
from shop.configuration import ConfigurationError, read_database, read_web, read_worker

SETTINGS = tomllib.loads((SHOP / "environments/project.toml").read_text())
SERVICES: dict[str, dict[str, Any]] = SETTINGS["services"]
BUILT = sorted(name for name, service in SERVICES.items() if "dockerfile" in service)

GIVEN = {
    "databases.shop": {"SHOP_HOST", "SHOP_PORT", "SHOP_NAME", "SHOP_USER", "SHOP_PASSWORD"},
    "buckets.uploads": {"UPLOADS_BUCKET"},
    "queues.orders": {"ORDERS_QUEUE_URL"},
    "services.prices": {"PRICES_URL"},
}
"""The variables that each entry of `uses` gives."""


def _dockerfile(service: str) -> Path:
    """The Dockerfile of a service; settings name it from the root of the repository."""
    path = Path(SERVICES[service]["dockerfile"])
    assert path.parts[:2] == ("examples", "shop")
    return SHOP.joinpath(*path.parts[2:])


def _instructions(service: str) -> list[tuple[str, str]]:
    """The instructions of a service's Dockerfile with their arguments, each on one line."""
    text = re.sub(r"^#.*\n", "", _dockerfile(service).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in lines if line)]


def _commands(service: dict[str, Any]) -> list[list[str]]:
    """The commands that settings give a service."""
    inside = [service.get(name, {}).get("command") for name in ("container_health", "local")]
    return [command for command in (service.get("command"), service.get("before_deploy"), *inside) if command]


def test_there_are_two_images() -> None:
    assert BUILT == ["prices", "web"]


@pytest.mark.parametrize("service", BUILT)
def test_an_image_has_the_user_and_the_port_of_the_settings(service: str) -> None:
    last = dict(_instructions(service))
    assert last["USER"] == SERVICES[service]["user"]
    assert last["EXPOSE"] == str(SERVICES[service]["port"])
    assert json.loads(last["CMD"])[0] == SERVICES[service]["local"]["command"][0]


def test_services_that_share_an_image_have_its_user() -> None:
    sharing = [service for service in SERVICES.values() if "same_image_as" in service]
    assert len(sharing) == 2
    assert all(service["user"] == SERVICES[service["same_image_as"]]["user"] for service in sharing)


@pytest.mark.parametrize("service", BUILT)
def test_every_base_is_pinned_by_digest(service: str) -> None:
    bases = {arguments.split()[0] for name, arguments in _instructions(service) if name == "FROM"} - {"base"}
    assert [base for base in bases if not re.fullmatch(r"[a-z]+:[\w.-]+@sha256:[0-9a-f]{64}", base)] == []


@pytest.mark.parametrize("service", BUILT)
def test_a_build_sees_only_what_it_copies(service: str) -> None:
    folder = _dockerfile(service).parent
    patterns = (folder / ".dockerignore").read_text().splitlines()
    copied = {
        source
        for name, arguments in _instructions(service)
        if name == "COPY" and not arguments.startswith("--from=")
        for source in arguments.split()[:-1]
    }
    assert "*" in patterns
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == copied
    assert all((folder / source).exists() for source in copied)


def test_every_command_of_the_settings_names_a_program_that_is_there() -> None:
    commands = [command for service in SERVICES.values() for command in _commands(service)]
    assert len(commands) >= 8
    for command in commands:
        if command[:2] == ["python", "-m"]:
            assert find_spec(command[2]), command
        else:
            assert command[0] == "node"
            assert (SHOP / "prices" / command[1]).exists(), command


@pytest.mark.parametrize(
    ("service", "read"), [("web", read_web), ("worker", read_worker), ("cleanup", read_database)]
)
def test_uses_give_each_program_the_variables_that_it_needs_and_no_others(
    service: str, read: Callable[[dict[str, str]], object]
) -> None:
    uses = {use.partition(":")[0] for use in SERVICES[service]["uses"]}
    with pytest.raises(ConfigurationError) as missing:
        read({})
    needed = {line.partition(":")[0] for line in str(missing.value).splitlines()}
    assert needed == set().union(*(GIVEN[use] for use in uses))
    stores = {use for use in uses if not use.startswith("services.")}
    assert all(name in SETTINGS[kind] for kind, _, name in (use.partition(".") for use in stores))
