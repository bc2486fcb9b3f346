"""What the app needs from the platform, in one place.

The stacks derive the task definition, the target group's health check, the table and the task role's policy
from this module, and the app boots from it. The AWS actions of a check are in its own file
(`webapp.checks`); this module gathers them.
"""

from hashlib import sha256
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from webapp.check import Format, Grant, Resource
from webapp.checks import CHECKS
from webapp.components import COMPONENTS, Component, Kind
from webapp.schedule import Calendar, Interval
from webapp.table import EXPIRY_ATTRIBUTE, PARTITION_KEY, SORT_KEY

__all__ = [
    "COMMAND",
    "COMPONENTS",
    "EXPIRY_ATTRIBUTE",
    "GRANTS",
    "HEALTH_COMMAND",
    "HEALTH_PATH",
    "HEARTBEAT",
    "PARTITION_KEY",
    "PORT",
    "READY_PATH",
    "SORT_KEY",
    "STATUS_PATH",
    "STOP_SIGNAL",
    "TOKENS",
    "USER",
    "Calendar",
    "Component",
    "Configuration",
    "Grant",
    "Interval",
    "Kind",
    "Resource",
    "Secrets",
    "environment_of",
    "fingerprint",
    "secret_names",
]

PORT: Final = 8080
"""TCP port the app listens on."""

HEALTH_PATH: Final = "/healthz"
"""Answers 200 while the process is alive, and calls nothing. The load balancer's health check."""

READY_PATH: Final = "/readyz"
"""Answers 200 if the last check read the table within its deadline, else 503."""

STATUS_PATH: Final = "/api/status"
"""Answers 200 with the state of every public component."""

USER: Final = "10001:10001"
"""User and group of the container: not root, and numeric, so that the image needs no entry for them."""

COMMAND: Final = ("python", "-m", "webapp")
"""Starts the app, which listens on `PORT` of every address by default."""

HEALTH_COMMAND: Final = ("python", "-m", "webapp.health", str(PORT), HEALTH_PATH)
"""Health check inside the container: exit status 0 if `HEALTH_PATH` answers 200, else 1.

Port and path are arguments so that the check, which runs every few seconds, does not import this module and
pydantic.
"""

STOP_SIGNAL: Final = "SIGTERM"
"""Signal after which the app finishes requests in flight and exits with status 0."""

HEARTBEAT: Final = 15
"""Seconds of silence after which an event stream sends a comment, so that the load balancer keeps it open."""


class Configuration(BaseModel):
    """The app's plain environment variables: a field's name in capitals is the variable's name.

    The platform builds one and passes `environment_of` it to the container. A value may be a Terraform
    reference, so its `Format` is not applied here but where the app boots (`webapp.settings`). Building one
    does not read the environment. A field's description completes the sentence "expected …".
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    environment: str = Field(min_length=1, description="the environment's name, such as dev")
    """Environment the app runs in."""

    service: str = Field(min_length=1, description="the service's name, such as web")
    """Name of the service within the environment."""

    aws_region: Annotated[str, Format(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")] = Field(
        min_length=1, description="an AWS region, such as eu-central-1"
    )
    """AWS region the app runs in."""

    image: Annotated[str, Format(r"[^@\s]+@sha256:[0-9a-f]{64}")] = Field(
        min_length=1, description="an image by digest: <repository>@sha256:<64 hexadecimal digits>"
    )
    """The released image."""

    commit: Annotated[str, Format(r"[0-9a-f]{7,64}")] = Field(
        min_length=1, description="a Git commit: 7 to 64 lower-case hexadecimal digits"
    )
    """Commit the image was built from."""

    keep_alive: int = Field(gt=0, description="seconds, a whole number above 0")
    """Seconds an idle connection stays open; longer than the load balancer's idle timeout."""

    shutdown_timeout: int = Field(gt=0, description="seconds, a whole number above 0")
    """Seconds that requests in flight have after the stop signal."""

    table: Annotated[str, Format(r"[a-zA-Z0-9_.-]{3,255}")] = Field(
        min_length=1,
        description="the name of a DynamoDB table: 3 to 255 letters, digits, '_', '.' or '-'",
    )
    """Name of the DynamoDB table the app keeps its data in.

    Source of the format: DynamoDB Developer Guide, "Naming rules".
    """

    cluster: Annotated[str, Format(r"[a-zA-Z0-9_-]{1,255}")] = Field(
        min_length=1, description="the name of an ECS cluster"
    )
    """Name of the ECS cluster the environment's services run in.

    Source of the format: Amazon ECS API Reference, "CreateCluster".
    """

    components: str = Field(
        min_length=1,
        description="a JSON list of the components to watch, each with id, kind, name, group and resource",
    )
    """What the app watches, as `webapp.components.COMPONENTS` writes it; the order is that of the page."""

    probes: str = Field(
        default="{}", description="a JSON object that maps components to the http(s) URLs to probe"
    )
    """URLs that are probed, by the id of their component. Apart from the components, because at a desk
    services have other addresses."""

    check_interval: int = Field(default=15, ge=1, le=300, description="seconds, a whole number from 1 to 300")
    """Seconds between two checks of the same component."""

    failure_threshold: int = Field(default=2, ge=1, le=10, description="a whole number from 1 to 10")
    """Failed checks in a row after which a component is down."""

    operator_view: Literal["on", "off"] = Field(default="on", description="on or off")
    """Whether there is a page for operators. It needs the token."""

    title: str = Field(default="Status", min_length=1, max_length=80, description="1 to 80 characters")
    """The page's title."""

    logo_url: Annotated[str, Format(r"|https://[^\s\"'<>;,]{1,2000}")] = Field(
        default="", description="the https URL of a picture, or nothing"
    )
    """The page's logo; none if empty."""

    links: str = Field(
        default="[]", description='a JSON list of links, such as [{"name": "Help", "url": "https://..."}]'
    )
    """Links at the foot of the page."""

    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="debug, info, warning or error"
    )
    """Least severe level that is logged."""


class Secrets(BaseModel):
    """The app's secret environment variables, named like those of `Configuration`.

    The platform passes them by reference, never by value, so it never builds this model.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    write_token_sha256: SecretStr | None = Field(
        default=None, description="the token's SHA-256 in hexadecimal"
    )
    """SHA-256, in hex, of the bearer token that may write. Without it, writing is off."""


TOKENS: Final = frozenset({"WRITE_TOKEN_SHA256"})
"""Secret variables that verify a token which clients send with a request."""


def secret_names() -> frozenset[str]:
    """Returns the names of the secret variables, which no task definition contains by value."""
    return frozenset(name.upper() for name in Secrets.model_fields)


def environment_of(configuration: Configuration) -> dict[str, str]:
    """Returns the plain variables of a configuration, sorted by name, without secrets."""
    values = configuration.model_dump(include=set(Configuration.model_fields))
    return dict(sorted((name.upper(), str(value)) for name, value in values.items()))


def fingerprint(digest: str, commit: str) -> str:
    """Returns by what the public status tells one release from another, without saying which it is."""
    return sha256(f"{digest}\n{commit}".encode()).hexdigest()[:16]


GRANTS: Final = (
    Grant("ReadTable", ("dynamodb:GetItem", "dynamodb:Query"), Resource.TABLE),
    Grant("WriteTable", ("dynamodb:PutItem", "dynamodb:UpdateItem"), Resource.TABLE),
    # Each once: kinds may share some.
    *dict.fromkeys(grant for check in CHECKS.values() for grant in check.grants),
)
"""All AWS actions of the app; the task role allows these and no others.

A transaction is authorized by the actions of its parts. Sources: AWS Service Authorization
Reference; DynamoDB Developer Guide, "Amazon DynamoDB Transactions: IAM".
"""
