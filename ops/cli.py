"""The commands: `python -m ops COMMAND`, one for each `make` target that needs more than a tool."""

import os
import shlex
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from ops import image as images
from ops import local, provision
from ops.app import free_port, read_container, variables_of
from ops.checkout import Checkout
from ops.clients import ambient_client
from ops.commands import bootstrapping, delivery, operations, releases
from ops.commands import images as image_commands
from ops.console import (
    HERE,
    Commit,
    Directory,
    Env,
    Service,
    Stack,
    complaints,
    console,
    for_people,
    print_line,
)
from ops.embedded import find_embedded
from ops.engine import find_engine
from ops.errors import OpsError
from ops.progress import Progress
from ops.runners import HOST, ContainerRunner
from ops.targets import environment_of, target_of, targets_of
from stacks.reading import read_platform
from webapp import contract

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
for commands in (image_commands, releases, delivery, operations, bootstrapping):
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
def plan(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Plan one stack and save the plan."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    saved = provision.plan(checkout, platform, target, print_line)
    console.print(f"Saved: {saved}")


@app.command()
@for_people
def review(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Plan an environment's stacks, or one, save the plans, and write a review of them."""
    # Its templates take as long to load as all the rest.
    from ops import reviewing

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    targets = reviewing.targets_to_review(platform, env, stack)
    reviewed = reviewing.review(checkout, platform, targets, lambda line: complaints.print(Text(line)))
    for line in reviewing.told(reviewed):
        console.print(Text(line))
    if reviewed.failed:
        raise OpsError(f"Not all could be planned: {', '.join(reviewed.failed)}.")


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
    checkout = Checkout(directory.absolute())
    target = target_of(read_platform(checkout.environments), env, stack)
    if verdict is not None:
        from ops.reviewing import require_reviewed

        provision.apply(checkout, target, print_line, partial(require_reviewed, verdict))
    else:
        provision.apply(checkout, target, print_line)


@app.command()
@for_people
def diagram(env: Env = None, directory: Directory = HERE) -> None:
    """Print a picture of an environment in Mermaid, which GitHub draws."""
    from ops import reviewing

    checkout = Checkout(directory.absolute())
    environment = environment_of(read_platform(checkout.environments), env)
    print(reviewing.diagram(checkout, environment), end="")


@app.command()
@for_people
def destroy(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Destroy one stack, after asking for the environment's name."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    provision.destroy(checkout, platform, target, _ask, print_line)


@app.command()
@for_people
def image(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Build the app's image, tagged with its commit."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    wanted = images.named(platform.project, images.service_of(platform, service), commit)
    built = images.build(find_engine(), platform.project, wanted)
    console.print(f"{wanted.name} {built.id}")


@app.command("image-run")
@for_people
def image_run(
    env: Env = "dev", service: Service = "", commit: Commit = "", directory: Directory = HERE
) -> None:
    """Run the app's image in the foreground against the embedded AWS, as the task definition there says."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = images.service_of(platform, service)
    engine = find_engine()
    built = images.find(engine, images.named(platform.project, service, commit))
    embedded = find_embedded(checkout.local)
    if embedded is None:
        raise OpsError("No embedded AWS runs here. `make up` starts it.")
    container = read_container(embedded, platform.project, environment, service)
    port = free_port(contract.PORT)
    name = local.container_name(checkout, f"run-{environment.name}-{service}-{port}")
    variables = variables_of(embedded, container, environment.region)
    program = ContainerRunner(engine, built.id, name).program(port, variables)
    complaints.print(f"http://{HOST}:{port} (Ctrl-C stops it)")
    os.execve(program.command[0], program.command, program.environment)  # noqa: S606 - none is wanted


@app.command("image-push")
@for_people
def image_push(
    service: Service = "",
    commit: Commit = "",
    repository: Annotated[
        str, typer.Option("--repository", help="<registry>/<name>; that of the foundation by default.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Push the app's image under its commit and print it by digest."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    service = images.service_of(platform, service)
    wanted = images.named(platform.project, service, commit)
    ecr = ambient_client("ecr", platform.project.region)
    print(images.push(find_engine(), platform.project, service, wanted, repository, ecr))


@app.command("image-report")
@for_people
def image_report(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Print what the layers of the app's image add to its size."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    wanted = images.named(platform.project, images.service_of(platform, service), commit)
    console.print(wanted.name)
    for size, made_by in images.report(find_engine(), wanted):
        console.print(Text(f"{size / 1e6:8.1f} MB  {made_by}"))


def _ask(question: str) -> str:
    try:
        return input(f"{question}: ").strip()
    except EOFError:
        raise OpsError("Nobody answered; nothing was destroyed.") from None
