"""The platform on this machine."""

import os
import shlex
from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlsplit

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env
from ops.core.checkout import Checkout
from ops.core.console import console, for_people
from ops.core.progress import Progress
from ops.local import up as local
from ops.local.embedded import require_embedded
from ops.local.ports import HOST
from ops.local.router import SUFFIX
from ops.terraform.targets import environment_of
from stacks.reading import read_platform

app = typer.Typer()


@app.command()
@for_people
def up(
    env: Env = "dev",
    run: Annotated[
        str, typer.Option("--run", help="process runs local commands, image the images in containers.")
    ] = local.RUNS[0],
    directory: Directory = HERE,
) -> None:
    """Apply the platform on the embedded AWS and start the services."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    done = local.up(checkout, platform, environment, local.checked_run(run), Progress(console))
    console.print()
    _print_services(environment.name, {**done.services, **done.stores})
    console.print(
        f"The embedded AWS is at {done.embedded.endpoint}: "
        f'`eval "$(make -s local-env ENV={environment.name})"` '
        "points terraform and the AWS CLI there.\n`make down` stops and removes everything."
    )


def _print_services(environment: str, services: Mapping[str, local.Served]) -> None:
    """Prints where each service is reached, or why not, and what differs from its task definition."""
    (only, *others) = services.values()
    if not others and only.address:
        name = next(iter(services))
        console.print(Text.assemble(f"{environment} {name}: ", (only.address, "bold")))
        return
    rows = [("SERVICE", "KIND", "ADDRESS")]
    rows += [
        (
            name,
            served.kind,
            served.address or f"not run: {served.why_not}" if served.why_not else served.address,
        )
        for name, served in services.items()
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for name, kind, where in rows:
        console.print(
            Text(f"{name:<{widths[0]}}  {kind:<{widths[1]}}  {where or 'runs, and listens nowhere'}")
        )
    if any(served.kind == "database" and served.address for served in services.values()):
        console.print(
            Text(
                "A database is PostgreSQL 18 with a certificate that signs itself, whatever version RDS has."
            )
        )
    if hosts := sorted({urlsplit(each.address).hostname or "" for each in services.values()} - {"", HOST}):
        console.print(
            Text(
                f"Where {', '.join(hosts)} is not known, send the name as a header: curl -H 'Host: "
                f"{hosts[0].removesuffix(SUFFIX)}' to 127.0.0.1 and the same port."
            )
        )
    if differing := {name: each.differs for name, each in services.items() if each.differs}:
        console.print(Text("\nVariables that are not those of the task definition:"))
        for name, differs in differing.items():
            told = ", ".join(f"{variable}={value}" for variable, value in differs.items())
            console.print(Text(f"  {name}: {told}"))
        console.print(Text("  all: AWS_ENDPOINT_URL and the role's keys, in place of what ECS gives a task"))


@app.command()
@for_people
def down(directory: Directory = HERE) -> None:
    """Stop the embedded AWS and the services, and remove what they left."""
    if local.down(Checkout(directory.absolute())):
        console.print("Stopped and removed.")


@app.command("local-env")
@for_people
def local_env(env: Env = None, directory: Directory = HERE) -> None:
    """Print the exports that point a shell to the embedded AWS, in an environment's account."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    owner = environment_of(platform, env) if env else platform.project
    embedded = require_embedded(checkout.local)
    variables = embedded.variables(embedded.credentials(owner.account_id), owner.region)
    for name in sorted(os.environ):
        if name.startswith("AWS_") and name not in variables:
            print(f"unset {name}")
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")
