"""What each image is built from, as the settings say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ops.core.errors import UsageError
from stacks.settings import Environment


@dataclass(frozen=True, slots=True)
class Source:
    """An image and what it is built from; paths are relative to the repository's root.

    `name` is that of its repository in ECR, and of the service that has its release record.
    """

    name: str
    dockerfile: str = "docker/Dockerfile"
    context: str = "."
    target: str = ""
    build_args: Mapping[str, str] = field(default_factory=dict)
    architecture: str = "x86_64"

    def flags(self) -> tuple[str, ...]:
        """Returns the options of a build that do not depend on where it runs.

        Source: Docker, "docker buildx build"; podman-build(1).
        """
        arguments = tuple(f"--build-arg={name}={value}" for name, value in sorted(self.build_args.items()))
        return (*((f"--target={self.target}",) if self.target else ()), *arguments)

    @property
    def platform(self) -> str:
        """Returns the platform it is published for, as container engines call it."""
        return "linux/arm64" if self.architecture == "arm64" else "linux/amd64"


def sources(environments: Iterable[Environment]) -> tuple[Source, ...]:
    """Returns every image of these environments, sorted by name."""
    found = {
        name: Source(name, architecture=service.architecture)
        for environment in environments
        for name, service in environment.services.items()
    }
    return tuple(found[name] for name in sorted(found))


def chosen(known: Sequence[Source], name: str) -> tuple[Source, ...]:
    """Returns the image of that name, or without a name all of them.

    Raises UsageError, with the known names, if there is none of that name.
    """
    found = tuple(source for source in known if name in ("", source.name))
    if not found:
        names = ", ".join(source.name for source in known)
        raise UsageError(f"SERVICE={name} is not a service with an image. Use one of {names}.")
    return found
