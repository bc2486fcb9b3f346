"""Build, run, push and publish images."""

import json
import os
from typing import Annotated

import typer
from rich.text import Text

from ops.commands.shared import (
    HERE,
    Commit,
    Directory,
    Env,
    ImageName,
    Service,
    service_in,
    source_of,
)
from ops.core.checkout import Checkout
from ops.core.clients import ambient_client
from ops.core.console import complaints, console, for_people
from ops.core.errors import UsageError
from ops.core.workflow import set_outputs
from ops.github.role import act_in
from ops.images import image as images
from ops.images.engine import find_engine
from ops.local.app import variables_of
from ops.local.embedded import require_embedded
from ops.local.names import container_name
from ops.local.ports import HOST, free_port
from ops.local.runners import ContainerRunner, Runner, TaskRunner
from ops.local.tasks import read_container
from ops.terraform.targets import environment_of
from stacks.images import Image
from stacks.images import images as built_images
from stacks.reading import read_platform
from stacks.routing import port_of
from stacks.settings import Platform
from stacks.workloads import workloads

app = typer.Typer()


@app.command()
@for_people
def image(service: ImageName = "", commit: Commit = "", directory: Directory = HERE) -> None:
    """Build every image of the settings, or one, tagged with its commit."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    engine = find_engine()
    for source in _sources(platform, service):
        wanted = images.named(platform.project, source, commit)
        built = images.build(engine, platform.project, wanted)
        if built.runs_as_root and (users := _runs_as_root(platform, source.name)):
            complaints.print(
                f"{wanted.name} runs as root in {', '.join(users)}: give its Dockerfile a USER, or the "
                "service a `user`.",
                style="yellow",
            )
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
    """Run a service's image in the foreground against the embedded AWS, as its task definition says."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    environment = environment_of(platform, env)
    service = service_in(environment, service)
    settings = environment.services[service]
    source = source_of(platform, settings.same_image_as or service)
    engine = find_engine()
    built = images.find(engine, images.named(platform.project, source, commit))
    embedded = require_embedded(checkout.local)
    container = read_container(embedded, platform.project, environment, service)
    own = port_of(settings) or 0
    free = free_port(port or own, own) if port or own else 0
    if port not in (0, free):
        raise UsageError(
            f"PORT={port} is not free on {HOST}. Use another port, or leave PORT out: then it is "
            f"{own} or, if that is taken, any free one."
        )
    name = container_name(checkout, f"run-{environment.name}-{service}-{free}")
    variables = variables_of(embedded, container, environment.region)
    runner: Runner = ContainerRunner(engine, built.id, name)
    if settings.kind != "status":
        runner = TaskRunner(engine, built.id, name, container.definition, container.memory)
        variables |= {"PORT": str(free)} if "PORT" in variables else {}
    program = runner.program(free, variables)
    complaints.print(f"{f'http://{HOST}:{free}' if free else service} (Ctrl-C stops it)")
    os.execve(program.command[0], program.command, program.environment)  # noqa: S606 - needs no shell


@app.command("image-push")
@for_people
def image_push(
    service: ImageName = "",
    commit: Commit = "",
    repository: Annotated[
        str, typer.Option("--repository", help="<registry>/<name>; that of the foundation by default.")
    ] = "",
    directory: Directory = HERE,
) -> None:
    """Push an image under its commit and print it by digest."""
    platform = read_platform(Checkout(directory.absolute()).environments)
    wanted = images.named(platform.project, source_of(platform, service), commit)
    ecr = ambient_client("ecr", platform.project.region)
    print(images.push(find_engine(), platform.project, wanted, repository, ecr))


@app.command("image-report")
@for_people
def image_report(service: ImageName = "", commit: Commit = "", directory: Directory = HERE) -> None:
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
    service: ImageName = "",
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
    if not wanted:
        complaints.print("Nothing to publish: the settings have third-party images only.")
        print("{}")
        set_outputs(images="{}", commit=commit or images.head())
        return
    if repository and len(wanted) > 1:
        names = ", ".join(each.source.name for each in wanted)
        raise UsageError(f"SERVICE is missing: REPOSITORY= is for one image. Use one of {names}.")
    act_in(project, project.account_id, project.region)
    ecr, engine = ambient_client("ecr", project.region), find_engine()
    published = {each.source.name: images.publish(engine, project, each, repository, ecr) for each in wanted}
    text = json.dumps(published, sort_keys=True)
    print(text)
    set_outputs(images=text, commit=wanted[0].commit)


def _sources(platform: Platform, name: str) -> tuple[Image, ...]:
    """Returns what the image of that name is built from, or without a name every image."""
    if name:
        return (source_of(platform, name),)
    found = {each.name: each for one in platform.environments.values() for each in built_images(one)}
    return tuple(found[each] for each in sorted(found))


def _runs_as_root(platform: Platform, name: str) -> list[str]:
    """Returns the services whose settings leave the user of an image to the image."""
    found = {
        workload.key
        for environment in platform.environments.values()
        for workload in workloads(platform.project, environment)
        for container in workload.containers
        if container.release == name and not container.user
    }
    return sorted(found)
