"""Answers made once: in which coding, whether the client has them already, and for how long they are kept."""

import asyncio
import gzip
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from tests.webapp.environment import TABLE_ID
from tests.webapp.processes import App
from webapp.board import Board
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.endpoints.page import URLS
from webapp.prepared import WORTH_COMPRESSING, PerSnapshot, Prepared, accepts_gzip, is_among

LONG = b"a" * WORTH_COMPRESSING
WEIGHTS = st.integers(0, 1000).map(lambda thousandths: thousandths / 1000)
CODINGS = st.dictionaries(st.sampled_from(["gzip", "identity", "br", "*"]), WEIGHTS)
TAGS = st.from_regex(r'\A"[!#-~]*"\Z')


def answered(prepared: Prepared, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of the answer to a request with these headers."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    given = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(prepared({"type": "http", "method": "GET", "headers": given}, receive, send))
    start, body = sent
    names = {name.decode(): value.decode() for name, value in start["headers"]}
    assert len(names) == len(start["headers"])
    return start["status"], names, body["body"]


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("", False),
        ("gzip", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip, deflate, br", True),
        (" ,gzip ; q=0.5 ,", True),
        ("*", True),
        ("*;q=0", False),
        ("gzip;q=0", False),
        ("gzip;q=0.000, *", False),
        ("br", False),
        ("identity", False),
        ("identity, gzip;q=0.5", False),
        ("identity;q=0.5, gzip;q=0.5", True),
        ("gzip;q=1.1", False),
        ("gzip;q=", False),
        ("gzip gzip", False),
    ],
)
def test_a_client_says_whether_it_wants_gzip(value: str, wanted: bool) -> None:
    assert accepts_gzip(value.encode()) is wanted


@given(CODINGS)
def test_gzip_is_sent_to_who_wants_it_at_least_as_much_as_no_coding(weights: dict[str, float]) -> None:
    value = ", ".join(f"{coding};q={weight:.3f}" for coding, weight in weights.items())
    gzip_weight = weights.get("gzip", weights.get("*", 0))
    assert accepts_gzip(value.encode()) is (0 < gzip_weight >= weights.get("identity", 0))


@given(st.binary(max_size=60))
def test_any_bytes_may_be_sent_instead_of_a_list(value: bytes) -> None:
    assert accepts_gzip(value) in {True, False}
    assert is_among(b'"a"', value) in {True, False}


@given(st.lists(st.tuples(st.booleans(), TAGS)), TAGS)
def test_a_tag_is_among_those_of_the_client_whether_weak_or_not(
    tags: list[tuple[bool, str]], one: str
) -> None:
    value = ", ".join(f"W/{tag}" if weak else tag for weak, tag in tags).encode()
    assert is_among(one.encode(), value) is (one in {tag for _, tag in tags})
    assert is_among(one.encode(), b" * ")


def test_a_long_content_is_compressed_for_who_wants_it() -> None:
    prepared = Prepared(LONG, "text/plain")
    status, plain, content = answered(prepared)
    assert (status, content, plain["vary"]) == (200, LONG, "accept-encoding")
    assert "content-encoding" not in plain
    status, packed, compressed = answered(prepared, accept_encoding="gzip")
    assert (status, gzip.decompress(compressed), packed["content-encoding"]) == (200, LONG, "gzip")
    assert (plain["content-length"], packed["content-length"]) == (str(len(LONG)), str(len(compressed)))
    assert plain["etag"] != packed["etag"]
    assert re.fullmatch('"[0-9a-f]{16}"', plain["etag"])


def test_a_short_content_is_sent_as_it_is() -> None:
    _, headers, content = answered(Prepared(LONG[1:], "text/plain"), accept_encoding="gzip")
    assert content == LONG[1:]
    assert not {"vary", "content-encoding"} & headers.keys()


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_who_has_the_content_does_not_get_it_again(encoding: str) -> None:
    prepared = Prepared(LONG, "text/plain", cache_control="no-cache")
    _, headers, _ = answered(prepared, accept_encoding=encoding)
    tag = headers["etag"]
    for value in (tag, f'"other", W/{tag}', "*"):
        unmodified = answered(prepared, accept_encoding=encoding, if_none_match=value)
        kept = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        assert unmodified == (304, kept, b"")
    assert answered(prepared, accept_encoding=encoding, if_none_match='"other"')[0] == 200


def test_a_content_is_made_once_for_a_snapshot_and_when_time_changes_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [datetime.now(UTC)]
    monkeypatch.setattr("webapp.prepared.utc_now", lambda: now[0])
    board, hour = Board((), now[0]), timedelta(hours=1)
    turn = now[0] + hour
    answer = PerSnapshot(board, lambda at: str(at).encode(), lambda _: turn, "text/plain")
    first = answer.get()
    now[0] += hour - timedelta(seconds=1)
    assert answer.get() is first
    now[0] += timedelta(seconds=1)
    turn += hour
    second = answer.get()
    assert second is not first
    board.put_open_incidents(())
    third = answer.get()
    assert third is not second
    now[0] -= hour
    assert answer.get() is not third


@pytest.mark.parametrize("path", ["/", STATUS_PATH, URLS["page.css"]])
def test_pages_documents_and_assets_are_compressed_and_sent_once(app: App, path: str) -> None:
    with app.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as answer:
        compressed = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert len(compressed) == int(answer.headers["content-length"])
    assert len(gzip.decompress(compressed)) > 2 * len(compressed)


def test_an_asset_that_the_client_has_is_not_sent_again(app: App) -> None:
    url = URLS["page.css"]
    first = app.client.get(url)
    for method in ("GET", "HEAD"):
        again = app.client.request(method, url, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["cache-control"] == first.headers["cache-control"]
        assert "content-length" not in again.headers


def test_head_answers_as_get_without_the_content(app: App) -> None:
    head, get = (app.client.request(method, URLS["page.js"]) for method in ("HEAD", "GET"))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "content-encoding", "vary"):
        assert head.headers[name] == get.headers[name]


def test_a_document_may_be_kept_if_it_is_asked_for_again_before_use(app: App) -> None:
    for path in ("/", STATUS_PATH):
        assert app.client.get(path).headers["cache-control"] == "no-cache"
    for path in (HEALTH_PATH, f"{STATUS_PATH}/{TABLE_ID}"):
        assert app.client.get(path).headers["cache-control"] == "no-store"
