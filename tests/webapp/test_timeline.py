"""The record of a slot, from results at any times."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webapp.board import Result
from webapp.history.models import SLOT, Seconds
from webapp.history.timeline import Timeline, Window, percentile
from webapp.states import Finding, State, worst

SLOT_AT = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)
OVERDUE = 35.0
FOUND = st.sampled_from([State.OPERATIONAL, State.DEGRADED, State.DOWN, State.UNKNOWN])
MOMENTS = st.integers(-90_000, 90_000)
RESULTS = st.lists(st.tuples(MOMENTS, FOUND, st.booleans()), max_size=20, unique_by=lambda each: each[0])


def later(milliseconds: int) -> datetime:
    return SLOT_AT + timedelta(milliseconds=milliseconds)


def timeline(results: list[tuple[int, State, bool]]) -> Timeline:
    """A timeline of results at these milliseconds after the slot has begun."""
    made = Timeline(OVERDUE)
    for moment, state, lost in sorted(results, key=lambda each: each[0]):
        finding = Finding(State.UNKNOWN if lost else state, "m")
        made.add(Result("services.web", finding, later(moment), later(moment), 1.0, lost=lost))
    return made


def state_at(results: list[tuple[int, State, bool]], moment: int) -> State | None:
    """What is known at a moment."""
    before = [each for each in sorted(results, key=lambda each: each[0]) if each[0] <= moment]
    if not before or before[-1][0] + OVERDUE * 1000 <= moment or before[-1][2]:
        return None
    return before[-1][1]


@given(RESULTS)
def test_the_seconds_are_those_of_what_was_known_at_each_moment(
    results: list[tuple[int, State, bool]],
) -> None:
    record = timeline(results).record(SLOT_AT)
    wanted = dict.fromkeys(State, 0)
    for tenth in range(600):
        if (state := state_at(results, tenth * 100)) is not None:
            wanted[state] += 1
    if record is None:
        assert not any(wanted.values())
        return
    assert record.seconds.total <= 60
    for state in State:
        assert abs(record.seconds.of(state) - wanted[state] / 10) <= 0.5 * (len(results) + 1)
    seen = [state for state in State if wanted[state]]
    assert not seen or record.state is worst([record.state, *seen])


@given(RESULTS)
def test_forgetting_what_was_before_a_slot_changes_nothing_of_it(
    results: list[tuple[int, State, bool]],
) -> None:
    whole, forgetful = timeline(results), timeline(results)
    forgetful.forget(SLOT_AT)
    assert forgetful.record(SLOT_AT) == whole.record(SLOT_AT)


@given(RESULTS)
def test_each_change_is_in_one_slot(results: list[tuple[int, State, bool]]) -> None:
    made = timeline(results)
    slots = [SLOT_AT + number * SLOT for number in range(-2, 3)]
    records = [made.record(slot) for slot in slots]
    changes = [change for record in records if record for change in record.changes]
    assert [change.at for change in changes] == sorted({change.at for change in changes})
    for before, after in pairwise(changes):
        assert before.to is after.from_


def test_a_state_that_began_in_a_slot_that_is_kept_already_begins_with_the_next() -> None:
    made = timeline([(0, State.OPERATIONAL, False), (50_000, State.OPERATIONAL, False)])
    made.record(SLOT_AT)
    made.forget(SLOT_AT + SLOT)
    made.add(Result("services.web", Finding(State.DOWN, "m"), later(61_000), later(58_000)))
    record = made.record(SLOT_AT + SLOT)
    assert record is not None
    assert (record.changes[0].at, record.changes[0].to) == (later(60_000), State.DOWN)


def test_maintenance_takes_the_place_of_every_state_that_is_known() -> None:
    made = timeline([(0, State.DOWN, False), (20_000, State.OPERATIONAL, False)])
    record = made.record(
        SLOT_AT, [Window(later(-5_000), later(10_000)), Window(later(50_000), later(90_000))]
    )
    assert record is not None
    # The last check is overdue at 55 s.
    assert record.seconds == Seconds(down=10, operational=30, maintenance=15)


@given(st.lists(st.floats(0, 1e6), max_size=50), st.integers(1, 100))
def test_a_percentile_is_one_of_the_values_and_enough_are_no_larger(
    values: list[float], percent: int
) -> None:
    found = percentile(sorted(values), percent)
    if found is None:
        assert not values
        return
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
