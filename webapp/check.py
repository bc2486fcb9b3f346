"""What a check is: its kind, clients, grants and function.

The stacks and commands read grants through the contract, so this module and those of the checks import what
calls AWS only inside functions: it takes longer than all the rest.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from webapp.components import Component, Kind
from webapp.states import Finding

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings


class Resource(StrEnum):
    """Resources of the platform that the app may act on."""

    TABLE = "table"
    """The app's own table."""

    SERVICES = "services"
    """ECS services."""

    STATE_MACHINES = "state_machines"
    """Of the jobs."""

    DATABASES = "databases"
    CACHES = "caches"
    QUEUES = "queues"
    """With their dead-letter queues."""

    TOPICS = "topics"
    BUCKETS = "buckets"
    TABLES = "tables"
    """All but the app's own."""

    VOLUMES = "volumes"
    IMAGES = "images"
    """The ECR repository of the image."""

    ALARMS = "alarms"
    TARGETS = "targets"
    """The targets of load balancers, for which there are no resource-level permissions."""

    ANY = "any"
    """For actions without resource-level permissions."""


@dataclass(frozen=True)
class Grant:
    """AWS actions that the task role must allow on one resource; `sid` names their purpose."""

    sid: str
    actions: tuple[str, ...]
    resource: Resource


@dataclass(frozen=True)
class Format:
    """The regular expression that a variable must match when the app boots.

    The platform does not apply it, as the value may be a Terraform reference.
    """

    pattern: str


Run = Callable[["Clients", Component, "Settings"], Awaitable[Finding]]
"""Checks one component and returns the finding. Raises `AwsError`."""


@dataclass(frozen=True)
class Check:
    """How components of one kind are checked."""

    kind: Kind
    clients: tuple[str, ...]
    """The AWS services it calls, as botocore names them."""

    grants: tuple[Grant, ...]
    run: Run
    missing: str
    """The message if the component's resource does not exist."""

    interval: int = 0
    """Seconds between two checks of a component at least, whatever the app's interval."""
