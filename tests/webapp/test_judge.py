"""Which results count, and since when."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import ALARMS_ID, WATCHED, WEB_ID, WORKER_ID
from webapp.board import Notice, Result
from webapp.calls import FailureKind
from webapp.judge import NO_NETWORK, Judge
from webapp.states import Finding, State, is_worse

NOW = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)
FOUND = (State.OPERATIONAL, State.DEGRADED, State.DOWN, State.UNKNOWN)
STATES = st.lists(st.sampled_from(FOUND), min_size=1, max_size=30)


def result(number: int, state: State, component: str = WEB_ID, failure: FailureKind | None = None) -> Result:
    """What the check of a component finds, some seconds after the start."""
    at = NOW + timedelta(seconds=number)
    return Result(component, Finding(state, f"It is {state}."), at, at, 1.0, failure)


def judged(states: list[State], threshold: int) -> list[Result]:
    """What is shown after each of these."""
    judge = Judge(WATCHED, threshold, NOW)
    return [shown for number, state in enumerate(states) for shown in judge.judge(result(number, state))]


def test_a_worse_state_counts_after_as_many_results_as_the_threshold_from_the_first_on() -> None:
    up, down = State.OPERATIONAL, State.DOWN
    shown = judged([up, down, down, down, up, down, up], 3)
    assert [each.finding.state for each in shown] == [up, up, up, down, up, up, up]
    assert shown[3].since == NOW + timedelta(seconds=1)
    assert shown[2].suspected_since == NOW + timedelta(seconds=1)
    assert shown[4].since == NOW + timedelta(seconds=4)
    assert shown[4].suspected_since is None
    assert shown[6].since == NOW + timedelta(seconds=4)


def test_the_first_result_counts_at_once() -> None:
    (shown,) = judged([State.DOWN], 3)
    assert (shown.finding.state, shown.since) == (State.DOWN, NOW)


@given(STATES)
def test_with_a_threshold_of_one_every_result_counts(states: list[State]) -> None:
    assert [each.finding.state for each in judged(states, 1)] == states


def test_a_call_to_aws_that_fails_once_does_not_end_an_outage() -> None:
    down, unknown = State.DOWN, State.UNKNOWN
    shown = judged([down, unknown, down, unknown, unknown, State.OPERATIONAL], 2)
    assert [each.finding.state for each in shown] == [down, down, down, down, unknown, State.OPERATIONAL]
    assert [each.since for each in shown[:4]] == [NOW] * 4
    assert shown[4].since == NOW + timedelta(seconds=3)


@given(STATES, st.integers(1, 4))
def test_what_is_shown_gets_better_at_once_if_a_check_proves_it_and_else_after_a_row(
    states: list[State], threshold: int
) -> None:
    shown = [each.finding.state for each in judged(states, threshold)]
    for number, (found, told) in enumerate(zip(states, shown, strict=True)):
        before = shown[number - 1] if number else None
        if found is not State.UNKNOWN:
            assert not is_worse(told, found)
        if before and told is not before and (is_worse(told, before) or told is State.UNKNOWN):
            row = states[number + 1 - threshold : number + 1]
            assert len(row) == threshold
            assert not any(is_worse(told, state) for state in row)


@given(STATES, st.integers(1, 4))
def test_what_is_shown_was_found_when_it_is_said_to_have_begun_or_worse(
    states: list[State], threshold: int
) -> None:
    for shown in judged(states, threshold):
        began = states[(shown.since - NOW) // timedelta(seconds=1)]
        assert not is_worse(shown.finding.state, began)
        assert shown.finding.message.startswith(f"It is {shown.finding.state}.")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ("DDDUDUDUD", "DDDDDDDDD"),
        ("DUUD", "DDUU"),
        ("DUUDD", "DDUUD"),
        ("OMUMU", "OOUUU"),
        ("MUDUD", "MMMMM"),
        ("DUO", "DDO"),
        ("ODMDD", "OOMMD"),
        ("OUDDO", "OOUDO"),
    ],
)
def test_a_result_that_proves_nothing_is_no_recovery(found: str, told: str) -> None:
    letters = {"O": State.OPERATIONAL, "U": State.UNKNOWN, "M": State.DEGRADED, "D": State.DOWN}
    shown = judged([letters[each] for each in found], 2)
    assert [each.finding.state for each in shown] == [letters[each] for each in told]


def test_throttling_ends_no_outage_unless_it_goes_on() -> None:
    judge = Judge(WATCHED, 2, NOW)
    judge.judge(result(0, State.DOWN))
    (shown,) = judge.judge(result(1, State.DEGRADED, failure=FailureKind.THROTTLED))
    assert shown.finding.state is State.DOWN
    (shown,) = judge.judge(result(2, State.DEGRADED, failure=FailureKind.THROTTLED))
    assert shown.finding.state is State.DEGRADED
    assert shown.since == NOW + timedelta(seconds=1)
    judge.judge(result(3, State.DOWN))
    judge.judge(result(4, State.DOWN))
    (shown,) = judge.judge(result(5, State.DEGRADED))
    assert shown.finding.state is State.DEGRADED


def test_a_worse_state_is_not_dated_back_to_a_milder_one() -> None:
    up, unsure, down = State.OPERATIONAL, State.UNKNOWN, State.DOWN
    shown = judged([up, unsure, down, down], 2)
    assert [each.finding.state for each in shown] == [up, up, unsure, down]
    assert [each.since for each in shown[2:]] == [NOW + timedelta(seconds=1), NOW + timedelta(seconds=2)]
    # What goes on as a row is waited for.
    assert shown[2].suspected_since == NOW + timedelta(seconds=2)
    assert shown[3].suspected_since is None


@given(STATES, st.integers(1, 4))
def test_a_state_never_begins_before_one_that_was_shown_earlier(states: list[State], threshold: int) -> None:
    sinces = [each.since for each in judged(states, threshold)]
    assert sinces == sorted(sinces)


def test_while_failures_do_not_count_yet_the_former_finding_stays_with_a_new_age() -> None:
    before, shown = judged([State.OPERATIONAL, State.DOWN], 2)
    assert shown.finding == before.finding
    assert shown.checked_at == NOW + timedelta(seconds=1)


def test_a_failure_that_the_apps_network_may_explain_has_the_others_checked_at_once() -> None:
    judge = Judge(WATCHED, 2, NOW)
    for component in WATCHED:
        judge.judge(result(0, State.OPERATIONAL, component.id))
    timeout = result(1, State.DOWN, WEB_ID, FailureKind.TIMEOUT)
    judge.judge(timeout)
    assert judge.asks_others(timeout)
    assert judge.suspects(WEB_ID)
    again = result(2, State.DOWN, WEB_ID, FailureKind.TIMEOUT)
    judge.judge(again)
    assert not judge.asks_others(again)
    denied = result(3, State.UNKNOWN, WORKER_ID, FailureKind.ACCESS_DENIED)
    judge.judge(denied)
    assert not judge.asks_others(denied)


def test_checks_of_one_service_alone_say_nothing_of_the_apps_network() -> None:
    judge = Judge([each for each in WATCHED if each.id == ALARMS_ID], 1, NOW)
    (shown,) = judge.judge(result(1, State.DOWN, ALARMS_ID, FailureKind.TIMEOUT))
    assert (shown.finding.state, shown.lost) == (State.DOWN, False)
    assert judge.notice is None


def answered(number: int) -> Result:
    """A web service answers although ECS cannot be reached."""
    found = result(number, State.OPERATIONAL)
    finding = replace(found.finding, failure=FailureKind.ENDPOINT_UNREACHABLE)
    return replace(found, finding=finding)


def test_an_answer_over_http_does_not_prove_that_aws_can_be_reached() -> None:
    judge = Judge(WATCHED, 2, NOW)
    others = [each.id for each in WATCHED if each.id != WEB_ID]
    for component in WATCHED:
        judge.judge(result(0, State.OPERATIONAL, component.id))
    for number in (1, 2):
        for other in others:
            judge.judge(answered(number))
            unreachable = result(number, State.DOWN, other, FailureKind.ENDPOINT_UNREACHABLE)
            for shown in judge.judge(unreachable):
                assert shown.finding.state is not State.DOWN
    assert judge.notice == Notice(NO_NETWORK, NOW + timedelta(seconds=1))
    (shown,) = judge.judge(answered(3))
    assert (shown.component, shown.finding.state, shown.lost) == (WEB_ID, State.OPERATIONAL, False)
    assert judge.notice
    judge.judge(result(4, State.OPERATIONAL))
    assert judge.notice is None
