"""The order in which the workflows go through the environments, from the settings.

A workflow has a place for each environment, a job that waits for the job of the place before it. A
matrix would need no places, but GitHub starts the jobs of a matrix in any order, `max-parallel: 1` or
not. Source: GitHub Docs, "Workflow syntax for GitHub Actions", `jobs.<job_id>.needs`; actions/runner,
issues 483 and 703.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.core.errors import UsageError
from stacks import kinds
from stacks.settings import Environment, Platform


@dataclass(frozen=True, slots=True)
class Provision:
    """A stack that the infrastructure workflow applies; the fields are the inputs of `apply.yml`.

    `environment` is empty for the project's own foundation. `gate` is the GitHub environment whose
    reviewers approve the plan: the environment, or for a foundation its stack's name.
    """

    name: str
    environment: str
    stack: str
    gate: str


@dataclass(frozen=True, slots=True)
class Place:
    """An environment's place in the workflows: what is applied there, and how long a release bakes."""

    environment: str
    bake: str
    stacks: tuple[Provision, ...]


def places(platform: Platform) -> tuple[Place, ...]:
    """Returns the environments in the order of `releases`, each with the stacks that no release applies.

    A foundation is with the first environment of its account, and the project's own, whose bucket holds
    every state, before all others. Raises UsageError if the settings release to no environment.
    """
    names = platform.project.releases
    if not names:
        known = ", ".join(f'"{name}"' for name in platform.environments)
        raise UsageError(
            "environments/project.toml: releases is missing, so the workflows deploy nowhere. List the "
            f"environments in the order in which they are deployed to, of {known}."
        )
    found = []
    accounts = set[str]()
    for name in names:
        environment = platform.environments[name]
        stacks = (*_foundations(platform, environment, accounts), *_own(environment))
        found.append(Place(name, f"{environment.bake_minutes:g}", stacks))
    return tuple(found)


def _foundations(platform: Platform, environment: Environment, before: set[str]) -> Iterator[Provision]:
    """Yields the stacks of accounts that are not in `before`, to which it adds them."""
    project = platform.project
    for account_id in dict.fromkeys((project.account_id, environment.account_id)):
        if account_id not in before:
            before.add(account_id)
            name = environment.name if account_id != project.account_id else ""
            for kind in kinds.OF_ACCOUNT:
                stack = kind.of_account(project, account_id).name
                yield Provision(stack, name, kind.name, stack)


def _own(environment: Environment) -> Iterator[Provision]:
    for kind in kinds.OF_ENVIRONMENT:
        if not kind.released:
            yield Provision(kind.name_in(environment.name), environment.name, kind.name, environment.name)
