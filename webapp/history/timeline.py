"""What a component's states were of late: the recorder makes the records of the slots from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from webapp.history.models import SLOT, Change, Record, Seconds
from webapp.states import State, worst

if TYPE_CHECKING:
    from webapp.board import Result


@dataclass(frozen=True)
class Span:
    """A time with one state, up to the next span. If it is not known, the time counts as no data."""

    start: datetime
    state: State
    message: str
    known: bool = True


@dataclass(frozen=True)
class Window:
    """A time of maintenance."""

    start: datetime
    end: datetime


class Timeline:
    """The states of one component since they were last forgotten, and the latencies of its checks.

    What a check has found is known until the next check is overdue, after `overdue` seconds.
    """

    def __init__(self, overdue: float) -> None:
        self._overdue = timedelta(seconds=overdue)
        self._spans: list[Span] = []
        self._known_until: datetime | None = None
        self._latencies: list[tuple[datetime, float]] = []
        self._suspected_since: datetime | None = None
        self._forgotten: datetime | None = None

    def add(self, result: "Result") -> None:
        """Goes on with a result, whose state may have begun earlier."""
        at = result.checked_at
        if at is None:
            return
        last = self._spans[-1] if self._spans else None
        start = result.since if self._known_until is None or at <= self._known_until else at
        if last and self._known_until and self._known_until < at:
            self._begin(Span(self._known_until, last.state, "", known=False))
        if self._forgotten:
            start = max(start, self._forgotten)
        span = Span(start, result.finding.state, result.finding.message, known=not result.lost)
        if not self._spans or (self._spans[-1].state, self._spans[-1].known) != (span.state, span.known):
            self._begin(span)
        self._known_until = at + self._overdue
        self._suspected_since = result.suspected_since
        if result.latency_ms is not None:
            self._latencies.append((at, result.latency_ms))

    def _begin(self, span: Span) -> None:
        while self._spans and self._spans[-1].start >= span.start:
            self._spans.pop()
        self._spans.append(span)

    def is_settled(self, end: datetime) -> bool:
        """Returns whether nothing before `end` changes any more: no failure waits to be counted."""
        return self._suspected_since is None or self._suspected_since >= end

    def covers(self, start: datetime) -> bool:
        """Returns whether the states are known from a time on."""
        return bool(self._spans) and self._spans[0].start <= start

    def record(self, slot: datetime, maintenance: Iterable[Window] = ()) -> Record | None:
        """Returns the record of a slot that is over; None if nothing is known of it."""
        end = slot + SLOT
        windows = tuple(maintenance)
        seen: list[State] = []
        seconds: dict[State, int] = {}
        for span, until in self._within(slot, end):
            for start, stop, state in _cut(span, max(span.start, slot), until, windows):
                seen.append(state)
                # Differences of rounded times: together they are never more than the slot.
                lasted = round((stop - slot).total_seconds()) - round((start - slot).total_seconds())
                seconds[state] = seconds.get(state, 0) + lasted
        changes = self._changes(slot, end)
        if not seen and not changes:
            return None
        latencies = sorted(latency for at, latency in self._latencies if slot <= at < end)
        return Record(
            at=slot,
            state=worst(seen),
            seconds=Seconds(**{state.value: lasted for state, lasted in seconds.items()}),
            p50_ms=percentile(latencies, 50),
            p95_ms=percentile(latencies, 95),
            changes=changes,
        )

    def forget(self, before: datetime) -> None:
        """Forgets what was before a time, but for the state at that time, and the one last known."""
        # The state before a change that begins right then is needed to tell the change.
        count = sum(span.start < before for span in self._spans)
        past, rest = self._spans[:count], self._spans[count:]
        known = [span for span in past if span.known]
        self._spans = [*(span for span in past if span in known[-1:] or span is past[-1]), *rest]
        self._forgotten = before
        self._latencies = [(at, latency) for at, latency in self._latencies if at >= before]

    def _within(self, slot: datetime, end: datetime) -> Iterable[tuple[Span, datetime]]:
        for number, span in enumerate(self._spans):
            is_last = number + 1 == len(self._spans)
            until = self._known_until if is_last else self._spans[number + 1].start
            until = min(until or end, end)
            if span.known and max(span.start, slot) < until:
                yield span, until

    def _changes(self, slot: datetime, end: datetime) -> tuple[Change, ...]:
        """Returns the changes between states that are known, whatever lies between them."""
        return tuple(
            Change(at=after.start, from_=before.state, to=after.state, message=after.message)
            for before, after in pairwise(span for span in self._spans if span.known)
            if before.state is not after.state and slot <= after.start < end
        )


def _cut(
    span: Span, start: datetime, end: datetime, windows: tuple[Window, ...]
) -> Iterable[tuple[datetime, datetime, State]]:
    """Yields the parts of a span, with those within a maintenance as such."""
    edges = {edge for window in windows for edge in (window.start, window.end) if start < edge < end}
    times = [start, *sorted(edges), end]
    for begin, stop in pairwise(times):
        within = any(window.start <= begin < window.end for window in windows)
        yield begin, stop, State.MAINTENANCE if within else span.state


def percentile(ordered: list[float], percent: int) -> float | None:
    """Returns the value by nearest rank of values in ascending order; None if there are none."""
    return ordered[-(-len(ordered) * percent // 100) - 1] if ordered else None
