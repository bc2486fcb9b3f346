"""The command line: `python -m review PLAN...`, and the commands that write to GitHub.

Those need GITHUB_TOKEN. The HTTP client and the parser of XML are imported when they are needed.
"""

import argparse
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from review.checks import TableError
from review.findings import Scanned
from review.marker import DRIFT_KEY, KEY, SAFE_KEY, Marker
from review.model import Stack, Verdict
from review.posting.pipeline import ACTIONS_AUTHOR, InputError, checked_commit, checked_url, pipeline_of
from review.posting.summary import append_summary
from review.reading.stacks import has_bad_input, read_stacks
from review.rendering.comment import BUDGETS, SUMMARY_BUDGET, render
from review.rendering.verdict_file import verdict_json
from review.rules import NAME, Rules, find_rules, read_rules
from review.verdicts import Review, review_of

if TYPE_CHECKING:
    from review.github import GitHub

PROGRAM: Final = "python -m review"


class Options(argparse.Namespace):
    """The arguments of a command; it has those that its parser defines."""

    run: "Callable[[Options], int]"
    plans: list[Path]
    expect: list[str]
    rules: Path | None
    scans: list[Path]
    commit: str | None
    run_url: str | None
    key: str
    comment: Path | None
    summary: Path | None
    flavour: str
    verdict: Path | None
    detailed_exitcode: bool
    pull_request: int | None
    repository: str | None
    author: str


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command that the first argument names, or else `render`, and exits with its status.

    Prints errors without a traceback: exit status 2 for bad input, 1 for all else.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    program, commands = parsers()
    if given[:1] in ([], ["-h"], ["--help"]):
        program.print_help()
        sys.exit(0 if given else 2)
    parser = commands[given.pop(0) if given[0] in commands else "render"]
    options = parser.parse_intermixed_args(given, Options())
    try:
        sys.exit(options.run(options))
    except InputError as error:
        complain(str(error))
        sys.exit(2)
    except OSError as error:
        complain(f"{error.filename} cannot be written: {error.strerror}" if error.filename else str(error))
        sys.exit(1)


def parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Returns the parser of the program, and those of its commands by name."""
    program = argparse.ArgumentParser(PROGRAM, description="Review Terraform plans.")
    commands = program.add_subparsers(metavar="COMMAND")
    for run in (render_command, post_command, outdated_command, issue_command):
        name, about = run.__name__.removesuffix("_command"), (run.__doc__ or "").strip()
        parser = commands.add_parser(name, help=about, description=about, allow_abbrev=False)
        parser.set_defaults(run=run)
        if run is not outdated_command:
            _add_input(parser)
        default = DRIFT_KEY if run is issue_command else KEY
        about = "which of the comments or issues this is; %(default)s unless given"
        parser.add_argument("--key", default=default, help=about)
        if run in (render_command, post_command):
            _add_output(parser)
        if run is render_command:
            _add_rendering(parser)
        else:
            _add_target(parser, with_pull_request=run is not issue_command)
    return program, commands.choices


def _add_input(parser: argparse.ArgumentParser) -> None:
    about = (
        "plans as `terraform show -json` writes them, one <stack>.json each, or folders of them; "
        "<stack>.error next to one is Terraform's output when planning failed"
    )
    parser.add_argument("plans", nargs="*", type=Path, metavar="PLAN", help=about)
    about = "a stack that must have a plan"
    parser.add_argument("--expect", action="append", default=[], metavar="STACK", help=about)
    about = f"rules of your own; {NAME} beside the plans unless given"
    parser.add_argument("--rules", type=Path, metavar="FILE", help=about)
    about = "what checkov or trivy found, as SARIF or JUnit XML; shown beside the resources"
    parser.add_argument(
        "--scan", dest="scans", action="append", default=[], type=Path, metavar="FILE", help=about
    )
    parser.add_argument("--commit", help="the commit that was planned; in GitHub Actions, the run's")
    parser.add_argument("--run-url", metavar="URL", help="address of the run; in GitHub Actions, the run's")


def _add_output(parser: argparse.ArgumentParser) -> None:
    about = "append to a job summary, such as $GITHUB_STEP_SUMMARY"
    parser.add_argument("--summary", type=Path, metavar="FILE", help=about)
    about = "write the verdict for machines"
    parser.add_argument("--json", dest="verdict", type=Path, metavar="FILE", help=about)


def _add_rendering(parser: argparse.ArgumentParser) -> None:
    about = "write the comment to a file instead of printing it"
    parser.add_argument("--comment", type=Path, metavar="FILE", help=about)
    about = "where the comment will be posted, which limits its size: %(choices)s; %(default)s unless given"
    parser.add_argument("--flavour", choices=BUDGETS, default="github", metavar="PLACE", help=about)
    about = (
        "exit with 0: no changes, 2: changes, 3: something is destroyed, 1: a plan failed, "
        "is incomplete or cannot be read, 4: beyond a threshold of the rules"
    )
    parser.add_argument("--detailed-exitcode", action="store_true", help=about)


def _add_target(parser: argparse.ArgumentParser, *, with_pull_request: bool) -> None:
    if with_pull_request:
        about = "its number; in GitHub Actions, the event's"
        parser.add_argument("--pull-request", type=_number, metavar="NUMBER", help=about)
    about = "owner/name; in GitHub Actions, the run's"
    parser.add_argument("--repository", metavar="OWNER/NAME", help=about)
    about = "the account of GITHUB_TOKEN, %(default)s unless given; only its comments and issues are changed"
    parser.add_argument("--author", default=ACTIONS_AUTHOR, help=about)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: must be a whole number from 1")
    return int(text)


def render_command(options: Options) -> int:
    """Review plans and print the comment. Exit status 2 if one cannot be read; the others are shown."""
    review, bad_input = reviewed(options)
    _write(review, options)
    if options.comment is not None:
        write_aside(options.comment, render(review, BUDGETS[options.flavour]))
    if (options.comment, options.summary, options.verdict) == (None, None, None):
        say(render(review, BUDGETS[options.flavour]))
    return exit_status(review, detailed=options.detailed_exitcode, bad_input=bad_input)


def post_command(options: Options) -> int:
    """Create or update the comment on a pull request. Needs GITHUB_TOKEN."""
    from review.github import GitHubError
    from review.posting.pull_request import Outcome, post, previous

    review, bad_input = reviewed(options)
    number, name = target_of(options)
    with _github(name) as client:
        # The files are written as well when GitHub refuses; `post` says why.
        with suppress(GitHubError):
            review = replace(review, previous=previous(client, number, options.key, options.author))
        _write(review, options)
        written = functools.partial(render, review)
        posted = post(client, number, review.marker, written, options.author, create=not review.is_quiet)
    say(f"{posted.outcome.value} {posted.url}".rstrip() + "\n")
    if posted.outcome is Outcome.SUPERSEDED:
        complain("Nothing was written: the comment is from a newer run, or about the current commit.")
    if posted.outdated:
        complain("The pull request has new commits; the comment says that it is about an earlier one.")
    if posted.shortened is not None:
        complain(f"GitHub found the comment too long; it was shortened to {posted.shortened:,} bytes.")
    return exit_status(review, detailed=False, bad_input=bad_input)


def outdated_command(options: Options) -> int:
    """Mark a comment about an earlier commit as outdated. Needs GITHUB_TOKEN."""
    from review.posting.pull_request import mark_outdated

    marker_of(options.key, "", 0)
    number, name = target_of(options)
    with _github(name) as client:
        posted = mark_outdated(client, number, options.key, options.author)
    say(f"{posted.outcome.value} {posted.url}".rstrip() + "\n")
    return 0


def issue_command(options: Options) -> int:
    """Open, update or close the issue about drift. Needs GITHUB_TOKEN."""
    from review.posting.drift_issue import report_drift

    review, bad_input = reviewed(options)
    with _github(repository_of(options)) as client:
        reported = report_drift(client, review, functools.partial(render, review), options.author)
    say(f"{reported.outcome.value} {reported.url}".rstrip() + "\n")
    return 2 if bad_input else 0


def exit_status(review: Review, *, detailed: bool, bad_input: bool) -> int:
    """Returns the exit status of the command, and prints which threshold decides it.

    0 rendered, 2 bad input; `detailed`: 0 no changes, 2 changes, 3 something is destroyed, 1 a plan
    failed, is incomplete or cannot be read. 4: the rules' threshold is exceeded.
    """
    if bad_input and not detailed:
        return 2
    if detailed and (bad_input or review.verdict >= Verdict.INCOMPLETE):
        return 1
    if review.beyond:
        complain(review.beyond)
        return 4
    if not detailed:
        return 0
    return {Verdict.NO_CHANGES: 0, Verdict.DESTRUCTIVE: 3}.get(review.verdict, 2)


def reviewed(options: Options) -> tuple[Review, bool]:
    """Reviews the given plans; also returns whether one of them could not be read. Raises InputError."""
    if not options.plans and not options.expect:
        raise InputError(f"give at least one plan: {PROGRAM} plans/*.json")
    pipeline = pipeline_of(os.environ)
    stacks = read_stacks(options.plans, options.expect)
    sha = checked_commit(pipeline.commit if options.commit is None else options.commit)
    url = checked_url(pipeline.run_url if options.run_url is None else options.run_url)
    path = options.rules or find_rules(options.plans)
    try:
        decided = read_rules(path, datetime.now(UTC).date()) if path else Rules()
    except TableError as error:
        raise InputError(str(error)) from None
    stacks, scanned = _scanned(stacks, options) if options.scans else (stacks, None)
    marker = marker_of(options.key, sha, pipeline.run)
    return review_of(stacks, marker, url, decided, scanned), has_bad_input(stacks)


def _scanned(stacks: tuple[Stack, ...], options: Options) -> tuple[tuple[Stack, ...], Scanned]:
    from review.reading.scans import ScanError, read_scans, with_findings

    try:
        return with_findings(stacks, read_scans(options.scans), options.plans)
    except ScanError as error:
        raise InputError(str(error)) from None


def marker_of(key: str, commit: str, run: int) -> Marker:
    """Builds a comment's marker. Raises InputError."""
    if not SAFE_KEY.fullmatch(key):
        raise InputError(f"--key {key!r}: a key has letters, digits, '.', '_' and '-', 64 at most")
    return Marker(key, commit, run)


def target_of(options: Options) -> tuple[int, str]:
    """Returns the pull request's number and its repository. Raises InputError."""
    number = options.pull_request or pipeline_of(os.environ).pull_request
    if number is None:
        raise InputError("--pull-request: give its number; this run is not of a pull request")
    return number, repository_of(options)


def repository_of(options: Options) -> str:
    """Returns the repository, as owner/name. Raises InputError."""
    name = options.repository or pipeline_of(os.environ).repository
    if not name:
        raise InputError("--repository: give owner/name; GITHUB_REPOSITORY is not set")
    return name


def _write(review: Review, options: Options) -> None:
    """Writes the verdict for machines and the job summary, where they are asked for. Raises OSError."""
    if options.verdict is not None:
        write_aside(options.verdict, verdict_json(review))
    if options.summary is not None and not append_summary(options.summary, review):
        limit = f"a job summary has {SUMMARY_BUDGET:,} bytes at most"
        complain(f"{options.summary} has no room for the review: {limit}")


def say(text: str) -> None:
    """Prints text as UTF-8, whatever the terminal's locale."""
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def complain(text: str) -> None:
    """Prints to stderr."""
    print(text, file=sys.stderr)


@contextmanager
def _github(repository: str) -> "Iterator[GitHub]":
    """Opens a client for a repository; prints GitHub's errors and exits with status 1."""
    from review.github import GitHub, GitHubError

    try:
        with GitHub.of(os.environ, repository) as client:
            yield client
    except GitHubError as error:
        complain(str(error))
        sys.exit(1)


def write_aside(path: Path, text: str) -> None:
    """Writes a temporary file, then swaps it in. Raises OSError."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())
            Path(name).chmod(_mode(path))
            os.replace(name, path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        # The name of the temporary file tells nobody anything.
        raise OSError(error.errno, error.strerror, str(path)) from None


def _mode(path: Path) -> int:
    """Returns the mode of the file to replace, or that of a new file."""
    try:
        return path.stat().st_mode & 0o777
    except FileNotFoundError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
