"""The app: its routes, its middleware and its background tasks."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Never

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webapp import api
from webapp.aws import CONNECTIONS_FOR_REQUESTS, WAITING_REQUESTS, Admission, open_clients
from webapp.board import Board, utc_now
from webapp.calls import AwsError
from webapp.endpoints import operators, page
from webapp.events import Events
from webapp.history.recorder import record
from webapp.monitor import monitor
from webapp.operators import Failures
from webapp.page.cache import Pages
from webapp.page.template import Templates
from webapp.resources import Resources, Shutdown
from webapp.responses import handle_aws_error, handle_http_exception, handle_unexpected_error
from webapp.router import Router
from webapp.settings import Settings
from webapp.status import StatusCache, overdue_after
from webapp.table_client import TableClient


def create_app(settings: Settings, shutdown: Shutdown) -> Starlette:
    """Returns the app. It opens its AWS clients when it starts and closes them when it stops."""
    app = Starlette(
        routes=[*page.ROUTES, *operators.ROUTES],
        exception_handlers={
            HTTPException: handle_http_exception,
            AwsError: handle_aws_error,
            Exception: handle_unexpected_error,
        },
        lifespan=_lifespan(settings, shutdown),
    )
    app.router.redirect_slashes = False
    return app


def with_middleware(app: ASGIApp) -> ASGIApp:
    """Wraps the app in its middleware, the outermost first."""
    return StartupErrors(Router(app, api.OPERATIONS))


class StartupErrors:
    """ASGI middleware: reduces the traceback of a failed start to its error, which the server logs."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, _shortened(send) if scope["type"] == "lifespan" else send)


def _shortened(send: Send) -> Send:
    async def send_short(message: Message) -> None:
        if message["type"] == "lifespan.startup.failed":
            last_line = message["message"].strip().rpartition("\n")[2]
            message = {**message, "message": f"The app cannot start: {last_line}"}
        await send(message)

    return send_short


def _lifespan(
    settings: Settings, shutdown: Shutdown
) -> Callable[[Starlette], AbstractAsyncContextManager[Resources]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[Resources]:
        shutdown.begin()
        overdue = {each.id: overdue_after(each, settings) for each in settings.watched.values()}
        board = Board(settings.watched, utc_now(), overdue)
        async with open_clients(settings) as clients:
            admission = Admission(CONNECTIONS_FOR_REQUESTS, WAITING_REQUESTS)
            table = TableClient(clients.dynamodb, settings.table, settings.service, admission)
            recorder_table = TableClient(clients.dynamodb_for_recorder, settings.table, settings.service)
            status_cache = StatusCache(board, settings)
            started_at, templates = status_cache.started_at, Templates(page.URLS)
            async with _background(
                monitor(clients, settings, board), record(recorder_table, settings, board)
            ):
                _freeze_garbage_collection()
                yield {
                    "settings": settings,
                    "table": table,
                    "board": board,
                    "status": status_cache,
                    "page": Pages(board, settings, started_at, templates, operator=False),
                    "operator_page": Pages(board, settings, started_at, templates, operator=True),
                    "failures": Failures(),
                    "started_at": started_at,
                    "events": Events(board, status_cache, shutdown),
                    "shutdown": shutdown,
                }

    return lifespan


def _freeze_garbage_collection() -> None:
    """Excludes all objects made so far from garbage collection.

    They live as long as the app, and scanning them delays requests by a tenth of a second. Source: Python's
    documentation of the module gc, `freeze`.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _background(*work: Coroutine[object, object, Never]) -> AsyncIterator[None]:
    """Runs coroutines while the block runs, then cancels them and waits."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
