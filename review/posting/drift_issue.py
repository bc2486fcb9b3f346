"""Keeps the one issue about drift: opened when a plan of what is applied finds changes, closed when none.

An issue is ours if it has the label, starts with the marker's line, and has the author we write as.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from review.github import GitHub, Issue
from review.model import Verdict
from review.posting.pipeline import ACTIONS_AUTHOR
from review.posting.pull_request import our_marker, within_budgets
from review.rendering.markdown import first
from review.verdicts import Review

LABEL: Final = "drift"
"""The issue's label, by which it is found. GitHub creates it if it does not exist."""

_MOST_NAMES: Final = 5


class Outcome(StrEnum):
    """What happened to the issue, as the command prints it."""

    OPENED = "opened"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    CLOSED = "closed: there is no drift any more"
    NONE = "no drift, and no issue"


@dataclass(frozen=True, slots=True)
class Reported:
    """What was done, and the issue's address (empty without one)."""

    outcome: Outcome
    url: str


def report_drift(
    client: GitHub, review: Review, render: Callable[[int], str], author: str = ACTIONS_AUTHOR
) -> Reported:
    """Keeps one open issue while a review finds drift, and closes it when there is none.

    `render` returns the review's text within a budget in bytes. A failed or missing plan counts as drift.
    If there are several of our issues, the oldest stays and the others are closed. Raises GitHubError.
    """

    def is_ours(issue: Issue) -> bool:
        return our_marker(issue, review.marker.key, author) is not None

    found = [issue for issue in client.open_issues(LABEL) if is_ours(issue)]
    gone = review.verdict is Verdict.NO_CHANGES
    for issue in found[1:]:
        client.close_issue(issue.number)
    if gone and not found:
        return Reported(Outcome.NONE, "")
    title = _title(review)

    def write(budget: int) -> Reported:
        body = render(budget)
        if not found:
            return Reported(Outcome.OPENED, client.create_issue(title, body, [LABEL], is_ours).url)
        return Reported(_update(client, found[0], title, body), found[0].url)

    reported = within_budgets(write)
    if not gone:
        return reported
    client.close_issue(found[0].number)
    return Reported(Outcome.CLOSED, found[0].url)


def _update(client: GitHub, issue: Issue, title: str, body: str) -> Outcome:
    if issue.title == title and issue.body.rstrip() == body.rstrip():
        return Outcome.UNCHANGED
    client.update_issue(issue.number, title, body)
    return Outcome.UPDATED


def _title(review: Review) -> str:
    names = [each.stack.name for each in review.stacks if each.verdict is not Verdict.NO_CHANGES]
    return f"Drift: {first(names, _MOST_NAMES) if names else 'gone'}"
