"""Maintenances, reopening, corrections, past incidents and the feed, over real HTTP."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.webapp import announced
from tests.webapp.announced import ATOM, HOUR, NEW, NOW, environ, open_one, patch, post, read_xml, refused
from tests.webapp.environment import ALARMS_ID, IDS, WATCHED
from tests.webapp.furnishing import aws
from tests.webapp.processes import App, running_app
from tests.webapp.tables import new_table, with_table
from webapp.board import Board
from webapp.components import COMPONENTS
from webapp.contract import STATUS_PATH
from webapp.endpoints.feed import FEED_PATH
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.incidents.models import Incident
from webapp.incidents.store import (
    FORGOTTEN_AFTER,
    MOST_OPEN,
    Wanted,
    create_incident,
    list_incidents,
    read_incident,
    read_open_incidents,
    refresh_open_incidents,
)
from webapp.table import Keys, item_of
from webapp.table_client import TableClient

FORMER_ID = "01a20714-4a60-7000-8000-000000000000"
FORMER: Any = {
    "id": FORMER_ID,
    "version": 2,
    "title": "Slow",
    "state": "identified",
    "services": ["dynamodb", "ecs"],
    "opened_at": "2026-11-23T06:25:00.123456Z",
    "updated_at": "2026-11-23T06:30:00Z",
    "updates": [
        {"at": "2026-11-23T06:30:00Z", "state": "identified", "message": "A task leaks."},
        {"at": "2026-11-23T06:25:00.123456Z", "state": "investigating", "message": "We look into it."},
    ],
}
"""An incident as it was written before there were components, severities and maintenances."""


@pytest.fixture(scope="module")
def table(serial_aws: str) -> str:
    """The table of the desk."""
    return new_table(serial_aws)


@pytest.fixture(scope="module")
def desk(serial_aws: str, table: str) -> Iterator[App]:
    """An app that may write, with a table of its own."""
    with running_app(environ(serial_aws, table)) as app:
        yield app


def plan(starts: timedelta, ends: timedelta, **members: Any) -> dict[str, Any]:
    """The body that announces a maintenance so long from now."""
    now = datetime.now(UTC)
    times = {"starts_at": (now + starts).isoformat(), "ends_at": (now + ends).isoformat()}
    return {"kind": "maintenance", "title": "New disks", "message": "Orders wait.", **times, **members}


def listed(app: App, **query: Any) -> list[str]:
    """The ids of all pages of a list."""
    answer = app.client.get(INCIDENTS_PATH, params=query)
    found: list[str] = []
    while True:
        assert answer.status_code == 200, answer.text
        found += [incident["id"] for incident in answer.json()["incidents"]]
        if "next" not in answer.links:
            return found
        answer = app.client.get(answer.links["next"]["url"])


def test_a_maintenance_is_announced_extended_and_finished_early(desk: App) -> None:
    made = post(desk, plan(-HOUR, HOUR, components=["services.web"]))
    assert made.status_code == 201, made.text
    first = made.json()
    assert (first["kind"], first["state"], first["severity"]) == ("maintenance", "in_progress", None)
    assert datetime.fromisoformat(first["starts_at"]) < datetime.fromisoformat(first["opened_at"])
    path = made.headers["location"]
    assert desk.client.get(path).json() == first
    later = datetime.now(UTC).replace(microsecond=0) + 3 * HOUR
    longer = patch(desk, path, {"ends_at": later.isoformat(), "message": "It takes longer."}, '"1"').json()
    assert datetime.fromisoformat(longer["ends_at"]) == later
    over = patch(desk, path, {"state": "completed", "message": "Done."}, '"2"').json()
    assert (over["state"], over["resolved_at"]) == ("completed", over["updated_at"])
    assert "nothing of it changes any more" in refused(patch(desk, path, {"title": "t"}), 409)


def test_a_scheduled_maintenance_is_open_until_it_is_cancelled(desk: App) -> None:
    path = post(desk, plan(HOUR, 2 * HOUR)).headers["location"]
    identifier = path.rpartition("/")[2]
    assert desk.client.get(path).json()["state"] == "scheduled"
    assert identifier in listed(desk, state="open")
    assert identifier not in listed(desk, state="resolved")
    assert patch(desk, path, {"state": "cancelled", "message": "No disks."}).json()["state"] == "cancelled"
    assert identifier not in listed(desk, state="open")
    assert identifier in listed(desk, state="resolved")


@pytest.mark.parametrize(
    ("starts", "ends", "members", "pointer"),
    [
        (2 * HOUR, HOUR, {}, "/ends_at"),
        (-2 * HOUR, -HOUR, {}, "/ends_at"),
        (HOUR, timedelta(days=31), {}, "/ends_at"),
        (HOUR, 2 * HOUR, {"ends_at": "tomorrow"}, "/ends_at"),
        (HOUR, 2 * HOUR, {"starts_at": 5}, "/starts_at"),
        (HOUR, 2 * HOUR, {"severity": "minor"}, ""),
        (HOUR, 2 * HOUR, {"kind": "incident"}, ""),
        (HOUR, 2 * HOUR, {"title": "New\u0000disks"}, "/title"),
        (HOUR, 2 * HOUR, {"components": ["services.web", "queues.none"]}, "/components/1"),
    ],
)
def test_a_maintenance_that_does_not_fit_is_pointed_at(
    desk: App, starts: timedelta, ends: timedelta, members: dict[str, Any], pointer: str
) -> None:
    answer = post(desk, plan(starts, ends, **members))
    assert refused(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_what_an_incident_does_not_have_is_pointed_at(desk: App) -> None:
    body = {"ends_at": (datetime.now(UTC) + HOUR).isoformat(), "message": "m"}
    answer = patch(desk, open_one(desk), body)
    assert refused(answer, 422)
    assert answer.json()["errors"] == [{"pointer": "/ends_at", "detail": "An incident has no planned end."}]


def test_an_incident_is_reopened_and_open_again_everywhere(desk: App) -> None:
    path = open_one(desk)
    identifier = path.rpartition("/")[2]
    before = desk.client.get(STATUS_PATH).json()["open_incidents"]
    patch(desk, path, {"state": "resolved", "message": "Over."})
    assert identifier not in listed(desk, state="open")
    again = patch(desk, path, {"state": "investigating", "message": "It is back."}, '"2"').json()
    assert (again["state"], again["resolved_at"], len(again["updates"])) == ("investigating", None, 3)
    assert identifier in listed(desk, state="open")
    assert identifier not in listed(desk, state="resolved")
    assert desk.client.get(STATUS_PATH).json()["open_incidents"] == before


def test_reopening_needs_room_among_the_open_ones(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with running_app(environ(serial_aws, name)) as app:
        path = open_one(app)
        patch(app, path, {"state": "resolved", "message": "Over."})

        async def fill(table: TableClient) -> None:
            for number in range(MOST_OPEN):
                await create_incident(table, announced.incident(number), None)

        with_table(serial_aws, name, fill)
        answer = patch(app, path, {"state": "investigating", "message": "Back."})
        assert str(MOST_OPEN) in refused(answer, 409)
        assert app.client.get(path).json()["state"] == "resolved"


def test_an_update_is_corrected_and_what_it_said_stays_visible(desk: App) -> None:
    path = open_one(desk)
    patch(desk, path, {"state": "resolved", "message": "Over at 7."})
    url = f"{path}/updates/2"
    body = {"message": "Over at 8."}
    assert refused(patch(desk, url, body, if_match=None), 428)
    assert refused(patch(desk, url, body, '"1"'), 412)
    corrected = patch(desk, url, body, '"2"')
    assert (corrected.status_code, corrected.headers["etag"]) == (200, '"3"')
    found = desk.client.get(path).json()
    assert found == corrected.json()
    latest, first = found["updates"]
    assert (latest["message"], first["message"]) == ("Over at 8.", NEW["message"])
    assert latest["corrections"] == [{"at": found["updated_at"], "was": "Over at 7."}]
    assert (found["state"], found["resolved_at"]) == ("resolved", latest["at"])
    assert refused(patch(desk, url, body, '"3"'), 409) == "Update 2 says this already."


@pytest.mark.parametrize("number", ["0", "2", "-1", "x", "1%0A", "9" * 30])
def test_an_update_that_is_not_there_is_not_found(desk: App, number: str) -> None:
    path = open_one(desk)
    assert refused(patch(desk, f"{path}/updates/{number}", {"message": "m"}), 404)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [({}, "/message"), ({"message": "a\nb"}, "/message"), ({"message": "m", "state": "resolved"}, "/state")],
)
def test_a_correction_that_does_not_fit_is_pointed_at(desk: App, body: Any, pointer: str) -> None:
    answer = patch(desk, f"{open_one(desk)}/updates/1", body)
    assert refused(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_correction_needs_the_token(desk: App) -> None:
    url = f"{open_one(desk)}/updates/1"
    answer = desk.client.patch(url, json={"message": "m"}, headers={"If-Match": "*"})
    assert refused(answer, 401)


def put_former(url: str, table: str) -> None:
    dynamodb = aws("dynamodb", url)
    keys = Keys("web")
    dynamodb.put_item(TableName=table, Item=item_of(keys.incident(FORMER_ID), FORMER))
    opened = {**keys.open_incidents.attributes, "ids": {"SS": [FORMER_ID]}}
    dynamodb.put_item(TableName=table, Item=opened)


def test_incidents_of_before_are_read_shown_and_changed(serial_aws: str) -> None:
    name = new_table(serial_aws)
    put_former(serial_aws, name)
    with running_app(environ(serial_aws, name)) as app:
        path = f"{INCIDENTS_PATH}/{FORMER_ID}"
        found = app.client.get(path).json()
        assert found == {
            "id": FORMER_ID,
            "kind": "incident",
            "version": 2,
            "title": "Slow",
            "state": "identified",
            "severity": "minor",
            "components": [],
            "starts_at": None,
            "ends_at": None,
            "opened_at": FORMER["opened_at"],
            "updated_at": FORMER["updated_at"],
            "resolved_at": None,
            "updates": [
                {"number": 2, **FORMER["updates"][0], "severity": None, "corrections": []},
                {"number": 1, **FORMER["updates"][1], "severity": None, "corrections": []},
            ],
        }
        assert listed(app) == listed(app, state="open") == [FORMER_ID]
        changed = patch(app, path, {"state": "resolved", "message": "Over.", "components": ["services.web"]})
        assert changed.status_code == 200, changed.text
        assert [update["number"] for update in changed.json()["updates"]] == [3, 2, 1]
        assert patch(app, f"{path}/updates/1", {"message": "We looked into it."}, '"3"').status_code == 200
        assert app.client.get(path).json()["components"] == ["services.web"]
        assert listed(app, state="open") == []
        assert listed(app, state="resolved") == [FORMER_ID]


def test_services_of_before_stay_with_the_incident(serial_aws: str) -> None:
    name = new_table(serial_aws)
    put_former(serial_aws, name)

    async def read(table: TableClient) -> Incident | None:
        return await read_incident(table, FORMER_ID)

    found = with_table(serial_aws, name, read)
    assert found is not None
    assert found.components == ("dynamodb", "ecs")


def test_a_range_has_what_began_in_it_page_by_page(serial_aws: str) -> None:
    name = new_table(serial_aws)
    day = timedelta(days=1)
    made = [announced.incident(number * 86_400) for number in range(6)]
    planned = announced.maintenance(
        NOW + 2 * day + HOUR, NOW + 2 * day + 2 * HOUR, components=["services.web"]
    )
    made.insert(3, planned)

    async def put(table: TableClient) -> None:
        for each in made:
            await create_incident(table, each, None)

    with_table(serial_aws, name, put)
    ids = [each.id for each in reversed(made)]
    with running_app(environ(serial_aws, name)) as app:
        assert listed(app) == ids
        for query, wanted in (
            ({"from": "2026-11-25", "to": "2026-11-25"}, [planned.id, made[2].id]),
            ({"from": "2026-11-24", "to": "2026-11-26"}, ids[2:6]),
            ({"from": "2026-11-26"}, ids[:3]),
            ({"to": "2026-11-24"}, ids[5:]),
            ({"from": "2026-11-23T06:25:00Z", "to": "2026-11-24T06:25:00Z"}, ids[6:]),
            ({"from": "2027-01-01"}, []),
            ({"from": "0001-01-01", "to": "9999-12-30"}, ids),
            ({"to": "1969-12-31"}, []),
        ):
            for limit in (1, 2, 100):
                assert listed(app, **query, limit=limit) == wanted
        still_open = listed(app, state="open", **{"from": "2026-11-24", "to": "2026-11-25"}, limit=1)
        assert still_open == [planned.id, made[2].id, made[1].id][-len(still_open) :]
        assert made[1].id in still_open


def test_a_range_and_its_cursors_are_checked(desk: App) -> None:
    for query in ({"from": "2026-11-25", "to": "2026-11-24"}, {"from": "yesterday"}, {"to": "2026-13-01"}):
        assert refused(desk.client.get(INCIDENTS_PATH, params=query), 400)
    for _ in range(2):
        open_one(desk)
    first = desk.client.get(INCIDENTS_PATH, params={"limit": 1, "from": "2026-01-01"}).json()["next"]
    for query in ({}, {"from": "2026-01-02"}, {"from": "2026-01-01", "to": "2099-01-01"}):
        answer = desk.client.get(INCIDENTS_PATH, params={**query, "limit": 1, "cursor": first})
        assert refused(answer, 400) == "The cursor is wrong."


def test_a_maintenance_is_over_by_the_clock_and_its_id_is_removed_later(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        now = datetime.now(UTC)
        ended = announced.maintenance(now - 2 * HOUR, now - timedelta(minutes=1))
        forgotten = announced.maintenance(now - 3 * HOUR, now - FORGOTTEN_AFTER - timedelta(minutes=1))
        coming = announced.maintenance(now + HOUR, now + 2 * HOUR)
        for each in (ended, forgotten, coming):
            await create_incident(table, each, None)
        assert await read_open_incidents(table) == (coming,)
        kept = await table.get(table.keys.open_incidents)
        assert kept is not None
        assert set(kept["ids"]["SS"]) == {ended.id, coming.id}
        over = await list_incidents(table, Wanted("resolved"), None, 10, now)
        assert [(each.id, each.state) for each in over.incidents] == [
            (ended.id, "completed"),
            (forgotten.id, "completed"),
        ]
        still = await list_incidents(table, Wanted("open"), None, 10, now)
        assert [each.id for each in still.incidents] == [coming.id]

    with_table(serial_aws, new_table(serial_aws), use)


def test_the_board_has_a_maintenance_until_it_is_over_and_wakes_when_it_starts(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        board, now = Board(IDS, NOW), datetime.now(UTC)
        await create_incident(table, announced.maintenance(NOW, now + HOUR), None)
        await refresh_open_incidents(table, board)
        shown = board.snapshot.open_incidents
        assert shown is not None
        assert [each.state for each in shown] == ["in_progress"]

    with_table(serial_aws, new_table(serial_aws), use)


def test_components_that_are_not_public_are_left_out_of_public_answers(serial_aws: str) -> None:
    watched = tuple(
        each.model_copy(update={"public": False}) if each.id == ALARMS_ID else each for each in WATCHED
    )
    variables = environ(serial_aws, new_table(serial_aws)) | {
        "COMPONENTS": COMPONENTS.dump_json(watched, exclude_none=True).decode()
    }
    with running_app(variables) as app:
        made = post(app, {**NEW, "components": [ALARMS_ID, "services.web"]})
        assert made.json()["components"] == ["services.web", ALARMS_ID]
        for path in (INCIDENTS_PATH, made.headers["location"], FEED_PATH):
            answer = app.client.get(path)
            assert answer.status_code == 200
            assert ALARMS_ID not in answer.text
        assert app.client.get(made.headers["location"]).json()["components"] == ["services.web"]


def feed_of(app: App, **headers: str) -> httpx.Response:
    answer = app.client.get(FEED_PATH, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


def links_of(answer: httpx.Response) -> list[str]:
    return [str(link.get("href")) for link in read_xml(answer.content).iterfind(".//a:link", ATOM)]


def test_the_feed_has_the_newest_incidents_and_maintenances(serial_aws: str) -> None:
    with running_app(environ(serial_aws, new_table(serial_aws))) as app:
        path = open_one(app, {**NEW, "title": "<script>alert(1)</script> & so on"})
        planned = post(app, plan(HOUR, 2 * HOUR)).json()
        answer = feed_of(app)
        assert answer.headers["content-type"] == "application/atom+xml; charset=utf-8"
        root = read_xml(answer.content)
        ids = [entry.findtext("a:id", namespaces=ATOM) for entry in root.iterfind("a:entry", ATOM)]
        assert ids == [f"urn:uuid:{planned['id']}", f"urn:uuid:{path.rpartition('/')[2]}"]
        base = f"http://127.0.0.1:{app.port}"
        assert links_of(answer) == [
            f"{base}/feed.atom",
            f"{base}/",
            f"{base}/incidents/{planned['id']}",
            f"{base}/incidents/{path.rpartition('/')[2]}",
        ]
        tag = answer.headers["etag"]
        same = app.client.get(FEED_PATH, headers={"If-None-Match": f'"x", W/{tag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        patch(app, path, {"message": "We found it."})
        newer = app.client.get(FEED_PATH, headers={"If-None-Match": tag})
        assert newer.status_code == 200
        assert "We found it." in newer.text


def test_links_of_the_feed_are_of_the_address_that_was_asked(desk: App) -> None:
    over_https = feed_of(desk, Host="status.example.com", **{"X-Forwarded-Proto": "https"})
    assert links_of(over_https)[0] == "https://status.example.com/feed.atom"
    assert "no-cache" in over_https.headers["cache-control"]
    assert "private" in over_https.headers["cache-control"]
    assert links_of(feed_of(desk, Host="[::1]:8000"))[0] == "http://[::1]:8000/feed.atom"
    for header in ("X-Forwarded-Host", "Forwarded", "X-Original-Host"):
        assert "evil" not in feed_of(desk, **{header: "host=evil.example.com"}).text


@pytest.mark.parametrize(
    "host", ["evil.example.com/a", "a@evil", 'a"><x', "evil:999999", "a b", "-a", "a\\b"]
)
def test_a_host_that_is_no_name_makes_links_relative(desk: App, host: str) -> None:
    answer = desk.client.get(FEED_PATH, headers={"Host": host})
    if answer.status_code == 200:
        assert links_of(answer)[:2] == ["/feed.atom", "/"]
    else:
        assert answer.status_code == 400
