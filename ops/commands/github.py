"""Review stacks, post the results to GitHub, and tell workflows where to deploy."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ops.commands.shared import HERE, Directory, Env, Images, Stack, images_in, releases_of
from ops.core.checkout import Checkout
from ops.core.console import complaints, console, for_people
from ops.core.ecs import Image
from ops.core.errors import OpsError, UsageError
from ops.core.workflow import set_outputs
from ops.github.delivery import places
from ops.terraform.targets import environment_of
from stacks.reading import read_platform
from stacks.settings import Platform

if TYPE_CHECKING:
    from ops.github.reviewing import Reviewed

PlannedCommit = Annotated[
    str, typer.Option("--commit", help="The commit that is planned; in GitHub Actions, the run's.")
]

app = typer.Typer()


@app.command()
@for_people
def review(
    env: Env = None,
    stack: Stack = None,
    commit: PlannedCommit = "",
    images: Images = "",
    pull_request: Annotated[
        int | None,
        typer.Option("--pull-request", min=1, help="Write the comment there too; needs GITHUB_TOKEN."),
    ] = None,
    scan: Annotated[
        list[Path] | None,
        typer.Option("--scan", help="A report of checkov or trivy, SARIF or JUnit; shown beside resources."),
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Plan all stacks, or those of an environment, or one; save the plans, and write a review of them."""
    # Imported here because the review takes as long to load as everything else.
    from ops.github import posting, reviewing

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    targets = reviewing.targets_to_review(platform, env, stack)
    releases = _releases(platform, env, images, commit) if images else {}
    reviewed = reviewing.review(
        checkout, platform, targets, _complain, commit, releases=releases, scans=scan or ()
    )
    if pull_request is not None:
        reviewed = posting.compared(platform.project, reviewed, pull_request)
    _report(reviewed)
    if pull_request is not None:
        console.print(posting.post_comment(platform.project, reviewed, pull_request))
    _require_all(reviewed)
    # One stack is reviewed to apply it, so a workflow must not ask for its approval.
    if stack is not None and reviewed.waiting:
        raise OpsError(
            f"{', '.join(reviewed.waiting)} cannot be applied yet: apply what it waits for, then review it."
        )
    if reviewed.review.beyond:
        raise OpsError(reviewed.review.beyond)


@app.command("review-outdated")
@for_people
def review_outdated(
    pull_request: Annotated[int, typer.Option("--pull-request", min=1, help="Its number.")],
    directory: Directory = HERE,
) -> None:
    """Mark a pull request's comment as outdated if it is of a previous commit; needs GITHUB_TOKEN."""
    from ops.github import posting, reviewing

    platform = read_platform(Checkout(directory.absolute()).environments)
    console.print(posting.outdate_comment(platform.project, pull_request, reviewing.KEY))


@app.command()
@for_people
def drift(commit: PlannedCommit = "", directory: Directory = HERE) -> None:
    """Plan every stack, and open, update or close the issue about drift; needs GITHUB_TOKEN."""
    from ops.github import posting, reviewing
    from review.marker import DRIFT_KEY

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    targets = reviewing.targets_to_review(platform, None, None)
    reviewed = reviewing.review(checkout, platform, targets, _complain, commit, DRIFT_KEY)
    _report(reviewed)
    console.print(posting.tell_drift(platform.project, reviewed))
    _require_all(reviewed)


@app.command()
@for_people
def delivery(directory: Directory = HERE) -> None:
    """Print the environments in the order of releases, with their stacks; in a workflow, set its outputs."""
    found = places(read_platform(Checkout(directory.absolute()).environments))
    for place in found:
        stacks = ", ".join(stack.name for stack in place.stacks)
        console.print(Text(f"{place.environment}: {stacks}; a release bakes {place.bake} minutes"))
    set_outputs(places=json.dumps([asdict(place) for place in found]))


def _releases(platform: Platform, env: str | None, images: str, commit: str) -> dict[str, Image]:
    """Returns the releases to plan in place of the recorded ones."""
    environment = environment_of(platform, env)
    if not commit:
        raise UsageError("COMMIT is missing: IMAGES= plans images of one commit.")
    found = images_in(platform.project, environment, images)
    for service, image in found.items():
        releases_of(platform, environment).check(service, image, commit)
    return {service: Image(image, commit) for service, image in found.items()}


def _report(reviewed: "Reviewed") -> None:
    from ops.github import posting, reviewing

    for line in reviewing.told(reviewed):
        console.print(Text(line))
    posting.tell_workflow(reviewed)


def _require_all(reviewed: "Reviewed") -> None:
    """Raises OpsError if a stack could not be planned, after the rest was printed and posted."""
    if reviewed.failed:
        raise OpsError(f"Not all could be planned: {', '.join(reviewed.failed)}.")


def _complain(line: str) -> None:
    complaints.print(Text(line))
