"""The images that a team builds, and which services run them. Pure functions of the settings."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from stacks import naming
from stacks.settings import Environment, Platform, Project
from stacks.workloads import workloads

STATUS_DOCKERFILE: Final = "docker/Dockerfile"
"""Dockerfile of the status app, from the root of the repository, which is its context."""


@dataclass(frozen=True, slots=True)
class Image:
    """An image that the team builds, and releases by digest under this name."""

    name: str
    """What the repository and the release record are called: the service, or `service.sidecar`."""
    dockerfile: str
    context: str = "."
    """File and folder from the root of the repository."""
    target: str | None = None
    build_args: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    architecture: str = "x86_64"


def images(environment: Environment) -> Iterator[Image]:
    """Yields the images that the team builds for an environment, service by service."""
    for key, service in environment.services.items():
        if service.kind == "status":
            yield Image(key, STATUS_DOCKERFILE, architecture=service.architecture)
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


def services_by_image(project: Project, environment: Environment) -> Mapping[str, tuple[str, ...]]:
    """Returns the images that an environment releases, by name, with the services that run each."""
    users: dict[str, set[str]] = {}
    for each in workloads(project, environment):
        for container in each.containers:
            if container.release:
                users.setdefault(container.release, set()).add(each.key)
    return {name: tuple(sorted(services)) for name, services in sorted(users.items())}


def released_images(platform: Platform) -> Mapping[str, tuple[str, ...]]:
    """Returns every image that any environment releases, by name, with the services that run it."""
    users: dict[str, set[str]] = {}
    for environment in platform.environments.values():
        for name, services in services_by_image(platform.project, environment).items():
            users.setdefault(name, set()).update(services)
    return {name: tuple(sorted(services)) for name, services in sorted(users.items())}
