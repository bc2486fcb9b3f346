"""The status: `/api/status`, `/api/status/{id}`, and live as `/api/events`."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.board import utc_now
from webapp.contract import STATUS_PATH
from webapp.events import EventStream
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.status import component_status

EVENTS_PATH: Final = "/api/events"


class ReadStatus:
    """Answers 200 with the status document of the current snapshot.

    An ASGI application that shares its response while the document stays the same.
    """

    def __init__(self) -> None:
        self._answer = JsonResponse(b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoded = scope["state"]["status"].encoded()
        if encoded is not self._answer.body:
            self._answer = JsonResponse(encoded)
        await self._answer(scope, receive, send)


async def read_component_status(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with the status of one component, 404 if there is no such component."""
    settings = request.state["settings"]
    component = settings.watched.get(request.path_params["id"])
    if component is None:
        raise HTTPProblem(HTTPStatus.NOT_FOUND, "There is no such component.")
    result = request.state["board"].snapshot.results[component.id]
    return JsonResponse(component_status(component, result, settings, utc_now()))


async def read_events(request: Request[Resources]) -> EventStream:
    """Answers 200 with a stream of server-sent events, 503 while too many streams are open."""
    return request.state["events"].stream()


STATUS: Final[ASGIApp] = ReadStatus()
ROUTES: Final = (
    Route(STATUS_PATH, STATUS, methods=["GET"]),
    Route(f"{STATUS_PATH}/{{id}}", read_component_status),
    Route(EVENTS_PATH, read_events),
)
