"""The commands: `python -m review PLAN...`, and those that write to GitHub."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from review import posting_commands
from review.comment import COMMENT_BUDGET, SUMMARY_BUDGET, render
from review.console import KEY, Commit, Expect, Key, Plans, RunUrl, complain, for_people, reviewed, say
from review.files import write_aside
from review.report import exit_status, verdict_json
from review.summary import append_summary

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None
)
app.add_typer(posting_commands.app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that the first argument names; without such a name, `render`."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    names = {command.name for each in (app, posting_commands.app) for command in each.registered_commands}
    if given and given[0] not in names and given[0] != "--help":
        given.insert(0, "render")
    app(given, prog_name="python -m review")


@app.command("render")
@for_people
def render_command(
    plans: Plans = None,
    expect: Expect = None,
    commit: Commit = None,
    run_url: RunUrl = None,
    key: Key = KEY,
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
            "is incomplete or cannot be read.",
        ),
    ] = False,
) -> None:
    """Review plans and print the comment (exit status 2 if one cannot be read; the others are shown)."""
    review, bad_input = reviewed(plans, expect, commit, run_url, key)
    if verdict is not None:
        write_aside(verdict, verdict_json(review))
    if comment is not None:
        write_aside(comment, render(review, COMMENT_BUDGET))
    if summary is not None and not append_summary(summary, review):
        complain(f"{summary} has no room for the review: a job summary has {SUMMARY_BUDGET:,} bytes at most")
    if comment is None and summary is None and verdict is None:
        say(render(review, COMMENT_BUDGET))
    raise typer.Exit(exit_status(review, detailed=detailed_exitcode, bad_input=bad_input))
