"""Opening and changing incidents and maintenances: what clients send, and what comes of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from webapp.fields import ComponentId, MayBeLeftOut, date_time
from webapp.incidents.models import Correction, Incident, Kind, Progress, Severity, Update, as_of
from webapp.incidents.text import Message, Title

MOST_UPDATES: Final = 100
"""Updates of one incident. The last one is left for its resolution."""

MOST_BYTES: Final = 300_000
"""Bytes of one incident as JSON before its resolution; an item of DynamoDB has 400 KB at most.

Source: DynamoDB Developer Guide, "Quotas".
"""

MOST_COMPONENTS: Final = 100
"""Components that one incident names."""

LONGEST_MAINTENANCE: Final = timedelta(days=30)

_NEXT: Final[Mapping[Progress, tuple[Progress, ...]]] = {
    **dict.fromkeys(
        (Progress.INVESTIGATING, Progress.IDENTIFIED, Progress.MONITORING),
        (Progress.INVESTIGATING, Progress.IDENTIFIED, Progress.MONITORING, Progress.RESOLVED),
    ),
    Progress.RESOLVED: (Progress.INVESTIGATING,),
    Progress.SCHEDULED: (Progress.CANCELLED,),
    Progress.IN_PROGRESS: (Progress.COMPLETED,),
    Progress.COMPLETED: (),
    Progress.CANCELLED: (),
}
"""The states that people may give what is in a state. A resolved incident is reopened."""


class RefusedError(Exception):
    """An incident cannot be opened or changed so; `str()` says why.

    `pointer` is the JSON pointer to what is wrong with the request, None if the incident's state forbids it.
    """

    def __init__(self, reason: str, pointer: str | None = None) -> None:
        super().__init__(reason)
        self.pointer = pointer


def _once_each(components: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if len(set(components)) < len(components):
        raise ValueError("Expected each component once.")
    return components if info.context is None else tuple(each for each in info.context if each in components)


def _time(value: object) -> datetime:
    return date_time(value).replace(microsecond=0)


Components = Annotated[
    tuple[ComponentId, ...],
    Field(max_length=MOST_COMPONENTS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_once_each),
]

Time = Annotated[datetime, BeforeValidator(_time), WithJsonSchema({"type": "string", "format": "date-time"})]
"""A date-time of RFC 3339, to the second."""

_IS_MAINTENANCE: Final = {"properties": {"kind": {"const": Kind.MAINTENANCE.value}}, "required": ["kind"]}
_TIMES: Final = ("starts_at", "ends_at")
_OF_INCIDENTS: Final = ("severity", "state")
_SAID: Final = ("state", "severity", "ends_at")
"""What changes with a message only."""

_SCHEMA: Final[dict[str, Any]] = {
    "if": _IS_MAINTENANCE,
    "then": {"required": [*_TIMES], "properties": dict.fromkeys(_OF_INCIDENTS, False)},
    "else": {"properties": dict.fromkeys(_TIMES, False)},
}


class NewIncident(BaseModel):
    """What it takes to open an incident, or to announce a maintenance."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, json_schema_extra=_SCHEMA)

    kind: Kind = Field(default=Kind.INCIDENT, description="A maintenance also needs starts_at and ends_at.")
    title: Title = Field(description="What is wrong or planned, in 1 to 120 characters.")
    message: Message = Field(description="The first update, in 1 to 2,000 characters.")
    components: Components = Field(
        default=(), description="The ids of the components it concerns, each once."
    )
    severity: Severity = Field(
        default=Severity.MINOR,
        description="How bad an incident is: minor makes its components degraded, major and critical down; "
        "critical without components concerns all.",
    )
    state: Literal[Progress.INVESTIGATING, Progress.IDENTIFIED, Progress.MONITORING] = Field(
        default=Progress.INVESTIGATING, description="How far an incident has come."
    )
    starts_at: MayBeLeftOut[Time] = Field(
        default=None, description="The time (RFC 3339) at which a maintenance starts."
    )
    ends_at: MayBeLeftOut[Time] = Field(
        default=None,
        description="The time (RFC 3339) at which a maintenance ends: in the future, and after it starts, by "
        "30 days at most.",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_has(self) -> "NewIncident":
        is_maintenance = self.kind is Kind.MAINTENANCE
        if is_maintenance and (self.starts_at is None or self.ends_at is None):
            raise ValueError("A maintenance needs starts_at and ends_at.")
        given = self.model_fields_set.intersection(_OF_INCIDENTS if is_maintenance else _TIMES)
        if given:
            kind = "A maintenance" if is_maintenance else "An incident"
            raise ValueError(f"{kind} has no {' and no '.join(sorted(given))}. Leave it out.")
        return self


class IncidentChange(BaseModel):
    """What is to change; whatever is left out stays as it is. A message becomes an update."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "minProperties": 1,
            "dependentRequired": {name: ["message"] for name in _SAID},
        },
    )

    title: MayBeLeftOut[Title] = Field(
        default=None, description="What is wrong or planned, in 1 to 120 characters."
    )
    components: MayBeLeftOut[Components] = Field(
        default=None, description="The ids of the components it concerns, each once."
    )
    severity: MayBeLeftOut[Severity] = Field(
        default=None, description="How bad an incident is; needs a message."
    )
    state: MayBeLeftOut[Progress] = Field(
        default=None,
        description="How far it has come; needs a message. A resolved incident is reopened with "
        "investigating, and changes in no other way. A scheduled maintenance can be cancelled, one in "
        "progress completed.",
    )
    ends_at: MayBeLeftOut[Time] = Field(
        default=None, description="When a maintenance ends now, as when it was announced; needs a message."
    )
    message: MayBeLeftOut[Message] = Field(default=None, description="An update, in 1 to 2,000 characters.")

    @model_validator(mode="after")
    def _changes_something(self) -> "IncidentChange":
        if not self.model_fields_set:
            raise ValueError("Expected a title, components, severity, state, ends_at or message.")
        for name in _SAID:
            if getattr(self, name) is not None and self.message is None:
                raise ValueError(f"Expected a message with {name}: say what has changed.")
        return self


class UpdateCorrection(BaseModel):
    """What an update should say. What it said before stays visible."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    message: Message = Field(description="The corrected text, in 1 to 2,000 characters.")


def opened(new: NewIncident, identifier: str, now: datetime) -> Incident:
    """Returns the incident as it is when it is opened.

    Raises `RefusedError` if a maintenance may not end then.
    """
    if new.starts_at and new.ends_at:
        _check_end(new.starts_at, new.ends_at, now)
    is_maintenance = new.kind is Kind.MAINTENANCE
    made = Incident(
        id=identifier,
        kind=new.kind,
        version=1,
        title=new.title,
        state=Progress.SCHEDULED if is_maintenance else new.state,
        severity=None if is_maintenance else new.severity,
        components=new.components,
        starts_at=new.starts_at,
        ends_at=new.ends_at,
        opened_at=now,
        updated_at=now,
        updates=(),
    )
    made = as_of(made, now)
    return made.model_copy(update={"updates": _updates(made, new.message, made.state, made.severity, now)})


def changed(incident: Incident, change: IncidentChange, now: datetime) -> Incident:
    """Returns the next version of an incident. Raises `RefusedError` if it does not take this change."""
    before = as_of(incident, now)
    _check_change(before, change)
    if change.ends_at and before.starts_at:
        _check_end(before.starts_at, change.ends_at, now)
    state = change.state or before.state
    after = before.model_copy(
        update={
            "version": before.version + 1,
            "title": change.title or before.title,
            "state": state,
            "severity": change.severity or before.severity,
            "components": before.components if change.components is None else change.components,
            "ends_at": change.ends_at or before.ends_at,
            "updated_at": now,
            "updates": before.updates
            if change.message is None
            else _updates(before, change.message, state, change.severity or before.severity, now),
        }
    )
    after = after.model_copy(update={"resolved_at": now if after.is_over else None})
    # A resolution is always let in: it is the last update, and what is left up to DynamoDB's limit is for it.
    if not after.is_over and change.message is not None:
        if len(after.updates) >= MOST_UPDATES:
            raise RefusedError(f"It can have {MOST_UPDATES} updates; the last one must end it.")
        _check_size(after)
    return after


def corrected(incident: Incident, number: int, correction: UpdateCorrection, now: datetime) -> Incident:
    """Returns the next version of an incident, with another text in an update of it.

    Raises `KeyError` if there is no update of this number, `RefusedError` if there is nothing to correct or
    no room for what it said before.
    """
    before = as_of(incident, now)
    found = {update.number: update for update in before.updates}
    said = found[number]
    if said.message == correction.message:
        raise RefusedError(f"Update {number} says this already.")
    found[number] = said.model_copy(
        update={
            "message": correction.message,
            "corrections": (Correction(at=now, was=said.message), *said.corrections),
        }
    )
    after = before.model_copy(
        update={
            "version": before.version + 1,
            "updated_at": now,
            "updates": tuple(found[update.number] for update in before.updates),
        }
    )
    _check_size(after)
    return after


def _updates(
    incident: Incident, message: str, state: Progress, severity: Severity | None, now: datetime
) -> tuple[Update, ...]:
    number = len(incident.updates) + 1
    update = Update(number=number, at=now, state=state, severity=severity, message=message)
    return (update, *incident.updates)


def _check_change(before: Incident, change: IncidentChange) -> None:
    named = f"The {before.kind} is {before.state.replace('_', ' ')}"
    following = _NEXT[before.state]
    if before.is_over and change.state not in following:
        if before.kind is Kind.MAINTENANCE:
            raise RefusedError(f"{named}; nothing of it changes any more. Announce another one.")
        raise RefusedError(f"{named}. Reopen it first: send the state investigating, with a message.")
    if change.state and change.state not in following:
        raise RefusedError(f"{named}. Its next state can be {' or '.join(following)}.")
    if change.severity and before.kind is Kind.MAINTENANCE:
        raise RefusedError("A maintenance has no severity.", "/severity")
    if change.ends_at and before.kind is Kind.INCIDENT:
        raise RefusedError("An incident has no planned end.", "/ends_at")


def _check_end(starts_at: datetime, ends_at: datetime, now: datetime) -> None:
    if ends_at <= starts_at:
        raise RefusedError("Expected a time after starts_at.", "/ends_at")
    if ends_at - starts_at > LONGEST_MAINTENANCE:
        raise RefusedError(
            f"Expected a time {LONGEST_MAINTENANCE.days} days after starts_at at most.", "/ends_at"
        )
    if ends_at <= now:
        at = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        raise RefusedError(f"Expected a time in the future; it is {at}.", "/ends_at")


def _check_size(after: Incident) -> None:
    if len(after.model_dump_json().encode()) > MOST_BYTES:
        raise RefusedError("Its updates are too long together; it takes only one more, which ends it.")
