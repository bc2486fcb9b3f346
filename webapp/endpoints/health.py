"""Liveness and readiness: `/healthz` and `/readyz`."""

from datetime import datetime
from http import HTTPStatus
from typing import Final, Literal

from pydantic import BaseModel, Field
from starlette.requests import Request

from webapp.board import Result, utc_now
from webapp.contract import HEALTH_PATH, READY_PATH
from webapp.operations import GET, Answer, Hot, Operation
from webapp.prepared import Prepared
from webapp.resources import Resources
from webapp.responses import JSON, JsonResponse
from webapp.settings import Settings
from webapp.status import is_stale


class Alive(BaseModel):
    """The process is alive."""

    alive: Literal[True] = Field(default=True, description="Always true: a dead process does not answer.")


class Ready(BaseModel):
    """Whether the app is ready to serve."""

    ready: bool = Field(description="Whether it is.")
    reason: str | None = Field(default=None, description="Why it is not.")


NOT_CHECKED: Final = "The app's table was not checked yet."
UNREADABLE: Final = "The app's table cannot be read."

ALIVE: Final = Prepared(Alive().model_dump_json().encode(), JSON, cache_control="no-store")


def get_health(_resources: Resources) -> Prepared:
    """Answers 200 while the process is alive."""
    return ALIVE


async def get_readiness(request: Request[Resources]) -> JsonResponse:
    """Answers 200 while the app's table can be read, else 503 with the reason.

    Also 503 while the check of the table is overdue, and after the stop signal.
    """
    if request.state["shutdown"].requested:
        return _not_ready("The app is about to stop.")
    settings = request.state["settings"]
    result = request.state["board"].snapshot.results[settings.storage.id]
    reason = reason_not_ready(result, settings, utc_now())
    return _not_ready(reason) if reason else JsonResponse(Ready(ready=True))


def reason_not_ready(table: Result, settings: Settings, now: datetime) -> str | None:
    """Returns why the app is not ready, by the last check of its table; None if it is ready.

    What the check says is for the log, where each change of state has it.
    """
    if not table.finding.details.get("readable"):
        return NOT_CHECKED if table.checked_at is None else UNREADABLE
    if is_stale(settings.storage, table.checked_at, settings, now):
        return "The check of the table is overdue."
    return None


def _not_ready(reason: str) -> JsonResponse:
    return JsonResponse(Ready(ready=False, reason=reason), HTTPStatus.SERVICE_UNAVAILABLE)


OPERATIONS: Final = (
    Operation(
        GET,
        HEALTH_PATH,
        Hot(get_health),
        "health",
        "Whether the process is alive",
        {HTTPStatus.OK: Answer("Alive.", Alive)},
        public=True,
    ),
    Operation(
        GET,
        READY_PATH,
        get_readiness,
        "health",
        "Whether the app is ready to serve: its table can be read",
        {
            HTTPStatus.OK: Answer("Ready to serve.", Ready),
            HTTPStatus.SERVICE_UNAVAILABLE: Answer("Not ready, and why.", Ready),
        },
        public=True,
    ),
)
