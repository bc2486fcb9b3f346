"""Incidents: `/api/incidents` and `/api/incidents/{id}`. Everybody may read them; writing needs a token."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Final

from starlette.requests import Request
from starlette.routing import Route

from webapp.board import utc_now
from webapp.calls import AwsError
from webapp.incidents.models import (
    ID_PATTERN,
    Incident,
    IncidentChange,
    IncidentPage,
    IncidentsQuery,
    NewIncident,
    NoRoomError,
    Progress,
    changed,
    incident_id,
    opened,
)
from webapp.incidents.requests import (
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_REPLAYED,
    IfMatch,
    authorize,
    claim_of,
    cursor_before,
    entity_tag,
    position_of,
    read_idempotency_key,
    require_if_match,
)
from webapp.incidents.store import (
    MOST_OPEN,
    ClaimedError,
    TooManyOpenError,
    create_incident,
    list_incidents,
    read_incident,
    replace_incident,
    show_incident,
)
from webapp.requests import link_to_next, read_body, read_query
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.table_client import ConditionError, TableClient

INCIDENTS_PATH: Final = "/api/incidents"
INCIDENT_PATH: Final = f"{INCIDENTS_PATH}/{{id}}"

MOST_ATTEMPTS: Final = 3
"""Attempts at a change with `If-Match: *` while others change the incident."""


async def incidents(request: Request[Resources]) -> JsonResponse:
    """Lists incidents or opens one."""
    return await (post_incident if request.method == "POST" else get_incidents)(request)


async def incident(request: Request[Resources]) -> JsonResponse:
    """Shows an incident or changes it."""
    return await (patch_incident if request.method == "PATCH" else get_incident)(request)


async def get_incidents(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with a page of incidents, and a link (RFC 8288) to the next page if there is one.

    A page of long incidents has fewer than requested. 400 for an invalid query.
    """
    query = read_query(request, IncidentsQuery)
    found = await list_incidents(request.state["table"], query.state, position_of(query), query.limit)
    following = None if found.next_before is None else cursor_before(found.next_before, query)
    page = IncidentPage(incidents=found.incidents, next=following)
    return JsonResponse(page, headers=link_to_next(request, following))


async def post_incident(request: Request[Resources]) -> JsonResponse:
    """Answers 201 with the opened incident, or the one that the same idempotency key opened before.

    401 and 403 without the token; 400, 415 and 422 for an invalid body; 422 for an idempotency key used with
    another body; 409 if too many incidents are open.
    """
    authorize(request)
    key = read_idempotency_key(request)
    new = await read_body(request, NewIncident)
    table, now = request.state["table"], utc_now()
    try:
        made, how = await create_incident(
            table,
            opened(new, incident_id(now, os.urandom(10)), now),
            None if key is None else claim_of(table.keys, key, new),
        )
    except ClaimedError:
        detail = f"This {IDEMPOTENCY_KEY} came with another body before. Use a new one."
        raise HTTPProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    except TooManyOpenError:
        detail = f"There are {MOST_OPEN} open incidents already. Resolve one first."
        raise HTTPProblem(HTTPStatus.CONFLICT, detail) from None
    headers = {"Location": INCIDENT_PATH.format(id=made.id)}
    if how == "replayed":
        return _answer(made, HTTPStatus.CREATED, {**headers, IDEMPOTENCY_REPLAYED: "true"})
    await _show(request, table, made)
    return _answer(made, HTTPStatus.CREATED, headers)


async def get_incident(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with the incident and its entity tag, 404 if it does not exist."""
    return _answer(await _found(request, request.state["table"]))


async def patch_incident(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with the changed incident.

    401 and 403 without the token; 428 without If-Match, 412 if the incident has changed since; 400, 415 and
    422 for an invalid body; 404 if it does not exist; 409 if it is resolved or full.
    """
    authorize(request)
    condition = require_if_match(request)
    change = await read_body(request, IncidentChange)
    table = request.state["table"]
    after = await _change(request, table, condition, change)
    await _show(request, table, after)
    return _answer(after)


async def _change(
    request: Request[Resources], table: TableClient, condition: IfMatch, change: IncidentChange
) -> Incident:
    for _ in range(MOST_ATTEMPTS):
        before = await _found(request, table)
        # Errors that would occur without the condition come first: RFC 9110, section 13.2.1.
        if before.state is Progress.RESOLVED:
            raise HTTPProblem(
                HTTPStatus.CONFLICT, "The incident is resolved; nothing of it changes any more."
            )
        if not condition.holds(before.version):
            break
        try:
            after = changed(before, change, utc_now())
        except NoRoomError as error:
            raise HTTPProblem(HTTPStatus.CONFLICT, str(error)) from None
        with suppress(ConditionError):
            await replace_incident(table, after)
            return after
    detail = (
        "The incident has changed in the meantime. Read it again, and then send its new ETag in If-Match."
    )
    raise HTTPProblem(HTTPStatus.PRECONDITION_FAILED, detail)


async def _found(request: Request[Resources], table: TableClient) -> Incident:
    identifier = request.path_params["id"]
    found = await read_incident(table, identifier) if re.fullmatch(ID_PATTERN, identifier) else None
    if found is None:
        raise HTTPProblem(HTTPStatus.NOT_FOUND, "There is no such incident.")
    return found


async def _show(request: Request[Resources], table: TableClient, written: Incident) -> None:
    """Updates the board; if that fails, the recorder's next refresh does it."""
    with suppress(AwsError):
        await show_incident(table, request.state["board"], written)


def _answer(
    content: Incident, status: HTTPStatus = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    return JsonResponse(content, status, {"ETag": entity_tag(content.version), **(headers or {})})


ROUTES: Final = (
    Route(INCIDENTS_PATH, incidents, methods=["GET", "POST"]),
    Route(INCIDENT_PATH, incident, methods=["GET", "PATCH"]),
)
