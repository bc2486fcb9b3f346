"""The state in which a component is shown, by what its check found and what people say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.announced import HOUR, NOW, change, incident, maintenance
from webapp.incidents.models import Incident
from webapp.incidents.shown import is_seen, raised_since, seen, shown_state
from webapp.states import State, worst

FOUND = [State.OPERATIONAL, State.DEGRADED, State.DOWN, State.UNKNOWN]
RAISED = [("minor", State.DEGRADED), ("major", State.DOWN), ("critical", State.DOWN)]


@pytest.mark.parametrize("found", FOUND)
@pytest.mark.parametrize(("severity", "state"), RAISED)
def test_an_incident_raises_its_components_and_no_others(severity: str, state: State, found: State) -> None:
    open_incidents = (incident(severity=severity),)
    assert shown_state("services.web", found, open_incidents, NOW) is worst((found, state))
    assert shown_state("queues.orders", found, open_incidents, NOW) is found


@pytest.mark.parametrize(
    ("severity", "state"),
    [("minor", State.OPERATIONAL), ("major", State.OPERATIONAL), ("critical", State.DOWN)],
)
def test_without_components_only_a_critical_incident_concerns_all(severity: str, state: State) -> None:
    open_incidents = (incident(severity=severity, components=[]),)
    assert shown_state("queues.orders", State.OPERATIONAL, open_incidents, NOW) is state


def test_a_resolved_incident_raises_nothing() -> None:
    resolved = change(incident(severity="critical"), state="resolved", message="Over.")
    assert shown_state("services.web", State.OPERATIONAL, (resolved,), NOW) is State.OPERATIONAL


@pytest.mark.parametrize("found", FOUND)
def test_a_component_shows_maintenance_while_one_is_in_progress(found: State) -> None:
    announced = (maintenance(), incident(severity="critical", components=["queues.orders"]))
    for component, now, state in (
        ("queues.orders", NOW, State.DOWN),
        ("queues.orders", NOW + HOUR, State.MAINTENANCE),
        ("queues.orders", NOW + 2 * HOUR, State.DOWN),
        ("services.web", NOW + HOUR, found),
    ):
        assert shown_state(component, found, announced, now) is state


def test_without_incidents_the_state_is_what_the_check_found() -> None:
    for found in FOUND:
        assert shown_state("services.web", found, None, NOW) is found
        assert shown_state("services.web", found, (), NOW) is found


@given(
    st.sampled_from(FOUND),
    st.lists(
        st.builds(
            lambda severity, ids: incident(severity=severity, components=ids),
            st.sampled_from(["minor", "major", "critical"]),
            st.lists(st.sampled_from(["services.web", "queues.orders"]), unique=True),
        ),
        max_size=4,
    ),
)
def test_an_incident_never_makes_a_state_better(found: State, open_incidents: list[Incident]) -> None:
    shown = shown_state("services.web", found, open_incidents, NOW)
    assert worst((found, shown)) is shown


def test_who_does_not_know_of_a_component_does_not_see_what_is_about_it_alone() -> None:
    public = {"services.web"}
    both = incident(components=["status.alarms", "services.web", "queues.gone"])
    only, none = incident(components=["services.web"]), incident(components=[])
    hidden = incident(components=["status.alarms", "queues.gone"])
    shown = seen([both, hidden, only, none], public)
    assert [each.components for each in shown] == [("services.web",), ("services.web",), ()]
    assert shown[1:] == (only, none)
    assert [is_seen(each, public) for each in (both, hidden, only, none)] == [True, False, True, True]


def test_an_incident_raises_a_state_since_it_was_reopened_or_its_severity_was_raised() -> None:
    minor = incident()
    assert raised_since(minor, State.DEGRADED) == NOW
    major = change(minor, NOW + HOUR, severity="major", message="m")
    assert raised_since(major, State.DOWN) == NOW + HOUR
    assert raised_since(major, State.DEGRADED) == NOW
    critical = change(major, NOW + 2 * HOUR, severity="critical", message="m")
    assert raised_since(critical, State.DOWN) == NOW + HOUR
    resolved = change(critical, NOW + 3 * HOUR, state="resolved", message="m")
    reopened = change(resolved, NOW + 4 * HOUR, state="investigating", message="m")
    assert raised_since(change(reopened, NOW + 5 * HOUR, message="m"), State.DOWN) == NOW + 4 * HOUR


def test_updates_of_before_severities_were_kept_have_that_of_the_incident() -> None:
    before = change(incident(severity="major"), NOW + HOUR, message="m")
    updates = tuple(each.model_copy(update={"severity": None}) for each in before.updates)
    assert raised_since(before.model_copy(update={"updates": updates}), State.DOWN) == NOW
