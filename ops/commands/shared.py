"""What commands share: options, credentials, the choice of a service, release records."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from ops.core.clients import ambient_client, require_account
from ops.core.errors import UsageError
from ops.github.role import act_in
from ops.releases.records import Releases
from stacks import kinds
from stacks.settings import Environment, Platform

Env = Annotated[str | None, typer.Option("--env", help="Environment, such as dev.")]
Stack = Annotated[str | None, typer.Option("--stack", help=f"One of {', '.join(kinds.BY_NAME)}.")]
Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        envvar="DIRECTORY",
        help="Where environments/ is and .oaktree/ goes.",
        show_default=False,
    ),
]
Service = Annotated[str, typer.Option("--service", help="Service, such as web; the only one by default.")]
Commit = Annotated[str, typer.Option("--commit", help="The image's tag; by default that of the tree.")]
HERE: Final = Path()


def act_in_account(platform: Platform, account_id: str, region: str) -> None:
    """Acts in an account from here on: in a workflow with its role.

    Raises OpsError if the credentials belong to another account, or AWS refuses them.
    """
    act_in(platform.project, account_id, region)
    require_account(account_id, region)


def act_in_environment(platform: Platform, environment: Environment) -> None:
    """Acts in an environment's account from here on: in a workflow with its role.

    Raises OpsError if the credentials belong to another account.
    """
    act_in_account(platform, environment.account_id, environment.region)


def releases_of(platform: Platform, environment: Environment) -> Releases:
    """Returns an environment's release records, read and written with the ambient credentials."""
    ssm = ambient_client("ssm", environment.region)
    return Releases(platform.project, environment, ssm, ambient_client("ecr", platform.project.region))


def service_in(environment: Environment, service: str) -> str:
    """Returns the environment's service of that name, or without a name the only one.

    Raises UsageError, with the known services, if there is no such service or no single one.
    """
    return _chosen(list(environment.services), service, f" of {environment.name}")


def service_of(platform: Platform, service: str) -> str:
    """Returns the service of that name in any environment, or without a name the only one.

    Raises UsageError, with the known services, if there is no such service or no single one.
    """
    return _chosen(
        sorted({name for each in platform.environments.values() for name in each.services}), service
    )


def _chosen(known: Sequence[str], service: str, of: str = "") -> str:
    if not service and len(known) == 1:
        return known[0]
    if service in known:
        return service
    missing = f"SERVICE={service} is not a service{of}" if service else "SERVICE is missing"
    raise UsageError(f"{missing}. Use one of {', '.join(known)}.")
