"""Publishing the app's image from a workflow."""

import os
from pathlib import Path
from typing import Annotated

import typer

from ops import image as images
from ops.checkout import Checkout
from ops.clients import ambient_client
from ops.console import HERE, Commit, Directory, Service, for_people
from ops.engine import find_engine
from ops.github_role import act_in
from stacks.reading import read_platform

app = typer.Typer()


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
    service = images.service_of(platform, service)
    wanted = images.named(project, service, commit)
    act_in(project, project.account_id, project.region)
    ecr = ambient_client("ecr", project.region)
    published = images.publish(find_engine(), project, service, wanted, repository, ecr)
    print(published)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as opened:
            opened.write(f"image={published}\ncommit={wanted.commit}\n")
