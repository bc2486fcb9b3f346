"""The first deployment."""

from typing import Annotated

import typer
from rich.text import Text

from ops.bootstrap import Bootstrap
from ops.checkout import Checkout
from ops.clients import require_account
from ops.console import HERE, Directory, Env, console, for_people
from ops.errors import OpsError
from ops.progress import Progress
from ops.targets import environment_of
from stacks.reading import read_platform

app = typer.Typer()


@app.command()
@for_people
def bootstrap(
    env: Env = None,
    image: Annotated[
        str, typer.Option("--image", help="First image by digest; by default the working tree's is built.")
    ] = "",
    commit: Annotated[
        str, typer.Option("--commit", help="Commit it was built from; by default what its tag says.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Go on without asking.")] = False,
    directory: Directory = HERE,
) -> None:
    """Bring an environment up for the first time, from an empty account; go on where it stopped."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    require_account(environment.account_id, environment.region)
    first = Bootstrap(checkout, platform, environment, Progress(console), image, commit)
    console.print(f"{environment.name}, in account {environment.account_id}, {environment.region}:")
    for step in first.steps():
        mark, style = ("there", "green") if step.done else ("to do", "yellow")
        console.print(Text.assemble("  ", (mark, style), f"  {step.name}: {step.what}"))
    if not yes:
        _ask(environment.name)
    addresses = first.run()
    console.print(
        f"\n{environment.name} is there; `make status ENV={environment.name}` tells how it is doing."
    )
    for service, address in addresses.items():
        console.print(Text.assemble(f"{environment.name} {service}: ", (address, "bold")))


def _ask(name: str) -> None:
    try:
        typed = input("Type the environment's name to go on: ").strip()
    except EOFError:
        raise OpsError("Nobody answered; nothing was done. YES=1 goes on without asking.") from None
    if typed != name:
        raise OpsError(f"{typed!r} is not the environment's name; nothing was done.")
