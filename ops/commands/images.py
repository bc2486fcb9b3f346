"""Build, run, push and publish the app's image."""

import json
import os
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import HERE, Commit, Directory, Env, Service, service_of
from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.console import complaints, console, for_people
from ops.core.errors import OpsError, UsageError
from ops.core.workflow import set_outputs
from ops.github.role import act_in
from ops.images import image as images
from ops.images.engine import find_engine
from ops.local import up as local
from ops.local.app import free_port, read_container, variables_of
from ops.local.embedded import find_embedded
from ops.local.runners import HOST, ContainerRunner
from ops.terraform.targets import environment_of
from stacks.reading import read_platform
from webapp import contract

app = typer.Typer()


@app.command()
@for_people
def image(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Build the app's image, tagged with its commit."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    wanted = images.named(platform.project, service_of(platform, service), commit)
    built = images.build(find_engine(), platform.project, wanted)
    console.print(f"{wanted.name} {built.id}")


@app.command("image-run")
@for_people
def image_run(
    env: Env = "dev",
    service: Service = "",
    commit: Commit = "",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 takes 8080, or any free port if that is taken.")
    ] = 0,
    directory: Directory = HERE,
) -> None:
    """Run the app's image in the foreground against the embedded AWS, as its task definition says."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = service_of(platform, service)
    engine = find_engine()
    built = images.find(engine, images.named(platform.project, service, commit))
    embedded = find_embedded(checkout.local)
    if embedded is None:
        raise OpsError("No embedded AWS runs here. `make up` starts it.")
    container = read_container(embedded, platform.project, environment, service)
    free = free_port(port or contract.PORT)
    if port not in (0, free):
        raise UsageError(
            f"PORT={port} is not free on {HOST}. Use another port, or leave PORT out: then it is "
            f"{contract.PORT} or, if that is taken, any free one."
        )
    name = local.container_name(checkout, f"run-{environment.name}-{service}-{free}")
    variables = variables_of(embedded, container, environment.region)
    program = ContainerRunner(engine, built.id, name).program(free, variables)
    complaints.print(f"http://{HOST}:{free} (Ctrl-C stops it)")
    os.execve(program.command[0], program.command, program.environment)  # noqa: S606 - needs no shell


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
    service = service_of(platform, service)
    wanted = images.named(platform.project, service, commit)
    ecr = ambient_client("ecr", platform.project.region)
    print(images.push(find_engine(), platform.project, service, wanted, repository, ecr))


@app.command("image-report")
@for_people
def image_report(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Print what the layers of the app's image add to its size."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    wanted = images.named(platform.project, service_of(platform, service), commit)
    console.print(wanted.name)
    for size, made_by in images.report(find_engine(), wanted):
        console.print(Text(f"{size / 1e6:8.1f} MB  {made_by}"))


@app.command("image-publish")
@for_people
def image_publish(
    service: Service = "",
    commit: Commit = "",
    repository: Annotated[
        str, typer.Option("--repository", help="<registry>/<name>; that of the foundation by default.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Build and push the app's image with provenance and SBOM, and print it by digest."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    project = platform.project
    service = service_of(platform, service)
    wanted = images.named(project, service, commit)
    act_in(project, project.account_id, project.region)
    ecr = ambient_client("ecr", project.region)
    published = images.publish(find_engine(), project, service, wanted, repository, ecr)
    print(published)
    set_outputs(images=json.dumps({service: published}), commit=wanted.commit)
