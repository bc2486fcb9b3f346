"""The stacks a platform has, and what commands need to know of each."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from ops.core.errors import UsageError
from stacks.naming import foundation_stack, network_stack, service_stack
from stacks.settings import Environment, Platform

Kind = Literal["foundation", "network", "service"]


@dataclass(frozen=True)
class Target:
    """One stack: its kind, the account it is in, and the environment it belongs to.

    A foundation belongs to no environment, but to all that are in its account.
    """

    stack: str
    kind: Kind
    account_id: str
    region: str
    environment: Environment | None = None


def targets_of(platform: Platform) -> Iterator[Target]:
    """Every stack of the platform, each after those it builds on."""
    for account_id in platform.account_ids():
        yield _foundation(platform, account_id)
    for environment in platform.environments.values():
        yield _of_environment(environment, "network")
        yield _of_environment(environment, "service")


def target_of(platform: Platform, environment: str | None, kind: str | None) -> Target:
    """The stack that `--env` and `--stack` name.

    A foundation is that of the environment's account, or without an environment the project's.
    UsageError says what may be named.
    """
    if kind not in get_args(Kind):
        found = "is missing" if kind is None else f"{kind!r} is not a kind of stack"
        raise UsageError(f"STACK {found}: it is one of {', '.join(get_args(Kind))}.")
    if environment is None and kind == "foundation":
        return _foundation(platform, platform.project.account_id)
    found_environment = environment_of(platform, environment)
    if kind == "foundation":
        return _foundation(platform, found_environment.account_id)
    return _of_environment(found_environment, "network" if kind == "network" else "service")


def environment_of(platform: Platform, name: str | None, variable: str = "ENV") -> Environment:
    """The environment of that name, which `variable` gave. UsageError names the known ones."""
    known = ", ".join(platform.environments)
    if name is None:
        raise UsageError(f"{variable} is missing: it is one of {known}.")
    if name not in platform.environments:
        raise UsageError(
            f"{variable}={name} is not an environment: known are {known} (one file each in environments/)."
        )
    return platform.environments[name]


def _foundation(platform: Platform, account_id: str) -> Target:
    stack = foundation_stack(platform.project, account_id)
    return Target(stack, "foundation", account_id, platform.project.region)


def _of_environment(environment: Environment, kind: Literal["network", "service"]) -> Target:
    stack = network_stack(environment.name) if kind == "network" else service_stack(environment.name)
    return Target(stack, kind, environment.account_id, environment.region, environment)
