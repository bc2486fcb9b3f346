"""The command line: `python -m review PLAN...`, and the commands that write to GitHub.

Those need GITHUB_TOKEN. The HTTP client is imported when one of them runs, since nothing else needs it.
"""

import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from review.marker import DRIFT_KEY, KEY, SAFE_KEY, Marker
from review.model import Verdict
from review.posting.pipeline import ACTIONS_AUTHOR, InputError, checked_commit, checked_url, pipeline_of
from review.posting.summary import append_summary
from review.reading.stacks import has_bad_input, read_stacks
from review.rendering.comment import COMMENT_BUDGET, SUMMARY_BUDGET, render
from review.rendering.verdict_file import verdict_json
from review.rules import NAME, Rules, RulesError, find_rules, read_rules
from review.verdicts import Review, review_of

if TYPE_CHECKING:
    from review.github import GitHub

P = ParamSpec("P")

Plans = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PLAN...",
        help="Plans as `terraform show -json` writes them, one <stack>.json each, or folders of them; "
        "<stack>.error next to one is Terraform's output when planning failed.",
        show_default=False,
    ),
]
Expect = Annotated[
    list[str] | None, typer.Option("--expect", metavar="STACK", help="A stack that must have a plan.")
]
RulesFile = Annotated[
    Path | None,
    typer.Option(
        "--rules", help=f"Rules of your own; {NAME} beside the plans unless given.", show_default=False
    ),
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
Author = Annotated[
    str,
    typer.Option("--author", help="The account of GITHUB_TOKEN; only its comments and issues are changed."),
]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first argument names, or else `render`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    names = {command.name for command in app.registered_commands}
    if given and given[0] not in names and given[0] != "--help":
        given.insert(0, "render")
    app(given, prog_name="python -m review")


def for_people(command: Callable[P, None]) -> Callable[P, None]:
    """Prints errors without a traceback: exit status 2 for bad input, 1 for all else."""

    @functools.wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except InputError as error:
            complain(str(error))
            raise typer.Exit(2) from None
        except OSError as error:
            complain(str(error))
            raise typer.Exit(1) from None

    return wrapped


@app.command("render")
@for_people
def render_command(
    plans: Plans = None,
    expect: Expect = None,
    commit: Commit = None,
    run_url: RunUrl = None,
    key: Key = KEY,
    rules: RulesFile = None,
    comment: Annotated[
        Path | None, typer.Option("--comment", help="Write the comment to a file instead of printing it.")
    ] = None,
    summary: Annotated[
        Path | None, typer.Option("--summary", help="Append to a job summary, such as $GITHUB_STEP_SUMMARY.")
    ] = None,
    verdict: Annotated[Path | None, typer.Option("--json", help="Write the verdict for machines.")] = None,
    detailed_exitcode: Annotated[
        bool,
        typer.Option(
            "--detailed-exitcode",
            help="Exit with 0: no changes, 2: changes, 3: something is destroyed, 1: a plan failed, "
            "is incomplete or cannot be read, 4: beyond a threshold of the rules.",
        ),
    ] = False,
) -> None:
    """Review plans and print the comment. Exit status 2 if one cannot be read; the others are shown."""
    review, bad_input = reviewed(plans, expect, commit, run_url, key, rules)
    if verdict is not None:
        write_aside(verdict, verdict_json(review))
    if comment is not None:
        write_aside(comment, render(review, COMMENT_BUDGET))
    if summary is not None and not append_summary(summary, review):
        complain(f"{summary} has no room for the review: a job summary has {SUMMARY_BUDGET:,} bytes at most")
    if comment is None and summary is None and verdict is None:
        say(render(review, COMMENT_BUDGET))
    raise typer.Exit(exit_status(review, detailed=detailed_exitcode, bad_input=bad_input))


@app.command("post")
@for_people
def post_command(
    plans: Plans = None,
    expect: Expect = None,
    commit: Commit = None,
    run_url: RunUrl = None,
    key: Key = KEY,
    rules: RulesFile = None,
    pull_request: PullRequest = None,
    repository: Repository = None,
    author: Author = ACTIONS_AUTHOR,
) -> None:
    """Create or update the comment on a pull request. Needs GITHUB_TOKEN."""
    from review.posting.pull_request import Outcome, post

    review, bad_input = reviewed(plans, expect, commit, run_url, key, rules)
    number, name = target_of(pull_request, repository)
    with _github(name) as client:
        posted = post(client, number, review.marker, functools.partial(render, review), author)
    say(f"{posted.outcome.value} {posted.url}\n")
    if posted.outcome is Outcome.SUPERSEDED:
        complain("Nothing was written: the comment is from a newer run, or about the current commit.")
    if posted.outdated:
        complain("The pull request has new commits; the comment says that it is about an earlier one.")
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
    """Mark a comment about an earlier commit as outdated. Needs GITHUB_TOKEN."""
    from review.posting.pull_request import mark_outdated

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
    rules: RulesFile = None,
    repository: Repository = None,
    author: Author = ACTIONS_AUTHOR,
) -> None:
    """Open, update or close the issue about drift. Needs GITHUB_TOKEN."""
    from review.posting.drift_issue import report_drift

    review, bad_input = reviewed(plans, expect, commit, run_url, key, rules)
    with _github(repository_of(repository)) as client:
        reported = report_drift(client, review, functools.partial(render, review), author)
    say(f"{reported.outcome.value} {reported.url}".rstrip() + "\n")
    raise typer.Exit(2 if bad_input else 0)


def exit_status(review: Review, *, detailed: bool, bad_input: bool) -> int:
    """Returns the exit status of the command.

    0 rendered, 2 bad input; `detailed`: 0 no changes, 2 changes, 3 something is destroyed, 1 a plan
    failed, is incomplete or cannot be read. 4: the rules' threshold is exceeded.
    """
    if bad_input and not detailed:
        return 2
    if detailed and (bad_input or review.verdict >= Verdict.INCOMPLETE):
        return 1
    if review.fails:
        return 4
    if not detailed:
        return 0
    return {Verdict.NO_CHANGES: 0, Verdict.DESTRUCTIVE: 3}.get(review.verdict, 2)


def reviewed(
    plans: list[Path] | None,
    expect: list[str] | None,
    commit: str | None,
    run_url: str | None,
    key: str,
    rules: Path | None,
) -> tuple[Review, bool]:
    """Reviews the given plans; also returns whether one of them could not be read."""
    if not plans and not expect:
        raise InputError("give at least one plan: python -m review plans/*.json")
    pipeline = pipeline_of(os.environ)
    stacks = read_stacks(plans or [], expect or [])
    sha = checked_commit(pipeline.commit if commit is None else commit)
    url = checked_url(pipeline.run_url if run_url is None else run_url)
    path = rules or find_rules(plans or [])
    try:
        decided = read_rules(path, datetime.now(UTC).date()) if path else Rules()
    except RulesError as error:
        raise InputError(str(error)) from None
    return review_of(stacks, marker_of(key, sha, pipeline.run), url, decided), has_bad_input(stacks)


def marker_of(key: str, commit: str, run: int) -> Marker:
    """Builds a comment's marker. Raises InputError."""
    if not SAFE_KEY.fullmatch(key):
        raise InputError(f"--key {key!r}: a key has letters, digits, '.', '_' and '-', 64 at most")
    return Marker(key, commit, run)


def target_of(pull_request: int | None, repository: str | None) -> tuple[int, str]:
    """Returns the pull request's number and its repository. Raises InputError."""
    number = pipeline_of(os.environ).pull_request if pull_request is None else pull_request
    if number is None:
        raise InputError("--pull-request: give its number; this run is not of a pull request")
    return number, repository_of(repository)


def repository_of(repository: str | None) -> str:
    """Returns the repository, as owner/name. Raises InputError."""
    name = pipeline_of(os.environ).repository if repository is None else repository
    if not name:
        raise InputError("--repository: give owner/name; GITHUB_REPOSITORY is not set")
    return name


def say(text: str) -> None:
    """Prints text as UTF-8, whatever the terminal's locale."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def complain(text: str) -> None:
    """Prints to stderr."""
    typer.echo(text, err=True)


@contextmanager
def _github(repository: str) -> "Iterator[GitHub]":
    """Opens a client for a repository; prints GitHub's errors and exits with status 1."""
    from review.github import GitHub, GitHubError

    try:
        with GitHub.of(os.environ, repository) as client:
            yield client
    except GitHubError as error:
        complain(str(error))
        raise typer.Exit(1) from None


def write_aside(path: Path, text: str) -> None:
    """Writes a temporary file, then swaps it in. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        Path(name).chmod(_mode(path))
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _mode(path: Path) -> int:
    """Returns the mode of the file to replace, or that of a new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
