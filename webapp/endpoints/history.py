"""The history of the checks: `/api/history`."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from webapp.board import Board, utc_now
from webapp.history.models import HistoryPage, HistoryQuery, OperatorHistoryPage, PublicRecord
from webapp.history.store import read_changes, read_days, read_records
from webapp.operations import GET, TABLE_PROBLEMS, Answer, Operation
from webapp.operators import require_operator
from webapp.requests import (
    LINK,
    Cursor,
    UtcTime,
    decode_cursor,
    encode_cursor,
    link_to_next,
    wrong_cursor,
)
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.status import WORDS
from webapp.table_client import TableClient

HISTORY_PATH: Final = "/api/history"
OPERATOR_HISTORY_PATH: Final = "/api/operator/history"

MOST_CHANGES: Final = 1000
"""Changes of state on one page."""

_TICK: Final = timedelta.resolution

LONGEST_RANGE: Final = timedelta(days=90)
DEFAULT_RANGE: Final = timedelta(hours=24)

OLDEST_IN_CURSOR: Final = timedelta(days=400)
"""Before now. Records are kept for 90 days, so the first page's range began 180 days ago at most."""

NEWEST_IN_CURSOR: Final = timedelta(days=1)
"""After now: the clocks of tasks differ a little. The first page's range ended then at the latest."""


@dataclass(frozen=True)
class Page:
    """Records from `start` on and before `before`; the range they are of ends before `end`. All in UTC."""

    start: datetime
    end: datetime
    before: datetime


class HistoryCursor(Cursor):
    """Where a page of records begins: before a minute.

    `from_` and `to` are what was asked for, `start` and `end` what that came to on the first page.
    """

    component: str
    from_: UtcTime | None
    to: UtcTime | None
    start: UtcTime
    end: UtcTime
    before: UtcTime


def page_of(query: HistoryQuery, now: datetime) -> Page:
    """Returns the page that a query asks for.

    Raises `HTTPProblem`, 400, if its range is empty or too long, or its cursor belongs to another query.
    """
    if query.cursor is None:
        start, end = _range_of(query, now)
        # The future has no records; without it, later pages have exactly the same range.
        end = max(start, min(end, now))
        return Page(start, end, end)
    cursor = decode_cursor(query.cursor, HistoryCursor)
    same = (cursor.component, cursor.from_, cursor.to) == (query.component, query.from_, query.to)
    ordered = now - OLDEST_IN_CURSOR <= cursor.start <= cursor.before <= cursor.end <= now + NEWEST_IN_CURSOR
    if not (same and ordered and cursor.end - cursor.start <= LONGEST_RANGE):
        raise wrong_cursor()
    return Page(cursor.start, cursor.end, cursor.before)


def cursor_before(at: datetime, query: HistoryQuery, page: Page) -> str:
    """Returns the cursor of the page with the records before a minute."""
    return encode_cursor(
        HistoryCursor(
            component=query.component,
            from_=query.from_,
            to=query.to,
            start=page.start,
            end=page.end,
            before=at,
        )
    )


def _range_of(query: HistoryQuery, now: datetime) -> tuple[datetime, datetime]:
    end = query.to or now
    try:
        start = query.from_ or end - DEFAULT_RANGE
    except OverflowError:
        raise _wrong_range("to", "There is no time 24 hours before it.") from None
    if start >= end:
        raise _wrong_range("from", "It must be before to, which is now when left out.")
    if end - start > LONGEST_RANGE:
        raise _wrong_range("from", f"It may be {LONGEST_RANGE.days} days before to at most.")
    return start, end


def _wrong_range(parameter: str, detail: str) -> HTTPProblem:
    return HTTPProblem(
        HTTPStatus.BAD_REQUEST,
        "The range of time is wrong.",
        errors=[{"parameter": parameter, "detail": detail}],
    )


async def get_history(request: Request[Resources], query: HistoryQuery) -> JsonResponse:
    """Answers 200 with a page of records, and a link (RFC 8288) to the next page if there is one.

    Every page has the days of the whole range. 400 for an invalid query.
    """
    page = for_the_public(await history_page(request.state["table"], request.state["board"], query))
    return JsonResponse(page, headers=link_to_next(request, page.next))


async def get_operator_history(request: Request[Resources], query: HistoryQuery) -> JsonResponse:
    """Answers like `get_history`, for all components, with latencies and the messages of checks."""
    page = await history_page(request.state["table"], request.state["board"], query)
    return JsonResponse(page, headers=link_to_next(request, page.next))


async def history_page(
    table: TableClient, board: Board, query: HistoryQuery, now: datetime | None = None
) -> OperatorHistoryPage:
    """Reads the page that a query asks for. Raises `HTTPProblem` as `page_of` does, and `AwsError`."""
    now = now or utc_now()
    page, component = page_of(query, now), query.component
    last_day = (page.end - _TICK).date()
    records, days = await asyncio.gather(
        read_records(table, component, page.start, page.before, now, query.limit + 1),
        read_days(table, component, page.start.date(), last_day, now),
    )
    some = records[: query.limit]
    following = cursor_before(some[-1].at, query, page) if len(records) > len(some) else None
    oldest = some[-1].at if following else page.start
    changes = await read_changes(table, component, oldest, page.before, now, MOST_CHANGES)
    return OperatorHistoryPage(
        component=component,
        records=some,
        changes=changes,
        days=days,
        availability=(board.snapshot.availability or {}).get(component),
        next=following,
    )


def for_the_public(page: OperatorHistoryPage) -> HistoryPage:
    """Returns the page without latencies, and with the words for a state instead of a check's message."""
    return HistoryPage(
        component=page.component,
        records=tuple(
            PublicRecord(at=each.at, state=each.state, seconds=each.seconds) for each in page.records
        ),
        changes=tuple(each.model_copy(update={"message": WORDS[each.to]}) for each in page.changes),
        days=page.days,
        availability=page.availability,
        next=page.next,
    )


OPERATIONS: Final = (
    Operation(
        GET,
        HISTORY_PATH,
        get_history,
        "history",
        "What was found out about one component, minute by minute and day by day",
        {HTTPStatus.OK: Answer("A page of records, the newest first.", HistoryPage, headers=LINK)},
        TABLE_PROBLEMS,
        public=True,
    ),
    Operation(
        GET,
        OPERATOR_HISTORY_PATH,
        get_operator_history,
        "operators",
        "The history of a component with latencies and what its check said",
        {HTTPStatus.OK: Answer("A page of records.", OperatorHistoryPage, headers=LINK)},
        (*TABLE_PROBLEMS, HTTPStatus.NOT_FOUND),
        authorize=require_operator,
    ),
)
