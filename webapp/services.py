"""The AWS services that the app checks, and the description of a check: its words, grants and function.

The stacks and commands read grants and variables through the contract, so this module and those of the
checks import what calls AWS only inside functions: it takes longer than all the rest.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from webapp.states import Finding

if TYPE_CHECKING:
    from webapp.settings import Settings


class ServiceName(StrEnum):
    """A service as paths, queries and keys name it. The order is that of the page."""

    DYNAMODB = "dynamodb"
    ECS = "ecs"
    ECR = "ecr"
    CLOUDWATCH = "cloudwatch"
    LOGS = "logs"
    STS = "sts"


class Resource(StrEnum):
    """Resources of the platform that the app may act on."""

    TABLE = "table"
    ECS_SERVICE = "ecs_service"
    IMAGES = "images"
    """The ECR repository of the image."""

    ALARMS = "alarms"
    LOG_GROUP = "log_group"
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


Run = Callable[[Any, "Settings"], Awaitable[Finding]]
"""Calls AWS with the check's client and returns the finding. Raises `AwsError`."""


def own_region(settings: "Settings") -> str:
    """Returns the region the app runs in."""
    return settings.aws_region


@dataclass(frozen=True)
class Check:
    """The description of one check. Its findings are public: no ARN, account or address."""

    name: ServiceName
    title: str
    """The service's name for people."""

    purpose: str
    """The service's role for the app, in one word."""

    missing: str
    """The message if the checked resource does not exist."""

    client: str
    """The service's name in botocore."""

    grants: tuple[Grant, ...]
    run: Run
    region: Callable[["Settings"], str] = own_region
