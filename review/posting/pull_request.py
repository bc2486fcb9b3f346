"""The one comment of a pull request: written, updated in place, marked once it is outdated.

A comment is ours when it starts with the marker's line and is by the author we write as, so that
nobody can have us overwrite their comment, or take theirs for ours, by writing the marker.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from review.github import BodyTooLongError, Comment, GitHub
from review.marker import Marker, parse
from review.posting.pipeline import ACTIONS_AUTHOR

BUDGETS: Final = (60_000, 30_000, 12_000)
"""Bytes of a comment, tried in turn while GitHub finds it too long. GitHub takes 65,536 characters."""

_BANNER_START: Final = "<!-- oaktree-review: outdated -->\n"
_BANNER_END: Final = "<!-- oaktree-review: as it was -->\n"
_BANNER: Final = re.compile(rf"\A{_BANNER_START}.{{1,400}}?{_BANNER_END}", re.DOTALL)
_SHORT: Final = 7
_Written = TypeVar("_Written")
_PLAUSIBLE: Final = 1_000_000_000
"""Ids of runs grow by some millions a day in all of GitHub, and a run lasts 35 days at most. So one that is
ahead of ours by more than this was never given to a run that is newer than ours: somebody made it up.
"""


class Outcome(StrEnum):
    """What became of a comment, in a word for people."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NONE = "no comment to mark"
    SUPERSEDED = "left alone: it is of a newer run or of the pull request's present commit"


@dataclass(frozen=True, slots=True)
class Posted:
    """What was done, and the address of the comment (empty without one).

    `outdated` says that the comment carries the note that it is of a former commit. `shortened`
    is the budget in bytes that was gone down to, because GitHub found the comment too long.
    """

    outcome: Outcome
    url: str
    outdated: bool = False
    shortened: int | None = None


def post(
    client: GitHub,
    pull_request: int,
    marker: Marker,
    render: Callable[[int], str],
    author: str = ACTIONS_AUTHOR,
) -> Posted:
    """Make the comment with `marker` say what `render` makes within a budget in bytes.

    `render`'s text starts with the marker's line. `marker.commit` is the head of the pull request
    that was reviewed, not a merge commit; when the pull request has moved on, the comment says so
    on top. A comment that a newer run has written is left alone, and so is the review of the
    present head by one of another commit. Of several comments of ours, which two runs at a time
    may make, the first one stays. Raises GitHubError.
    """
    head = client.pull_request(pull_request).head_commit
    banner = "" if _is_same(marker.commit, head) else _banner(marker.commit, head)

    def put(budget: int) -> Posted:
        body = _with_banner(render(budget - len(banner)), banner)
        if parse(body) != marker:
            raise ValueError("a comment starts with the line of its marker")
        outcome, url = _put(client, pull_request, marker, head, body, author)
        shortened = budget if budget < BUDGETS[0] else None
        return Posted(outcome, url, bool(banner) and outcome is not Outcome.SUPERSEDED, shortened)

    return within_budgets(put)


def within_budgets(write: Callable[[int], _Written]) -> _Written:
    """Calls `write` with one budget after the other until GitHub takes the text. Raises GitHubError."""
    *longer, shortest = BUDGETS
    for budget in longer:
        with suppress(BodyTooLongError):
            return write(budget)
    return write(shortest)


def mark_outdated(client: GitHub, pull_request: int, key: str, author: str = ACTIONS_AUTHOR) -> Posted:
    """Make the comment with a key, if it is of a former commit, say so on top.

    GitHub tells which commit is the present one: what started us may be older than that. Doing it
    again changes nothing, a later `post` replaces the whole comment. Raises GitHubError.
    """
    head = client.pull_request(pull_request).head_commit
    posted = Posted(Outcome.NONE, "")
    # The first one is the one that stays, so it is the one to tell of.
    for comment, marker in reversed(_ours(client.comments(pull_request), key, author)):
        banner = "" if _is_same(marker.commit, head) else _banner(marker.commit, head)
        outcome = _update(client, comment, _with_banner(_plain(comment.body), banner))
        posted = Posted(outcome, comment.url, bool(banner))
    return posted


def _put(
    client: GitHub, pull_request: int, marker: Marker, head: str, body: str, author: str
) -> tuple[Outcome, str]:
    found = _ours(client.comments(pull_request), marker.key, author)
    created = None
    if not found:
        created = client.create_comment(
            pull_request, body, lambda comment: bool(_ours([comment], marker.key, author))
        )
        # Another run may have done the same at the same time.
        found = _ours(client.comments(pull_request), marker.key, author)
        if not found:
            return Outcome.CREATED, created.url
    (first, _), *others = found
    for comment, other in found:
        if _supersedes(other, marker, head):
            # When ours is the first one, the newer run takes it over and deletes its own.
            if created and created.id != first.id:
                client.delete_comment(created.id)
            return Outcome.SUPERSEDED, comment.url
    outcome = _update(client, first, body)
    for comment, _ in others:
        client.delete_comment(comment.id)
    return (Outcome.CREATED if created and created.id == first.id else outcome), first.url


def _supersedes(other: Marker, marker: Marker, head: str) -> bool:
    """Whether another comment is to stay: of a newer run, or of the present head unlike ours.

    Nothing supersedes what a person posts from a desk, which has no run.
    """
    if not marker.run or other.run >= marker.run + _PLAUSIBLE:
        return False
    return other.run > marker.run or (_is_same(other.commit, head) and not _is_same(marker.commit, head))


def _ours(comments: Sequence[Comment], key: str, author: str) -> list[tuple[Comment, Marker]]:
    return [
        (comment, marker)
        for comment in comments
        if comment.author.casefold() == author.casefold()
        and (marker := parse(comment.body))
        and marker.key == key
    ]


def _update(client: GitHub, comment: Comment, body: str) -> Outcome:
    if _plain(comment.body).rstrip() == body.rstrip():
        return Outcome.UNCHANGED
    client.update_comment(comment.id, body)
    return Outcome.UPDATED


def _plain(body: str) -> str:
    """A body as we wrote it: GitHub may give line ends back in the way of a form, CR and LF."""
    return body.replace("\r\n", "\n")


def _is_same(commit: str, head: str) -> bool:
    """Whether a commit, perhaps abbreviated, is the head. One that is not known is not told apart."""
    return not commit or (len(commit) >= _SHORT and head.startswith(commit.casefold()))


def _banner(commit: str, head: str) -> str:
    return (
        f"{_BANNER_START}\n> [!WARNING]\n> **Outdated:** this is the review of commit `{commit[:_SHORT]}`; "
        f"the pull request is at `{head[:_SHORT]}`.\n\n{_BANNER_END}"
    )


def _with_banner(body: str, banner: str) -> str:
    """A body with the banner below its marker, in the place of the one that it may have."""
    line, _, rest = body.partition("\n")
    return f"{line}\n{banner}{_BANNER.sub('', rest)}"
