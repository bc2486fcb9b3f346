"""Posts a review to a pull request's comment, the issue about drift, and a job's summary."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from ops.core.errors import OpsError
from ops.core.workflow import set_outputs
from ops.github.reviewing import Reviewed, write
from review.github import GitHub, GitHubError
from review.posting.drift_issue import report_drift
from review.posting.pull_request import mark_outdated, post, previous
from review.posting.summary import append_summary
from review.rendering.comment import render
from stacks.settings import Project


def post_comment(project: Project, reviewed: Reviewed, pull_request: int) -> str:
    """Creates or updates the pull request's review comment and returns what was done.

    Needs GITHUB_TOKEN. Raises OpsError if GitHub refuses a request.
    """
    review = reviewed.review
    with _github(project) as client:
        posted = post(
            client, pull_request, review.marker, partial(render, review), create=not review.is_quiet
        )
    return f"The comment is {posted.outcome.value}: {posted.url}".removesuffix(": ")


def compared(project: Project, reviewed: Reviewed, pull_request: int) -> Reviewed:
    """Returns the review compared with that of the pull request's comment, and writes its files anew.

    It stays as it is if there is no comment, or GitHub does not answer: `post_comment` will say so.
    """
    with suppress(GitHubError), GitHub.of(os.environ, project.repository) as client:
        if found := previous(client, pull_request, reviewed.review.marker.key):
            compared_review = replace(reviewed.review, previous=found)
            write(compared_review, reviewed.directory)
            return Reviewed(compared_review, reviewed.directory)
    return reviewed


def outdate_comment(project: Project, pull_request: int, key: str) -> str:
    """Marks the comment of a previous commit as outdated and returns what was done."""
    with _github(project) as client:
        posted = mark_outdated(client, pull_request, key)
    return f"{posted.outcome.value} {posted.url}".rstrip()


def tell_drift(project: Project, reviewed: Reviewed) -> str:
    """Opens, updates or closes the issue about drift and returns what was done."""
    review = reviewed.review
    with _github(project) as client:
        reported = report_drift(client, review, partial(render, review))
    return f"The issue: {reported.outcome.value} {reported.url}".rstrip()


def tell_workflow(reviewed: Reviewed) -> None:
    """Appends the job's summary and sets the outputs `verdict` and `file`, if this is a job of a workflow."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        append_summary(Path(summary), reviewed.review)
    file = reviewed.directory / "verdict.json"
    set_outputs(verdict=reviewed.review.verdict.words, file=str(file))


@contextmanager
def _github(project: Project) -> Iterator[GitHub]:
    try:
        with GitHub.of(os.environ, project.repository) as client:
            yield client
    except GitHubError as error:
        raise OpsError(str(error)) from None
