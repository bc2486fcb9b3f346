"""The platform on this machine."""

import os
import shlex
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env
from ops.core.checkout import Checkout
from ops.core.console import console, for_people
from ops.core.errors import OpsError
from ops.core.progress import Progress
from ops.local import up as local
from ops.local.embedded import find_embedded
from ops.terraform.targets import environment_of
from stacks.reading import read_platform

app = typer.Typer()


@app.command()
@for_people
def up(
    env: Env = "dev",
    run: Annotated[
        str, typer.Option("--run", help="process runs the app's code, image its image in a container.")
    ] = local.RUNS[0],
    directory: Directory = HERE,
) -> None:
    """Apply the platform on the embedded AWS and start the app."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    done = local.up(checkout, platform, environment, local.checked_run(run), Progress(console))
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
