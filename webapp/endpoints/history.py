"""What the app remembers of its checks: `/api/history`."""

import asyncio
from datetime import timedelta
from typing import Final

from starlette.requests import Request
from starlette.routing import Route

from webapp.answers import Answer
from webapp.board import utc_now
from webapp.cursors import link_to_next
from webapp.history.models import HistoryPage, HistoryQuery
from webapp.history.paging import cursor_before, page_of
from webapp.history.store import read_days, read_records
from webapp.reading import read_query
from webapp.resources import Resources
from webapp.table_client import TableClient

HISTORY_PATH: Final = "/api/history"
_TICK: Final = timedelta.resolution


async def read_history(request: Request[Resources]) -> Answer:
    """200 with a page of records, and a link to the next page (RFC 8288) when there is one.

    Every page has the days of the whole range. 400 for a query that is wrong.
    """
    query = read_query(request, HistoryQuery)
    now = utc_now()
    page = page_of(query, now)
    settings = request.state["settings"]
    table = TableClient(request.state["clients"].dynamodb, settings.table, settings.service)
    last_day = (page.end - _TICK).date()
    records, days = await asyncio.gather(
        read_records(table, query.service, page.start, page.before, now, query.limit + 1),
        read_days(table, query.service, page.start.date(), last_day, now.date()),
    )
    shown = records[: query.limit]
    following = cursor_before(shown[-1].at, query, page) if len(records) > len(shown) else None
    return Answer(
        HistoryPage(service=query.service, records=shown, days=days, next=following),
        headers=link_to_next(request, following),
    )


ROUTES: Final = (Route(HISTORY_PATH, read_history),)
