"""What the commands share: options, what they mean, and how people are told of what goes wrong."""

import functools
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final, ParamSpec

import typer

from review.marker import SAFE_KEY, Marker
from review.pipeline import InputError, checked_commit, checked_url, pipeline_of
from review.reading import has_bad_input, read_stacks
from review.report import Review, review_of

KEY: Final = "oaktree"
"""Which comment of a pull request is meant, when there is one only."""

P = ParamSpec("P")

Plans = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PLAN...",
        help="Plans as `terraform show -json` writes them, one <stack>.json each, or folders of them; "
        "<stack>.error next to one is what Terraform said when planning failed.",
        show_default=False,
    ),
]
Expect = Annotated[
    list[str] | None, typer.Option("--expect", metavar="STACK", help="A stack that must have a plan.")
]
Commit = Annotated[
    str | None, typer.Option("--commit", help="The commit that was planned; in GitHub Actions, the run's.")
]
RunUrl = Annotated[
    str | None, typer.Option("--run-url", help="Address of the run; in GitHub Actions, the run's.")
]
Key = Annotated[str, typer.Option("--key", help="Which of a pull request's comments this is.")]
PullRequest = Annotated[
    int | None,
    typer.Option("--pull-request", min=1, help="Its number; in GitHub Actions, the event's."),
]
Repository = Annotated[
    str | None, typer.Option("--repository", help="owner/name; in GitHub Actions, the run's.")
]


def for_people(command: Callable[P, None]) -> Callable[P, None]:
    """Tell what goes wrong in words: exit status 2 for bad input, 1 for all else."""

    @functools.wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InputError as error:
            complain(str(error))
            raise typer.Exit(2) from None
        except OSError as error:
            complain(str(error))
            raise typer.Exit(1) from None

    return told


def reviewed(
    plans: list[Path] | None, expect: list[str] | None, commit: str | None, run_url: str | None, key: str
) -> tuple[Review, bool]:
    """The review of what is given, and whether some of it could not be read."""
    if not plans and not expect:
        raise InputError("give at least one plan: python -m review plans/*.json")
    pipeline = pipeline_of(os.environ)
    stacks = read_stacks(plans or [], expect or [])
    if not stacks:
        folders = ", ".join(map(str, plans or []))
        raise InputError(f"{folders}: there is no <stack>.json and no <stack>.error in it")
    sha = checked_commit(pipeline.commit if commit is None else commit)
    url = checked_url(pipeline.run_url if run_url is None else run_url)
    return review_of(stacks, marker_of(key, sha, pipeline.run), url), has_bad_input(stacks)


def marker_of(key: str, commit: str, run: int) -> Marker:
    """A comment's marker. Raises InputError."""
    if not SAFE_KEY.fullmatch(key):
        raise InputError(f"--key {key!r}: a key has letters, digits, '.', '_' and '-', 64 at most")
    return Marker(key, commit, run)


def target_of(pull_request: int | None, repository: str | None) -> tuple[int, str]:
    """The pull request's number and its repository. Raises InputError."""
    number = pipeline_of(os.environ).pull_request if pull_request is None else pull_request
    if number is None:
        raise InputError("--pull-request: give its number; this is no run of a pull request")
    return number, repository_of(repository)


def repository_of(repository: str | None) -> str:
    """The repository, as owner/name. Raises InputError."""
    name = pipeline_of(os.environ).repository if repository is None else repository
    if not name:
        raise InputError("--repository: give owner/name; GITHUB_REPOSITORY is not set")
    return name


def say(text: str) -> None:
    """Print text as UTF-8, whatever the terminal's locale."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def complain(text: str) -> None:
    """Tell on stderr."""
    typer.echo(text, err=True)
