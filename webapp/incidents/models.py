"""Incidents and maintenances as the table keeps them and the API shows them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from webapp.fields import CURSOR, DATE_OR_TIME, CursorText, MayBeLeftOut, WholeNumber, end_of, start_of

ID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""A UUID as RFC 9562, section 4, writes it."""

IncidentId = Annotated[str, Field(pattern=ID_PATTERN, description="The incident's id.")]
UpdateNumber = Annotated[WholeNumber, Field(ge=1, description="The update's number.")]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """What people announce."""

    INCIDENT = "incident"
    MAINTENANCE = "maintenance"


class Severity(StrEnum):
    """How bad an incident is, the least first."""

    MINOR = "minor"
    MAJOR = "major"
    CRITICAL = "critical"


class Progress(StrEnum):
    """How far an incident or a maintenance has come."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"
    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


OVER: Final = frozenset({Progress.RESOLVED, Progress.COMPLETED, Progress.CANCELLED})
"""The states of what is not open any more."""

_SHOWN: Final = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class Correction(BaseModel):
    """What an update said before it was corrected."""

    model_config = _SHOWN

    at: datetime = Field(description="When it was corrected, in UTC.")
    was: str = Field(description="What the update said until then.")


class Update(BaseModel):
    """What people said at one time."""

    model_config = _SHOWN

    number: int = Field(description="Counts from 1, the first update.")
    at: datetime = Field(description="When it was said, in UTC.")
    state: Progress = Field(description="The state from then on.")
    severity: Severity | None = Field(
        default=None,
        description="The severity from then on; null of a maintenance, and where it was not kept.",
    )
    message: str = Field(description="What was said, as corrected.")
    corrections: tuple[Correction, ...] = Field(default=(), description="Its corrections, the newest first.")


class Incident(BaseModel):
    """An incident or a maintenance with all its updates, the newest first. Its version is its entity tag."""

    model_config = _SHOWN

    id: str = Field(
        description="A UUID that sorts by the time the incident was opened, or maintenance starts."
    )
    kind: Kind = Field(description="An incident, or a maintenance, which is planned.")
    version: int = Field(description="How often it was written; in quotes, it is the ETag.")
    title: str = Field(description="What is wrong or planned, in a few words.")
    state: Progress = Field(
        description="An incident is investigating, identified, monitoring or resolved; a maintenance is "
        "scheduled, in_progress, completed or cancelled."
    )
    severity: Severity | None = Field(
        default=None,
        description="What an incident makes of its components: minor degraded, major and critical down; "
        "critical without components makes all components down. Null for a maintenance.",
    )
    components: tuple[str, ...] = Field(
        description="The ids of the components it concerns, in the order of the page."
    )
    starts_at: datetime | None = Field(
        default=None, description="When a maintenance starts, in UTC; null for an incident."
    )
    ends_at: datetime | None = Field(
        default=None, description="When a maintenance is planned to end, in UTC; null for an incident."
    )
    opened_at: datetime = Field(description="When it was opened or announced, in UTC.")
    updated_at: datetime = Field(description="When it was last written, in UTC.")
    resolved_at: datetime | None = Field(
        default=None,
        description="When it was resolved, completed or cancelled, in UTC; null while it is open.",
    )
    updates: tuple[Update, ...] = Field(description="All that was said of it, the newest first.")

    @property
    def began_at(self) -> datetime:
        """Returns when the incident was opened or the maintenance starts, by which lists are sorted."""
        return self.starts_at or self.opened_at

    @property
    def is_over(self) -> bool:
        """Returns whether it is resolved, completed or cancelled; see `as_of` for maintenances."""
        return self.state in OVER


def as_of(incident: Incident, now: datetime) -> Incident:
    """Returns the incident in its state at a time: that of a maintenance follows from its plan.

    A maintenance starts and completes by the clock, without a write, unless people end it before.
    """
    if incident.starts_at is None or incident.ends_at is None or incident.is_over:
        return incident
    if now >= incident.ends_at:
        return incident.model_copy(update={"state": Progress.COMPLETED, "resolved_at": incident.ends_at})
    state = Progress.IN_PROGRESS if now >= incident.starts_at else Progress.SCHEDULED
    return incident if incident.state is state else incident.model_copy(update={"state": state})


def open_at(incidents: Iterable[Incident], now: datetime) -> tuple[Incident, ...]:
    """Returns those that are open at a time, in their state then."""
    return tuple(current for each in incidents if not (current := as_of(each, now)).is_over)


class IncidentPage(BaseModel):
    """Incidents and maintenances, the newest first; `next` is the cursor of the page after this."""

    model_config = ConfigDict(frozen=True)

    incidents: tuple[Incident, ...] = Field(
        description="Those that began last first: an incident begins when it is opened."
    )
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


Openness = Literal["open", "resolved"]


class IncidentsQuery(BaseModel):
    """Which incidents are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: MayBeLeftOut[Openness] = Field(
        default=None,
        description="Only those that are open, scheduled and running maintenances among them, or only those "
        "that are over; all when left out.",
    )
    from_: MayBeLeftOut[Annotated[datetime, PlainValidator(start_of), DATE_OR_TIME]] = Field(
        default=None,
        alias="from",
        description="The time (RFC 3339) from which they began, or the first day (UTC); all when left out.",
    )
    to: MayBeLeftOut[Annotated[datetime, PlainValidator(end_of), DATE_OR_TIME]] = Field(
        default=None,
        description="The time (RFC 3339) before which they began, or the last day (UTC); all when left out.",
    )
    limit: WholeNumber = Field(default=20, ge=1, le=100, description="How many incidents a page has at most.")
    cursor: MayBeLeftOut[CursorText] = Field(default=None, description=CURSOR)


def incident_id(at: datetime, randomness: bytes) -> str:
    """An id that sorts by time: a UUID of version 7 (RFC 9562, section 5.7) from 10 random bytes.

    Zeros for these make the lowest id of a millisecond. Times before 1970 count as 1970.
    """
    milliseconds = max(0, (at - _EPOCH) // timedelta(milliseconds=1))
    drawn = int.from_bytes(randomness[:10], "big")
    value = milliseconds << 80 | drawn
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))
