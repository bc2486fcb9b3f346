"""The client against a GitHub on the loopback: what works, what goes wrong, and what is not told."""

import logging
import socket
import traceback
from collections.abc import Iterator

import pytest

from review.github import BodyTooLongError, Comment, GitHub, GitHubError, Issue
from review.github.errors import UnconfirmedError
from review.github.requests import Requests
from tests.review.fake_github import BOT, REPOSITORY, TOKEN, FakeGitHub, Trouble, running_github

HEAD = "0123456789abcdef0123456789abcdef01234567"
NOW = 1_700_000_000.0


class Desk:
    """A client whose time passes only by sleeping."""

    def __init__(self, fake: FakeGitHub, repository: str = REPOSITORY, **environ: str) -> None:
        self.slept: list[float] = []
        self.requests = Requests(
            fake.environ | environ,
            sleep=self.slept.append,
            clock=lambda: NOW + sum(self.slept),
            jitter=lambda: 0.5,
        )
        self.client = GitHub(self.requests, repository)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with running_github() as running:
        running.heads[7] = HEAD
        yield running


@pytest.fixture
def desk(fake: FakeGitHub) -> Iterator[Desk]:
    desk = Desk(fake)
    with desk.client:
        yield desk


def never(_: Comment | Issue) -> bool:
    return False


def test_it_reads_writes_and_deletes(fake: FakeGitHub, desk: Desk) -> None:
    assert desk.client.pull_request(7).head_commit == HEAD
    created = desk.client.create_comment(7, "Hello, ☂", never)
    assert desk.client.comments(7) == (created,)
    assert (created.body, created.author) == ("Hello, ☂", BOT)
    assert desk.client.update_comment(created.id, "Bye").body == "Bye"
    desk.client.delete_comment(created.id)
    desk.client.delete_comment(created.id)
    assert fake.comments == []
    assert desk.slept == []


def test_every_request_says_who_asks_for_which_version(fake: FakeGitHub, desk: Desk) -> None:
    desk.client.pull_request(7)
    (received,) = fake.received
    headers = {name.casefold(): value for name, value in received.headers.items()}
    assert headers["accept"] == "application/vnd.github+json"
    assert headers["x-github-api-version"] == "2022-11-28"
    assert headers["user-agent"] == "oaktree-review"


def test_the_client_is_made_of_the_environment_alone(fake: FakeGitHub) -> None:
    with GitHub.of(fake.environ, REPOSITORY) as client:
        assert client.pull_request(7).number == 7


def test_all_pages_are_read_in_order(fake: FakeGitHub, desk: Desk) -> None:
    for number in range(250):
        fake.add_comment(7, str(number))
    fake.comments.reverse()
    assert [comment.body for comment in desk.client.comments(7)] == [str(number) for number in range(250)]
    assert len(fake.received) == 3


@pytest.mark.parametrize(
    "address", ["https://elsewhere.test/page", "http://127.0.0.1:1/page", "/page", "http://[", "https://x:y/"]
)
def test_a_next_page_on_another_host_is_not_asked_for(fake: FakeGitHub, desk: Desk, address: str) -> None:
    fake.trouble.append(Trouble(200, [], {"link": f'<{address}>; rel="next"'}))
    with pytest.raises(GitHubError, match="next page"):
        desk.client.comments(7)
    assert len(fake.received) == 1


def test_a_comment_of_a_deleted_account_and_an_empty_body_are_read(fake: FakeGitHub, desk: Desk) -> None:
    fake.add_comment(7, "ghost", login=None)
    fake.trouble.append(None)
    assert [comment.author for comment in desk.client.comments(7)] == [""]
    fake.trouble.append(Trouble(200, [{"id": 1, "body": None, "user": None}]))
    assert desk.client.comments(7) == (Comment(id=1),)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_error_is_retried_with_growing_pauses(fake: FakeGitHub, desk: Desk, status: int) -> None:
    fake.trouble.extend([Trouble(status)] * 4)
    assert desk.client.pull_request(7).number == 7
    assert desk.slept == [1.25, 2.5, 5.0, 10.0]


def test_the_fifth_server_error_is_told(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.extend([Trouble(503)] * 5)
    with pytest.raises(GitHubError, match="status 503, 5 times in a row") as raised:
        desk.client.pull_request(7)
    assert raised.value.status == 503
    assert len(fake.received) == 5


@pytest.mark.parametrize("drop", ["before the work", "after the work"])
def test_a_lost_connection_is_retried(fake: FakeGitHub, desk: Desk, drop: str) -> None:
    comment = fake.add_comment(7, "old")
    fake.trouble.append(Trouble(drop="before the work" if drop == "before the work" else "after the work"))
    assert desk.client.update_comment(comment["id"], "new").body == "new"
    fake.trouble.append(Trouble(drop="after the work"))
    desk.client.delete_comment(comment["id"])
    assert fake.comments == []


def test_nobody_there_is_told(fake: FakeGitHub) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        desk = Desk(fake, GITHUB_API_URL=f"http://127.0.0.1:{taken.getsockname()[1]}")
        with desk.client, pytest.raises(GitHubError, match="cannot reach GitHub to comment") as raised:
            desk.client.create_comment(7, "x", never)
    assert raised.value.status is None
    assert len(desk.slept) == 4


@pytest.mark.parametrize("trouble", [Trouble(502), Trouble(drop="after the work")], ids=["502", "lost"])
def test_a_comment_that_was_made_unseen_is_found_and_not_made_again(
    fake: FakeGitHub, desk: Desk, trouble: Trouble
) -> None:
    fake.trouble.append(trouble)
    if trouble.drop is None:
        fake.add_comment(7, "mine")
    made = desk.client.create_comment(7, "mine", lambda comment: comment.body == "mine")
    assert made.body == "mine"
    assert fake.bodies() == ["mine"]
    assert len(fake.calls("POST")) == 1


def test_a_comment_that_was_not_made_is_made_at_the_next_attempt(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.extend([Trouble(drop="before the work"), None, Trouble(500), None])
    desk.client.create_comment(7, "mine", lambda comment: comment.body == "mine")
    assert fake.bodies() == ["mine"]
    assert [each.method for each in fake.received] == ["POST", "GET", "POST", "GET", "POST"]
    assert desk.slept == [1.25, 2.5]


def test_a_create_that_never_works_is_told(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.extend([Trouble(500), None] * 5)
    with pytest.raises(UnconfirmedError, match="trouble to comment on pull request 7"):
        desk.client.create_comment(7, "mine", lambda comment: comment.body == "mine")
    assert len(fake.calls("POST")) == 5


def test_a_used_up_rate_limit_is_waited_for(fake: FakeGitHub, desk: Desk) -> None:
    reset = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 40)}
    fake.trouble.extend(
        [Trouble(403, {"message": "API rate limit exceeded"}, reset), Trouble(429, None, reset)]
    )
    desk.client.create_comment(7, "x", never)
    assert desk.slept == [41.0, 1.0]
    assert fake.bodies() == ["x"]


@pytest.mark.parametrize(
    ("trouble", "seconds"),
    [
        (Trouble(403, None, {"retry-after": "30"}), 30.0),
        (Trouble(429, None, {"retry-after": "0"}), 1.0),
        (Trouble(429), 60.0),
        (Trouble(403, {"message": "You have exceeded a secondary rate limit."}), 60.0),
        (Trouble(403, None, {"x-ratelimit-remaining": "0"}), 60.0),
    ],
)
def test_a_secondary_rate_limit_is_waited_for(
    fake: FakeGitHub, desk: Desk, trouble: Trouble, seconds: float
) -> None:
    fake.trouble.append(trouble)
    desk.client.pull_request(7)
    assert desk.slept == [seconds]


def test_a_rate_limit_that_takes_too_long_is_told(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.extend([Trouble(429), Trouble(429, None, {"retry-after": "0"}), Trouble(429)])
    with pytest.raises(GitHubError, match=r"takes 60 s .* at most 59 s are waited") as raised:
        desk.client.pull_request(7)
    assert raised.value.status == 429
    assert desk.slept == [60.0, 1.0]


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (301, "renamed or moved"),
        (307, "renamed or moved"),
        (308, "renamed or moved"),
        (401, "does not accept GITHUB_TOKEN"),
        (403, "needs the permission `pull-requests: write`"),
        (404, "does not exist, or GITHUB_TOKEN may not see it"),
        (410, "was deleted"),
        (418, "status 418"),
        (422, "does not take what was sent"),
    ],
)
def test_a_refusal_is_told_in_words(fake: FakeGitHub, desk: Desk, status: int, words: str) -> None:
    headers = {"location": "https://elsewhere.test/"} if status < 400 else {}
    fake.trouble.append(Trouble(status, {"message": f"Its words\nof {status}"}, headers))
    with pytest.raises(GitHubError) as raised:
        desk.client.create_comment(7, "x", never)
    assert words in str(raised.value)
    assert "comment on pull request 7 in example/oaktree" in str(raised.value) or status == 401
    assert str(raised.value).endswith(f'GitHub says: "Its words of {status}"')
    assert raised.value.status == status
    assert type(raised.value) is GitHubError
    assert len(fake.received) == 1


def test_what_reading_needs_is_the_permission_to_read(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.append(Trouble(403))
    with pytest.raises(GitHubError, match="`pull-requests: read`"):
        desk.client.comments(7)
    fake.trouble.append(Trouble(403))
    with pytest.raises(GitHubError, match="`issues: write`"):
        desk.client.close_issue(1)


def test_a_text_that_is_too_long_is_told_apart(fake: FakeGitHub, desk: Desk) -> None:
    with pytest.raises(BodyTooLongError, match="maximum is 65536") as raised:
        desk.client.create_comment(7, "x" * 65_537, never)
    assert raised.value.status == 422
    fake.trouble.append(Trouble(413, raw=b"<html>Request Entity Too Large</html>"))
    with pytest.raises(BodyTooLongError):
        desk.client.update_comment(1, "x")


@pytest.mark.parametrize(
    "trouble",
    [
        Trouble(200, raw=b"<html>A proxy's page</html>"),
        Trouble(200, raw=b"\xff\xfe{"),
        Trouble(200, raw=b""),
        Trouble(200, "text"),
        Trouble(200, [1]),
        Trouble(200, {"number": 7}),
        Trouble(200, {"number": 7, "head": {"sha": "not a commit"}}),
        Trouble(200, {"number": "7", "head": {"sha": HEAD}}),
    ],
)
def test_an_answer_of_another_form_is_told(fake: FakeGitHub, desk: Desk, trouble: Trouble) -> None:
    fake.trouble.append(trouble)
    with pytest.raises(GitHubError, match="is GITHUB_API_URL right"):
        desk.client.pull_request(7)
    for content in ({"id": 1}, [1], [{"id": "1"}]):
        fake.trouble.extend([Trouble(200, content)] * 2)
        with pytest.raises(GitHubError, match="is GITHUB_API_URL right"):
            desk.client.comments(7)
        with pytest.raises(GitHubError, match="is GITHUB_API_URL right"):
            desk.client.open_issues("drift")


@pytest.mark.parametrize(
    "content", [None, [], "x", {"message": 1}, {"message": "x" * 999, "errors": [{}, 1, "y"]}]
)
def test_an_error_of_any_form_is_told_shortly(fake: FakeGitHub, desk: Desk, content: object) -> None:
    fake.trouble.append(Trouble(422, content))
    with pytest.raises(GitHubError) as raised:
        desk.client.pull_request(7)
    assert len(str(raised.value)) < 450


@pytest.mark.parametrize(
    "address",
    [
        "http://github.test",
        "http://10.0.0.1:8080",
        "http://127.0.0.1.github.test",
        "https://somebody@github.test",
        "https://github.test/?a=b",
        "https://github.test/#a",
        "ftp://github.test",
        "https://",
        "https://github.test:port",
        "github.test",
    ],
)
def test_the_token_goes_nowhere_unencrypted_or_odd(address: str) -> None:
    with pytest.raises(GitHubError, match="GITHUB_API_URL must"):
        Requests({"GITHUB_API_URL": address, "GITHUB_TOKEN": TOKEN})


@pytest.mark.parametrize(
    "address", ["", "https://github.test/api/v3/", "http://localhost:1", "http://[::1]:1"]
)
def test_an_encrypted_address_or_the_loopback_is_taken(address: str) -> None:
    with Requests({"GITHUB_API_URL": address, "GITHUB_TOKEN": TOKEN}):
        pass


@pytest.mark.parametrize(
    "repository", ["", "oaktree", "a/b/c", "a/..", "a/.", "../b", "a b/c", "a/b?c", "a/b\n"]
)
def test_a_repository_has_an_owner_and_a_name(fake: FakeGitHub, repository: str) -> None:
    with pytest.raises(GitHubError, match="owner/name"):
        Desk(fake, repository)


@pytest.mark.parametrize("text", ["", "  \n", "two words", "ümlaut", "line\nbreak"])
def test_what_is_no_token_is_told_without_quoting_it(text: str) -> None:
    with pytest.raises(GitHubError, match="GITHUB_TOKEN is") as raised:
        Requests({"GITHUB_TOKEN": text})
    assert not text.strip() or text not in str(raised.value)


def test_a_line_break_behind_the_token_is_no_part_of_it(fake: FakeGitHub) -> None:
    desk = Desk(fake, GITHUB_TOKEN=TOKEN + "\n")
    with desk.client:
        assert desk.client.pull_request(7).number == 7


def test_the_token_is_in_no_log_error_or_representation(
    fake: FakeGitHub, desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = [repr(desk.client), repr(desk.requests), repr(vars(desk.client))]
    fake.trouble.extend([None, Trouble(drop="before the work"), None])
    desk.client.comments(7)
    desk.client.create_comment(7, "x", never)
    echo = Trouble(422, {"message": f"Bad header: Bearer {TOKEN}"})
    for trouble in (Trouble(401), echo, Trouble(429, None, {"retry-after": "999"}), Trouble(200, raw=b"no")):
        fake.trouble.append(trouble)
        with pytest.raises(GitHubError) as raised:
            desk.client.create_comment(7, "x", never)
        told += [repr(raised.value), "".join(traceback.format_exception(raised.value))]
    assert "HTTP Request: GET" in caplog.text
    assert "send_request_headers" in caplog.text
    assert any("Bearer ***" in text for text in told)
    told += [caplog.text, *(repr(vars(record)) for record in caplog.records)]
    assert [text for text in told if TOKEN in text] == []


def test_issues_are_opened_found_updated_and_closed(fake: FakeGitHub, desk: Desk) -> None:
    fake.add_issue("a pull request", "", ["drift & more"], pull_request={})
    fake.add_issue("of others", "", ["bug"])
    opened = desk.client.create_issue("Drift", "<!-- m -->", ["drift & more", "dev"], never)
    assert desk.client.open_issues("drift & more") == (opened,)
    assert desk.client.update_issue(opened.number, "Drift", "more of it").body == "more of it"
    desk.client.close_issue(opened.number)
    assert desk.client.open_issues("drift & more") == ()
    assert fake.issues[-1]["state_reason"] == "completed"


def test_an_issue_that_was_opened_unseen_is_not_opened_again(fake: FakeGitHub, desk: Desk) -> None:
    fake.trouble.append(Trouble(drop="after the work"))
    opened = desk.client.create_issue("Drift", "<!-- m -->", ["drift"], lambda issue: "<!-- m" in issue.body)
    assert [issue["number"] for issue in fake.issues] == [opened.number]
