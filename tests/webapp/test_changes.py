"""What becomes of an incident or a maintenance by what people say and by the time."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.webapp.announced import HOUR, NOW, change, incident, maintenance, new_incident
from webapp.incidents.changes import (
    LONGEST_MAINTENANCE,
    MOST_BYTES,
    MOST_UPDATES,
    RefusedError,
    UpdateCorrection,
    corrected,
)
from webapp.incidents.models import Incident, Kind, Progress, Severity, as_of, open_at

SECOND = timedelta(seconds=1)
TIMES = {"starts_at": "2026-11-23T07:00:00Z", "ends_at": "2026-11-23T08:00:00Z"}


def correct(before: Incident, number: int, message: str) -> Incident:
    return corrected(before, number, UpdateCorrection(message=message), NOW)


def test_an_incident_is_minor_unless_said_otherwise_and_changes_with_a_message() -> None:
    minor = incident()
    assert (minor.kind, minor.severity) == (Kind.INCIDENT, Severity.MINOR)
    critical = change(minor, severity="critical", message="All is down.")
    assert (critical.severity, critical.state) == (Severity.CRITICAL, Progress.INVESTIGATING)
    assert change(critical, title="t").severity is Severity.CRITICAL
    with pytest.raises(ValidationError, match="Expected a message with severity"):
        change(minor, severity="major")


def test_a_maintenance_comes_runs_and_completes_by_the_clock() -> None:
    announced = maintenance()
    assert (announced.kind, announced.severity, announced.updates[0].state) == (
        Kind.MAINTENANCE,
        None,
        Progress.SCHEDULED,
    )
    for after, state in (
        (timedelta(0), Progress.SCHEDULED),
        (HOUR - SECOND, Progress.SCHEDULED),
        (HOUR, Progress.IN_PROGRESS),
        (2 * HOUR - SECOND, Progress.IN_PROGRESS),
        (2 * HOUR, Progress.COMPLETED),
    ):
        found = as_of(announced, NOW + after)
        assert (found.state, found.is_over) == (state, state is Progress.COMPLETED)
        assert found.resolved_at == (announced.ends_at if found.is_over else None)
        assert open_at([announced], NOW + after) == (() if found.is_over else (found,))


def test_a_maintenance_that_has_begun_already_may_be_announced() -> None:
    announced = maintenance(NOW - HOUR, NOW + SECOND)
    assert announced.state is announced.updates[0].state is Progress.IN_PROGRESS


@pytest.mark.parametrize(
    ("starts", "ends", "reason"),
    [
        (HOUR, HOUR, "after starts_at"),
        (2 * HOUR, HOUR, "after starts_at"),
        (HOUR, HOUR + LONGEST_MAINTENANCE + SECOND, "30 days after starts_at at most"),
        (-2 * HOUR, -HOUR, "in the future; it is 2026-11-23T06:25:00Z"),
        (-HOUR, timedelta(0), "in the future"),
    ],
)
def test_a_maintenance_ends_after_it_starts_soon_enough_and_not_in_the_past(
    starts: timedelta, ends: timedelta, reason: str
) -> None:
    with pytest.raises(RefusedError, match=reason) as refused:
        maintenance(NOW + starts, NOW + ends)
    assert refused.value.pointer == "/ends_at"


def test_a_maintenance_may_last_thirty_days() -> None:
    assert maintenance(NOW + HOUR, NOW + HOUR + LONGEST_MAINTENANCE).ends_at


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"kind": "maintenance"}, "needs starts_at and ends_at"),
        ({"kind": "maintenance", "starts_at": TIMES["starts_at"]}, "needs starts_at and ends_at"),
        ({"kind": "maintenance", "severity": "minor"} | TIMES, "A maintenance has no severity"),
        ({"kind": "maintenance", "state": "monitoring"} | TIMES, "A maintenance has no state"),
        (TIMES, "An incident has no ends_at and no starts_at"),
        ({"kind": "maintenance"} | TIMES | {"ends_at": "2026-11-23"}, "Expected a time such as"),
        ({"kind": "maintenance"} | TIMES | {"ends_at": "2026-11-23T08:00:00"}, "Expected a time such as"),
        ({"kind": "maintenance"} | TIMES | {"ends_at": 1_800_000_000}, "Expected a time such as"),
        ({"kind": "maintenance"} | TIMES | {"ends_at": None}, "Expected a"),
        ({"severity": "worst"}, "minor"),
        ({"kind": "party"}, "incident"),
        ({"state": "resolved"}, "investigating"),
        ({"components": ["services.web", "services.web"]}, "each component once"),
    ],
)
def test_what_does_not_belong_to_its_kind_is_refused(members: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        new_incident(title="t", message="m", **members)


def test_times_of_a_maintenance_are_in_utc_and_whole_seconds() -> None:
    new = new_incident(
        kind="maintenance",
        title="t",
        message="m",
        starts_at="2026-11-23T08:00:00.9+01:00",
        ends_at="2026-11-23t09:00:00z",
    )
    assert new.model_dump(mode="json", include={"starts_at", "ends_at"}) == {
        "starts_at": "2026-11-23T07:00:00Z",
        "ends_at": "2026-11-23T09:00:00Z",
    }


def test_a_scheduled_maintenance_is_cancelled_and_one_in_progress_finished_early() -> None:
    cancelled = change(maintenance(), state="cancelled", message="No disks came.")
    assert (cancelled.state, cancelled.resolved_at) == (Progress.CANCELLED, NOW)
    assert as_of(cancelled, NOW + HOUR).state is Progress.CANCELLED
    running = NOW + HOUR + SECOND
    completed = change(maintenance(), running, state="completed", message="Done.")
    assert (completed.state, completed.resolved_at) == (Progress.COMPLETED, running)
    assert completed.ends_at == NOW + 2 * HOUR
    assert as_of(completed, NOW + 3 * HOUR) is completed
    with pytest.raises(RefusedError, match=r"is scheduled\. Its next state can be cancelled"):
        change(maintenance(), state="completed", message="m")
    with pytest.raises(RefusedError, match=r"is in progress\. Its next state can be completed"):
        change(maintenance(), running, state="cancelled", message="m")


def test_a_maintenance_is_extended_and_its_updates_tell_its_state_then() -> None:
    running = NOW + HOUR + SECOND
    longer = change(maintenance(), running, ends_at=(NOW + 4 * HOUR).isoformat(), message="Slow disks.")
    assert longer.ends_at == NOW + 4 * HOUR
    assert [update.state for update in longer.updates] == [Progress.IN_PROGRESS, Progress.SCHEDULED]
    assert as_of(longer, NOW + 3 * HOUR).state is Progress.IN_PROGRESS
    with pytest.raises(RefusedError, match="in the future"):
        change(longer, NOW + 3 * HOUR, ends_at=(NOW + 2 * HOUR).isoformat(), message="m")
    with pytest.raises(ValidationError, match="Expected a message with ends_at"):
        change(longer, ends_at=(NOW + 5 * HOUR).isoformat())


def test_of_a_maintenance_that_is_over_nothing_changes_any_more() -> None:
    for over, now in (
        (maintenance(), NOW + 2 * HOUR),
        (change(maintenance(), state="cancelled", message="m"), NOW),
    ):
        for members in (
            {"title": "t"},
            {"message": "m"},
            {"state": "scheduled", "message": "m"},
            {"ends_at": (NOW + 9 * HOUR).isoformat(), "message": "m"},
        ):
            with pytest.raises(RefusedError, match="nothing of it changes any more"):
                change(over, now, **members)


def test_incidents_have_no_end_and_maintenances_no_severity() -> None:
    with pytest.raises(RefusedError, match="no planned end") as refused:
        change(incident(), ends_at=(NOW + HOUR).isoformat(), message="m")
    assert refused.value.pointer == "/ends_at"
    with pytest.raises(RefusedError, match="no severity") as refused:
        change(maintenance(), severity="major", message="m")
    assert refused.value.pointer == "/severity"
    with pytest.raises(RefusedError, match="investigating or identified or monitoring or resolved"):
        change(incident(), state="completed", message="m")


def test_a_resolved_incident_is_reopened_with_a_message_and_changes_in_no_other_way() -> None:
    resolved = change(incident(), state="resolved", message="Over.")
    for members in (
        {"title": "t"},
        {"message": "m"},
        {"severity": "major", "message": "m"},
        {"state": "resolved", "message": "m"},
        {"state": "monitoring", "message": "m"},
    ):
        with pytest.raises(RefusedError, match="Reopen it first"):
            change(resolved, NOW, **members)
    reopened = change(resolved, NOW + HOUR, state="investigating", severity="major", message="Again.")
    assert (reopened.state, reopened.resolved_at, reopened.severity) == (
        Progress.INVESTIGATING,
        None,
        Severity.MAJOR,
    )
    assert [(update.number, update.state) for update in reopened.updates] == [
        (3, Progress.INVESTIGATING),
        (2, Progress.RESOLVED),
        (1, Progress.INVESTIGATING),
    ]


def test_a_full_incident_can_be_resolved_and_not_be_reopened() -> None:
    full = incident()
    for _ in range(MOST_UPDATES - 2):
        full = change(full, message="m")
    resolved = change(full, state="resolved", message="Over.")
    assert len(resolved.updates) == MOST_UPDATES
    with pytest.raises(RefusedError, match="100 updates"):
        change(resolved, state="investigating", message="Again.")


def test_a_corrected_update_shows_what_it_said_before_and_nothing_else_changes() -> None:
    said = change(incident(), NOW, state="resolved", message="Over at 7.")
    once = corrected(said, 2, UpdateCorrection(message="Over at 8."), NOW + HOUR)
    twice = corrected(once, 2, UpdateCorrection(message="Over at 9."), NOW + 2 * HOUR)
    assert (twice.version, twice.updated_at) == (said.version + 2, NOW + 2 * HOUR)
    latest, first = twice.updates
    assert first == said.updates[1]
    assert latest.message == "Over at 9."
    assert [(each.at, each.was) for each in latest.corrections] == [
        (NOW + 2 * HOUR, "Over at 8."),
        (NOW + HOUR, "Over at 7."),
    ]
    unchanged = {"version": 0, "updated_at": None, "updates": ()}
    assert twice.model_copy(update=unchanged) == said.model_copy(update=unchanged)
    with pytest.raises(RefusedError, match="says this already"):
        correct(twice, 2, "Over at 9.")
    with pytest.raises(KeyError):
        correct(twice, 3, "m")


def test_a_correction_leaves_a_maintenance_in_the_state_that_it_has_by_the_clock() -> None:
    correction = UpdateCorrection(message="Mails wait.")
    running, over = (corrected(maintenance(), 1, correction, NOW + hours * HOUR) for hours in (1, 3))
    assert (running.state, running.resolved_at) == (Progress.IN_PROGRESS, None)
    assert (over.state, over.resolved_at) == (Progress.COMPLETED, NOW + 2 * HOUR)


def test_an_update_tells_the_severity_from_then_on() -> None:
    worse = change(change(incident(), message="m"), severity="major", message="More.")
    assert [each.severity for each in worse.updates] == [Severity.MAJOR, Severity.MINOR, Severity.MINOR]
    assert maintenance().updates[0].severity is None


def test_corrections_fit_into_the_item() -> None:
    full = incident()
    text = "\U0001f525" * 1990
    while len(full.model_dump_json().encode()) < MOST_BYTES - 10_000:
        full = correct(full, 1, f"{full.version} {text}")
    with pytest.raises(RefusedError, match="too long together"):
        correct(correct(full, 1, text), 1, f"0 {text}")
    assert len(full.model_dump_json().encode()) <= MOST_BYTES


@given(
    st.lists(
        st.tuples(
            st.timedeltas(timedelta(0), timedelta(hours=3)),
            st.sampled_from([None, *Progress]),
            st.sampled_from([None, *Severity]),
            st.sampled_from([None, 1, 3]),
        ),
        max_size=8,
    ),
    st.booleans(),
)
def test_whatever_people_say_an_incident_is_over_or_open_and_tells_all_of_it(
    said: list[tuple[timedelta, Progress | None, Severity | None, int | None]], planned: bool
) -> None:
    current, now = maintenance() if planned else incident(), NOW
    for pause, state, severity, hours in said:
        now += pause
        members = {
            "message": "m",
            "state": state,
            "severity": severity,
            "ends_at": (now + hours * HOUR).isoformat() if hours else None,
        }
        try:
            after = change(current, now, **{name: value for name, value in members.items() if value})
        except RefusedError:
            continue
        assert after.version == current.version + 1
        assert after.updates[1:] == current.updates
        assert after.updates[0].state == after.state
        current = after
    shown = as_of(current, now)
    assert [update.number for update in shown.updates] == [*range(len(shown.updates), 0, -1)]
    assert (shown.resolved_at is None) is not shown.is_over
    assert (shown.severity is None) is planned
    assert as_of(shown, now) == shown
