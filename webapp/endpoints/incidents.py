"""Incidents: `/api/incidents` and `/api/incidents/{id}`. Everybody may read them; writing needs a token."""

import os
from collections.abc import Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Annotated, Final

from starlette.requests import Request

from webapp.board import utc_now
from webapp.calls import AwsError
from webapp.incidents.models import (
    Incident,
    IncidentChange,
    IncidentId,
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
    IDEMPOTENCY_HEADER,
    IDEMPOTENCY_KEY,
    IDEMPOTENCY_REPLAYED,
    IF_MATCH_HEADER,
    IfMatch,
    authorize,
    claim_of,
    cursor_before,
    entity_tag,
    position_of,
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
from webapp.operations import GET, PATCH, POST, TABLE_PROBLEMS, Answer, Operation
from webapp.requests import LINK, link_to_next
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.table_client import ConditionError, TableClient

INCIDENTS_PATH: Final = "/api/incidents"
INCIDENT_PATH: Final = f"{INCIDENTS_PATH}/{{id}}"

MOST_ATTEMPTS: Final = 3
"""Attempts at a change with `If-Match: *` while others change the incident."""


async def get_incidents(request: Request[Resources], query: IncidentsQuery) -> JsonResponse:
    """Answers 200 with a page of incidents, and a link (RFC 8288) to the next page if there is one.

    A page of long incidents has fewer than requested. 400 for an invalid query.
    """
    found = await list_incidents(request.state["table"], query.state, position_of(query), query.limit)
    following = None if found.next_before is None else cursor_before(found.next_before, query)
    page = IncidentPage(incidents=found.incidents, next=following)
    return JsonResponse(page, headers=link_to_next(request, following))


async def post_incident(
    request: Request[Resources], key: Annotated[str | None, IDEMPOTENCY_HEADER], body: NewIncident
) -> JsonResponse:
    """Answers 201 with the opened incident, or the one that the same idempotency key opened before.

    401 and 403 without the token; 400, 415 and 422 for an invalid body; 422 for an idempotency key used with
    another body; 409 if too many incidents are open.
    """
    table, now = request.state["table"], utc_now()
    try:
        made, how = await create_incident(
            table,
            opened(body, incident_id(now, os.urandom(10)), now),
            None if key is None else claim_of(table.keys, key, body),
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


async def get_incident(request: Request[Resources], id: IncidentId) -> JsonResponse:
    """Answers 200 with the incident and its entity tag, 404 if it does not exist."""
    return _answer(await _found(request.state["table"], id))


async def patch_incident(
    request: Request[Resources],
    id: IncidentId,
    condition: Annotated[IfMatch, IF_MATCH_HEADER],
    body: IncidentChange,
) -> JsonResponse:
    """Answers 200 with the changed incident.

    401 and 403 without the token; 428 without If-Match, 412 if the incident has changed since; 400, 415 and
    422 for an invalid body; 404 if it does not exist; 409 if it is resolved or full.
    """
    table = request.state["table"]
    after = await _change(table, id, condition, body)
    await _show(request, table, after)
    return _answer(after)


async def _change(table: TableClient, id: str, condition: IfMatch, change: IncidentChange) -> Incident:
    for _ in range(MOST_ATTEMPTS):
        before = await _found(table, id)
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


async def _found(table: TableClient, id: str) -> Incident:
    found = await read_incident(table, id)
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


_ENTITY_TAG: Final = {"ETag": "The incident's version, as If-Match wants it."}

OPERATIONS: Final = (
    Operation(
        GET,
        INCIDENTS_PATH,
        get_incidents,
        "incidents",
        "Incidents, the newest first",
        {HTTPStatus.OK: Answer("A page of incidents.", IncidentPage, headers=LINK)},
        TABLE_PROBLEMS,
        public=True,
    ),
    Operation(
        POST,
        INCIDENTS_PATH,
        post_incident,
        "incidents",
        "Opens an incident",
        {
            HTTPStatus.CREATED: Answer(
                "The incident.",
                Incident,
                headers={
                    **_ENTITY_TAG,
                    "Location": "Where the incident is.",
                    IDEMPOTENCY_REPLAYED: "true when an earlier request with this key had opened it.",
                },
            )
        },
        (*TABLE_PROBLEMS, HTTPStatus.CONFLICT),
        authorize=authorize,
    ),
    Operation(
        GET,
        INCIDENT_PATH,
        get_incident,
        "incidents",
        "One incident with all its updates",
        {HTTPStatus.OK: Answer("The incident.", Incident, headers=_ENTITY_TAG)},
        TABLE_PROBLEMS,
        public=True,
    ),
    Operation(
        PATCH,
        INCIDENT_PATH,
        patch_incident,
        "incidents",
        "Says more about an incident, or resolves it",
        {HTTPStatus.OK: Answer("The incident as it is now.", Incident, headers=_ENTITY_TAG)},
        (*TABLE_PROBLEMS, HTTPStatus.CONFLICT),
        authorize=authorize,
    ),
)
