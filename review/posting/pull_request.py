"""Keeps the one comment of a pull request: creates it, updates it in place, marks it as outdated.

A comment is ours if it starts with the marker's line and has the author we write as, so writing the
marker does not make someone else's comment ours.
"""

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from review.github import BodyTooLongError, Comment, GitHub, Issue
from review.marker import Marker, parse
from review.posting.pipeline import ACTIONS_AUTHOR
from review.rendering.comment import COMMENT_BUDGET

BUDGETS: Final = (COMMENT_BUDGET, 30_000, 12_000)
"""Bytes of a comment, tried in turn while GitHub finds it too long."""

_BANNER_START: Final = "<!-- oaktree-review: outdated -->\n"
_BANNER_END: Final = "<!-- oaktree-review: as it was -->\n"
_BANNER: Final = re.compile(rf"\A{_BANNER_START}.{{1,400}}?{_BANNER_END}", re.DOTALL)
_SHORT: Final = 7
_Written = TypeVar("_Written")
_PLAUSIBLE: Final = 1_000_000_000
"""How far the id of a newer run can be ahead of ours. Ids grow by some millions a day in all of GitHub, and a
run lasts 35 days at most, so a greater distance means a forged marker.
"""


class Outcome(StrEnum):
    """What happened to a comment, as the command prints it."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    NONE = "no comment to mark"
    QUIET = "not made: nothing changes"
    SUPERSEDED = "left alone: it is of a newer run or of the pull request's present commit"


_UNWRITTEN: Final = frozenset({Outcome.QUIET, Outcome.SUPERSEDED})


@dataclass(frozen=True, slots=True)
class Posted:
    """What was done, and the address of the comment (empty without one).

    `outdated` says that the comment has a banner because it is about an earlier commit. `shortened` is
    the smaller budget in bytes that was used because GitHub found the comment too long.
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
    *,
    create: bool = True,
) -> Posted:
    """Creates or updates the comment with `marker` with what `render` writes within a budget in bytes.

    Unless `create`, only a comment that is there is updated.

    `render`'s text starts with the marker's line. `marker.commit` is the reviewed head of the pull
    request, not a merge commit; if the pull request has new commits, a banner says so. A comment from a
    newer run stays as it is, and a review of the current head is not replaced by one of another commit.
    If concurrent runs create several comments, the first one stays. Raises GitHubError.
    """
    head = client.pull_request(pull_request).head_commit
    banner = "" if _is_same(marker.commit, head) else _banner(marker.commit, head)

    def put(budget: int) -> Posted:
        body = _with_banner(render(budget - len(banner)), banner)
        if parse(body) != marker:
            raise ValueError("a comment starts with the line of its marker")
        outcome, url = _put(client, pull_request, marker, head, body, author, create=create)
        shortened = budget if budget < BUDGETS[0] else None
        return Posted(outcome, url, bool(banner) and outcome not in _UNWRITTEN, shortened)

    return within_budgets(put)


def previous(client: GitHub, pull_request: int, key: str, author: str = ACTIONS_AUTHOR) -> Marker | None:
    """Returns the marker of the comment that a `post` would update; None without one. Raises GitHubError."""
    found = _ours(client.comments(pull_request), key, author)
    return found[0][1] if found else None


def within_budgets(write: Callable[[int], _Written]) -> _Written:
    """Calls `write` with each budget in turn until GitHub takes the text. Raises GitHubError."""
    *longer, shortest = BUDGETS
    for budget in longer:
        with suppress(BodyTooLongError):
            return write(budget)
    return write(shortest)


def mark_outdated(client: GitHub, pull_request: int, key: str, author: str = ACTIONS_AUTHOR) -> Posted:
    """Adds a banner to the comment with a key if it is about an earlier commit.

    The current head comes from GitHub, since the event that started the run may be older. Repeating it
    changes nothing; a later `post` replaces the whole comment. Raises GitHubError.
    """
    head = client.pull_request(pull_request).head_commit
    posted = Posted(Outcome.NONE, "")
    # The first one stays, so it is the one to report.
    for comment, marker in reversed(_ours(client.comments(pull_request), key, author)):
        banner = "" if _is_same(marker.commit, head) else _banner(marker.commit, head)
        outcome = _update(client, comment, _with_banner(comment.body, banner))
        posted = Posted(outcome, comment.url, bool(banner))
    return posted


def _put(
    client: GitHub, pull_request: int, marker: Marker, head: str, body: str, author: str, *, create: bool
) -> tuple[Outcome, str]:
    found = _ours(client.comments(pull_request), marker.key, author)
    created = None
    if not found and not create:
        return Outcome.QUIET, ""
    if not found:
        created = client.create_comment(
            pull_request, body, lambda comment: our_marker(comment, marker.key, author) is not None
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
    """Returns whether to keep another comment: from a newer run, or about the current head unlike ours.

    Nothing supersedes what a person posts by hand, which has no run.
    """
    if not marker.run or other.run >= marker.run + _PLAUSIBLE:
        return False
    return other.run > marker.run or (_is_same(other.commit, head) and not _is_same(marker.commit, head))


def our_marker(made: Comment | Issue, key: str, author: str) -> Marker | None:
    """Returns the marker of a comment or issue with this key by this author; None of any other."""
    marker = parse(made.body)
    is_ours = marker and marker.key == key and made.author.casefold() == author.casefold()
    return marker if is_ours else None


def _ours(comments: Sequence[Comment], key: str, author: str) -> list[tuple[Comment, Marker]]:
    return [(each, marker) for each in comments if (marker := our_marker(each, key, author))]


def _update(client: GitHub, comment: Comment, body: str) -> Outcome:
    if comment.body.rstrip() == body.rstrip():
        return Outcome.UNCHANGED
    client.update_comment(comment.id, body)
    return Outcome.UPDATED


def _is_same(commit: str, head: str) -> bool:
    """Returns whether a commit, perhaps abbreviated, is the head; True if it is not known."""
    return not commit or (len(commit) >= _SHORT and head.startswith(commit.casefold()))


def _banner(commit: str, head: str) -> str:
    return (
        f"{_BANNER_START}\n> [!WARNING]\n> **Outdated:** this is the review of commit `{commit[:_SHORT]}`; "
        f"the pull request is at `{head[:_SHORT]}`.\n\n{_BANNER_END}"
    )


def _with_banner(body: str, banner: str) -> str:
    """Puts the banner below a body's marker, replacing the one there."""
    line, _, rest = body.partition("\n")
    return f"{line}\n{banner}{_BANNER.sub('', rest)}"
