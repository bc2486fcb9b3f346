"""The stack and the environment that `STACK=` and `ENV=` name."""

from ops.core.errors import UsageError
from stacks import kinds
from stacks.kinds import Scope, Stack
from stacks.settings import Environment, Platform


def target_of(platform: Platform, environment: str | None, kind: str | None) -> Stack:
    """Returns the stack that `--env` and `--stack` name.

    A stack of an account belongs to the environment's account, or without an environment to the
    project's. Raises UsageError, which lists the valid names.
    """
    found = kinds.BY_NAME.get(kind or "")
    if found is None:
        wrong = "is missing" if kind is None else f"{kind!r} is not a kind of stack"
        raise UsageError(f"STACK {wrong}. Use one of {', '.join(kinds.BY_NAME)}.")
    if found.scope is Scope.ENVIRONMENT:
        return found.of_environment(environment_of(platform, environment))
    owner = platform.project if environment is None else environment_of(platform, environment)
    return found.of_account(platform.project, owner.account_id)


def environment_of(platform: Platform, name: str | None, variable: str = "ENV") -> Environment:
    """Returns the environment that `variable` names.

    Raises UsageError, which lists the environments, if it names none.
    """
    known = ", ".join(platform.environments)
    if name is None:
        # An inherited ENV could destroy an environment that nobody named.
        example = f"`make <command> {variable}={next(iter(platform.environments))}`"
        raise UsageError(
            f"{variable} is missing. Use one of {known}. Write it after the command ({example}): variables "
            "of the shell do not count."
        )
    if name not in platform.environments:
        raise UsageError(
            f"{variable}={name} is not an environment. Use one of {known} (one file each in environments/)."
        )
    return platform.environments[name]
