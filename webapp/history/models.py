"""What the app remembers of its checks: results by the minute, availability by the day."""

import datetime as dt
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from webapp.fields import (
    CURSOR,
    DATE_OR_TIME,
    ComponentId,
    CursorText,
    MayBeLeftOut,
    WholeNumber,
    end_of,
    start_of,
)
from webapp.states import State

SLOT: Final = dt.timedelta(minutes=1)
"""One result of each component is kept for each minute (UTC): a slot, named by the time it begins at."""


def slot_of(at: dt.datetime) -> dt.datetime:
    """The slot that a time falls into."""
    return at.astimezone(dt.UTC).replace(second=0, microsecond=0)


def availability(operational: int, degraded: int, down: int) -> float | None:
    """Records in which a component was of use, in percent of those that tell; None when none tells.

    Rounded down to hundredths, so 100 means that not one record says down.
    """
    useful = operational + degraded
    telling = useful + down
    return 10_000 * useful // telling / 100 if telling else None


class Record(BaseModel):
    """The result of one component that was kept for one minute."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    at: dt.datetime = Field(description="The beginning of the minute, in UTC.")
    state: State = Field(description="How the component was doing.")
    message: str = Field(description="What its check found, in a sentence.")
    latency_ms: float | None = Field(
        default=None, description="How long its check took, in milliseconds; null when it did not tell."
    )


def _availability(counters: Mapping[str, Any]) -> float | None:
    # A counter that is wrong is missing here, and told by the validation of its own field.
    return availability(
        *(counters.get(state, 0) for state in (State.OPERATIONAL, State.DEGRADED, State.DOWN))
    )


class Day(BaseModel):
    """How many records of a component a day (UTC) has, by state, and what that makes of its availability."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    date: dt.date = Field(description="The day, in UTC.")
    operational: int = Field(default=0, ge=0, description="Records that say operational.")
    degraded: int = Field(default=0, ge=0, description="Records that say degraded.")
    down: int = Field(default=0, ge=0, description="Records that say down.")
    unknown: int = Field(
        default=0, ge=0, description="Records that say unknown; availability leaves them out."
    )
    availability: float | None = Field(
        default_factory=_availability,
        description="Records that say operational or degraded in percent of all that tell, rounded down to "
        "hundredths; null when none tells.",
    )


class HistoryPage(BaseModel):
    """Records of one component, the newest first; `next` is the cursor of the page after this."""

    model_config = ConfigDict(frozen=True)

    component: str = Field(description="The component that was asked for.")
    records: tuple[Record, ...] = Field(description="A record a minute, the newest first.")
    days: tuple[Day, ...] = Field(
        description="Every day (UTC) that the range touches, up to today, each as a whole, the oldest first."
    )
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class HistoryQuery(BaseModel):
    """Which records are asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    component: ComponentId = Field(description="The component whose records are asked for.")
    from_: MayBeLeftOut[Annotated[dt.datetime, PlainValidator(start_of), DATE_OR_TIME]] = Field(
        default=None,
        alias="from",
        description="The time (RFC 3339) the range begins at, or its first day (UTC); 24 hours before to "
        "when left out.",
    )
    to: MayBeLeftOut[Annotated[dt.datetime, PlainValidator(end_of), DATE_OR_TIME]] = Field(
        default=None,
        description="The time (RFC 3339) the range ends before, or its last day (UTC), 90 days after from "
        "at most; now when left out.",
    )
    limit: WholeNumber = Field(default=100, ge=1, le=1000, description="How many records a page has at most.")
    cursor: MayBeLeftOut[CursorText] = Field(default=None, description=CURSOR)
