"""Reads what the page of one component shows of the table: its changes of state and its response times."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from webapp.calls import AwsError
from webapp.history.models import Change as KeptChange
from webapp.history.store import read_changes, read_records
from webapp.page.charts import Chart, Sample, chart_of
from webapp.page.views import Change
from webapp.table_client import TableClient

SPAN: Final = timedelta(days=90)
MOST_CHANGES: Final = 50


async def changes_of(
    table: TableClient, name: str, now: datetime, *, messages: bool
) -> tuple[Change, ...] | None:
    """Returns the latest changes of a component, the newest first; None if they cannot be read.

    `messages` is whether they tell what the check found, which is for operators.
    """
    try:
        kept = await read_changes(table, name, now - SPAN, now, now, MOST_CHANGES)
    except AwsError:
        return None
    return changes(kept, messages=messages)


def changes(kept: Sequence[KeptChange], *, messages: bool) -> tuple[Change, ...]:
    """Returns changes, the newest first, with how long each state lasted."""
    later = [None, *(change.at for change in kept)]
    return tuple(
        Change(
            at=change.at,
            before=change.from_,
            after=change.to,
            lasted=None if following is None else (following - change.at).total_seconds(),
            message=change.message if messages else None,
        )
        for change, following in zip(kept, later, strict=False)
    )


async def chart_of_last(table: TableClient, name: str, hours: int, now: datetime) -> Chart | None:
    """Returns the response times of the last hours; None without any, or if they cannot be read."""
    start = now - timedelta(hours=hours)
    try:
        records = await read_records(table, name, start, now, now, hours * 60)
    except AwsError:
        return None
    return chart_of(
        [
            Sample(record.at, record.p50_ms, record.p95_ms)
            for record in records
            if record.p50_ms is not None and record.p95_ms is not None
        ],
        start,
        now,
    )
