"""Makes the page's views from the status document, the snapshot and what the table has."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Final

from webapp.board import Result, Snapshot
from webapp.components import Component
from webapp.headline import Headline
from webapp.history.models import Day
from webapp.incidents.models import Incident, Kind, Progress, as_of, open_at
from webapp.incidents.shown import RAISED, named
from webapp.incidents.store import RECENT_DAYS
from webapp.page import wording
from webapp.page.bars import Bar, DaySeconds
from webapp.page.views import (
    Days,
    Figure,
    Front,
    IncidentCard,
    Insight,
    Place,
    Release,
    Row,
    Share,
    Site,
    Update,
    groups_of,
    reading_of,
)
from webapp.settings import Settings
from webapp.states import Detail
from webapp.status import ComponentStatus, OperatorStatus, Status

DAYS_OVERDUE_AFTER: Final = 180.0
"""Seconds after which the next read of the days is overdue: they are read once a minute."""

_DAY: Final = 86_400


def site_of(settings: Settings, *, operator: bool) -> Site:
    """Returns what every page has."""
    links = tuple((link.name, link.url) for link in settings.page_links)
    return Site(settings.title, settings.logo_url or None, links, operator)


def front_of(
    status: Status | OperatorStatus,
    snapshot: Snapshot,
    settings: Settings,
    components: Mapping[str, Component],
    bars: Mapping[str, Bar],
    now: datetime,
) -> Front:
    """Returns the first page of a view, given its status document, components and the incidents it sees.

    `bars` is empty while the history is not available.
    """
    operator = isinstance(status, OperatorStatus)
    cards = tuple(card_of(each, components, now) for each in open_at(snapshot.open_incidents or (), now))
    rows = tuple(
        row_of(
            each,
            bars.get(each.id),
            insight_of(components[each.id], snapshot.results[each.id]) if operator else None,
        )
        for each in status.components.values()
    )
    return Front(
        headline=Headline(status.state, status.message, status.note),
        checked_at=None if status.notice else status.checked_at,
        incidents=None
        if snapshot.open_incidents is None
        else tuple(card for card in cards if card.starts_at is None),
        maintenances=tuple(
            sorted((card for card in cards if card.starts_at is not None), key=lambda card: card.began_at)
        ),
        groups=groups_of(rows),
        past=None
        if snapshot.recent_incidents is None
        else past_days(
            _cards(snapshot.recent_incidents, components, now),
            now.date(),
            _oldest_day(snapshot, now),
        ),
        incidents_read=reading_of(snapshot.incidents_read_at, 2 * settings.check_interval + 5, now),
        days_read=reading_of(snapshot.days_read_at, DAYS_OVERDUE_AFTER, now),
        release=release_of(status) if isinstance(status, OperatorStatus) else None,
    )


def _oldest_day(snapshot: Snapshot, now: datetime) -> date:
    """Returns the first of the recent days of which the incidents are known."""
    first = now.date() - timedelta(RECENT_DAYS - 1)
    since = snapshot.recent_since
    return max(first, since.astimezone(UTC).date()) if since else first


def release_of(status: OperatorStatus) -> Release:
    """Returns what runs."""
    where = f"{status.service} in {status.environment}, {status.region}"
    return Release(status.release.digest, status.release.commit, status.release.since, where)


def row_of(status: ComponentStatus, bar: Bar | None, insight: Insight | None) -> Row:
    """Returns a component's row."""
    return Row(
        id=status.id,
        name=status.name,
        group=status.group,
        state=status.state,
        since=status.since,
        checked_at=status.checked_at,
        stale=status.stale,
        shares=shares_of(status),
        bar=bar,
        insight=insight,
    )


def shares_of(status: ComponentStatus) -> tuple[Share, ...]:
    """Returns a component's availability in each window."""
    found = status.availability
    if found is None:
        return ()
    return tuple(
        Share(label, window * _DAY, share.percent, share.with_data)
        for label, window, share in (
            ("24 h", 1, found.h24),
            ("7 d", 7, found.d7),
            ("30 d", 30, found.d30),
            ("90 d", 90, found.d90),
        )
    )


def insight_of(component: Component, result: Result) -> Insight:
    """Returns what only operators see of a component."""
    return Insight(
        message=result.finding.message,
        latency_ms=result.latency_ms,
        figures=(Figure("Resource", component.resource), *figures_of(result.finding.details)),
        kind=component.kind,
        hidden=not component.public,
    )


def figures_of(details: Mapping[str, Detail]) -> tuple[Figure, ...]:
    """Returns the details of a check as text, without those that are None."""
    return tuple(_figure(name, value) for name, value in details.items() if value is not None)


def _figure(name: str, value: Detail) -> Figure:
    label = wording.label(name)
    if isinstance(value, bool):
        return Figure(label, "Yes" if value else "No", name=name)
    if isinstance(value, str) and name.endswith("_at"):
        with suppress(ValueError):
            at = datetime.fromisoformat(value)
            return Figure(label, wording.minute(at), at, name)
    return Figure(label, str(value), name=name)


def seconds_of(days: Iterable[Day], now: datetime) -> tuple[DaySeconds, ...]:
    """Returns the days in seconds; today's length is what is over of it, but for the last two minutes.

    These are written after they are over.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    over = max(0.0, (now - midnight).total_seconds() - 120)
    return tuple(
        DaySeconds(
            date=day.date,
            length=_DAY if day.date < midnight.date() else over,
            operational=day.seconds.operational,
            degraded=day.seconds.degraded,
            down=day.seconds.down,
            maintenance=day.seconds.maintenance,
        )
        for day in days
    )


def card_of(incident: Incident, components: Mapping[str, Component], now: datetime) -> IncidentCard:
    """Returns an incident or a maintenance as it is at a time, with the components that may be seen."""
    shown = named(as_of(incident, now), components)
    states = [update.state for update in reversed(shown.updates)]
    return IncidentCard(
        id=shown.id,
        title=shown.title,
        state="maintenance" if shown.severity is None else RAISED[shown.severity],
        severity=shown.severity,
        progress=shown.state,
        concerns=tuple(Place(each, components[each].name) for each in shown.components),
        opened_at=shown.opened_at,
        resolved_at=shown.resolved_at,
        updates=tuple(
            Update(
                at=update.at,
                label=update.state.replace("_", " ").capitalize(),
                message=update.message,
                corrected_at=update.corrections[0].at if update.corrections else None,
                was=tuple(correction.was for correction in update.corrections),
            )
            for update in shown.updates
        ),
        starts_at=shown.starts_at,
        ends_at=shown.ends_at,
        reopened=Progress.RESOLVED in states[:-1] and shown.kind is Kind.INCIDENT,
    )


def _cards(
    incidents: Iterable[Incident], components: Mapping[str, Component], now: datetime
) -> tuple[IncidentCard, ...]:
    return tuple(card_of(each, components, now) for each in incidents)


def past_days(cards: Sequence[IncidentCard], today: date, first: date) -> tuple[Days, ...]:
    """Returns the days from today back to `first`, with what began then and is over; quiet days in runs."""
    over = [card for card in cards if card.over]
    found: list[Days] = []
    day = today
    while day >= first:
        began = tuple(card for card in over if card.began_at.astimezone(UTC).date() == day)
        if not began and found and not found[-1].incidents:
            found[-1] = Days(day, found[-1].last, ())
        else:
            found.append(Days(day, day, began))
        day -= timedelta(days=1)
    return tuple(found)


def listed_days(cards: Sequence[IncidentCard]) -> tuple[Days, ...]:
    """Returns the days on which these began, the newest first."""
    dates = dict.fromkeys(card.began_at.astimezone(UTC).date() for card in cards)
    return tuple(
        Days(day, day, tuple(card for card in cards if card.began_at.astimezone(UTC).date() == day))
        for day in dates
    )
