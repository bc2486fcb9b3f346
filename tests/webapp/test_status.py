"""The status document: ages, staleness and the state of all services together."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.announced import HOUR, change, incident, maintenance
from tests.webapp.environment import (
    ALARMS_ID,
    DIGEST,
    IDS,
    IMAGE_ID,
    TABLE_ID,
    WATCHED,
    WEB_ID,
    WORKER_ID,
    all_overdue_after,
    environ_of,
)
from webapp.board import Board, Notice, Result
from webapp.components import COMPONENTS, Kind
from webapp.contract import fingerprint
from webapp.endpoints.health import NOT_CHECKED, reason_not_ready
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State, worst
from webapp.status import (
    NOTICE,
    StatusCache,
    operator_status,
    status,
    turns_at,
)

NOW = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)
STARTED = NOW - timedelta(hours=1)


def settings() -> Settings:
    """Settings of an app that checks every second."""
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1))


def board(ages: dict[str, float], **details: str) -> Board:
    """A board with operational services that were checked so many seconds before now."""
    made = Board(IDS, STARTED)
    for service, age in ages.items():
        finding = Finding(State.OPERATIONAL, "Fine.", details)
        made.put_result(Result(service, finding, NOW - timedelta(seconds=age), STARTED, 1.5))
    return made


def test_before_the_first_checks_nothing_is_known_and_nothing_is_stale() -> None:
    document = status(Board(IDS, STARTED).snapshot, settings(), STARTED, NOW)
    assert (document.state, document.checked_at, document.stale) == (State.UNKNOWN, None, False)
    assert document.message == "Not checked yet"
    assert {each.message for each in document.components.values()} == {"Its state is not known."}
    assert {each.availability for each in document.components.values()} == {None}
    assert document.open_incidents is None


def test_the_time_is_that_of_the_oldest_check() -> None:
    snapshot = board({name: float(number) for number, name in enumerate(IDS)}).snapshot
    document = status(snapshot, settings(), STARTED, NOW)
    assert (document.state, document.stale) == (State.OPERATIONAL, False)
    assert document.checked_at == NOW - timedelta(seconds=4)
    assert document.components[WORKER_ID].checked_at == NOW - timedelta(seconds=1)


def test_a_service_whose_check_is_overdue_is_stale_and_so_is_the_whole() -> None:
    overdue = all_overdue_after(settings()) + 0.1
    snapshot = board({**dict.fromkeys(IDS, 0.0), WORKER_ID: overdue}).snapshot
    document = status(snapshot, settings(), STARTED, NOW)
    assert document.stale
    assert [name for name, service in document.components.items() if service.stale] == [WORKER_ID]


def test_the_release_runs_since_ecs_began_to_deploy_it() -> None:
    assert operator_status(Board(IDS, STARTED).snapshot, settings(), STARTED, NOW).release.since == STARTED
    at = "2026-11-22T10:00:00Z"
    snapshot = board({WEB_ID: 0.0}, deployed_at=at, digest=DIGEST).snapshot
    assert operator_status(snapshot, settings(), STARTED, NOW).release.since == datetime(
        2026, 11, 22, 10, tzinfo=UTC
    )


def test_the_deployment_of_another_release_says_nothing_of_this_one() -> None:
    other = f"sha256:{'cd' * 32}"
    made = board({WEB_ID: 0.0}, deployed_at="2026-11-23T06:20:00Z", digest=other)
    assert operator_status(made.snapshot, settings(), STARTED, NOW).release.since == STARTED


def test_the_release_keeps_its_date_while_ecs_tells_of_another_or_of_none() -> None:
    made = board({WEB_ID: 0.0}, deployed_at="2026-11-22T10:00:00Z", digest=DIGEST)
    others: tuple[dict[str, str], ...] = (
        {"deployed_at": "2026-11-23T06:20:00Z", "digest": f"sha256:{'cd' * 32}"},
        {},
    )
    for details in others:
        made.put_result(Result(WEB_ID, Finding(State.OPERATIONAL, "Fine.", details), NOW, STARTED))
        since = operator_status(made.snapshot, settings(), STARTED, NOW).release.since
        assert since == datetime(2026, 11, 22, 10, tzinfo=UTC)


def test_is_not_ready_before_the_table_was_checked() -> None:
    unchecked = Board(IDS, STARTED).snapshot.results[TABLE_ID]
    assert reason_not_ready(unchecked, settings(), NOW) == NOT_CHECKED


def test_is_not_ready_when_the_check_of_the_table_is_overdue() -> None:
    readable = Finding(State.OPERATIONAL, "Fine.", {"readable": True})
    in_time, overdue = (
        Result(TABLE_ID, readable, NOW - timedelta(seconds=age), STARTED)
        for age in (all_overdue_after(settings()) - 0.1, all_overdue_after(settings()) + 0.1)
    )
    assert reason_not_ready(in_time, settings(), NOW) is None
    assert reason_not_ready(overdue, settings(), NOW) == "The check of the table is overdue."


@given(st.lists(st.sampled_from(State), min_size=1))
def test_the_worst_state_is_one_of_them_and_down_beats_all(states: list[State]) -> None:
    found = worst(states)
    assert found in states
    assert (found is State.DOWN) == (State.DOWN in states)
    assert (found is State.OPERATIONAL) == (set(states) == {State.OPERATIONAL})
    assert worst([]) is State.UNKNOWN


def hidden(*hidden: str) -> Settings:
    """Settings in which some components are for operators only."""
    watched = tuple(each.model_copy(update={"public": each.id not in hidden}) for each in WATCHED)
    variables = {"COMPONENTS": COMPONENTS.dump_json(watched, exclude_none=True).decode()}
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1) | variables)


def test_the_public_document_tells_nothing_of_what_checks_find_and_of_what_is_hidden() -> None:
    made = board(dict.fromkeys(IDS, 0.0), digest=DIGEST, secret="arn:aws:ecs:secret")
    made.put_result(Result(IMAGE_ID, Finding(State.DOWN, "Found secret-cve."), NOW, STARTED, 4321.0))
    made.put_notice(Notice("The app cannot reach secret-endpoint.", NOW))
    hiding = hidden(IMAGE_ID, TABLE_ID)
    public = status(made.snapshot, hiding, STARTED, NOW)
    text = public.model_dump_json()
    for told in ("secret", DIGEST, hiding.commit, "4321", "latency", "eu-central-1", "oaktree", IMAGE_ID):
        assert told not in text
    assert [*public.components] == [WEB_ID, WORKER_ID, ALARMS_ID]
    assert public.message == NOTICE.removesuffix(".")
    assert public.notice == NOTICE
    operators = operator_status(made.snapshot, hiding, STARTED, NOW)
    assert [*operators.components] == [*IDS]
    assert operators.message == NOTICE.removesuffix(".")
    assert operators.notice == "The app cannot reach secret-endpoint."
    found = operators.components[IMAGE_ID]
    assert (found.finding, found.latency_ms, found.kind) == ("Found secret-cve.", 4321.0, Kind.IMAGE)
    assert operators.components[WEB_ID].details == {"digest": DIGEST, "secret": "arn:aws:ecs:secret"}


def test_a_release_is_recognized_by_its_fingerprint() -> None:
    document = status(Board(IDS, STARTED).snapshot, settings(), STARTED, NOW)
    whole = hashlib.sha256(f"{DIGEST}\n{settings().commit}".encode()).hexdigest()
    assert document.fingerprint == fingerprint(DIGEST, settings().commit) == whole[:16]


def test_each_document_is_encoded_once_for_a_snapshot_and_when_a_check_is_overdue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [NOW]
    monkeypatch.setattr("webapp.prepared.utc_now", lambda: now[0])
    made = board(dict.fromkeys(IDS, 0.0))
    cache = StatusCache(made, settings())
    public, operators = cache.prepared("public").content, cache.prepared("operator").content
    assert public != operators
    now[0] += timedelta(seconds=all_overdue_after(settings()) - 0.1)
    assert cache.prepared("public").content is public
    assert cache.prepared("operator").content is operators
    now[0] += timedelta(seconds=0.1)
    overdue = cache.prepared("public").content
    assert b"Checks are overdue" in overdue
    now[0] += timedelta(hours=1)
    assert cache.prepared("public").content is overdue
    made.put_result(Result(WEB_ID, Finding(State.DOWN, "m"), NOW, NOW))
    assert cache.prepared("public").content is not overdue


def test_a_maintenance_that_starts_or_ends_changes_the_documents() -> None:
    made = board({})
    made.put_open_incidents((maintenance(),))
    times = [turns_at(made.snapshot, settings(), NOW + hours * HOUR) for hours in (0, 1, 2)]
    assert times == [NOW + HOUR, NOW + 2 * HOUR, datetime.max.replace(tzinfo=UTC)]


def test_what_is_over_by_the_clock_is_not_counted_as_open() -> None:
    made = board(dict.fromkeys(IDS, 0.0))
    made.put_open_incidents((incident(), maintenance(components=[WEB_ID])))
    for now, count in ((NOW + HOUR, 1), (NOW + 3 * HOUR, 0)):
        document = status(made.snapshot, settings(), STARTED, now)
        assert (document.open_incidents, document.maintenances) == (1, count)


def test_a_state_begins_with_its_incident_or_with_the_first_failure() -> None:
    made = board(dict.fromkeys(IDS, 0.0))
    major = change(incident(), NOW + HOUR, severity="major", message="m")
    made.put_open_incidents((major,))
    since = NOW + 2 * HOUR
    shown = status(made.snapshot, settings(), STARTED, since).components[WEB_ID]
    assert (shown.state, shown.since) == (State.DOWN, NOW + HOUR)
    made.put_result(Result(WEB_ID, Finding(State.DOWN, "m"), since, since))
    assert status(made.snapshot, settings(), STARTED, since).components[WEB_ID].since == NOW + HOUR


def test_what_is_about_hidden_components_alone_is_there_for_operators_only() -> None:
    made, hiding = board(dict.fromkeys(IDS, 0.0)), hidden(ALARMS_ID)
    made.put_open_incidents((incident(title="Secret", severity="critical", components=[ALARMS_ID]),))
    public = status(made.snapshot, hiding, STARTED, NOW)
    assert (public.state, public.message, public.open_incidents) == (
        State.OPERATIONAL,
        "All systems operational",
        0,
    )
    operators = operator_status(made.snapshot, hiding, STARTED, NOW)
    assert (operators.state, operators.message, operators.open_incidents) == (State.DOWN, "Secret", 1)
