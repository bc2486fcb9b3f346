"""What the templates show, as plain values: each view is made by `webapp.page.making`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from webapp.headline import Headline
from webapp.page import wording
from webapp.page.bars import Bar
from webapp.page.charts import Chart

_ORDER: Final = ("operational", "maintenance", "unknown", "degraded", "down")


@dataclass(frozen=True)
class Share:
    """The availability of a component in a window; `percent` is None without data."""

    label: str
    window: float
    percent: float | None
    seconds: float

    @property
    def words(self) -> str:
        """Returns the percentage, such as 99.98 %."""
        return "no data" if self.percent is None else wording.percent(self.percent)

    @property
    def limited(self) -> str | None:
        """Returns how much of the window has data, if not all of it."""
        return None if self.percent is None else wording.with_data(self.seconds, self.window)


@dataclass(frozen=True)
class Figure:
    """A detail as text. `at` is its time, if it is one; `name` is its name in a finding, if it is of one."""

    label: str
    words: str
    at: datetime | None = None
    name: str | None = None


@dataclass(frozen=True)
class Insight:
    """What only operators see of a component."""

    message: str
    latency_ms: float | None
    figures: tuple[Figure, ...]
    kind: str
    hidden: bool
    """Whether the public page leaves the component out."""


@dataclass(frozen=True)
class Row:
    """A component. `bar` is None while its history is not available, `insight` for the public."""

    id: str
    name: str
    group: str
    state: str
    since: datetime
    checked_at: datetime | None
    stale: bool
    shares: tuple[Share, ...]
    bar: Bar | None
    insight: Insight | None = None


@dataclass(frozen=True)
class Group:
    """The components under one heading."""

    name: str
    rows: tuple[Row, ...]

    @property
    def state(self) -> str:
        """Returns the worst state of its components."""
        return max((row.state for row in self.rows), key=_ORDER.index)

    @property
    def words(self) -> str:
        """Returns the worst state with how many components are in it: 1 of 4 down."""
        count = sum(row.state == self.state for row in self.rows)
        if self.state == "operational" or len(self.rows) == 1:
            return self.state.capitalize()
        words = "in maintenance" if self.state == "maintenance" else self.state
        return f"{count} of {len(self.rows)} {words}" if count < len(self.rows) else f"All {words}"

    @property
    def id(self) -> str:
        """Returns the group's name as an id."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower())


def groups_of(rows: Sequence[Row]) -> tuple[Group, ...]:
    """Returns the rows by their groups, both in their order."""
    names = dict.fromkeys(row.group for row in rows)
    return tuple(Group(name, tuple(row for row in rows if row.group == name)) for name in names)


@dataclass(frozen=True)
class Place:
    """A component that an incident concerns."""

    id: str
    name: str


@dataclass(frozen=True)
class Update:
    """What was said of an incident; `was` is its former text, if it was corrected at `corrected_at`."""

    at: datetime
    label: str
    message: str
    corrected_at: datetime | None = None
    was: tuple[str, ...] = ()


@dataclass(frozen=True)
class IncidentCard:
    """An incident or a maintenance, with its updates, the newest first.

    `state` is the one that gives it its colour. A maintenance has `starts_at` and `ends_at`.
    """

    id: str
    title: str
    state: str
    severity: str | None
    progress: str
    concerns: tuple[Place, ...]
    opened_at: datetime
    resolved_at: datetime | None
    updates: tuple[Update, ...]
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    reopened: bool = False

    @property
    def began_at(self) -> datetime:
        """Returns when it was opened, or when the maintenance starts."""
        return self.starts_at or self.opened_at

    @property
    def over(self) -> bool:
        """Returns whether it is resolved or completed."""
        return self.resolved_at is not None

    @property
    def lasted(self) -> str | None:
        """Returns how long it lasted, if it is over."""
        if self.resolved_at is None or self.resolved_at < self.began_at:
            return None
        return wording.duration((self.resolved_at - self.began_at).total_seconds())


@dataclass(frozen=True)
class Days:
    """One day with incidents, or a run of days without any."""

    first: date
    last: date
    incidents: tuple[IncidentCard, ...]

    @property
    def words(self) -> str:
        """Returns the dates."""
        return wording.days(self.first, self.last)


@dataclass(frozen=True)
class Change:
    """A change of a component's state. `lasted` is in seconds, None for the state that goes on."""

    at: datetime
    before: str
    after: str
    lasted: float | None
    message: str | None = None


@dataclass(frozen=True)
class Site:
    """What every page has: title, logo, links, and who is looking."""

    title: str
    logo: str | None
    links: tuple[tuple[str, str], ...]
    operator: bool

    @property
    def home(self) -> str:
        """Returns the address of the page this is part of."""
        return "/operator" if self.operator else "/"

    @property
    def components(self) -> str:
        """Returns what the addresses of components begin with."""
        return "/operator/components/" if self.operator else "/components/"


@dataclass(frozen=True)
class Release:
    """What runs, for operators."""

    digest: str
    commit: str
    since: datetime
    where: str


@dataclass(frozen=True)
class Front:
    """The first page. `incidents` and `past` are None while they are not available."""

    headline: Headline
    checked_at: datetime | None
    incidents: tuple[IncidentCard, ...] | None
    maintenances: tuple[IncidentCard, ...]
    groups: tuple[Group, ...]
    past: tuple[Days, ...] | None
    incidents_read: "Reading | None"
    days_read: "Reading | None"
    release: Release | None = None


@dataclass(frozen=True)
class Drill:
    """The page of one component. `changes` is None while they are not available."""

    row: Row
    changes: tuple[Change, ...] | None
    incidents: tuple[IncidentCard, ...]
    chart: Chart | None = None
    chart_hours: int = 24


@dataclass(frozen=True)
class Reading:
    """When data was last read from the table, and whether the next read is overdue."""

    at: datetime
    overdue: bool


def reading_of(at: datetime | None, overdue_after: float, now: datetime) -> Reading | None:
    """Returns the reading of data read at a time; None if it was never read."""
    if at is None:
        return None
    return Reading(at, (now - at).total_seconds() > overdue_after)
