"""Incidents and maintenances: `/api/incidents` and below. Everybody may read them; writing needs a token."""

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from starlette.requests import Request

from webapp.board import utc_now
from webapp.calls import AwsError
from webapp.incidents.changes import (
    IncidentChange,
    NewIncident,
    RefusedError,
    UpdateCorrection,
    changed,
    corrected,
    opened,
)
from webapp.incidents.models import (
    Incident,
    IncidentId,
    IncidentPage,
    IncidentsQuery,
    UpdateNumber,
    as_of,
    incident_id,
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
from webapp.incidents.shown import is_seen, named, seen
from webapp.incidents.store import (
    MOST_OPEN,
    ClaimedError,
    TooManyOpenError,
    Wanted,
    create_incident,
    list_incidents,
    read_incident,
    replace_incident,
    show_incident,
)
from webapp.operations import GET, PATCH, POST, TABLE_PROBLEMS, Answer, Operation
from webapp.operators import is_operator
from webapp.requests import LINK, link_to_next
from webapp.resources import Resources
from webapp.responses import HTTPProblem, JsonResponse
from webapp.table_client import ConditionError, TableClient

INCIDENTS_PATH: Final = "/api/incidents"
INCIDENT_PATH: Final = f"{INCIDENTS_PATH}/{{id}}"
UPDATE_PATH: Final = f"{INCIDENT_PATH}/updates/{{number}}"

MOST_ATTEMPTS: Final = 3
"""Attempts at a change with `If-Match: *` while others change the incident."""


async def get_incidents(request: Request[Resources], query: IncidentsQuery) -> JsonResponse:
    """Answers 200 with a page of incidents, and a link (RFC 8288) to the next page if there is one.

    A page of long incidents, or of some that only operators see, has fewer than requested. 400 for an
    invalid query.
    """
    wanted, before = Wanted(query.state, query.from_, query.to), position_of(query)
    found = await list_incidents(request.state["table"], wanted, before, query.limit, utc_now())
    following = None if found.next_before is None else cursor_before(found.next_before, query)
    settings = request.state["settings"]
    shown = found.incidents if is_operator(request) else seen(found.incidents, settings.public)
    page = IncidentPage(incidents=shown, next=following)
    return JsonResponse(page, headers=link_to_next(request, following))


async def post_incident(
    request: Request[Resources], key: Annotated[str | None, IDEMPOTENCY_HEADER], body: NewIncident
) -> JsonResponse:
    """Answers 201 with the opened incident, or the one that the same idempotency key opened before.

    401 and 403 without the token; 400, 415 and 422 for an invalid body; 422 for an idempotency key used with
    another body; 409 if too many incidents are open.
    """
    table, now = request.state["table"], utc_now()
    claim = None if key is None else claim_of(table.keys, key, body)
    try:
        made = opened(body, incident_id(body.starts_at or now, os.urandom(10)), now)
        made, how = await create_incident(table, made, claim)
    except RefusedError as error:
        raise _refusal(error) from None
    except ClaimedError:
        detail = f"This {IDEMPOTENCY_KEY} came with another body before. Use a new one."
        raise HTTPProblem(HTTPStatus.UNPROCESSABLE_ENTITY, detail) from None
    except TooManyOpenError:
        raise _too_many_open() from None
    headers = {"Location": INCIDENT_PATH.format(id=made.id)}
    if how == "replayed":
        return _answer(as_of(made, now), HTTPStatus.CREATED, {**headers, IDEMPOTENCY_REPLAYED: "true"})
    await _show(request, table, made)
    return _answer(made, HTTPStatus.CREATED, headers)


async def get_incident(request: Request[Resources], id: IncidentId) -> JsonResponse:
    """Answers 200 with the incident and its entity tag, 404 if it does not exist, or only for operators."""
    found = as_of(await _found(request.state["table"], id), utc_now())
    if is_operator(request):
        return _answer(found)
    public = request.state["settings"].public
    if not is_seen(found, public):
        raise _missing()
    return _answer(named(found, public))


async def patch_incident(
    request: Request[Resources],
    id: IncidentId,
    condition: Annotated[IfMatch, IF_MATCH_HEADER],
    body: IncidentChange,
) -> JsonResponse:
    """Answers 200 with the changed incident.

    401 and 403 without the token; 428 without If-Match, 412 if the incident has changed since; 400, 415 and
    422 for an invalid body; 404 if it does not exist; 409 if it is over or full, or too many are open.
    """
    return await _change(request, id, condition, lambda before, now: changed(before, body, now))


async def patch_update(
    request: Request[Resources],
    id: IncidentId,
    number: UpdateNumber,
    condition: Annotated[IfMatch, IF_MATCH_HEADER],
    body: UpdateCorrection,
) -> JsonResponse:
    """Answers 200 with the incident, one update of which has another text.

    As a change of the incident; 404 also if it has no such update.
    """

    def correct(before: Incident, now: datetime) -> Incident:
        try:
            return corrected(before, number, body, now)
        except KeyError:
            detail = f"There is no such update; the incident has {len(before.updates)}."
            raise HTTPProblem(HTTPStatus.NOT_FOUND, detail) from None

    return await _change(request, id, condition, correct)


async def _change(
    request: Request[Resources],
    id: str,
    condition: IfMatch,
    change: Callable[[Incident, datetime], Incident],
) -> JsonResponse:
    table = request.state["table"]
    for _ in range(MOST_ATTEMPTS):
        before, now = await _found(table, id), utc_now()
        # Errors that would occur without the condition come first: RFC 9110, section 13.2.1.
        try:
            after = change(before, now)
        except RefusedError as error:
            raise _refusal(error) from None
        if not condition.holds(before.version):
            break
        try:
            await replace_incident(table, before, after)
        except ConditionError:
            continue
        except TooManyOpenError:
            raise _too_many_open() from None
        await _show(request, table, after)
        return _answer(after)
    detail = (
        "The incident has changed in the meantime. Read it again, and then send its new ETag in If-Match."
    )
    raise HTTPProblem(HTTPStatus.PRECONDITION_FAILED, detail)


def _refusal(error: RefusedError) -> HTTPProblem:
    if error.pointer is None:
        return HTTPProblem(HTTPStatus.CONFLICT, str(error))
    errors = [{"pointer": error.pointer, "detail": str(error)}]
    return HTTPProblem(
        HTTPStatus.UNPROCESSABLE_ENTITY, "The body does not fit; errors tells where.", errors=errors
    )


def _too_many_open() -> HTTPProblem:
    detail = f"There are {MOST_OPEN} open incidents and maintenances already. Resolve or cancel one first."
    return HTTPProblem(HTTPStatus.CONFLICT, detail)


async def _found(table: TableClient, id: str) -> Incident:
    found = await read_incident(table, id)
    if found is None:
        raise _missing()
    return found


def _missing() -> HTTPProblem:
    return HTTPProblem(HTTPStatus.NOT_FOUND, "There is no such incident.")


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
        "Incidents and maintenances, the newest first",
        {HTTPStatus.OK: Answer("A page of incidents.", IncidentPage, headers=LINK)},
        TABLE_PROBLEMS,
        public=True,
    ),
    Operation(
        POST,
        INCIDENTS_PATH,
        post_incident,
        "incidents",
        "Opens an incident, or announces a maintenance",
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
        "Says more about an incident or a maintenance, ends or reopens it",
        {HTTPStatus.OK: Answer("The incident as it is now.", Incident, headers=_ENTITY_TAG)},
        (*TABLE_PROBLEMS, HTTPStatus.CONFLICT),
        authorize=authorize,
    ),
    Operation(
        PATCH,
        UPDATE_PATH,
        patch_update,
        "incidents",
        "Corrects the text of an update; what it said before stays visible",
        {HTTPStatus.OK: Answer("The incident as it is now.", Incident, headers=_ENTITY_TAG)},
        (*TABLE_PROBLEMS, HTTPStatus.CONFLICT),
        authorize=authorize,
    ),
)
