"""The commands: `python -m ops COMMAND`, one for each `make` target that needs more than a tool."""

import os
import shlex
from typing import Annotated

import typer
from rich.text import Text

from ops import local, provision
from ops.checkout import Checkout
from ops.commands import bootstrapping, delivery, images, operations, plans, releases
from ops.console import (
    HERE,
    Directory,
    Env,
    Stack,
    console,
    for_people,
    print_line,
)
from ops.embedded import find_embedded
from ops.errors import OpsError
from ops.progress import Progress
from ops.targets import environment_of, target_of, targets_of
from stacks.reading import read_platform

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
for commands in (plans, images, releases, delivery, operations, bootstrapping):
    app.add_typer(commands.app)


@app.command()
@for_people
def up(
    env: Env = "dev",
    run: Annotated[
        local.Run, typer.Option("--run", help="Run the app as a process, or its image in a container.")
    ] = "process",
    directory: Directory = HERE,
) -> None:
    """Apply the platform on the embedded AWS and start the app."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    done = local.up(checkout, platform, environment, run, Progress(console))
    console.print()
    for service, address in done.addresses.items():
        console.print(Text.assemble(f"{environment.name} {service}: ", (address, "bold")))
    console.print(
        f"The embedded AWS is at {done.embedded.endpoint}: "
        f'`eval "$(make -s local-env ENV={environment.name})"` '
        "points terraform and the AWS CLI there.\n`make down` stops and removes everything."
    )


@app.command()
@for_people
def down(directory: Directory = HERE) -> None:
    """Stop the embedded AWS and the app and remove what they left."""
    if local.down(Checkout(directory.absolute())):
        console.print("Stopped and removed.")


@app.command("local-env")
@for_people
def local_env(env: Env = None, directory: Directory = HERE) -> None:
    """Print the exports that point a shell to the embedded AWS, in an environment's account."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    owner = environment_of(platform, env) if env else platform.project
    embedded = find_embedded(checkout.local)
    if embedded is None:
        raise OpsError("No embedded AWS runs here. `make up` starts it.")
    variables = embedded.variables(embedded.credentials(owner.account_id), owner.region)
    for name in sorted(os.environ):
        if name.startswith("AWS_") and name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


@app.command()
@for_people
def validate(stack: Stack = None, directory: Directory = HERE) -> None:
    """Let Terraform check the synthesized stacks."""
    checkout = Checkout(directory.absolute())
    every = list(targets_of(read_platform(checkout.environments)))
    wanted = [target for target in every if stack in (None, target.stack, target.kind)]
    if not wanted:
        known = ", ".join(target.stack for target in every)
        raise typer.BadParameter(f"{stack} is no stack: known are {known}.", param_hint="--stack")
    provision.validate(checkout, wanted, lambda name: console.print(f"{name}: valid"))


@app.command()
@for_people
def destroy(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Destroy one stack, after asking for the environment's name."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    provision.destroy(checkout, platform, target, _ask, print_line)


def _ask(question: str) -> str:
    try:
        return input(f"{question}: ").strip()
    except EOFError:
        raise OpsError("Nobody answered; nothing was destroyed.") from None
