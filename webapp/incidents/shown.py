"""What open incidents and maintenances make of the states that checks find, and what the public sees."""

from collections.abc import Container, Iterable, Mapping
from datetime import datetime
from typing import Final

from webapp.incidents.models import OVER, Incident, Progress, Severity, open_at
from webapp.states import State, is_worse, worst

RAISED: Final[Mapping[Severity, State]] = {
    Severity.MINOR: State.DEGRADED,
    Severity.MAJOR: State.DOWN,
    Severity.CRITICAL: State.DOWN,
}
"""The state that an incident raises its components to."""


def shown_state(
    component_id: str, found: State, open_incidents: Iterable[Incident] | None, now: datetime
) -> State:
    """Returns the state in which a component is shown, of which a check found `found`.

    That is maintenance while one is in progress, and otherwise the worst of what the check found and of what
    open incidents raise it to. `open_incidents` is None until they are first read.
    """
    concerning = [each for each in open_at(open_incidents or (), now) if concerns(each, component_id)]
    if any(each.state is Progress.IN_PROGRESS for each in concerning):
        return State.MAINTENANCE
    return worst((found, *_raised(concerning)))


def is_seen(incident: Incident, components: Container[str]) -> bool:
    """Returns whether an incident is there for those who see these components.

    One that names components, and none of these, is about what they do not know of. Names without a dot are
    of former incidents, which named parts of the app.
    """
    ids = [each for each in incident.components if "." in each]
    return not ids or any(each in components for each in ids)


def seen(incidents: Iterable[Incident], components: Container[str]) -> tuple[Incident, ...]:
    """Returns the incidents that are there for those who see these components, as they see them."""
    return tuple(named(each, components) for each in incidents if is_seen(each, components))


def named(incident: Incident, components: Container[str]) -> Incident:
    """Returns an incident without the components that are not among these."""
    known = tuple(each for each in incident.components if each in components)
    return incident if known == incident.components else incident.model_copy(update={"components": known})


def raised_since(incident: Incident, state: State) -> datetime:
    """Returns since when an open incident raises its components to a state or a worse one.

    A reopened one does since it was reopened, one whose severity was raised since then.
    """
    since = incident.opened_at
    for update in incident.updates:
        severity = update.severity or incident.severity
        if update.state in OVER or severity is None or is_worse(state, RAISED[severity]):
            return since
        since = update.at
    return incident.opened_at


def concerns(incident: Incident, component_id: str) -> bool:
    """Returns whether an incident concerns a component: it names it, or is critical and names none."""
    if incident.components:
        return component_id in incident.components
    return incident.severity is Severity.CRITICAL


def _raised(incidents: Iterable[Incident]) -> Iterable[State]:
    return (RAISED[each.severity] for each in incidents if each.severity is not None)
