"""A service's log, from a real CloudWatch Logs of the embedded AWS."""

import json
import logging
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from ops.core.checkout import SOURCE
from ops.core.errors import OpsError, UsageError
from ops.local.embedded import Embedded, start_embedded, stop_embedded
from ops.look import logs
from ops.look.logs import LogEvent, clean, readable, short_name
from tests.ops.amending import amending
from tests.ops.conftest import ACCOUNT, REGION, Desk
from webapp.logs import JsonFormatter

pytestmark = pytest.mark.e2e

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GROUP = "/oaktree/dev/web"
TASK_1, TASK_2 = (f"web/web/{digit * 32}" for digit in "12")


@pytest.fixture(scope="module")
def here(embedded: Embedded, desk: Desk) -> Desk:
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture(scope="module")
def client(embedded: Embedded) -> Any:
    return embedded.client("logs", REGION)


@pytest.fixture
def group(client: Any) -> Iterator[str]:
    client.create_log_group(logGroupName=GROUP)
    for stream in (TASK_1, TASK_2):
        client.create_log_stream(logGroupName=GROUP, logStreamName=stream)
    yield GROUP
    client.delete_log_group(logGroupName=GROUP)


def now() -> int:
    return int(time.time() * 1000)


def put(client: Any, stream: str, *events: tuple[int, str]) -> None:
    client.put_log_events(
        logGroupName=GROUP,
        logStreamName=stream,
        logEvents=[{"timestamp": at, "message": message} for at, message in events],
    )


@pytest.mark.parametrize(
    ("since", "ago"),
    [
        ("30s", timedelta(seconds=30)),
        ("15m", timedelta(minutes=15)),
        ("2h", timedelta(hours=2)),
        ("1d", timedelta(days=1)),
        ("2w", timedelta(weeks=2)),
        ("2026-11-23T11:00:00Z", timedelta(hours=1)),
        ("2026-11-23t12:00:00.5+01:00", timedelta(hours=1, seconds=-0.5)),
    ],
)
def test_since_is_how_long_ago_or_a_time(since: str, ago: timedelta) -> None:
    assert logs.start_of(since, NOW) == int((NOW - ago).timestamp() * 1000)


@pytest.mark.parametrize(
    "wrong",
    [
        *("", "15", "m", "0m", "-5m", "15 m", "1y", "1h30m", "9999999m", "yesterday"),
        *("2026-11-23", "2026-11-23T11:00:00", "2026-13-23T11:00:00Z", "2026-11-23T11:00:00+99:00"),
    ],
)
def test_what_is_no_time_is_told_with_what_is(wrong: str) -> None:
    with pytest.raises(UsageError, match=r"is not a time\. Use how long ago, such as 30s, 15m"):
        logs.start_of(wrong, NOW)


def test_a_time_yet_to_come_is_refused() -> None:
    with pytest.raises(UsageError, match="is in the future: it is now 2026-11-23T12:00:00"):
        logs.start_of("2026-11-23T12:00:01Z", NOW)


@given(st.text() | st.from_regex(r"[1-9]\d*[smhdw]", fullmatch=True))
def test_any_since_is_a_time_in_the_past_or_refused(since: str) -> None:
    try:
        start = logs.start_of(since, NOW)
    except UsageError:
        return
    assert 0 <= start <= NOW.timestamp() * 1000


def test_events_of_several_tasks_come_in_the_order_of_time(client: Any, group: str) -> None:
    at = now()
    put(client, TASK_1, (at - 4000, "one"), (at - 2000, "three"))
    put(client, TASK_2, (at - 9000, "before"), (at - 3000, "two"), (at - 1000, "four"))
    found = list(logs.read(client, group, at - 5000))
    assert [event.message for event in found] == ["one", "two", "three", "four"]
    assert found[1].stream == TASK_2
    assert found[1].at == at - 3000


def test_a_group_that_is_not_there_is_told(client: Any) -> None:
    with pytest.raises(OpsError, match=r"There is no log group /oaktree/dev/api\."):
        list(logs.read(client, "/oaktree/dev/api", 0))


def test_following_neither_loses_nor_doubles_what_arrives_late(client: Any, group: str) -> None:
    at = now() - 100_000
    arriving = [
        [(TASK_1, at, "1"), (TASK_2, at + 1000, "2")],
        [],
        [(TASK_1, at + 2000, "4"), (TASK_2, at + 1000, "3, at the same moment")],
        [(TASK_2, at - 30_000, "5, late by 32 s")],
        [(TASK_1, at + 90_000, "6"), (TASK_1, at + 90_000, "6")],
        [(TASK_2, at + 90_000 - logs.OVERLAP, "7, as late as may be")],
    ]
    expected = [message for batch in arriving for _, _, message in sorted(batch, key=lambda each: each[1])]
    expected[2:4] = ["3, at the same moment", "4"]

    def arrive(_: float) -> None:
        for stream, moment, message in arriving.pop(0):
            put(client, stream, (moment, message))

    arrive(0)
    found = logs.follow(client, group, at - 50_000, pytest.fail, pause=arrive)
    assert [event.message for event in islice(found, len(expected))] == expected
    with pytest.raises(IndexError):  # Nothing is left to arrive, and nothing more came of what had.
        next(found)


def test_following_goes_on_when_cloudwatch_can_be_reached_again(embedded: Embedded, group: str) -> None:
    client = embedded.client("logs", REGION)
    put(client, TASK_1, (now(), "1"))
    said: list[str] = []
    waits: list[float] = []
    with amending(embedded.endpoint) as amended:
        through = replace(embedded, endpoint=amended.endpoint).client("logs", REGION)

        def cut(_: Any) -> None:
            raise ConnectionAbortedError

        def pause(seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 1:
                amended.amendments["FilterLogEvents"] = cut
            if len(waits) == 3:
                amended.amendments.clear()
                put(client, TASK_1, (now(), "2"))

        found = logs.follow(through, group, 0, said.append, pause=pause)
        assert [event.message for event in islice(found, 2)] == ["1", "2"]
    assert waits == [logs.INTERVAL, logs.INTERVAL * 2, logs.INTERVAL * 4]
    assert len(said) == 1
    assert said[0].endswith("Trying again.")


def test_following_waits_for_a_cloudwatch_that_is_not_there(embedded: Embedded) -> None:
    class EnoughError(Exception):
        """Ends the test."""

    def pause(_: float) -> None:
        if said:
            raise EnoughError

    said: list[str] = []
    away = replace(embedded, endpoint="http://127.0.0.1:9").client("logs", REGION)
    with pytest.raises(EnoughError):
        next(logs.follow(away, GROUP, 0, said.append, pause=pause))
    assert "Could not connect" in said[0]


def test_following_ends_with_an_error_that_does_not_pass(client: Any, group: str) -> None:
    def expire(_: float) -> None:
        client.meta.events.register("before-call.*", refuse)

    def refuse(**_: object) -> None:
        raise ClientError(
            {"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "FilterLogEvents"
        )

    put(client, TASK_1, (now(), "1"))
    found = logs.follow(client, group, 0, pytest.fail, pause=expire)
    assert next(found).message == "1"
    with pytest.raises(ClientError, match="expired"):
        next(found)
    client.meta.events.unregister("before-call.*", refuse)


def event(message: str, at: int = 1_700_000_000_123, stream: str = TASK_1) -> LogEvent:
    return LogEvent("1", at, stream, message)


def test_a_line_of_the_app_is_shown_with_its_members_behind() -> None:
    line = {
        "time": "2026-11-23T12:00:00.250+01:00",
        "level": "info",
        "logger": "webapp",
        "message": "request",
        "method": "GET",
        "path": "/a b",
        "status": 200,
        "ok": True,
    }
    assert readable(event(json.dumps(line))).plain == (
        '2026-11-23T11:00:00.250Z INFO     11111111 request method=GET path="/a b" status=200 ok=true'
    )


def test_a_traceback_of_the_app_follows_in_lines_of_its_own() -> None:
    try:
        raise ValueError("at work")
    except ValueError:
        record = logging.LogRecord("webapp", logging.ERROR, "f", 1, "it failed", None, sys.exc_info())
    first, *more = readable(event(JsonFormatter().format(record))).plain.splitlines()
    assert first.endswith(" ERROR    11111111 it failed")
    assert more[0] == "    Traceback (most recent call last):"
    assert more[-1] == "    ValueError: at work"


@pytest.mark.parametrize("message", ["plain", "[1]", '{"no": "message"}', '{"message": 1}', '{"message"', ""])
def test_any_other_line_is_shown_as_it_is(message: str) -> None:
    assert readable(event(message)).plain == f"2023-11-14T22:13:20.123Z          11111111 {message}"


def test_nothing_in_a_log_acts_on_the_terminal() -> None:
    evil = "\x1b]0;title\x07\x1b[31mred\r\x9b2J\u202eabc"
    for message in (evil, json.dumps({"message": evil, "level": evil, evil: evil, "exception": evil})):
        assert not set(readable(event(message, stream=evil)).plain) & set("\x1b\x07\r\x9b\u202e")
    assert clean(evil) == r"\x1b]0;title\x07\x1b[31mred\x0d\x9b2J\u202eabc"


@given(
    message=st.text() | st.dictionaries(st.text(), st.text() | st.integers() | st.none()).map(json.dumps),
    at=st.integers(),
)
def test_any_event_can_be_shown(message: str, at: int) -> None:
    assert all(
        line.isprintable() or "\t" in line or not line.isascii()
        for line in readable(event(message, at)).plain.split("\n")
    )


def test_half_a_character_is_shown_as_an_escape() -> None:
    shown = readable(event(r'{"message": "\ud800", "half": "\udfff"}')).plain
    assert shown.endswith(r"\ud800 half=\udfff")
    shown.encode()


def test_a_stream_is_called_by_its_task() -> None:
    assert short_name(TASK_2) == "22222222"
    assert short_name("web/web/6f1c-short") == "web/web/6f1c-short"


def show(desk: Desk, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return desk.run("logs", "--env", "dev", *arguments)


@pytest.mark.usefixtures("group")
def test_the_command_shows_what_was_said_since(here: Desk, client: Any) -> None:
    at = now()
    put(client, TASK_1, (at - 7_200_000, "long ago"), (at - 1000, "[not] markup"))
    done = show(here, "--since", "1h")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("11111111 [not] markup\n")
    assert "long ago" not in done.stdout
    assert "long ago" in show(here, "--since", "1d").stdout


def test_the_command_tells_that_there_is_nothing(here: Desk, group: str) -> None:
    done = show(here)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == f"{group} has no events since 15m.\n"


def test_the_command_tells_what_makes_the_group(here: Desk) -> None:
    done = show(here)
    assert done.returncode == 1
    assert "There is no log group /oaktree/dev/web." in done.stderr


def test_bad_input_is_told_before_aws_is_asked(desk: Desk) -> None:
    done = show(desk, "--since", "soon")
    assert done.returncode == 2
    assert "SINCE=soon is not a time" in done.stderr


@pytest.mark.usefixtures("group")
def test_following_ends_quietly_with_an_interrupt(here: Desk, client: Any) -> None:
    put(client, TASK_1, (now(), "first"))
    directory = str(here.checkout.directory)
    process = subprocess.Popen(
        (sys.executable, "-m", "ops", "logs", "--env", "dev", "--follow", "--directory", directory),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**here.environment, "PYTHONUNBUFFERED": "1"},
        cwd=SOURCE,
    )
    assert process.stdout
    assert "first" in process.stdout.readline()
    put(client, TASK_2, (now(), "second"))
    assert "22222222 second" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130


@pytest.mark.usefixtures("group")
def test_a_reader_that_goes_away_is_no_error(here: Desk, client: Any) -> None:
    at = now()
    put(client, TASK_1, *((at, f"{'long ' * 40}{number}") for number in range(1000)))
    with here.begin("logs", "--env", "dev") as command:
        command.stdout.readline()
        command.stdout.close()
        assert command.stderr.read() == ""
        assert command.wait(timeout=60) == 1


def test_on_the_embedded_aws_of_the_desk_it_is_told_where_the_app_logs(desk: Desk) -> None:
    local = start_embedded(desk.checkout.local, ACCOUNT)
    try:
        local.client("logs", REGION).create_log_group(logGroupName=GROUP)
        there = replace(desk, environment=local.environment(ACCOUNT, REGION, desk.environment))
        said = show(there).stderr
        status = there.run("status", "--env", "dev")
    finally:
        stop_embedded(desk.checkout.local)
    file = desk.checkout.local / "logs" / "app-dev-web.log"
    assert f"On the embedded AWS web logs to {file}, and nothing to {GROUP}." in said
    assert (status.returncode, status.stderr) == (
        0,
        "The embedded AWS starts no tasks and rolls nothing out: `make up` runs the services.\n",
    )
