"""The status: `/api/status`, `/api/status/{id}`, and live as `/api/events`."""

from http import HTTPStatus
from typing import Annotated, Final

from pydantic import Field
from starlette.requests import Request

from webapp.board import utc_now
from webapp.components import ID_PATTERN
from webapp.contract import STATUS_PATH
from webapp.events import MEDIA_TYPE, EventStream
from webapp.operations import GET, Answer, Hot, Operation
from webapp.prepared import Prepared
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.status import ComponentStatus, Status, component_status

EVENTS_PATH: Final = "/api/events"


def get_status(resources: Resources) -> Prepared:
    """Answers 200 with the status document of the current snapshot."""
    return resources["status"].prepared()


ComponentId = Annotated[
    str, Field(description="The component's id.", json_schema_extra={"pattern": ID_PATTERN})
]


async def get_component_status(request: Request[Resources], id: ComponentId) -> JsonResponse:
    """Answers 200 with the status of one component, 404 if there is no such component."""
    settings = request.state["settings"]
    component = settings.watched.get(id)
    if component is None:
        raise HTTPProblem(HTTPStatus.NOT_FOUND, "There is no such component.")
    result = request.state["board"].snapshot.results[component.id]
    return JsonResponse(component_status(component, result, settings, utc_now()))


async def get_events(request: Request[Resources]) -> EventStream:
    """Answers 200 with a stream of server-sent events, 503 while too many streams are open."""
    return request.state["events"].stream()


OPERATIONS: Final = (
    Operation(
        GET,
        STATUS_PATH,
        Hot(get_status),
        "status",
        "How all components are doing, and the release",
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
                "A stream of events: status with a status document as data, and incidents and history, "
                "without data, when there is something new about them.",
                media_type=MEDIA_TYPE,
            )
        },
        (HTTPStatus.SERVICE_UNAVAILABLE,),
        public=True,
    ),
)
