"""Describes every operation of the API, and serves the description as `/openapi.json`."""

from collections.abc import Iterable, Mapping
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import Request
from starlette.routing import Route

from webapp.components import ID_PATTERN
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH
from webapp.endpoints.health import Alive, Ready
from webapp.history.models import HistoryPage, HistoryQuery
from webapp.incidents.models import (
    ID_PATTERN as INCIDENT_ID,
)
from webapp.incidents.models import (
    Incident,
    IncidentChange,
    IncidentPage,
    IncidentsQuery,
    NewIncident,
)
from webapp.openapi import Operation, Parameter, Response, Schema, document
from webapp.resources import Resources
from webapp.responses import JsonResponse
from webapp.status import ComponentStatus, Status

TITLE: Final = "OakTree status service"
VERSION: Final = "1"
DESCRIPTION: Final = (
    "How the platform is doing that the app runs on, what the app remembers of it, and what people "
    "say about it. Times are in UTC. Every answer has a request id, by which the log tells more."
)

_TOO_LARGE: Final = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
)
_OF_THE_TABLE: Final = (
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_OF_WRITING: Final = (
    *_OF_THE_TABLE,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_ENTITY_TAG: Final = {"ETag": "The incident's version, as If-Match wants it."}
_LINK: Final = {"Link": "The next page (RFC 8288), where there is one."}
_COMPONENT: Final = Parameter(
    "id", "path", "The component's id.", {"type": "string", "pattern": ID_PATTERN}, required=True
)
_IDENTIFIER: Final = Parameter(
    "id", "path", "The incident's id.", {"type": "string", "pattern": INCIDENT_ID}, required=True
)
_IF_MATCH: Final = Parameter(
    "If-Match",
    "header",
    "The entity tag of the version that is to be changed (RFC 9110, section 13.1.1).",
    {"type": "string", "pattern": '^([*]|(W/)?"[0-9]{1,9}")$'},
    required=True,
)
_IDEMPOTENCY_KEY: Final = Parameter(
    "Idempotency-Key",
    "header",
    "Makes it safe to send the same request again within a day: it opens one incident only.",
    {"type": "string", "pattern": "^[!-~]{1,255}$"},
    required=False,
)

_RESPONSES_OF_READY: Final[Mapping[HTTPStatus, Response]] = {
    HTTPStatus.OK: Response("Ready to serve.", Ready),
    HTTPStatus.SERVICE_UNAVAILABLE: Response("Not ready, and why.", Ready),
}

OPERATIONS: Final = (
    Operation(
        "GET",
        HEALTH_PATH,
        "health",
        "Whether the process is alive",
        "health",
        {HTTPStatus.OK: Response("Alive.", Alive)},
        _TOO_LARGE,
    ),
    Operation(
        "GET",
        READY_PATH,
        "ready",
        "Whether the app is ready to serve: its table can be read",
        "health",
        _RESPONSES_OF_READY,
        _TOO_LARGE,
    ),
    Operation(
        "GET",
        STATUS_PATH,
        "readStatus",
        "How all components are doing, and the release",
        "status",
        {HTTPStatus.OK: Response("The status document.", Status)},
        _TOO_LARGE,
    ),
    Operation(
        "GET",
        f"{STATUS_PATH}/{{id}}",
        "readComponentStatus",
        "How one component is doing",
        "status",
        {HTTPStatus.OK: Response("The component's status.", ComponentStatus)},
        (*_TOO_LARGE, HTTPStatus.NOT_FOUND),
        parameters=(_COMPONENT,),
    ),
    Operation(
        "GET",
        "/api/events",
        "streamEvents",
        "The status document, now and whenever it changes, as server-sent events",
        "status",
        {
            HTTPStatus.OK: Response(
                "A stream of events: status with a status document as data, and incidents and history, "
                "without data, when there is something new about them.",
                media_type="text/event-stream",
            )
        },
        (*_TOO_LARGE, HTTPStatus.SERVICE_UNAVAILABLE),
    ),
    Operation(
        "GET",
        "/api/history",
        "readHistory",
        "What was found out about one component, minute by minute and day by day",
        "history",
        {HTTPStatus.OK: Response("A page of records, the newest first.", HistoryPage, headers=_LINK)},
        (*_TOO_LARGE, *_OF_THE_TABLE, HTTPStatus.BAD_REQUEST),
        query=HistoryQuery,
    ),
    Operation(
        "GET",
        "/api/incidents",
        "listIncidents",
        "Incidents, the newest first",
        "incidents",
        {HTTPStatus.OK: Response("A page of incidents.", IncidentPage, headers=_LINK)},
        (*_TOO_LARGE, *_OF_THE_TABLE, HTTPStatus.BAD_REQUEST),
        query=IncidentsQuery,
    ),
    Operation(
        "POST",
        "/api/incidents",
        "openIncident",
        "Opens an incident",
        "incidents",
        {
            HTTPStatus.CREATED: Response(
                "The incident.",
                Incident,
                headers={
                    **_ENTITY_TAG,
                    "Location": "Where the incident is.",
                    "Idempotency-Replayed": "true when an earlier request with this key had opened it.",
                },
            )
        },
        (*_TOO_LARGE, *_OF_WRITING, HTTPStatus.CONFLICT),
        parameters=(_IDEMPOTENCY_KEY,),
        body=NewIncident,
        authorized=True,
    ),
    Operation(
        "GET",
        "/api/incidents/{id}",
        "readIncident",
        "One incident with all its updates",
        "incidents",
        {HTTPStatus.OK: Response("The incident.", Incident, headers=_ENTITY_TAG)},
        (*_TOO_LARGE, *_OF_THE_TABLE, HTTPStatus.NOT_FOUND),
        parameters=(_IDENTIFIER,),
    ),
    Operation(
        "PATCH",
        "/api/incidents/{id}",
        "updateIncident",
        "Says more about an incident, or resolves it",
        "incidents",
        {HTTPStatus.OK: Response("The incident as it is now.", Incident, headers=_ENTITY_TAG)},
        (
            *_TOO_LARGE,
            *_OF_WRITING,
            HTTPStatus.NOT_FOUND,
            HTTPStatus.CONFLICT,
            HTTPStatus.PRECONDITION_FAILED,
            HTTPStatus.PRECONDITION_REQUIRED,
        ),
        parameters=(_IDENTIFIER, _IF_MATCH),
        body=IncidentChange,
        authorized=True,
    ),
    Operation(
        "GET",
        "/openapi.json",
        "readDescription",
        "This document",
        "description",
        {HTTPStatus.OK: Response("An OpenAPI 3.1 document.", schema={"type": "object"})},
        _TOO_LARGE,
    ),
    Operation(
        "GET",
        "/",
        "readPage",
        "The status page",
        "page",
        {HTTPStatus.OK: Response("The page, for a browser.", media_type="text/html")},
        _TOO_LARGE,
    ),
)


def api_document(components: Iterable[str]) -> Schema:
    """Returns the OpenAPI document of an app that watches these components."""
    names = [*components]

    def with_names(part: Any) -> Any:
        match part:
            case {"pattern": pattern} if pattern == ID_PATTERN:
                return {"type": "string", "enum": names} | {
                    key: value for key, value in part.items() if key not in {"pattern", "type"}
                }
            case dict():
                return {key: with_names(value) for key, value in part.items()}
            case list() | tuple():
                return [with_names(value) for value in part]
        return part

    named: Schema = with_names(document(TITLE, VERSION, DESCRIPTION, OPERATIONS))
    return named


async def read_description(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with an OpenAPI 3.1 document."""
    return JsonResponse(_encoded(tuple(request.state["settings"].watched)))


@cache
def _encoded(components: tuple[str, ...]) -> bytes:
    return orjson.dumps(api_document(components))


ROUTES: Final = (Route("/openapi.json", read_description),)
