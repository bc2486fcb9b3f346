"""One comment for a pull request, whatever happens, against a GitHub on the loopback."""

from collections.abc import Callable, Iterator

import pytest

from review.github import BodyTooLongError, Comment, GitHub, GitHubError
from review.github.requests import Requests
from review.marker import Marker, parse
from review.posting.pull_request import BUDGETS, Outcome, mark_outdated, post
from tests.review.fake_github import BOT, REPOSITORY, FakeGitHub, Trouble, running_github

OLD, HEAD, NEXT = "a" * 40, "b" * 40, "c" * 40
KEY = "plans"


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with running_github() as running:
        running.heads[7] = HEAD
        yield running


@pytest.fixture
def client(fake: FakeGitHub) -> Iterator[GitHub]:
    with GitHub(Requests(fake.environ, sleep=lambda _: None), REPOSITORY) as client:
        yield client


def text(marker: Marker, rest: str = "Text\n") -> str:
    return f"{marker.line()}\n{rest}"


def says(marker: Marker, rest: str = "Text\n") -> Callable[[int], str]:
    return lambda _budget: text(marker, rest)


def test_the_first_run_creates_the_comment_and_the_next_one_updates_it(
    fake: FakeGitHub, client: GitHub
) -> None:
    fake.add_comment(7, "Nice", "somebody")
    first, second = Marker(KEY, HEAD, 1), Marker(KEY, HEAD, 2)
    created = post(client, 7, first, says(first))
    assert created.outcome is Outcome.CREATED
    assert fake.bodies() == ["Nice", text(first)]
    updated = post(client, 7, second, says(second, "Other\n"))
    assert updated.outcome is Outcome.UPDATED
    assert updated.url == created.url
    assert fake.bodies() == ["Nice", text(second, "Other\n")]


@pytest.mark.parametrize("uses_crlf", [False, True])
def test_what_did_not_change_is_not_written(fake: FakeGitHub, client: GitHub, uses_crlf: bool) -> None:
    marker = Marker(KEY, HEAD, 1)
    post(client, 7, marker, says(marker))
    fake.uses_crlf = uses_crlf
    assert post(client, 7, marker, says(marker, "Text\n\n")).outcome is Outcome.UNCHANGED
    assert fake.calls("PATCH") == []
    assert len(fake.comments) == 1


def test_a_comment_of_somebody_else_with_our_marker_is_never_touched(
    fake: FakeGitHub, client: GitHub
) -> None:
    marker = Marker(KEY, HEAD, 1)
    theirs = text(Marker(KEY, OLD, 99), "Approved, no changes")
    fake.add_comment(7, theirs, "somebody")
    fake.add_comment(7, theirs, None)
    assert post(client, 7, marker, says(marker)).outcome is Outcome.CREATED
    mark_outdated(client, 7, KEY)
    assert fake.bodies() == [theirs, theirs, text(marker)]


def test_a_comment_with_another_key_or_a_quoted_marker_is_not_ours(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 1)
    others = [text(Marker("drift", HEAD, 1)), f"See:\n{marker.line()}", f"> {marker.line()}"]
    for other in others:
        fake.add_comment(7, other)
    assert post(client, 7, marker, says(marker)).outcome is Outcome.CREATED
    assert fake.bodies() == [*others, text(marker)]


def test_another_author_is_who_writes_with_another_token(fake: FakeGitHub, client: GitHub) -> None:
    fake.login = "Platform-Robot"
    marker = Marker(KEY, HEAD, 1)
    post(client, 7, marker, says(marker), "platform-robot")
    post(client, 7, marker, says(marker, "New\n"), "platform-robot")
    assert fake.bodies() == [text(marker, "New\n")]


def test_an_older_run_does_not_overwrite_a_newer_one(fake: FakeGitHub, client: GitHub) -> None:
    newer = Marker(KEY, HEAD, 2)
    created = post(client, 7, newer, says(newer))
    older = Marker(KEY, HEAD, 1)
    posted = post(client, 7, older, says(older))
    assert (posted.outcome, posted.url) == (Outcome.SUPERSEDED, created.url)
    assert "left alone" in posted.outcome
    assert fake.bodies() == [text(newer)]


def test_another_attempt_of_a_run_overwrites_it(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 2)
    post(client, 7, marker, says(marker))
    assert post(client, 7, marker, says(marker, "Again\n")).outcome is Outcome.UPDATED
    assert fake.bodies() == [text(marker, "Again\n")]


def test_a_review_of_a_former_commit_says_so_on_top(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, OLD, 1)
    budgets = []

    def render(budget: int) -> str:
        budgets.append(budget)
        return text(marker).ljust(budget, "x")

    assert post(client, 7, marker, render).outdated
    (body,) = fake.bodies()
    assert parse(body) == marker
    warning = "> **Outdated:** this is the review of commit `aaaaaaa`; the pull request is at `bbbbbbb`."
    assert body.index("> [!WARNING]\n" + warning) < body.index("Text")
    assert len(body.encode()) == BUDGETS[0]
    assert budgets[0] < BUDGETS[0]


def test_a_review_of_a_former_commit_does_not_overwrite_that_of_the_head(
    fake: FakeGitHub, client: GitHub
) -> None:
    present = Marker(KEY, HEAD, 1)
    post(client, 7, present, says(present))
    former = Marker(KEY, OLD, 2)
    assert post(client, 7, former, says(former)).outcome is Outcome.SUPERSEDED
    assert fake.bodies() == [text(present)]


@pytest.mark.parametrize("commit", [HEAD[:7], HEAD.upper(), ""])
def test_an_abbreviated_or_unknown_commit_is_not_called_outdated(
    fake: FakeGitHub, client: GitHub, commit: str
) -> None:
    marker = Marker(KEY, commit, 1)
    assert not post(client, 7, marker, says(marker)).outdated
    assert fake.bodies() == [text(marker)]


def test_several_of_ours_become_one_in_the_place_of_the_first(fake: FakeGitHub, client: GitHub) -> None:
    first = fake.add_comment(7, text(Marker(KEY, OLD, 1)))
    fake.add_comment(7, "Between", "somebody")
    fake.add_comment(7, text(Marker(KEY, HEAD, 2)))
    marker = Marker(KEY, HEAD, 3)
    assert post(client, 7, marker, says(marker)).outcome is Outcome.UPDATED
    assert fake.bodies() == [text(marker), "Between"]
    assert fake.comments[0]["id"] == first["id"]


class Rival(GitHub):
    """A client between whose look and whose writing another run writes its comment."""

    def __init__(self, fake: FakeGitHub, body: str, is_first: bool) -> None:
        super().__init__(Requests(fake.environ, sleep=lambda _: None), REPOSITORY)
        self.write: Callable[[], object] | None = lambda: fake.add_comment(7, body)
        self.is_first = is_first

    def create_comment(self, pull_request: int, body: str, is_ours: Callable[[Comment], bool]) -> Comment:
        if self.is_first and self.write:
            self.write()
        created = super().create_comment(pull_request, body, is_ours)
        if not self.is_first and self.write:
            self.write()
        return created


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_runs_at_a_time_the_newer_one_leaves_one_comment(fake: FakeGitHub, is_first: bool) -> None:
    marker = Marker(KEY, HEAD, 2)
    with Rival(fake, text(Marker(KEY, OLD, 1)), is_first) as client:
        post(client, 7, marker, says(marker))
    assert fake.bodies() == [text(marker)]


@pytest.mark.parametrize("is_first", [True, False])
def test_of_two_runs_at_a_time_the_older_one_gives_way(
    fake: FakeGitHub, client: GitHub, is_first: bool
) -> None:
    older, newer = Marker(KEY, OLD, 1), Marker(KEY, HEAD, 2)
    with Rival(fake, text(newer), is_first) as rival:
        assert post(rival, 7, older, says(older)).outcome is Outcome.SUPERSEDED
    assert text(newer) in fake.bodies()
    # What the newer run does next, having created its own.
    post(client, 7, newer, says(newer))
    assert fake.bodies() == [text(newer)]


def test_a_comment_written_unseen_is_not_written_twice(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 1)
    fake.trouble.extend([None, None, Trouble(drop="after the work")])
    assert post(client, 7, marker, says(marker)).outcome is Outcome.CREATED
    assert fake.bodies() == [text(marker)]
    assert len(fake.calls("POST")) == 1


def test_a_text_that_github_finds_too_long_is_rendered_shorter(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 1)
    fake.max_body = 20_000
    budgets = []

    def render(budget: int) -> str:
        budgets.append(budget)
        return text(marker).ljust(budget, "x")

    posted = post(client, 7, marker, render)
    assert budgets == list(BUDGETS) == [60_000, 30_000, 12_000]
    assert (posted.outcome, posted.shortened) == (Outcome.CREATED, 12_000)
    fake.max_body = 40_000
    posted = post(client, 7, marker, render)
    assert (posted.outcome, posted.shortened) == (Outcome.UPDATED, 30_000)
    assert [len(body) for body in fake.bodies()] == [30_000]


def test_a_text_that_is_too_long_at_any_length_is_told(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 1)
    fake.max_body = 100
    with pytest.raises(BodyTooLongError, match="too long"):
        post(client, 7, marker, lambda budget: text(marker).ljust(budget, "x"))
    assert fake.comments == []


@pytest.mark.parametrize("body", ["Text", "\nText", Marker("other", HEAD, 1).line()])
def test_a_text_without_its_marker_is_not_posted(fake: FakeGitHub, client: GitHub, body: str) -> None:
    with pytest.raises(ValueError, match="marker"):
        post(client, 7, Marker(KEY, HEAD, 1), lambda _: body)
    assert fake.calls("POST") == []


@pytest.mark.parametrize(("status", "words"), [(403, "pull-requests: write"), (404, "finds nothing")])
def test_a_refusal_is_told(fake: FakeGitHub, client: GitHub, status: int, words: str) -> None:
    marker = Marker(KEY, HEAD, 1)
    fake.trouble.extend([None, None, Trouble(status)])
    with pytest.raises(GitHubError, match=words):
        post(client, 7, marker, says(marker))


def test_a_pull_request_that_is_not_there_is_told(client: GitHub) -> None:
    marker = Marker(KEY, HEAD, 1)
    with pytest.raises(GitHubError, match="read pull request 8 of example/oaktree"):
        post(client, 8, marker, says(marker))


@pytest.mark.parametrize("uses_crlf", [False, True])
def test_a_comment_of_a_former_commit_is_marked_once(
    fake: FakeGitHub, client: GitHub, uses_crlf: bool
) -> None:
    marker = Marker(KEY, OLD, 1)
    fake.add_comment(7, text(marker))
    fake.uses_crlf = uses_crlf
    marked = mark_outdated(client, 7, KEY)
    assert (marked.outcome, marked.outdated) == (Outcome.UPDATED, True)
    (body,) = fake.bodies()
    assert parse(body) == marker
    assert "commit `aaaaaaa`; the pull request is at `bbbbbbb`." in body
    assert body.endswith("\nText\n")
    assert mark_outdated(client, 7, KEY).outcome is Outcome.UNCHANGED
    assert fake.bodies() == [body]


def test_the_mark_follows_the_head_and_goes_when_it_is_back(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, OLD, 1)
    fake.add_comment(7, text(marker))
    mark_outdated(client, 7, KEY)
    fake.heads[7] = NEXT
    assert mark_outdated(client, 7, KEY).outcome is Outcome.UPDATED
    assert fake.bodies()[0].count("Outdated") == 1
    assert "at `ccccccc`" in fake.bodies()[0]
    fake.heads[7] = OLD
    assert not mark_outdated(client, 7, KEY).outdated
    assert fake.bodies() == [text(marker)]


def test_a_later_review_replaces_the_mark_too(fake: FakeGitHub, client: GitHub) -> None:
    fake.add_comment(7, text(Marker(KEY, OLD, 1)))
    mark_outdated(client, 7, KEY)
    marker = Marker(KEY, HEAD, 2)
    assert post(client, 7, marker, says(marker)).outcome is Outcome.UPDATED
    assert fake.bodies() == [text(marker)]


def test_nothing_to_mark_is_said(fake: FakeGitHub, client: GitHub) -> None:
    fake.add_comment(7, "Nice", BOT)
    assert mark_outdated(client, 7, KEY).outcome is Outcome.NONE
    assert fake.calls("PATCH") == []


def test_a_text_that_only_quotes_a_mark_keeps_it(fake: FakeGitHub, client: GitHub) -> None:
    marker = Marker(KEY, OLD, 1)
    fake.add_comment(7, text(marker))
    mark_outdated(client, 7, KEY)
    quoted = fake.bodies()[0].split("\n", 1)[1]
    present = Marker(KEY, HEAD, 2)
    fake.comments[0]["body"] = text(present, f"Text\n{quoted}")
    assert mark_outdated(client, 7, KEY).outcome is Outcome.UNCHANGED


@pytest.mark.parametrize("commit", [HEAD, OLD])
@pytest.mark.parametrize("run", [2_000_000_000, 99_999_999_999_999_999_999])
def test_a_made_up_run_does_not_block_the_comment(
    fake: FakeGitHub, client: GitHub, run: int, commit: str
) -> None:
    fake.add_comment(7, text(Marker(KEY, commit, run)), BOT)
    ours = Marker(KEY, NEXT, 7)
    assert post(client, 7, ours, says(ours)).outcome is Outcome.UPDATED
    (body,) = fake.bodies()
    assert parse(body) == ours


def test_a_run_of_weeks_later_is_believed(fake: FakeGitHub, client: GitHub) -> None:
    fake.add_comment(7, text(Marker(KEY, HEAD, 900_000_000)), BOT)
    ours = Marker(KEY, HEAD, 7)
    assert post(client, 7, ours, says(ours)).outcome is Outcome.SUPERSEDED


@pytest.mark.parametrize("commit", [HEAD, OLD])
def test_a_person_overwrites_what_a_pipeline_wrote(fake: FakeGitHub, client: GitHub, commit: str) -> None:
    pipeline, desk = Marker(KEY, HEAD, 19_000_000_000), Marker(KEY, commit, 0)
    post(client, 7, pipeline, says(pipeline))
    assert post(client, 7, desk, says(desk)).outcome is Outcome.UPDATED
    (body,) = fake.bodies()
    assert parse(body) == desk
