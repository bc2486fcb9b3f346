"""Plan, review and apply stacks."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ops import provision
from ops.checkout import Checkout
from ops.console import HERE, Directory, Env, Stack, complaints, console, for_people, print_line
from ops.errors import OpsError
from ops.github_role import act_in
from ops.targets import environment_of, target_of
from stacks.reading import read_platform

if TYPE_CHECKING:
    from ops.reviewing import Reviewed

PlannedCommit = Annotated[
    str, typer.Option("--commit", help="The commit that is planned; in GitHub Actions, the run's.")
]

app = typer.Typer()


@app.command()
@for_people
def plan(env: Env = None, stack: Stack = None, directory: Directory = HERE) -> None:
    """Plan one stack and save the plan."""
    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    act_in(platform.project, target.account_id, target.region)
    saved = provision.plan(checkout, platform, target, print_line)
    console.print(f"Saved: {saved}")


@app.command()
@for_people
def review(
    env: Env = None,
    stack: Stack = None,
    commit: PlannedCommit = "",
    pull_request: Annotated[
        int | None,
        typer.Option("--pull-request", min=1, help="Write the comment there too; needs GITHUB_TOKEN."),
    ] = None,
    directory: Directory = HERE,
) -> None:
    """Plan all stacks, or those of an environment, or one; save the plans, and write a review of them."""
    # The templates of a review take as long to load as all the rest.
    from ops import review_posting, reviewing

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    targets = reviewing.targets_to_review(platform, env, stack)
    reviewed = reviewing.review(checkout, platform, targets, _complain, commit)
    _tell(reviewed)
    if pull_request is not None:
        console.print(review_posting.post_comment(platform.project, reviewed, pull_request))
    _require_all(reviewed)


@app.command("review-outdated")
@for_people
def review_outdated(
    pull_request: Annotated[int, typer.Option("--pull-request", min=1, help="Its number.")],
    directory: Directory = HERE,
) -> None:
    """Mark a pull request's comment as outdated if it is of a former commit; needs GITHUB_TOKEN."""
    from ops import review_posting, reviewing

    platform = read_platform(Checkout(directory.absolute()).environments)
    console.print(review_posting.outdate_comment(platform.project, pull_request, reviewing.KEY))


@app.command()
@for_people
def drift(commit: PlannedCommit = "", directory: Directory = HERE) -> None:
    """Plan every stack, and open, update or close the issue about drift; needs GITHUB_TOKEN."""
    from ops import review_posting, reviewing
    from review.posting_commands import DRIFT_KEY

    checkout = Checkout(directory.absolute())
    platform = read_platform(checkout.environments)
    targets = reviewing.targets_to_review(platform, None, None)
    reviewed = reviewing.review(checkout, platform, targets, _complain, commit, DRIFT_KEY)
    _tell(reviewed)
    console.print(review_posting.tell_drift(platform.project, reviewed))
    _require_all(reviewed)


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
    platform = read_platform(checkout.environments)
    target = target_of(platform, env, stack)
    act_in(platform.project, target.account_id, target.region)
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


def _tell(reviewed: "Reviewed") -> None:
    from ops import review_posting, reviewing

    for line in reviewing.told(reviewed):
        console.print(Text(line))
    review_posting.tell_workflow(reviewed)


def _require_all(reviewed: "Reviewed") -> None:
    """OpsError when a stack could not be planned; what could be is told and posted by then."""
    if reviewed.failed:
        raise OpsError(f"Not all could be planned: {', '.join(reviewed.failed)}.")


def _complain(line: str) -> None:
    complaints.print(Text(line))
