"""The app: its routes, and the AWS client they share."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypedDict

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.routing import Route

from webapp.answers import Answer, fail, refuse
from webapp.aws import DynamoDB, open_dynamodb
from webapp.checks import FAILURES, check_dynamodb, ready
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH
from webapp.settings import Settings


class Resources(TypedDict):
    """What lives as long as the app; requests find it in `request.state`."""

    dynamodb: DynamoDB


class Endpoints:
    """Answers requests from the settings and the app's resources."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._started_at = datetime.now(UTC)
        self._started = time.monotonic()

    async def health(self, _request: Request[Resources]) -> Answer:
        """200 while the process is alive."""
        return Answer({"alive": True})

    async def ready(self, request: Request[Resources]) -> Answer:
        """200 when the table can be read, else 503 with the kind of failure."""
        kind = await ready(request.state["dynamodb"], self._settings.table)
        if kind is None:
            return Answer({"ready": True})
        reason = {"ready": False, "reason": kind, "message": FAILURES[kind].message}
        return Answer(reason, HTTPStatus.SERVICE_UNAVAILABLE)

    async def status(self, request: Request[Resources]) -> Answer:
        """The release and how the services are doing; uptime in seconds."""
        settings = self._settings
        dynamodb = await check_dynamodb(request.state["dynamodb"], settings.table)
        return Answer(
            {
                "environment": settings.environment,
                "service": settings.service,
                "region": settings.aws_region,
                "release": {"image": settings.image, "digest": settings.digest, "commit": settings.commit},
                "started_at": self._started_at.isoformat(timespec="milliseconds"),
                "uptime": round(time.monotonic() - self._started, 1),
                "services": {"dynamodb": asdict(dynamodb)},
                "writing": "on" if settings.writing else "off",
            }
        )


def create_app(settings: Settings) -> Starlette:
    """The app for these settings. It opens its AWS client when it starts and closes it when it stops."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[Resources]:
        async with open_dynamodb(settings.aws_region) as dynamodb:
            yield {"dynamodb": dynamodb}

    endpoints = Endpoints(settings)
    app = Starlette(
        routes=[
            Route(HEALTH_PATH, endpoints.health),
            Route(READY_PATH, endpoints.ready),
            Route(STATUS_PATH, endpoints.status),
        ],
        exception_handlers={HTTPException: refuse, Exception: fail},
        lifespan=lifespan,
    )
    app.router.redirect_slashes = False
    return app
