"""The life of an incident, over real HTTP."""

import asyncio
import functools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.announced import NEW, NOW, environ, open_one, patch, post, refused
from tests.webapp.announced import incident as example
from tests.webapp.environment import AUTHORIZED, IDS
from tests.webapp.faults import answering
from tests.webapp.furnishing import aws
from tests.webapp.processes import App, running_app
from tests.webapp.proxy import Proxy, proxy
from tests.webapp.tables import items, new_table, with_table
from tests.webapp.waiting import soon
from webapp.board import Board
from webapp.calls import AwsError, FailureKind
from webapp.contract import STATUS_PATH
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.incidents.changes import MOST_BYTES, MOST_UPDATES, IncidentChange, RefusedError, changed
from webapp.incidents.models import Incident, Progress, incident_id
from webapp.incidents.store import (
    LONGEST_LISTING,
    MOST_LISTED,
    MOST_OPEN,
    Listed,
    Wanted,
    create_incident,
    list_incidents,
    refresh_open_incidents,
    refresh_recent_incidents,
    replace_incident,
    show_incident,
    with_incident,
)
from webapp.table import Keys
from webapp.table_client import TableClient

UNKNOWN = "00000000-0000-4000-8000-000000000000"
"""An id that no incident has; the same in every process, since the names of tests hold it."""


@pytest.fixture(scope="module")
def table(serial_aws: str) -> str:
    """The table of the desk."""
    return new_table(serial_aws)


@pytest.fixture(scope="module")
def desk(serial_aws: str, table: str) -> Iterator[App]:
    """An app that may write, with a table of its own."""
    with running_app(environ(serial_aws, table)) as app:
        yield app


def resolve_all(app: App) -> None:
    for incident in app.client.get(INCIDENTS_PATH, params={"state": "open", "limit": 100}).json()[
        "incidents"
    ]:
        body = {"state": "resolved", "message": "Over."}
        assert patch(app, f"{INCIDENTS_PATH}/{incident['id']}", body).status_code == 200


def test_an_incident_is_opened_updated_and_resolved(desk: App) -> None:
    began = datetime.now(UTC)
    made = post(
        desk,
        {
            "title": " Slow ",
            "message": "We look into it. ",
            "components": ["services.worker", "services.web"],
        },
    )
    assert (made.status_code, made.headers["etag"]) == (201, '"1"')
    first = made.json()
    path = made.headers["location"]
    assert path == f"{INCIDENTS_PATH}/{first['id']}"
    assert began <= datetime.fromisoformat(first["opened_at"]) <= datetime.now(UTC)
    assert first == {
        "id": first["id"],
        "kind": "incident",
        "version": 1,
        "title": "Slow",
        "state": "investigating",
        "severity": "minor",
        "components": ["services.web", "services.worker"],
        "starts_at": None,
        "ends_at": None,
        "opened_at": first["opened_at"],
        "updated_at": first["opened_at"],
        "resolved_at": None,
        "updates": [
            {
                "number": 1,
                "at": first["opened_at"],
                "state": "investigating",
                "severity": "minor",
                "message": "We look into it.",
                "corrections": [],
            }
        ],
    }
    read = desk.client.get(path)
    assert (read.status_code, read.headers["etag"], read.json()) == (200, '"1"', first)

    body = {
        "state": "identified",
        "message": "A task leaks.",
        "components": ["services.web"],
        "title": "Slow tasks",
        "severity": "major",
    }
    updated = patch(desk, path, body, '"1"')
    assert (updated.status_code, updated.headers["etag"]) == (200, '"2"')
    second = updated.json()
    assert second["updated_at"] > first["updated_at"]
    assert second == {
        **first,
        "version": 2,
        "title": "Slow tasks",
        "state": "identified",
        "severity": "major",
        "components": ["services.web"],
        "updated_at": second["updated_at"],
        "updates": [
            {
                "number": 2,
                "at": second["updated_at"],
                "state": "identified",
                "severity": "major",
                "message": "A task leaks.",
                "corrections": [],
            },
            *first["updates"],
        ],
    }

    silent = patch(desk, path, {"title": "Slow"}, '"2"').json()
    assert silent == {**second, "version": 3, "title": "Slow", "updated_at": silent["updated_at"]}

    resolved = patch(desk, path, {"state": "resolved", "message": "It is over."}, '"3"').json()
    assert resolved["state"] == "resolved"
    assert resolved["resolved_at"] == resolved["updated_at"] == resolved["updates"][0]["at"]
    assert desk.client.get(path).json() == resolved

    again = patch(desk, path, {"title": "Another"}, '"4"')
    assert refused(again, 409) == (
        "The incident is resolved. Reopen it first: send the state investigating, with a message."
    )
    assert refused(patch(desk, path, {"title": "Another"}, '"1"'), 409)


def test_a_message_alone_is_an_update_in_the_state_that_is(desk: App) -> None:
    path = open_one(desk, {**NEW, "state": "monitoring"})
    updates = patch(desk, path, {"message": "Still."}).json()["updates"]
    assert [(update["state"], update["message"]) for update in updates] == [
        ("monitoring", "Still."),
        ("monitoring", NEW["message"]),
    ]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"state": "resolved"}, ""),
        ({"state": "closed", "message": "m"}, "/state"),
        ({"title": None}, "/title"),
        ({"components": None}, "/components"),
        ({"message": ""}, "/message"),
        ({"version": 7}, "/version"),
    ],
)
def test_a_change_that_does_not_fit_is_pointed_at(desk: App, body: Any, pointer: str) -> None:
    answer = patch(desk, f"{INCIDENTS_PATH}/{uuid4()}", body)
    assert refused(answer, 422)
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


def test_a_change_that_is_not_json_is_refused(desk: App) -> None:
    answer = desk.client.patch(
        open_one(desk), content=b"{}", headers={**AUTHORIZED, "If-Match": "*", "Content-Type": "text/plain"}
    )
    assert refused(answer, 415)


@pytest.mark.parametrize("identifier", ["1", "open", "%00", UNKNOWN, "x" * 3000, f"{UNKNOWN}%0A"])
def test_an_incident_that_is_not_there_is_not_found(desk: App, identifier: str) -> None:
    path = f"{INCIDENTS_PATH}/{identifier}"
    assert refused(desk.client.get(path), 404)
    assert refused(patch(desk, path, {"title": "t"}), 404)


@pytest.mark.parametrize(
    ("path", "methods"), [("", "GET, HEAD, OPTIONS, POST"), (f"/{UNKNOWN}", "GET, HEAD, OPTIONS, PATCH")]
)
def test_other_methods_are_not_allowed(desk: App, path: str, methods: str) -> None:
    answer = desk.client.delete(f"{INCIDENTS_PATH}{path}", headers=AUTHORIZED)
    assert refused(answer, 405)
    assert answer.headers["allow"] == methods


def test_head_tells_the_entity_tag(desk: App) -> None:
    answer = desk.client.head(open_one(desk))
    assert (answer.status_code, answer.headers["etag"], answer.content) == (200, '"1"', b"")


def test_a_change_needs_a_condition_that_holds(desk: App) -> None:
    path = open_one(desk)
    assert "If-Match" in refused(patch(desk, path, {"title": "t"}, if_match=None), 428)
    assert refused(patch(desk, path, {"title": "t"}, if_match="1"), 400)
    for wrong in ('"2"', 'W/"1"', '"0", "2"'):
        assert refused(patch(desk, path, {"title": "t"}, if_match=wrong), 412)
    assert desk.client.get(path).json()["title"] == NEW["title"]
    assert patch(desk, path, {"title": "t"}, if_match='"9", "1"').headers["etag"] == '"2"'
    assert patch(desk, path, {"title": "t"}, if_match="*").headers["etag"] == '"3"'


def test_of_changes_at_once_to_what_all_have_seen_one_is_made(desk: App) -> None:
    path = open_one(desk)
    with ThreadPoolExecutor(8) as pool:
        answers = [*pool.map(lambda n: patch(desk, path, {"title": str(n)}, '"1"'), range(8))]
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 7
    (made,) = [answer.json() for answer in answers if answer.status_code == 200]
    assert desk.client.get(path).json() == made


def test_changes_at_once_to_whatever_there_is_are_made_one_after_another(desk: App) -> None:
    path = open_one(desk)
    with ThreadPoolExecutor(3) as pool:
        answers = [*pool.map(lambda n: patch(desk, path, {"message": str(n)}), range(3))]
    assert [answer.status_code for answer in answers] == [200] * 3
    updates = desk.client.get(path).json()["updates"]
    assert {update["message"] for update in updates} == {NEW["message"], "0", "1", "2"}


def test_an_incident_has_room_for_its_resolution(desk: App, serial_aws: str, table: str) -> None:
    full = example()
    for number in range(MOST_UPDATES - 2):
        full = changed(full, IncidentChange(message=str(number)), NOW)
    with_table(serial_aws, table, lambda table: create_incident(table, full, None))
    path = f"{INCIDENTS_PATH}/{full.id}"
    assert "the last one must end it" in refused(patch(desk, path, {"message": "One more."}), 409)
    assert patch(desk, path, {"title": "Nothing is said by that"}).status_code == 200
    resolved = patch(desk, path, {"state": "resolved", "message": "Over."})
    assert len(resolved.json()["updates"]) == MOST_UPDATES


def test_an_incident_fits_into_an_item_however_long_its_updates_are(
    desk: App, serial_aws: str, table: str
) -> None:
    message = "\U0001f525" * 2000
    full = example(1)
    with suppress(RefusedError):
        while True:
            full = changed(full, IncidentChange(message=message), NOW)
    assert MOST_BYTES - 10_000 < len(full.model_dump_json().encode()) <= MOST_BYTES
    with_table(serial_aws, table, lambda table: create_incident(table, full, None))
    path = f"{INCIDENTS_PATH}/{full.id}"
    assert "too long together" in refused(patch(desk, path, {"message": message}), 409)
    assert patch(desk, path, {"state": "resolved", "message": message}).status_code == 200
    assert desk.client.get(path).json()["state"] == "resolved"


def test_lists_have_those_opened_last_first_and_by_state(desk: App) -> None:
    resolve_all(desk)
    paths = [open_one(desk) for _ in range(5)]
    for path in paths[1:4:2]:
        patch(desk, path, {"state": "resolved", "message": "Over."})

    def listed(**parameters: Any) -> list[str]:
        answer = desk.client.get(INCIDENTS_PATH, params=parameters)
        assert answer.status_code == 200, answer.text
        return [f"{INCIDENTS_PATH}/{incident['id']}" for incident in answer.json()["incidents"]]

    assert listed(limit=5) == paths[::-1]
    assert listed(state="open") == [paths[4], paths[2], paths[0]]
    assert listed(state="resolved", limit=2) == [paths[3], paths[1]]


@pytest.mark.parametrize("state", ["open", "resolved", None])
def test_pages_together_have_every_incident_once(desk: App, state: str | None) -> None:
    for _ in range(3):
        patch(desk, open_one(desk), {"state": "resolved", "message": "Over."})
        open_one(desk)
    wanted = {} if state is None else {"state": state}
    whole = desk.client.get(INCIDENTS_PATH, params={**wanted, "limit": 100}).json()
    assert whole["next"] is None
    seen: list[Any] = []
    answer = desk.client.get(INCIDENTS_PATH, params={**wanted, "limit": 2})
    while True:
        page = answer.json()
        seen += page["incidents"]
        assert len(page["incidents"]) <= 2
        if page["next"] is None:
            break
        assert page["next"] in answer.headers["link"]
        answer = desk.client.get(answer.links["next"]["url"])
    assert "link" not in answer.headers
    assert seen == whole["incidents"]
    assert len(seen) >= 3


def test_a_cursor_of_another_list_is_refused(desk: App) -> None:
    for _ in range(2):
        open_one(desk)
    cursor = desk.client.get(INCIDENTS_PATH, params={"state": "open", "limit": 1}).json()["next"]
    for parameters in ({}, {"state": "resolved"}):
        answer = desk.client.get(INCIDENTS_PATH, params={**parameters, "cursor": cursor})
        assert refused(answer, 400) == "The cursor is wrong."


def test_only_so_many_are_open_at_once(serial_aws: str) -> None:
    with running_app(environ(serial_aws, new_table(serial_aws))) as app:
        with ThreadPoolExecutor(8) as pool:
            paths = [*pool.map(lambda _: open_one(app), range(MOST_OPEN))]
        assert str(MOST_OPEN) in refused(post(app), 409)
        patch(app, paths[0], {"state": "resolved", "message": "Over."})
        assert post(app).status_code == 201
        assert soon(lambda: app.client.get(STATUS_PATH).json()["open_incidents"], lambda n: n == MOST_OPEN)


def test_the_same_request_opens_an_incident_once(desk: App) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    first = post(desk, **key)
    assert "idempotency-replayed" not in first.headers
    written_otherwise = json.dumps({"state": "investigating", **NEW, "title": " Slow"}, indent=2)
    for again in (
        post(desk, **key),
        desk.client.post(
            INCIDENTS_PATH,
            content=written_otherwise,
            headers={**AUTHORIZED, **key, "Content-Type": "application/json"},
        ),
    ):
        assert (again.status_code, again.json()) == (201, first.json())
        assert again.headers["idempotency-replayed"] == "true"
        assert (again.headers["location"], again.headers["etag"]) == (first.headers["location"], '"1"')
    changed = patch(desk, first.headers["location"], {"title": "t"})
    again = post(desk, **key)
    assert (again.json(), again.headers["etag"]) == (changed.json(), '"2"')


def test_a_key_is_for_one_request(desk: App) -> None:
    key = {"Idempotency-Key": str(uuid4())}
    assert post(desk, **key).status_code == 201
    assert "another body" in refused(post(desk, {**NEW, "components": []}, **key), 422)
    assert post(desk, **{"Idempotency-Key": str(uuid4())}).headers.get("idempotency-replayed") is None


@pytest.mark.parametrize("key", ["", "k" * 256, "a b", "ä"])
def test_a_key_that_can_be_none_is_refused(desk: App, key: str) -> None:
    headers = httpx.Headers({**AUTHORIZED, "Idempotency-Key": key}, encoding="latin-1")
    assert "Idempotency-Key" in refused(desk.client.post(INCIDENTS_PATH, json=NEW, headers=headers), 400)


def test_the_same_request_at_once_opens_one_incident(desk: App) -> None:
    key = {"Idempotency-Key": f'"{uuid4()}"'}
    with ThreadPoolExecutor(5) as pool:
        answers = [*pool.map(lambda _: post(desk, **key), range(5))]
    assert [answer.status_code for answer in answers] == [201] * 5
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 4


def test_a_key_is_free_again_once_it_has_expired_even_if_it_is_still_there(
    desk: App, serial_aws: str, table: str
) -> None:
    key = str(uuid4())
    first = post(desk, **{"Idempotency-Key": key})
    item = Keys("web").idempotency(key).attributes
    found = aws("dynamodb", serial_aws).get_item(TableName=table, Key=item)["Item"]
    opened_at = datetime.fromisoformat(first.json()["opened_at"])
    assert int(found["expires_at"]["N"]) == int((opened_at + timedelta(hours=24)).timestamp())
    found["expires_at"] = {"N": str(int(opened_at.timestamp()) - 1)}
    aws("dynamodb", serial_aws).put_item(TableName=table, Item=found)
    second = post(desk, {**NEW, "title": "Another"}, **{"Idempotency-Key": key})
    assert "idempotency-replayed" not in second.headers
    assert second.json()["id"] != first.json()["id"]
    assert post(desk, {**NEW, "title": "Another"}, **{"Idempotency-Key": key}).json() == second.json()


def test_the_key_itself_is_not_kept(desk: App, serial_aws: str, table: str) -> None:
    key = str(uuid4())
    post(desk, **{"Idempotency-Key": key})
    assert key not in str(items(serial_aws, table))


def first_slot_is_written(between: Proxy) -> None:
    """Waits until the recorder's own first write is over: after it, all days are read once more."""
    soon(lambda: between.seen.count("Query"), lambda count: count > len(IDS))


def test_a_write_whose_answer_is_lost_between_app_and_table_is_made_once(serial_aws: str) -> None:
    name = new_table(serial_aws)
    with proxy(serial_aws) as between, running_app(environ(between.url, name)) as app:

        def lose(between: Proxy) -> None:
            first_slot_is_written(between)
            between.loses = "TransactWriteItems"

        lose(between)
        path = open_one(app)
        assert between.loses is None
        lose(between)
        assert patch(app, path, {"title": "t"}, '"1"').headers["etag"] == '"2"'
        assert between.loses is None
        assert len(app.client.get(INCIDENTS_PATH).json()["incidents"]) == 1


def test_the_board_shows_what_was_written_at_once_and_other_tasks_soon(serial_aws: str) -> None:
    variables = environ(serial_aws, new_table(serial_aws)) | {"CHECK_INTERVAL": "1"}
    with running_app(variables) as one, running_app(variables) as other:

        def count(app: App) -> object:
            return app.client.get(STATUS_PATH).json()["open_incidents"]

        paths = [open_one(one), open_one(one)]
        assert count(one) == 2
        soon(lambda: count(other), lambda seen: seen == 2)
        patch(other, paths[0], {"state": "resolved", "message": "Over."})
        assert count(other) == 1
        soon(lambda: count(one), lambda seen: seen == 1)


def test_what_was_written_is_shown_although_the_table_does_not_answer_any_more(serial_aws: str) -> None:
    with proxy(serial_aws) as between, running_app(environ(between.url, new_table(serial_aws))) as app:
        soon(lambda: app.client.get(STATUS_PATH).json()["open_incidents"], lambda count: count == 0)
        first_slot_is_written(between)
        between.cut_after = "TransactWriteItems"
        assert post(app).status_code == 201
        assert app.client.get(STATUS_PATH).json()["open_incidents"] == 1


def test_a_table_that_does_not_answer_is_told(serial_aws: str) -> None:
    with proxy(serial_aws) as between, running_app(environ(between.url, new_table(serial_aws))) as app:
        path = open_one(app)
        between.cut = True
        for answer in (
            post(app),
            patch(app, path, {"title": "t"}),
            app.client.get(path),
            app.client.get(INCIDENTS_PATH),
        ):
            assert "cannot be reached" in refused(answer, 503)
            assert answer.headers["retry-after"]


def test_services_on_the_same_table_have_incidents_of_their_own(serial_aws: str) -> None:
    variables = environ(serial_aws, new_table(serial_aws))
    with running_app(variables) as web, running_app(variables | {"SERVICE": "api"}) as api:

        def listed(app: App, **query: str) -> list[str]:
            found = app.client.get(INCIDENTS_PATH, params=query).json()["incidents"]
            return [f"{INCIDENTS_PATH}/{incident['id']}" for incident in found]

        key = {"Idempotency-Key": str(uuid4())}
        paths = {}
        for app in (web, api):
            answer = post(app, **key)
            assert answer.status_code == 201
            assert "idempotency-replayed" not in answer.headers
            paths[app] = answer.headers["location"]
        for app, other in ((web, api), (api, web)):
            assert listed(app) == listed(app, state="open") == [paths[app]]
            assert app.client.get(STATUS_PATH).json()["open_incidents"] == 1
            assert refused(app.client.get(paths[other]), 404)
            assert refused(patch(app, paths[other], {"title": "t"}), 404)


@functools.cache
def long_incident() -> Incident:
    """An incident that is nearly as long as one can be."""
    incident = example()
    with suppress(RefusedError):
        while True:
            incident = changed(incident, IncidentChange(message="\U0001f525" * 2000), NOW)
    return incident


@pytest.mark.parametrize("state", ["open", "resolved", None])
def test_a_page_of_long_incidents_is_short(serial_aws: str, state: str | None) -> None:
    name = new_table(serial_aws)
    made = [long_incident().model_copy(update={"id": example(number).id}) for number in range(5)]
    over = IncidentChange(state=Progress.RESOLVED, message="Over.")

    async def use(table: TableClient) -> None:
        for incident in made:
            await create_incident(table, incident, None)
            if state == "resolved":
                await replace_incident(table, incident, changed(incident, over, NOW))

    with_table(serial_aws, name, use)
    with proxy(serial_aws) as between, running_app(environ(between.url, name)) as app:
        query = {"limit": "100"} if state is None else {"limit": "100", "state": state}
        seen: list[str] = []

        def read(path: str, **options: Any) -> httpx.Response:
            """What the app answers once its table, which may need long for so much, answers in time."""
            return soon(lambda: app.client.get(path, **options), lambda answer: answer.status_code == 200)

        answer = read(INCIDENTS_PATH, params=query)
        while True:
            assert len(answer.content) <= MOST_LISTED + 1000
            seen += [incident["id"] for incident in answer.json()["incidents"]]
            if answer.json()["next"] is None:
                break
            answer = read(answer.links["next"]["url"])
        assert seen == [incident.id for incident in reversed(made)]


def test_of_the_open_incidents_no_more_are_read_than_a_page_has(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def put(table: TableClient) -> None:
        for number in range(20):
            await create_incident(table, example(number), None)

    with_table(serial_aws, name, put)

    async def listed(table: TableClient) -> Listed:
        return await list_incidents(table, Wanted("open"), None, 2, NOW)

    with proxy(serial_aws) as between:
        page = with_table(between.url, name, listed)
        assert between.seen == ["GetItem"] * 3
    assert [incident.id for incident in page.incidents] == [example(19).id, example(18).id]
    assert page.next_before == example(18).id


def test_a_list_that_takes_too_long_to_read_is_given_up() -> None:
    """The table answers, but never with an incident, and never that there are no more."""
    position = {"pk": {"S": "web#incidents"}, "sk": {"S": "incident#x"}}
    body = json.dumps({"Items": [], "Count": 0, "LastEvaluatedKey": position}).encode()

    async def listed(table: TableClient) -> Listed:
        return await list_incidents(table, Wanted("resolved"), None, 2, NOW)

    began = time.monotonic()
    with answering(200, body) as server, pytest.raises(AwsError) as failed:
        with_table(server.url, "table", listed)
    assert failed.value.kind is FailureKind.TIMEOUT
    assert time.monotonic() - began < LONGEST_LISTING + 5


def test_a_read_that_finds_the_same_tells_its_time_and_wakes_nobody(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        board = Board(IDS, NOW)
        assert board.snapshot.incidents_read_at is None
        await create_incident(table, example(), None)
        await refresh_open_incidents(table, board)
        first = board.snapshot
        await refresh_open_incidents(table, board)
        second = board.snapshot
        assert first.incidents_read_at is not None
        assert second.incidents_read_at is not None
        assert first.incidents_read_at < second.incidents_read_at
        assert second.version == first.version
        assert second.open_incidents is first.open_incidents
        await show_incident(table, board, changed(example(), IncidentChange(title="t"), NOW))
        assert board.snapshot.version > second.version
        assert board.snapshot.incidents_read_at == second.incidents_read_at

    with_table(serial_aws, new_table(serial_aws), use)


def test_the_board_knows_from_when_on_it_has_all_recent_incidents(
    serial_aws: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webapp.incidents.store.utc_now", lambda: NOW + timedelta(hours=1))
    monkeypatch.setattr("webapp.incidents.store.MOST_RECENT", 2)

    async def use(table: TableClient) -> None:
        board = Board(IDS, NOW)
        for number in range(3):
            await refresh_recent_incidents(table, board)
            assert board.snapshot.recent_since is None
            await create_incident(table, example(number), None)
        await refresh_recent_incidents(table, board)
        assert board.snapshot.recent_incidents == (example(2), example(1))
        assert board.snapshot.recent_since == example(1).began_at
        await show_incident(table, board, example(2))
        assert board.snapshot.recent_since == example(1).began_at

    with_table(serial_aws, new_table(serial_aws), use)


def test_a_read_that_began_before_a_write_does_not_undo_it_on_the_board(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        board = Board(IDS, NOW)
        await refresh_open_incidents(table, board)

        class Late(TableClient):
            """Gives the first answer only after a write was made and shown."""

            late = True

            async def get(self, key: Any) -> Any:
                found = await super().get(key)
                if self.late:
                    self.late = False
                    await create_incident(table, example(), None)
                    await show_incident(table, board, example())
                return found

        await refresh_open_incidents(Late(table._dynamodb, table.name, "web"), board)
        shown = board.snapshot.open_incidents
        assert shown == (example(),)

    with_table(serial_aws, new_table(serial_aws), use)


INCIDENTS = st.builds(
    lambda number, version, state: example(number).model_copy(update={"version": version, "state": state}),
    st.integers(0, 5),
    st.integers(1, 5),
    st.sampled_from(Progress),
)


@given(st.lists(INCIDENTS))
def test_the_board_shows_the_last_version_of_each_open_incident(written: list[Incident]) -> None:
    shown: tuple[Incident, ...] = ()
    for incident in written:
        before, shown = shown, with_incident(shown, incident)
        versions = {other.id: other.version for other in before}
        if incident.version >= versions.get(incident.id, 0):
            assert (incident in shown) is not incident.is_over
            assert {other for other in shown if other.id != incident.id} == {
                other for other in before if other.id != incident.id
            }
        else:
            assert shown == before
    assert list(shown) == sorted(shown, key=lambda incident: incident.id, reverse=True)


def test_versions_follow_one_another(serial_aws: str) -> None:
    async def use(table: TableClient) -> None:
        await create_incident(table, example(), None)
        after = changed(example(), IncidentChange(title="t"), NOW)
        await replace_incident(table, example(), after)
        with pytest.raises(Exception, match="conditions do not hold"):
            await replace_incident(table, example(), after)

    with_table(serial_aws, new_table(serial_aws), use)


@given(
    st.timedeltas(timedelta(0), timedelta(days=300_000)),
    st.binary(min_size=10, max_size=10),
    st.integers(1, 9),
)
def test_an_id_is_a_uuid_of_version_seven_that_tells_its_time(
    age: timedelta, drawn: bytes, milliseconds: int
) -> None:
    at = datetime(2000, 1, 1, tzinfo=UTC) + age
    identifier = incident_id(at, drawn)
    parsed = UUID(identifier)
    assert (str(parsed), parsed.version, parsed.variant) == (identifier, 7, "specified in RFC 4122")
    assert parsed.int >> 80 == (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    assert incident_id(at + timedelta(milliseconds=milliseconds), bytes(10)) > incident_id(at, bytes(10))


def test_an_id_tells_its_millisecond_where_seconds_as_a_float_are_just_below_it() -> None:
    at = datetime(2039, 1, 20, 3, 24, 54, 134_000, tzinfo=UTC)
    assert int(at.timestamp() * 1000) == 2_179_106_694_133
    assert UUID(incident_id(at, bytes(10))).int >> 80 == 2_179_106_694_134


def test_slow_tasks_meet(serial_aws: str) -> None:
    """Creates and changes at once, of several incidents: none is lost, all that are open are listed."""

    async def use(table: TableClient) -> None:
        await asyncio.gather(*(create_incident(table, example(n), None) for n in range(10)))
        over = IncidentChange(state=Progress.RESOLVED, message="m")
        await asyncio.gather(
            *(replace_incident(table, example(n), changed(example(n), over, NOW)) for n in range(0, 10, 2))
        )
        board = Board(IDS, NOW)
        await refresh_open_incidents(table, board)
        assert board.snapshot.open_incidents == tuple(example(n) for n in (9, 7, 5, 3, 1))

    with_table(serial_aws, new_table(serial_aws), use)
