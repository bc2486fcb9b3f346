"""The app: its routes, and what runs in the background as long as it does."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Never

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from webapp.answers import fail, refuse, refuse_for_aws
from webapp.aws import open_clients
from webapp.board import Board, utc_now
from webapp.calls import AwsError
from webapp.contract import HEALTH_PATH, STATUS_PATH
from webapp.endpoints import events, health, history, incidents, openapi, page, status
from webapp.events import Events
from webapp.history.recorder import record
from webapp.layers.hot_paths import HotPaths
from webapp.layers.limits import Limits
from webapp.layers.request_log import RequestLog
from webapp.layers.security_headers import SecurityHeaders
from webapp.layers.startup import StartupErrors
from webapp.monitor import monitor
from webapp.page.cache import PageCache
from webapp.page.template import PageTemplate
from webapp.resources import Resources
from webapp.settings import Settings
from webapp.status_cache import StatusCache
from webapp.stopping import Stopping


def create_app(settings: Settings, stopping: Stopping) -> Starlette:
    """The app for these settings. It opens its AWS clients when it starts and closes them when it stops."""
    app = Starlette(
        routes=[
            *health.ROUTES,
            *status.ROUTES,
            *history.ROUTES,
            *incidents.ROUTES,
            *events.ROUTES,
            *openapi.ROUTES,
            *page.ROUTES,
        ],
        exception_handlers={HTTPException: refuse, AwsError: refuse_for_aws, Exception: fail},
        lifespan=_lifespan(settings, stopping),
    )
    app.router.redirect_slashes = False
    return app


def in_layers(app: ASGIApp) -> ASGIApp:
    """The app as the server calls it: with its log, headers and limits around it, the first outermost."""
    hot: Mapping[str, ASGIApp] = {HEALTH_PATH: health.HEALTH, STATUS_PATH: status.STATUS}
    return StartupErrors(RequestLog(SecurityHeaders(Limits(HotPaths(app, hot)))))


def _lifespan(
    settings: Settings, stopping: Stopping
) -> Callable[[Starlette], AbstractAsyncContextManager[Resources]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[Resources]:
        stopping.begin()
        board = Board(utc_now())
        async with (
            open_clients(settings) as clients,
            _background(monitor(clients, settings, board), record(clients.of_recorder(), settings, board)),
        ):
            status_cache = StatusCache(board, settings)
            _spare_the_collector()
            yield {
                "settings": settings,
                "clients": clients,
                "board": board,
                "status": status_cache,
                "page": PageCache(board, status_cache, settings, PageTemplate(page.FILES)),
                "events": Events(board, status_cache, stopping),
                "stopping": stopping,
            }

    return lifespan


def _spare_the_collector() -> None:
    """Takes what was made at the start out of garbage collection: it stays, and looking through it again
    and again would hold up requests for a tenth of a second.

    Source: Python's documentation of the module gc, `freeze`.
    """
    gc.collect()
    gc.freeze()


@asynccontextmanager
async def _background(*work: Coroutine[object, object, Never]) -> AsyncIterator[None]:
    """Has the work go on until the block ends, and then waits until it is cancelled."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(coroutine) for coroutine in work]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
