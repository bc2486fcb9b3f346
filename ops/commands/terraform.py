"""Plan, apply, check, unlock and destroy stacks."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env, Stack, act_in_account
from ops.core.checkout import Checkout
from ops.core.console import console, for_people, print_line
from ops.core.errors import OpsError
from ops.terraform import prerequisites, provision
from ops.terraform.targets import environment_of, target_of
from stacks import kinds
from stacks.reading import read_platform
from stacks.settings import Platform

app = typer.Typer()


@app.command()
@for_people
def plan(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Plan one stack and save the plan."""
    checkout, platform, target = _act_on(env, stack, directory)
    prerequisites.require(platform, [target], print_line)
    saved = provision.plan(checkout, platform, target, print_line)
    console.print(f"Saved: {saved}")


@app.command()
@for_people
def apply(
    env: Env = None,
    stack: Stack = None,
    verdict: Annotated[
        Path | None, typer.Option("--verdict", help="A review's verdict.json, which the plan has to match.")
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Apply the saved plan of one stack."""
    checkout, platform, target = _act_on(env, stack, directory)
    prerequisites.require(platform, [target], print_line)
    if verdict is not None:
        from ops.github.reviewing import require_reviewed

        provision.apply(checkout, target, print_line, partial(require_reviewed, verdict))
    else:
        provision.apply(checkout, target, print_line)
    if target.kind is kinds.SERVICE and target.environment:
        console.print(
            "Terraform does not wait for deployments: ECS may still be rolling one out, and rolls back if it "
            f"fails. `make status ENV={target.environment.name}` shows it."
        )


@app.command()
@for_people
def validate(stack: Stack = None, directory: Directory = HERE) -> None:
    """Let Terraform check the synthesized stacks."""
    checkout = Checkout(directory.absolute())
    every = list(kinds.stacks(read_platform(checkout.environments)))
    wanted = [target for target in every if stack in (None, target.name, target.kind.name)]
    if not wanted:
        known = ", ".join(target.name for target in every)
        raise typer.BadParameter(f"{stack} is not a stack. Use one of {known}.", param_hint="--stack")
    provision.validate(checkout, wanted)
    for target in wanted:
        console.print(f"{target.name}: valid")


@app.command()
@for_people
def destroy(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Destroy one stack, after asking for the environment's name."""
    checkout, platform, target = _act_on(env, stack, directory)
    provision.destroy(checkout, platform, target, _ask, print_line)


@app.command()
@for_people
def unlock(
    env: Env = None,
    stack: Stack = None,
    lock_id: Annotated[
        str, typer.Option("--id", help="The lock's id; without it, the lock is only shown.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Show who holds the lock of a stack's state, and remove it if its id is given."""
    checkout, platform, target = _act_on(env, stack, directory)
    console.print(Text(provision.unlock(checkout, platform, target, lock_id)))


@app.command()
@for_people
def diagram(env: Env = None, directory: Directory = HERE) -> None:
    """Print a picture of an environment in Mermaid, which GitHub draws."""
    from ops.github import reviewing

    checkout = Checkout(directory.absolute())
    environment = environment_of(read_platform(checkout.environments), env)
    print(reviewing.diagram(checkout, environment), end="")


def _act_on(env: str | None, stack: str | None, directory: Path) -> tuple[Checkout, Platform, kinds.Stack]:
    """Returns checkout, settings and the stack that a command names, and acts in the stack's account."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    act_in_account(platform, target.account_id, target.region)
    return checkout, platform, target


def _ask(question: str) -> str:
    try:
        return input(f"{question}: ").strip()
    except EOFError:
        raise OpsError("Nobody answered; nothing was destroyed.") from None
