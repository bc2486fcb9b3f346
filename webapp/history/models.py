"""What the app remembers of its checks: a record for each minute, changes of state, and seconds per day."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    model_validator,
)

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
"""A record of each component is kept for each minute (UTC): a slot, named by the time it begins at."""

SLOT_SECONDS: Final = 60
DAY_SECONDS: Final = 86_400

View = Literal["public", "operator"]
"""Who sees it: everybody, or operators."""


def slot_of(at: dt.datetime) -> dt.datetime:
    """Returns the slot that a time falls into."""
    return at.astimezone(dt.UTC).replace(second=0, microsecond=0)


class Seconds(BaseModel):
    """How long each state lasted, in seconds. What is missing of the whole is no data."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    operational: int = Field(default=0, ge=0, description="Seconds in which it was operational.")
    degraded: int = Field(default=0, ge=0, description="Seconds in which it was degraded.")
    down: int = Field(default=0, ge=0, description="Seconds in which it was down.")
    unknown: int = Field(default=0, ge=0, description="Seconds in which its state was not known.")
    maintenance: int = Field(default=0, ge=0, description="Seconds of maintenance.")

    def of(self, state: State) -> int:
        """Returns the seconds of one state."""
        seconds: int = getattr(self, state.value)
        return seconds

    @property
    def total(self) -> int:
        """Returns the seconds of all states."""
        return sum(self.of(state) for state in State)


def total(several: Iterable[Seconds]) -> Seconds:
    """Returns the sum of some."""
    sums = dict.fromkeys(State, 0)
    for each in several:
        for state in State:
            sums[state] += each.of(state)
    return Seconds(**{state.value: seconds for state, seconds in sums.items()})


class Share(BaseModel):
    """How available a component was, of the time there is data of.

    Unknown and maintenance are no data. The percentage is rounded down to hundredths, so that 100 means that
    not one known second says down.
    """

    model_config = ConfigDict(frozen=True)

    percent: float | None = Field(
        description="Seconds operational or degraded in percent of those with data; null without data."
    )
    with_data: int = Field(description="Seconds with data: operational, degraded or down.")


def share(seconds: Seconds) -> Share:
    """Returns the share of the seconds in which a component was of use."""
    useful = seconds.operational + seconds.degraded
    known = useful + seconds.down
    return Share(percent=10_000 * useful // known / 100 if known else None, with_data=known)


class Availability(BaseModel):
    """Shares of the last 24 hours, and of the last days (UTC), today included."""

    model_config = ConfigDict(frozen=True)

    h24: Share = Field(description="Of the last 24 hours.")
    d7: Share = Field(description="Of the last 7 days.")
    d30: Share = Field(description="Of the last 30 days.")
    d90: Share = Field(description="Of the last 90 days.")


class Change(BaseModel):
    """A change of a component's state."""

    model_config = ConfigDict(frozen=True, serialize_by_alias=True)

    at: dt.datetime = Field(description="When the new state was first found, in UTC.")
    from_: State = Field(
        validation_alias=AliasChoices("from_", "from"),
        serialization_alias="from",
        description="The state before.",
    )
    to: State = Field(description="The state after.")
    message: str = Field(description="What the check found; for the public, the state in words.")


class PublicRecord(BaseModel):
    """What a component's state was in one minute."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)

    at: dt.datetime = Field(description="The beginning of the minute, in UTC.")
    state: State = Field(description="The worst state in it; unknown if there is no data.")
    seconds: Seconds = Field(description="How long each state lasted; what is missing of 60 is no data.")


class Record(PublicRecord):
    """What was found out about a component in one minute, for operators."""

    p50_ms: float | None = Field(default=None, description="Median latency of its checks, in milliseconds.")
    p95_ms: float | None = Field(
        default=None, description="95th percentile of the latencies of its checks, in milliseconds."
    )
    changes: tuple[Change, ...] = Field(default=(), description="The changes of state that began in it.")

    @model_validator(mode="before")
    @classmethod
    def _reads_former_records(cls, content: Any) -> Any:
        """Until 0.9, a record had one state for the whole minute, its message, and one latency."""
        if not isinstance(content, dict) or "seconds" in content:
            return content
        latency = content.get("latency_ms")
        seconds = {content.get("state"): SLOT_SECONDS}
        kept = {name: content[name] for name in ("at", "state") if name in content}
        return {**kept, "seconds": seconds, "p50_ms": latency, "p95_ms": latency}


class Day(BaseModel):
    """How long each state of a component lasted on one day (UTC), in seconds."""

    model_config = ConfigDict(frozen=True)

    date: dt.date = Field(description="The day, in UTC.")
    seconds: Seconds = Field(default=Seconds(), description="How long each state lasted.")
    no_data: int = Field(default=DAY_SECONDS, description="Seconds without data, up to now for today.")
    availability: float | None = Field(
        default=None,
        description="Seconds operational or degraded in percent of those with data, rounded down to "
        "hundredths; null without data.",
    )


def day_of_seconds(date: dt.date, seconds: Seconds, now: dt.datetime) -> Day:
    """Returns a day; of today, only what is over can lack data."""
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    over = max(0, min(DAY_SECONDS, int((now - midnight).total_seconds())))
    return Day(
        date=date,
        seconds=seconds,
        no_data=max(0, over - seconds.total),
        availability=share(seconds).percent,
    )


def availability(days: tuple[Day, ...], last_day: Seconds) -> Availability:
    """Returns the shares for days, the oldest first, that end today, and the last 24 hours."""

    def of_days(count: int) -> Share:
        return share(total(day.seconds for day in days[-count:]))

    return Availability(h24=share(last_day), d7=of_days(7), d30=of_days(30), d90=of_days(90))


class HistoryPage(BaseModel):
    """Records of one component, the newest first; `next` is the cursor of the page after this."""

    model_config = ConfigDict(frozen=True)

    component: str = Field(description="The component that was asked for.")
    records: tuple[PublicRecord, ...] = Field(description="A record a minute, the newest first.")
    changes: tuple[Change, ...] = Field(
        description="The changes of state in the time of these records, the newest first."
    )
    days: tuple[Day, ...] = Field(
        description="Every day (UTC) that the range touches, up to today, each as a whole, the oldest first."
    )
    availability: Availability | None = Field(
        description="The shares of the last hours and days, whatever the range; null while not known."
    )
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class OperatorHistoryPage(HistoryPage):
    """The same with latencies and the messages of checks."""

    records: tuple[Record, ...] = Field(description="A record a minute, the newest first.")


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
