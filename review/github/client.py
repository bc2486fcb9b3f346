"""What the review needs of GitHub: comments of pull requests, and issues.

Source: GitHub's REST API, "Issue comments", "Pull requests" and "Issues".
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Self, TypeVar
from urllib.parse import quote

from pydantic import AfterValidator, AliasPath, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from review.github.errors import GitHubError, UnconfirmedError
from review.github.requests import ATTEMPTS, Call, Requests

_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*/(?!\.{1,2}$)[A-Za-z0-9_.-]+")
_MAX_PAGES: Final = 1000
_Made = TypeVar("_Made", bound="_Answer")


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, validate_by_name=True, validate_by_alias=True)


_Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]
"""A string of an answer; null, which GitHub sends for an empty one, is empty."""

_Body = Annotated[_Text, AfterValidator(lambda value: value.replace("\r\n", "\n"))]
"""A text as it was written: GitHub may return CRLF line ends."""


class Comment(_Answer):
    """A comment of a pull request. `author` is empty when the account was deleted."""

    id: int
    body: _Body = ""
    author: _Text = Field(default="", validation_alias=AliasPath("user", "login"))
    url: _Text = Field(default="", validation_alias="html_url")


class PullRequest(_Answer):
    """A pull request and the commit that it is at."""

    number: int
    head_commit: str = Field(
        validation_alias=AliasPath("head", "sha"), pattern=r"^(?:[0-9a-f]{40}|[0-9a-f]{64})$"
    )


class Issue(_Answer):
    """An issue. `author` is empty when the account was deleted.

    `pull_request` is set for a pull request, which GitHub lists as well.
    """

    number: int
    pull_request: object = None
    title: _Text = ""
    body: _Body = ""
    author: _Text = Field(default="", validation_alias=AliasPath("user", "login"))
    url: _Text = Field(default="", validation_alias="html_url")


class GitHub:
    """One repository, "owner/name", with the token and the address that the environment names.

    Its methods raise GitHubError in words, and BodyTooLongError for a text that GitHub does not take.
    What makes something new takes `is_ours`, which finds it again: when the connection is lost
    after GitHub has made it, it is not made twice.
    """

    def __init__(self, requests: Requests, repository: str) -> None:
        if not _REPOSITORY.fullmatch(repository):
            raise GitHubError(f'the repository must be "owner/name", not {repository!r}')
        self.repository = repository
        self._requests = requests

    @classmethod
    def of(cls, environ: Mapping[str, str], repository: str) -> Self:
        """With GITHUB_TOKEN and GITHUB_API_URL; use it in a `with`, which closes the connection."""
        return cls(Requests(environ), repository)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._requests.__exit__(*exception)

    def pull_request(self, number: int) -> PullRequest:
        """A pull request as it is now."""
        call = self._call("GET", f"pulls/{number}", f"read pull request {number}")
        return _read(PullRequest, self._requests.send(call).content)

    def comments(self, pull_request: int) -> tuple[Comment, ...]:
        """All comments of a pull request, the oldest first."""
        call = self._call(
            "GET",
            f"issues/{pull_request}/comments?per_page=100",
            f"read the comments of pull request {pull_request}",
        )
        found = (_read(Comment, each) for each in self._pages(call))
        return tuple(sorted(found, key=lambda each: each.id))

    def create_comment(self, pull_request: int, body: str, is_ours: Callable[[Comment], bool]) -> Comment:
        """Write a comment below a pull request."""
        call = self._call(
            "POST",
            f"issues/{pull_request}/comments",
            f"comment on pull request {pull_request}",
            content={"body": body},
        )
        return self._create(call, Comment, lambda: filter(is_ours, self.comments(pull_request)))

    def update_comment(self, comment: int, body: str) -> Comment:
        """Replace the text of a comment, by its id."""
        call = self._call("PATCH", f"issues/comments/{comment}", "update a comment", content={"body": body})
        return _read(Comment, self._requests.send(call).content)

    def delete_comment(self, comment: int) -> None:
        """Delete a comment, by its id; it may be gone already."""
        call = self._call("DELETE", f"issues/comments/{comment}", "delete a comment")
        try:
            self._requests.send(call)
        except GitHubError as error:
            if error.status not in {404, 410}:
                raise

    def open_issues(self, label: str) -> tuple[Issue, ...]:
        """All open issues with a label, the oldest first; pull requests are none."""
        call = self._call(
            "GET",
            "issues?state=open&per_page=100&labels=" + quote(label, safe=""),
            "read the issues",
            of="issues",
        )
        found = (_read(Issue, each) for each in self._pages(call))
        issues = (each for each in found if each.pull_request is None)
        return tuple(sorted(issues, key=lambda each: each.number))

    def create_issue(
        self, title: str, body: str, labels: Sequence[str], is_ours: Callable[[Issue], bool]
    ) -> Issue:
        """Open an issue with one label or more; the first is what it is found by."""
        call = self._call(
            "POST",
            "issues",
            "open an issue",
            of="issues",
            content={"title": title, "body": body, "labels": list(labels)},
        )
        return self._create(call, Issue, lambda: filter(is_ours, self.open_issues(labels[0])))

    def update_issue(self, number: int, title: str, body: str) -> Issue:
        """Replace title and text of an issue."""
        return self._patch_issue(number, f"update issue {number}", {"title": title, "body": body})

    def close_issue(self, number: int) -> Issue:
        """Close an issue as done."""
        content = {"state": "closed", "state_reason": "completed"}
        return self._patch_issue(number, f"close issue {number}", content)

    def _patch_issue(self, number: int, purpose: str, content: Mapping[str, Any]) -> Issue:
        call = self._call("PATCH", f"issues/{number}", purpose, of="issues", content=content)
        return _read(Issue, self._requests.send(call).content)

    def _call(
        self,
        method: str,
        path: str,
        purpose: str,
        *,
        of: str = "pull-requests",
        content: Mapping[str, Any] | None = None,
    ) -> Call:
        where, access = ("of", "read") if method == "GET" else ("in", "write")
        path = f"repos/{self.repository}/{path}"
        return Call(method, path, f"{purpose} {where} {self.repository}", f"{of}: {access}", content)

    def _pages(self, call: Call) -> Iterator[Any]:
        for _ in range(_MAX_PAGES):
            answer = self._requests.send(call)
            if not isinstance(answer.content, list):
                raise _unexpected()
            yield from answer.content
            if answer.next is None:
                return
            call = Call(call.method, answer.next, call.purpose, call.permission)
        raise GitHubError(f"GitHub has more than {_MAX_PAGES} pages to {call.purpose}")

    def _create(self, call: Call, model: type[_Made], find: Callable[[], Iterator[_Made]]) -> _Made:
        attempt = 1
        while True:
            try:
                return _read(model, self._requests.send(call).content)
            except UnconfirmedError:
                self._requests.pause(attempt)
                if (found := next(find(), None)) is not None:
                    return found
                if attempt == ATTEMPTS:
                    raise
                attempt += 1


def _read(model: type[_Made], value: object) -> _Made:
    try:
        return model.model_validate(value)
    except ValidationError:
        raise _unexpected() from None


def _unexpected() -> GitHubError:
    return GitHubError("GitHub's answer has another form than documented: is GITHUB_API_URL right?")
