"""The kinds of stack, in the order in which they build on each other: the one list of them.

Whatever goes through the stacks (synthesis, targets, up, bootstrap, review, outputs, destroy, the
workflows) asks here. A new kind is one more row of `KINDS`, and a class in `stacks/synthesis.py`.

    KINDS, BY_NAME                  every kind, in order; and by what `STACK=` calls it
    OF_ACCOUNT, OF_ENVIRONMENT      those of which an account, or an environment, has a stack each
    RELEASED                        those that `make deploy` applies

    stacks(platform)                every stack, each after those it builds on
    stacks_of_account(...)          every stack in one account, environments' included
    stacks_for_environment(...)     an environment's stacks, after those of its account
    dependents(platform, stack)     the stacks to destroy before it, in that order
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from stacks.settings import Environment, Platform, Project


class Scope(StrEnum):
    """What has one stack of a kind.

    An account's stacks hold the roles of workflows, so an administrator applies them, or a workflow as
    `FOUNDATION_ROLE`. An environment's are applied by the deploy role, which has a policy for each kind.
    """

    ACCOUNT = "account"
    ENVIRONMENT = "environment"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of stack, and what commands and workflows do differently for it."""

    name: str
    """What `STACK=` calls it."""
    scope: Scope
    description: str
    """What its stacks hold, in one line for people."""
    released: bool = False
    """Whether `make deploy` applies it; all others are applied by the infrastructure workflow."""
    has_tasks: bool = False
    """Whether its task definitions outlive it, to be deregistered when it is destroyed."""

    def of_account(self, project: Project, account_id: str) -> "Stack":
        """Returns the account's stack of this kind."""
        name = self.name if account_id == project.account_id else f"{self.name}-{account_id}"
        return Stack(self, name, account_id, project.region)

    def of_environment(self, environment: Environment) -> "Stack":
        """Returns the environment's stack of this kind."""
        name = self.name_in(environment.name)
        return Stack(self, name, environment.account_id, environment.region, environment)

    def name_in(self, environment: str) -> str:
        """Names an environment's stack of this kind, such as `dev-network`."""
        return f"{environment}-{self.name}"


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack: its kind, its name, the account and region it is in.

    `environment` is None for an account's stack, which belongs to all environments in that account.
    """

    kind: Kind
    name: str
    account_id: str
    region: str
    environment: Environment | None = None


FOUNDATION: Final = Kind(
    "foundation",
    Scope.ACCOUNT,
    "State bucket, registry, and the roles and boundary that everything else needs; once per account.",
)
NETWORK: Final = Kind(
    "network",
    Scope.ENVIRONMENT,
    "VPC, subnets, gateways, routes, ACLs, endpoints and flow logs of an environment.",
)
DATA: Final = Kind(
    "data",
    Scope.ENVIRONMENT,
    "Databases, queues, buckets and tables of an environment; no release changes them.",
)
SERVICE: Final = Kind(
    "service",
    Scope.ENVIRONMENT,
    "Cluster, alarms and services of an environment.",
    released=True,
    has_tasks=True,
)

KINDS: Final = (FOUNDATION, NETWORK, DATA, SERVICE)
BY_NAME: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in KINDS})
OF_ACCOUNT: Final = tuple(kind for kind in KINDS if kind.scope is Scope.ACCOUNT)
OF_ENVIRONMENT: Final = tuple(kind for kind in KINDS if kind.scope is Scope.ENVIRONMENT)
RELEASED: Final = tuple(kind for kind in KINDS if kind.released)


def stacks(platform: Platform) -> Iterator[Stack]:
    """Yields every stack of the platform: the accounts' first, then environment by environment."""
    for account_id in platform.account_ids():
        for kind in OF_ACCOUNT:
            yield kind.of_account(platform.project, account_id)
    for environment in platform.environments.values():
        for kind in OF_ENVIRONMENT:
            yield kind.of_environment(environment)


def stacks_of_account(platform: Platform, account_id: str) -> tuple[Stack, ...]:
    """Returns every stack in one account: its own, then those of its environments, kind by kind."""
    here = [each for each in platform.environments.values() if each.account_id == account_id]
    return (
        *(kind.of_account(platform.project, account_id) for kind in OF_ACCOUNT),
        *(kind.of_environment(environment) for kind in OF_ENVIRONMENT for environment in here),
    )


def stacks_for_environment(project: Project, environment: Environment) -> tuple[Stack, ...]:
    """Returns the stacks that concern an environment, each after those it builds on."""
    return (
        *(kind.of_account(project, environment.account_id) for kind in OF_ACCOUNT),
        *(kind.of_environment(environment) for kind in OF_ENVIRONMENT),
    )


def dependents(platform: Platform, stack: Stack) -> tuple[Stack, ...]:
    """Returns the stacks that must be destroyed before this one, in that order.

    An environment's stack has its later kinds as dependents; an account's has all stacks of its
    environments, and the project's own foundation, whose bucket holds every state, has those of other
    accounts as well.
    """
    if stack.environment:
        later = OF_ENVIRONMENT[OF_ENVIRONMENT.index(stack.kind) + 1 :]
        return tuple(kind.of_environment(stack.environment) for kind in reversed(later))
    project = platform.project
    others = platform.account_ids()[1:] if stack.account_id == project.account_id else ()
    return (
        *(
            kind.of_environment(environment)
            for environment in platform.environments.values()
            if environment.account_id == stack.account_id
            for kind in reversed(OF_ENVIRONMENT)
        ),
        *(kind.of_account(project, account_id) for account_id in others for kind in reversed(OF_ACCOUNT)),
    )
