"""Latencies over a longer time, as charts need them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from webapp.history.models import Latency, Record
from webapp.history.timeline import percentile


def latencies(
    records: Iterable[Record], start: datetime, end: datetime, step: timedelta
) -> tuple[Latency, ...]:
    """Returns the latencies of each step between two times, the oldest first, from the records in it.

    The median is the median of theirs; the 95th percentile is the largest of theirs, so that no peak is lost.
    Both are None for a step without any.
    """
    steps: list[list[Record]] = [[] for _ in range(-(-(end - start) // step))]
    for record in records:
        if start <= record.at < end:
            steps[(record.at - start) // step].append(record)
    return tuple(
        Latency(
            at=start + number * step,
            p50_ms=percentile(sorted(each.p50_ms for each in some if each.p50_ms is not None), 50),
            p95_ms=max((each.p95_ms for each in some if each.p95_ms is not None), default=None),
        )
        for number, some in enumerate(steps)
    )
