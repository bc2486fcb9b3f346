"""The images that a team builds, and which services run them. Pure functions of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.settings import Environment, Platform
from stacks.workloads import workloads

STATUS_DOCKERFILE: Final = "docker/Dockerfile"
"""Dockerfile of the status app, from the root of the repository, which is its context."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the team builds, and releases by digest under this name."""

    name: str
    """What the repository and the release record are called: the service, or `service.sidecar`."""
    dockerfile: str
    context: str
    """File and folder from the root of the repository."""
    target: str | None
    build_args: Mapping[str, str]
    architecture: str


def images(environment: Environment) -> Iterator[Image]:
    """Yields the images that the team builds for an environment, service by service."""
    for key, service in environment.services.items():
        if service.kind == "status":
            yield Image(key, STATUS_DOCKERFILE, ".", None, MappingProxyType({}), service.architecture)
        for name, container in ((key, service), *service.sidecars.items()):
            if file := container.dockerfile:
                yield Image(
                    naming.image_name(key, name),
                    file,
                    container.context or file.rpartition("/")[0] or ".",
                    container.target,
                    container.build_args,
                    service.architecture,
                )


def released_images(platform: Platform) -> Mapping[str, tuple[str, ...]]:
    """Returns every image that any environment releases, by name, with the services that run it."""
    users: dict[str, set[str]] = {}
    for environment in platform.environments.values():
        for each in workloads(platform.project, environment):
            for container in each.containers:
                if container.release:
                    users.setdefault(container.release, set()).add(each.key)
    return {name: tuple(sorted(services)) for name, services in sorted(users.items())}
