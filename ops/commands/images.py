"""Build, run, push and publish images."""

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
from ops.images.sources import Source, chosen, sources
from ops.local import up as local
from ops.local.app import free_port, read_container, variables_of
from ops.local.embedded import find_embedded
from ops.local.runners import HOST, ContainerRunner
from ops.terraform.targets import environment_of
from stacks.reading import read_platform
from stacks.settings import Platform
from webapp import contract

app = typer.Typer()


@app.command()
@for_people
def image(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Build every image, or a service's, tagged with its commit."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    project, engine = platform.project, find_engine()
    for source in _sources(platform, service):
        wanted = images.named(project, source, commit)
        built = images.build(engine, project, wanted)
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
    built = images.find(engine, images.named(platform.project, _source(platform, service), commit))
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
    wanted = images.named(platform.project, _source(platform, service), commit)
    ecr = ambient_client("ecr", platform.project.region)
    print(images.push(find_engine(), platform.project, wanted, repository, ecr))


@app.command("image-report")
@for_people
def image_report(service: Service = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Print what the layers of every image, or of a service's, add to its size."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    engine = find_engine()
    for source in _sources(platform, service):
        wanted = images.named(platform.project, source, commit)
        console.print(wanted.name)
        for size, made_by in images.report(engine, wanted):
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
    """Build and push every image, or a service's, with provenance and SBOM; print them by digest, as JSON.

    An image that the registry has with the same content is not built again.
    """
    platform = read_platform(Checkout(directory.absolute()).environments)
    project = platform.project
    wanted = [images.named(project, source, commit) for source in _sources(platform, service)]
    if repository and len(wanted) > 1:
        names = ", ".join(each.source.name for each in wanted)
        raise UsageError(f"SERVICE is missing: REPOSITORY= is for one image. Use one of {names}.")
    act_in(project, project.account_id, project.region)
    ecr, engine = ambient_client("ecr", project.region), find_engine()
    published = {each.source.name: images.publish(engine, project, each, repository, ecr) for each in wanted}
    text = json.dumps(published, sort_keys=True)
    print(text)
    set_outputs(images=text, commit=wanted[0].commit)


def _sources(platform: Platform, service: str) -> tuple[Source, ...]:
    return chosen(sources(platform.environments.values()), service)


def _source(platform: Platform, service: str) -> Source:
    (source,) = _sources(platform, service_of(platform, service))
    return source
