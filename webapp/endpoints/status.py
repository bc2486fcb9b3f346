"""How the platform is doing now: `/api/status` and `/api/status/{service}`."""

from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.answers import Answer, Refusal
from webapp.board import utc_now
from webapp.contract import STATUS_PATH
from webapp.resources import Resources
from webapp.services import ServiceName
from webapp.status import service_status


class ReadStatus:
    """200 with the status document of the current snapshot.

    An ASGI application that shares its answer as long as the document stays the same.
    """

    def __init__(self) -> None:
        self._answer = Answer(b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        encoded = scope["state"]["status"].encoded()
        if encoded is not self._answer.body:
            self._answer = Answer(encoded)
        await self._answer(scope, receive, send)


async def read_service_status(request: Request[Resources]) -> Answer:
    """200 with the status of one service, 404 for a name that is none."""
    try:
        name = ServiceName(request.path_params["service"])
    except ValueError:
        names = ", ".join(ServiceName)
        raise Refusal(HTTPStatus.NOT_FOUND, f"There is no such service; there are {names}.") from None
    result = request.state["board"].snapshot.results[name]
    return Answer(service_status(result, request.state["settings"], utc_now()))


STATUS: Final[ASGIApp] = ReadStatus()
ROUTES: Final = (
    Route(STATUS_PATH, STATUS, methods=["GET"]),
    Route(f"{STATUS_PATH}/{{service}}", read_service_status),
)
