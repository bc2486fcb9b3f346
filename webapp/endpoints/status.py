"""The status: `/api/status`, `/api/status/{id}`, and live as `/api/events`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field
from starlette.requests import Request

from webapp.board import utc_now
from webapp.components import ID_PATTERN, Component
from webapp.contract import STATUS_PATH
from webapp.events import MEDIA_TYPE, EventStream
from webapp.operations import GET, Answer, Hot, Operation
from webapp.operators import require_operator, session_left
from webapp.prepared import Prepared
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.status import (
    ComponentStatus,
    OperatorComponentStatus,
    OperatorStatus,
    Status,
    component_status,
    operator_component_status,
)

EVENTS_PATH: Final = "/api/events"
OPERATOR_STATUS_PATH: Final = "/api/operator/status"
OPERATOR_EVENTS_PATH: Final = "/api/operator/events"


def get_status(resources: Resources) -> Prepared:
    """Answers 200 with the status document of the current snapshot."""
    return resources["status"].prepared("public")


ComponentId = Annotated[
    str, Field(description="The component's id.", json_schema_extra={"pattern": ID_PATTERN})
]


async def get_component_status(request: Request[Resources], id: ComponentId) -> JsonResponse:
    """Answers 200 with the status of one public component, 404 if there is no such component."""
    settings = request.state["settings"]
    component = _found(settings.public, id)
    return JsonResponse(component_status(component, request.state["board"].snapshot, settings, utc_now()))


async def get_operator_status(request: Request[Resources]) -> Prepared:
    """Answers 200 with the operator's status document."""
    return request.state["status"].prepared("operator")


async def get_operator_component_status(request: Request[Resources], id: ComponentId) -> JsonResponse:
    """Answers 200 with the status of one component, 404 if there is no such component."""
    settings = request.state["settings"]
    component = _found(settings.watched, id)
    snapshot = request.state["board"].snapshot
    return JsonResponse(operator_component_status(component, snapshot, settings, utc_now()))


async def get_operator_events(request: Request[Resources]) -> EventStream:
    """Answers 200 with the operator's stream of server-sent events, 503 while too many streams are open.

    It ends when the session does; by a token, it goes on.
    """
    return request.state["events"].stream("operator", session_left(request) or None)


def _found(components: Mapping[str, Component], id: str) -> Component:
    component = components.get(id)
    if component is None:
        raise HTTPProblem(HTTPStatus.NOT_FOUND, "There is no such component.")
    return component


async def get_events(request: Request[Resources]) -> EventStream:
    """Answers 200 with a stream of server-sent events, 503 while too many streams are open."""
    return request.state["events"].stream("public")


OPERATIONS: Final = (
    Operation(
        GET,
        STATUS_PATH,
        Hot(get_status),
        "status",
        "How all components are doing",
        {HTTPStatus.OK: Answer("The status document.", Status)},
        public=True,
    ),
    Operation(
        GET,
        f"{STATUS_PATH}/{{id}}",
        get_component_status,
        "status",
        "How one component is doing",
        {HTTPStatus.OK: Answer("The component's status.", ComponentStatus)},
        public=True,
    ),
    Operation(
        GET,
        EVENTS_PATH,
        get_events,
        "status",
        "The status document, now and whenever it changes, as server-sent events",
        {
            HTTPStatus.OK: Answer(
                "A stream of events: status with a status document as data, when more than times changed; "
                "incidents and history, without data, when there is something new about them; and times, "
                "with the time now and those of the latest checks, when there is nothing else to tell.",
                media_type=MEDIA_TYPE,
            )
        },
        (HTTPStatus.SERVICE_UNAVAILABLE,),
        public=True,
    ),
    Operation(
        GET,
        OPERATOR_STATUS_PATH,
        get_operator_status,
        "operators",
        "The same with what checks say, and the release",
        {HTTPStatus.OK: Answer("The operator's status document.", OperatorStatus)},
        (HTTPStatus.NOT_FOUND,),
        authorize=require_operator,
    ),
    Operation(
        GET,
        f"{OPERATOR_STATUS_PATH}/{{id}}",
        get_operator_component_status,
        "operators",
        "How one component is doing, with what its check says",
        {HTTPStatus.OK: Answer("The component's status.", OperatorComponentStatus)},
        authorize=require_operator,
    ),
    Operation(
        GET,
        OPERATOR_EVENTS_PATH,
        get_operator_events,
        "operators",
        "The operator's status document, now and whenever it changes, as server-sent events",
        {HTTPStatus.OK: Answer("A stream of events.", media_type=MEDIA_TYPE)},
        (HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE),
        authorize=require_operator,
    ),
)
