"""Incidents: what people say about what is wrong, and what they do about it."""

import re
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from webapp.fields import CURSOR, ComponentId, CursorText, MayBeLeftOut, WholeNumber

MOST_UPDATES: Final = 100
"""Updates of one incident. The last one is left for its resolution."""

MOST_COMPONENTS: Final = 100
"""Components that one incident names."""

MOST_BYTES: Final = 300_000
"""Bytes of one incident as JSON before its resolution; an item of DynamoDB has 400 KB at most.

Source: DynamoDB Developer Guide, "Quotas".
"""

ID_PATTERN: Final = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
"""A UUID as RFC 9562, section 4, writes it."""

IncidentId = Annotated[str, Field(pattern=ID_PATTERN, description="The incident's id.")]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

_CONTROLS: Final = r"\x00-\x1f\x7f-\x9f\u2028\u2029"
"""Control characters and line ends: Unicode's categories Cc, Zl and Zp."""

_DIRECTIONS: Final = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
"""They have text read otherwise than it is written: Unicode Standard Annex 9, section 2."""

_INVISIBLE: Final = (
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f"
    r"\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8" + "\U000e0000-\U000e0fff"
)
"""Seen only in what they do to others, if at all: Default_Ignorable_Code_Point of the Unicode Character
Database, and the empty pattern of Braille. Those beyond U+FFFF stand as they are: JSON Schema has its
regular expressions from ECMA-262, which writes them otherwise than Python."""

_REFUSED: Final = _CONTROLS + _DIRECTIONS
_ONE_LINE: Final = rf"^[^{_REFUSED}]*[^\s{_REFUSED}{_INVISIBLE}][^{_REFUSED}]*$"
"""For the schema; matching it takes longer the longer the text is, squared."""


class Progress(StrEnum):
    """How far an incident has come."""

    INVESTIGATING = "investigating"
    IDENTIFIED = "identified"
    MONITORING = "monitoring"
    RESOLVED = "resolved"


Severity = Literal["minor", "major", "critical"]


class Update(BaseModel):
    """What was said of an incident at one time."""

    model_config = ConfigDict(frozen=True)

    at: datetime = Field(description="When it was said, in UTC.")
    state: Progress = Field(description="How far the incident had come then.")
    message: str = Field(description="What was said.")


class Incident(BaseModel):
    """An incident with all its updates, the newest first. Its version is its entity tag."""

    model_config = ConfigDict(frozen=True)

    id: str = Field(description="A UUID that sorts by the time the incident was opened at.")
    version: int = Field(description="How often the incident was written; in quotes, it is the ETag.")
    title: str = Field(description="What is wrong, in a few words.")
    state: Progress = Field(description="How far the incident has come.")
    severity: Severity = Field(default="minor", description="How bad it is.")
    components: tuple[str, ...] = Field(
        validation_alias=AliasChoices("components", "services"),
        description="The components it concerns, in the order of the page.",
    )
    starts_at: datetime | None = Field(
        default=None, description="When a maintenance starts, in UTC; null if this is none."
    )
    ends_at: datetime | None = Field(
        default=None, description="When a maintenance ends, in UTC; null if this is none."
    )
    opened_at: datetime = Field(description="When it was opened, in UTC.")
    updated_at: datetime = Field(description="When it was last written, in UTC.")
    resolved_at: datetime | None = Field(description="When it was resolved, in UTC; null while it is open.")
    updates: tuple[Update, ...] = Field(description="All that was said of it, the newest first.")


class IncidentPage(BaseModel):
    """Incidents, those opened last first; `next` is the cursor of the page after this."""

    model_config = ConfigDict(frozen=True)

    incidents: tuple[Incident, ...] = Field(description="The incidents, those opened last first.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


def _one_line(text: str) -> str:
    if re.search(f"[{_CONTROLS}]", text):
        raise ValueError("Expected one line, without control characters.")
    if re.search(f"[{_DIRECTIONS}]", text):
        raise ValueError("Expected text without characters that change its direction, such as U+202E.")
    if re.fullmatch(rf"[\s{_INVISIBLE}]*", text):
        raise ValueError("Expected text with a character that can be seen.")
    return text.strip()


def _once_each(components: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
    if len(set(components)) < len(components):
        raise ValueError("Expected each component once.")
    return components if info.context is None else tuple(each for each in info.context if each in components)


Title = Annotated[
    str,
    Field(min_length=1, max_length=120, json_schema_extra={"pattern": _ONE_LINE}),
    AfterValidator(_one_line),
]
"""One line. Blanks around it are dropped, but count."""

Message = Annotated[
    str,
    Field(min_length=1, max_length=2000, json_schema_extra={"pattern": _ONE_LINE}),
    AfterValidator(_one_line),
]

Components = Annotated[
    tuple[ComponentId, ...],
    Field(max_length=MOST_COMPONENTS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_once_each),
]


class NewIncident(BaseModel):
    """What it takes to open an incident."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    title: Title = Field(description="What is wrong, in 1 to 120 characters.")
    message: Message = Field(description="The first update, in 1 to 2,000 characters.")
    components: Components = Field(default=(), description="The components it concerns, each once.")
    state: Literal[Progress.INVESTIGATING, Progress.IDENTIFIED, Progress.MONITORING] = Field(
        default=Progress.INVESTIGATING, description="How far the incident has come."
    )


class IncidentChange(BaseModel):
    """What is to change of an incident; whatever is left out stays as it is. A message becomes an update."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={"minProperties": 1, "dependentRequired": {"state": ["message"]}},
    )

    title: MayBeLeftOut[Title] = Field(default=None, description="What is wrong, in 1 to 120 characters.")
    components: MayBeLeftOut[Components] = Field(
        default=None, description="The components it concerns, each once."
    )
    state: MayBeLeftOut[Progress] = Field(
        default=None,
        description="How far the incident has come; needs a message. After resolved nothing changes.",
    )
    message: MayBeLeftOut[Message] = Field(default=None, description="An update, in 1 to 2,000 characters.")

    @model_validator(mode="after")
    def _changes_something(self) -> "IncidentChange":
        if not self.model_fields_set:
            raise ValueError("Expected a title, components, a state or a message.")
        if self.state is not None and self.message is None:
            raise ValueError("Expected a message with the state: say what has changed.")
        return self


Openness = Literal["open", "resolved"]


class IncidentsQuery(BaseModel):
    """Which incidents are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    state: MayBeLeftOut[Openness] = Field(
        default=None,
        description="Only those that are open, or only those that are resolved; all when left out.",
    )
    limit: WholeNumber = Field(default=20, ge=1, le=100, description="How many incidents a page has at most.")
    cursor: MayBeLeftOut[CursorText] = Field(default=None, description=CURSOR)


class NoRoomError(Exception):
    """An incident has as many updates as it can have; `str()` of it says so to a person."""


def incident_id(at: datetime, randomness: bytes) -> str:
    """An id that sorts by time: a UUID of version 7 (RFC 9562, section 5.7) from 10 random bytes."""
    milliseconds = (at - _EPOCH) // timedelta(milliseconds=1)
    drawn = int.from_bytes(randomness[:10], "big")
    value = milliseconds << 80 | drawn
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(UUID(int=value))


def opened(new: NewIncident, identifier: str, now: datetime) -> Incident:
    """The incident as it is when it is opened."""
    return Incident(
        id=identifier,
        version=1,
        title=new.title,
        state=new.state,
        components=new.components,
        opened_at=now,
        updated_at=now,
        resolved_at=None,
        updates=(Update(at=now, state=new.state, message=new.message),),
    )


def changed(incident: Incident, change: IncidentChange, now: datetime) -> Incident:
    """The next version of an incident. Raises `NoRoomError` when it would be too long."""
    state = change.state or incident.state
    update = () if change.message is None else (Update(at=now, state=state, message=change.message),)
    after = incident.model_copy(
        update={
            "version": incident.version + 1,
            "title": change.title or incident.title,
            "state": state,
            "components": incident.components if change.components is None else change.components,
            "updated_at": now,
            "resolved_at": now if state is Progress.RESOLVED else None,
            "updates": (*update, *incident.updates),
        }
    )
    # A resolution is always let in: it is the last update, and what is left up to DynamoDB's limit is for it.
    if state is not Progress.RESOLVED and update:
        if len(after.updates) >= MOST_UPDATES:
            raise NoRoomError(
                f"An incident has {MOST_UPDATES} updates at most; the last one must resolve it."
            )
        if len(after.model_dump_json().encode()) > MOST_BYTES:
            raise NoRoomError("The incident's updates are too long together; the next one must resolve it.")
    return after
