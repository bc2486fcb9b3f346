"""The commands that write to GitHub: `post`, `outdated`, `issue`. Each needs GITHUB_TOKEN.

The HTTP client is imported when one of them runs, since nothing else needs it.
"""

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from review.comment import render
from review.console import (
    KEY,
    Commit,
    Expect,
    Key,
    Plans,
    PullRequest,
    Repository,
    RunUrl,
    complain,
    for_people,
    marker_of,
    repository_of,
    reviewed,
    say,
    target_of,
)
from review.pipeline import ACTIONS_AUTHOR

if TYPE_CHECKING:
    from review.github import GitHub

DRIFT_KEY: Final = "oaktree-drift"
"""Which issue is meant, when there is one only."""

Author = Annotated[
    str, typer.Option("--author", help="The account that GITHUB_TOKEN is of; what others wrote stays theirs.")
]

app = typer.Typer()


@app.command("post")
@for_people
def post_command(
    plans: Plans = None,
    expect: Expect = None,
    commit: Commit = None,
    run_url: RunUrl = None,
    key: Key = KEY,
    pull_request: PullRequest = None,
    repository: Repository = None,
    author: Author = ACTIONS_AUTHOR,
) -> None:
    """Write the comment to a pull request, or update it there. Needs GITHUB_TOKEN."""
    from review.posting import Outcome, post

    review, bad_input = reviewed(plans, expect, commit, run_url, key)
    number, name = target_of(pull_request, repository)
    with _github(name) as client:
        posted = post(client, number, review.marker, functools.partial(render, review), author)
    say(f"{posted.outcome.value} {posted.url}\n")
    if posted.outcome is Outcome.SUPERSEDED:
        complain("Nothing was written: the comment there is of a newer run, or of the present commit.")
    if posted.outdated:
        complain("The pull request has moved on; the comment says that it is of a former commit.")
    if posted.shortened is not None:
        complain(f"GitHub found the comment too long; it was shortened to {posted.shortened:,} bytes.")
    raise typer.Exit(2 if bad_input else 0)


@app.command("outdated")
@for_people
def outdated_command(
    key: Key = KEY,
    pull_request: PullRequest = None,
    repository: Repository = None,
    author: Author = ACTIONS_AUTHOR,
) -> None:
    """Mark the comment of a former commit as outdated. Needs GITHUB_TOKEN."""
    from review.posting import mark_outdated

    marker_of(key, "", 0)
    number, name = target_of(pull_request, repository)
    with _github(name) as client:
        posted = mark_outdated(client, number, key, author)
    say(f"{posted.outcome.value} {posted.url}".rstrip() + "\n")


@app.command("issue")
@for_people
def issue_command(
    plans: Plans = None,
    expect: Expect = None,
    commit: Commit = None,
    run_url: RunUrl = None,
    key: Key = DRIFT_KEY,
    repository: Repository = None,
    author: Author = ACTIONS_AUTHOR,
) -> None:
    """Open or update the issue that tells of drift, or close it when there is none. Needs GITHUB_TOKEN."""
    from review.drift_issue import report_drift

    review, bad_input = reviewed(plans, expect, commit, run_url, key)
    with _github(repository_of(repository)) as client:
        reported = report_drift(client, review, functools.partial(render, review), author)
    say(f"{reported.outcome.value} {reported.url}".rstrip() + "\n")
    raise typer.Exit(2 if bad_input else 0)


@contextmanager
def _github(repository: str) -> "Iterator[GitHub]":
    """A client for a repository; what GitHub refuses is told, and ends the command with status 1."""
    from review.github import GitHub, GitHubError

    try:
        with GitHub.of(os.environ, repository) as client:
            yield client
    except GitHubError as error:
        complain(str(error))
        raise typer.Exit(1) from None
