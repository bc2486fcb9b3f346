"""The commands that tell the status page what is wrong or planned, with the real app behind them."""

import getpass
import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from subprocess import CompletedProcess
from typing import Any

import pytest

from ops.commands import incidents as commands
from ops.core.errors import OpsError, UsageError
from ops.incidents.status_app import StatusApp, checked_token
from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.webapp.announced import environ
from tests.webapp.environment import TOKEN
from tests.webapp.faults import answering
from tests.webapp.processes import App, running_app
from tests.webapp.tables import new_table

OPEN = ("incident", "--title", "Slow answers", "--message", "We look into it.")


@pytest.fixture(scope="module")
def app(embedded: Embedded) -> Iterator[App]:
    """A status app that may write."""
    with running_app(environ(embedded.endpoint, new_table(embedded.endpoint))) as running:
        yield running


@dataclass(frozen=True)
class Teller:
    """Runs the commands against an app; `token` is in the environment."""

    desk: Desk
    app: App
    token: str = TOKEN

    def run(self, *arguments: str) -> "CompletedProcess[str]":
        """Run a command to its end. It never prints the token."""
        environment = {**self.desk.environment, "STATUS_TOKEN": self.token}
        where = ("--env", "dev", "--address", f"http://127.0.0.1:{self.app.port}")
        done = replace(self.desk, environment=environment).run(*arguments, *where)
        assert not self.token or self.token not in done.stdout + done.stderr
        return done

    def works(self, *arguments: str) -> str:
        """What a command prints that works."""
        done = self.run(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout

    def refused(self, *arguments: str, status: int = 2) -> str:
        """What a command says that does not."""
        done = self.run(*arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert "Traceback" not in done.stderr
        return done.stderr

    def read(self, identifier: str) -> dict[str, Any]:
        """An incident, by the API."""
        found: dict[str, Any] = self.app.client.get(f"/api/incidents/{identifier}").json()
        return found


@pytest.fixture
def teller(desk: Desk, app: App) -> Teller:
    """The commands with the right token, and an app without open incidents."""
    headers = {"Authorization": f"Bearer {TOKEN}", "If-Match": "*"}
    for each in app.client.get("/api/incidents?state=open").json()["incidents"]:
        over = {"maintenance": "cancelled", "incident": "resolved"}[each["kind"]]
        url = f"/api/incidents/{each['id']}"
        body = {"state": over, "message": "Over."}
        assert app.client.patch(url, json=body, headers=headers).is_success
    return Teller(desk, app)


def id_in(output: str) -> str:
    found = re.search(r"ID=(\S+)", output)
    assert found
    return found[1]


def hours(number: float) -> str:
    return (datetime.now(UTC) + timedelta(hours=number)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_an_incident_is_opened_once_however_often_the_command_is_repeated(teller: Teller) -> None:
    command = (*OPEN, "--severity", "major", "--components", "services.web, services.worker")
    first = teller.works(*command)
    identifier = id_in(first)
    assert first.splitlines() == [
        "major incident: Slow answers, investigating",
        f"http://127.0.0.1:{teller.app.port}/incidents/{identifier}",
        f"make incident-update ENV=dev ID={identifier} MESSAGE=",
    ]
    found = teller.read(identifier)
    assert (found["severity"], found["components"]) == ("major", ["services.web", "services.worker"])
    again = teller.works(*command)
    assert id_in(again) == identifier
    assert "opened before by the same command, investigating now" in again
    other = teller.works(*command[:-2], "--components", "services.web")
    assert id_in(other) != identifier


def test_the_same_words_open_another_incident_once_the_first_is_over(teller: Teller) -> None:
    command = ("incident", "--title", "Slow once more", "--message", "We look into it.")
    found = []
    for _ in range(3):
        found.append(id_in(teller.works(*command)))
        assert id_in(teller.works(*command)) == found[-1], "while it is open"
        teller.works("incident-update", "--id", found[-1], "--state", "resolved", "--message", "Over.")
    assert len(set(found)) == 3
    times = ("--starts", hours(1), "--ends", hours(2))
    planned = ("maintenance", "--title", "New disks after all", "--message", "Orders wait.", *times)
    first = id_in(teller.works(*planned))
    teller.works("incident-update", "--id", first, "--state", "cancelled", "--message", "No disks.")
    assert id_in(teller.works(*planned)) != first


def test_an_incident_is_updated_resolved_reopened_and_corrected(teller: Teller) -> None:
    identifier = id_in(teller.works(*OPEN, "--severity", "minor", "--components", "services.web"))
    update = ("incident-update", "--id", identifier)
    said = teller.works(*update, "--message", "It is worse.", "--severity", "critical", "--components", "")
    assert said.startswith("critical incident: Slow answers, investigating\n")
    assert teller.works(*update, "--state", "resolved", "--message", "Over.").startswith(
        "critical incident: Slow answers, resolved\n"
    )
    assert "Reopen it first" in teller.refused(*update, "--message", "No.", status=1)
    teller.works(*update, "--state", "investigating", "--message", "Back.", "--title", "Slow again")
    teller.works(*update, "--correct", "2", "--message", "It is much worse.")
    found = teller.read(identifier)
    assert (found["title"], found["components"], found["state"]) == ("Slow again", [], "investigating")
    assert [update["message"] for update in found["updates"]] == [
        "Back.",
        "Over.",
        "It is much worse.",
        "We look into it.",
    ]
    assert found["updates"][2]["corrections"][0]["was"] == "It is worse."


def test_an_update_that_is_repeated_is_said_once(teller: Teller) -> None:
    identifier = id_in(teller.works(*OPEN))
    update = ("incident-update", "--id", identifier, "--message", "We know.", "--state", "identified")
    teller.works(*update)
    assert teller.works(*update) == "Its last update says this already; nothing was sent.\n"
    assert len(teller.read(identifier)["updates"]) == 2


def test_a_maintenance_is_announced_extended_and_cancelled(teller: Teller) -> None:
    command = (
        "maintenance",
        "--title",
        "New disks",
        "--message",
        "Orders wait.",
        "--components",
        "services.web",
    )
    times = ("--starts", hours(1), "--ends", hours(2))
    said = teller.works(*command, *times)
    assert said.startswith("maintenance: New disks, scheduled\n")
    identifier = id_in(said)
    assert id_in(teller.works(*command, *times)) == identifier
    later = hours(3)
    update = ("incident-update", "--id", identifier)
    teller.works(*update, "--ends", later, "--message", "It takes longer.")
    assert teller.read(identifier)["ends_at"] == later
    assert "cancelled" in teller.works(*update, "--state", "cancelled", "--message", "No disks.")


def test_open_incidents_and_maintenances_are_listed_without_a_token(teller: Teller) -> None:
    stranger = replace(teller, token="")
    assert stranger.works("incidents") == "dev has no open incidents and no maintenances.\n"
    slow = id_in(
        teller.works("incident", "--title", "Slow pages", "--message", "m", "--components", "services.web")
    )
    starts, ends = hours(1), hours(2)
    planned = id_in(
        teller.works(
            "maintenance", "--title", "New disks", "--message", "m", "--starts", starts, "--ends", ends
        )
    )
    header, first, second = stranger.works("incidents").splitlines()
    assert header.split() == ["ID", "WHAT", "STATE", "WHEN", "COMPONENTS", "TITLE"]
    assert first.startswith(f"{planned}  maintenance")
    assert f"{starts[:10]} {starts[11:16]} UTC to {ends[:10]} {ends[11:16]} UTC" in first
    assert second.startswith(f"{slow}  minor incident  investigating  since ")
    assert second.rstrip().endswith("services.web  Slow pages")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("incident",), "TITLE=, MESSAGE= are missing."),
        (("incident", "--title", "t", "--message", "  "), "MESSAGE= is missing."),
        (("maintenance", "--title", "t", "--message", "m", "--starts", "x"), "ENDS= is missing."),
        (("incident-update", "--message", "m"), "ID= is missing."),
        (("incident-update", "--id", "x"), "Nothing to change: give MESSAGE=, STATE="),
        (
            ("incident-update", "--id", "x", "--message", "m"),
            "ID=x is not the id of an incident. `make incidents",
        ),
        (("incident-update", "--id", "x", "--correct", "1"), "MESSAGE= is missing."),
        (
            ("incident-update", "--id", "x", "--correct", "1", "--message", "m", "--state", "resolved"),
            "goes with MESSAGE= only",
        ),
        ((*OPEN, "--severity", "worst"), "SEVERITY=: "),
        (
            (*OPEN, "--components", "queues.none"),
            "COMPONENTS=: There is no such component; there are services.web",
        ),
        (("incident", "--title", "a\tb", "--message", "m"), "TITLE=: Expected one line"),
        (
            ("maintenance", "--title", "t", "--message", "m", "--starts", "soon", "--ends", "later"),
            "STARTS=: Expected a time such as 2026-11-23T06:25:00Z",
        ),
        (
            (
                *("maintenance", "--title", "t", "--message", "m"),
                *("--starts", "2020-01-01T00:00:00Z", "--ends", "2020-01-02T00:00:00Z"),
            ),
            "ENDS=: Expected a time in the future",
        ),
        (
            ("incident-update", "--id", "00000000-0000-4000-8000-000000000000", "--message", "m"),
            "There is no such incident. `make incidents ENV=dev` lists the open ones.",
        ),
    ],
)
def test_what_is_wrong_is_said_by_the_name_of_the_option(
    teller: Teller, arguments: tuple[str, ...], said: str
) -> None:
    assert said in teller.refused(*arguments)


def test_a_wrong_token_is_refused_and_never_shown(teller: Teller) -> None:
    wrong = replace(teller, token="not-the-token")
    assert "refuses the token: STATUS_TOKEN has to be the one" in wrong.refused(*OPEN, status=1)
    for odd in ("two words", "täken", "a\nb"):
        done = replace(teller, token=odd).refused(*OPEN)
        assert "STATUS_TOKEN is not a token" in done
    assert "STATUS_TOKEN is missing" in replace(teller, token="").refused(*OPEN)
    assert TOKEN not in repr(StatusApp("dev", "https://status.example.com", TOKEN))


def test_where_writing_is_off_it_says_where_to_read_on(desk: Desk, embedded: Embedded) -> None:
    variables = environ(embedded.endpoint, new_table(embedded.endpoint))
    del variables["WRITE_TOKEN_SHA256"]
    with running_app(variables) as app:
        assert 'docs/app.md, "Incidents", says how to set one.' in Teller(desk, app).refused(*OPEN, status=1)


def test_the_token_is_asked_for_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STATUS_TOKEN", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda _prompt: f" {TOKEN}\n")
    assert commands._token("") == TOKEN

    def nobody(_prompt: str) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", nobody)
    with pytest.raises(OpsError, match="Nobody answered"):
        commands._token("")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    with pytest.raises(UsageError, match=r"is missing: export the token that may write\. At"):
        commands._token(" At this desk")


def test_the_token_goes_over_plain_http_only_to_this_machine_or_where_the_settings_accept_it() -> None:
    new = {"title": "t", "message": "m"}
    with pytest.raises(UsageError, match="plain HTTP: others could read the token"):
        StatusApp("dev", "http://status.invalid", TOKEN).open(new)
    with pytest.raises(OpsError, match=r"http://status\.invalid does not answer"):
        StatusApp("dev", "http://status.invalid", TOKEN, plain_http=True).open(new)


@contextmanager
def environment_other(desk: Desk, before: str, after: str) -> Iterator[None]:
    """Another environment, as dev but for a part of its settings."""
    settings = (desk.checkout.environments / "dev.toml").read_text().replace("10.10.0.0", "10.20.0.0")
    file = desk.checkout.environments / "other.toml"
    file.write_text(settings.partition(before)[0] + after)
    try:
        yield
    finally:
        file.unlink()


def test_an_address_is_that_of_the_domain_without_asking_aws(desk: Desk) -> None:
    domain = 'domain = "status.example.invalid"\nhosted_zone = "example.invalid"\nload_balancer = "own"'
    with environment_other(desk, "token_over_http", domain):
        done = desk.run("incidents", "--env", "other")
    assert done.returncode == 1
    assert "https://status.example.invalid does not answer" in done.stderr


def test_an_address_is_that_of_the_load_balancer_where_there_is_no_domain(
    desk: Desk, embedded: Embedded
) -> None:
    here = replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))
    done = here.run("incidents", "--env", "dev")
    assert done.returncode == 1
    assert "does not exist yet. Deploy first, or give the address of web: ADDRESS=" in done.stderr


def test_at_a_desk_an_address_is_that_of_the_app_that_runs_there(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Here:
        """What `make up` has started."""

        def state(self, service: str) -> str:
            return f"{service} runs on this machine"

        def address(self, service: str) -> str:
            return f"http://127.0.0.1:8080/{service}"

    monkeypatch.setattr(commands, "stand_in", lambda *_: Here())
    monkeypatch.delenv("STATUS_TOKEN", raising=False)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    found = commands._status_app(desk.checkout.directory, "dev", "", writing=False)
    assert (found.address, found.token) == ("http://127.0.0.1:8080/web", "")
    with pytest.raises(UsageError, match=r"At this desk: STATUS_TOKEN=\$\(cat .+/write-token\)"):
        commands._status_app(desk.checkout.directory, "dev", "", writing=True)


def test_an_environment_without_a_status_app_is_told(desk: Desk) -> None:
    with environment_other(desk, "[services.web]", '[services.api]\ndockerfile = "Dockerfile"'):
        done = desk.run("incidents", "--env", "other")
    assert done.returncode == 2
    assert 'other has no status app: no service of the kind "status"' in done.stderr


@pytest.mark.parametrize(
    ("status", "content", "said"),
    [
        (200, b"<html>", "does not answer as a status app does"),
        (200, b"[]", "does not answer as a status app does"),
        (200, b"{}", "does not answer as a status app does"),
        (200, b'{"incidents": {}, "next": 1}', "does not answer as a status app does"),
        (200, b'{"incidents": [{"id": "1"}], "next": null}', "does not answer as a status app does"),
        (502, b"<html>", "answers 502, and not as a status app does"),
        (503, json.dumps({"detail": "Try\x1b[2J again."}).encode(), "Try [2J again."),
    ],
)
def test_an_answer_of_something_else_is_told(status: int, content: bytes, said: str) -> None:
    with answering(status, content) as server, pytest.raises(OpsError) as failed:
        [*StatusApp("dev", server.url).list_open()]
    assert said in str(failed.value)


INCIDENT = {
    "id": "1\x1b[2J",
    "kind": "incident\x1b[2J",
    "title": "Slow\x1b[2J",
    "state": "investigating\x1b[2J",
    "severity": None,
    "components": [],
    "opened_at": "2026-11-23T06:25:00Z",
    "starts_at": None,
    "ends_at": None,
    "updates": [{"message": "m"}],
}


@pytest.mark.parametrize(
    "broken",
    [
        *({name: INCIDENT[name] for name in INCIDENT if name != left} for left in INCIDENT),
        INCIDENT | {"updates": []},
    ],
)
def test_an_incident_without_what_it_has_to_have_is_told(broken: dict[str, object]) -> None:
    identifier = "00000000-0000-4000-8000-000000000000"
    with answering(200, json.dumps(broken).encode()) as server:
        app = StatusApp("dev", server.url, TOKEN)
        for act in (
            lambda: app.open({"title": "t"}),
            lambda: app.change(identifier, {"message": "m"}),
            lambda: app.correct(identifier, 1, "m"),
        ):
            with pytest.raises(OpsError, match="does not answer as a status app does"):
                act()


def test_nothing_of_an_answer_controls_the_terminal(desk: Desk) -> None:
    environment = {**desk.environment, "STATUS_TOKEN": TOKEN}
    here = replace(desk, environment=environment)
    with answering(201, json.dumps(INCIDENT).encode()) as server:
        opened = here.run(*OPEN, "--env", "dev", "--address", server.url)
    assert opened.returncode == 0
    assert "/incidents/1 [2J" in opened.stdout
    with answering(200, json.dumps({"incidents": [INCIDENT], "next": None}).encode()) as server:
        listed = here.run("incidents", "--env", "dev", "--address", server.url)
    assert "Slow [2J" in listed.stdout
    refused = {"detail": "no", "errors": [{"pointer": "/\x1b[2J", "detail": "wrong"}]}
    with answering(422, json.dumps(refused).encode()) as server:
        failed = here.run(*OPEN, "--env", "dev", "--address", server.url)
    assert "\x1b" not in opened.stdout + listed.stdout + failed.stderr


@pytest.mark.parametrize("token", ["", "a b", "=", "a=b", "é"])
def test_what_can_be_no_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(UsageError, match="is not a token"):
        checked_token(token)
