"""A container of a task, wherever it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from stacks.service_settings import ContainerHealth
from stacks.values import SecretReference


class Reference(StrEnum):
    """What only Terraform knows of a container, and one of its variables may say."""

    IMAGE = "<image>"
    """The released image by digest."""

    COMMIT = "<commit>"
    """The commit that the image was built from."""


@dataclass(frozen=True, slots=True)
class Addressed:
    """A text with names that only AWS knows: what stands in it for the DNS name of each load balancer."""

    text: str
    balancers: Mapping[str, str]
    """What stands for it, by the key of the load balancer."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What only AWS knows of a store, such as the address of a database: a key of the data stack's
    `connections`."""

    key: str


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A key of the JSON in a secret whose ARN is under `key` of the data stack's `connections`."""

    key: str
    json_key: str


@dataclass(frozen=True, slots=True)
class Container:
    """One container of a task."""

    name: str
    image: str | None
    """Image of somebody else by digest; without it, the released image called `release`."""
    release: str | None
    essential: bool
    command: tuple[str, ...]
    entry_point: tuple[str, ...]
    user: str | None
    working_directory: str | None
    port: int | None
    variables: Mapping[str, str | Reference | Stored | Addressed]
    """Plain environment variables by name; all but a text are for what only Terraform knows."""
    secrets: Mapping[str, SecretReference | StoredSecret]
    """Secret environment variables by name, each where its value is kept."""
    health: ContainerHealth | None
    read_only_root: bool
    writable_paths: tuple[str, ...]
    capabilities: Literal["none", "default"]
    stop_timeout: int
