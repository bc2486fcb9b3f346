"""The AWS services that the app checks, and what a check is: its words, grants, client and function.

The stacks read grants and variables too, so descriptions import neither Starlette nor aiobotocore.
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
    """Things of the platform that the app is allowed to act on."""

    TABLE = "table"
    ECS_SERVICE = "ecs_service"
    IMAGES = "images"
    """The ECR repository that the image is from."""

    ALARMS = "alarms"
    LOG_GROUP = "log_group"
    ANY = "any"
    """For actions that AWS cannot limit to a resource."""


@dataclass(frozen=True)
class Grant:
    """AWS actions that the task role must allow on one resource, and what the app does with them."""

    sid: str
    actions: tuple[str, ...]
    resource: Resource


@dataclass(frozen=True)
class Format:
    """The regular expression that a variable must match when the app boots.

    The platform does not apply it: there, the text may still be a Terraform reference.
    """

    pattern: str


Run = Callable[[Any, "Settings"], Awaitable[Finding]]
"""Asks AWS through the check's client. Raises `AwsError` when a call fails."""


def own_region(settings: "Settings") -> str:
    """Returns the region the app runs in."""
    return settings.aws_region


@dataclass(frozen=True)
class Check:
    """One check. What it says is fit for everybody: no ARN, account or address."""

    name: ServiceName
    title: str
    """What people call the service."""

    purpose: str
    """What the service is to the app, in a word."""

    missing: str
    """What the page says when AWS answers that the checked resource does not exist."""

    client: str
    """The service's name in botocore."""

    grants: tuple[Grant, ...]
    run: Run
    region: Callable[["Settings"], str] = own_region
