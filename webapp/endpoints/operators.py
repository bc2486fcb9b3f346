"""The operators' pages, signing in and out, and metrics."""

import logging
import time
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, quote

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from webapp.board import utc_now
from webapp.incidents.requests import is_token
from webapp.logs import log
from webapp.metrics import MEDIA_TYPE, metrics
from webapp.operations import GET, Answer, Operation
from webapp.operators import (
    HOME,
    SIGN_IN,
    cookie,
    has_session,
    is_same_origin,
    is_secure,
    open_session,
    own_path,
    require_operator,
    token_hash,
)
from webapp.page.answers import HTML, form_headers
from webapp.page.drilling import changes_of, chart_of_last
from webapp.resources import Resources
from webapp.responses import HTTPProblem
from webapp.status import operator_status

_NO_STORE: Final = {"Cache-Control": "no-store"}
_MOST_FIELDS: Final = 10
_HOURS: Final = {"24": 24, "168": 168}
"""The ranges of the response times."""


async def get_operator_page(request: Request[Resources]) -> ASGIApp:
    """Answers 200 with the operators' first page; 303 to sign-in without a session."""
    return _to_sign_in(request) or request.state["operator_page"].front()


async def get_operator_component(request: Request[Resources]) -> ASGIApp:
    """Answers 200 with the operators' page of a component, with response times of `hours`, 24 or 168."""
    if (answer := _to_sign_in(request)) is not None:
        return answer
    pages, name = request.state["operator_page"], request.path_params["component"]
    if name not in pages.components:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    hours, now, table = (
        _HOURS.get(request.query_params.get("hours", ""), 24),
        utc_now(),
        request.state["table"],
    )
    changes = await changes_of(table, name, now, messages=True)
    chart = await chart_of_last(table, name, hours, now)
    return pages.component(name, changes, chart, hours)


async def sign_in(request: Request[Resources]) -> Response:
    """Answers GET with the form, and POST with the session or the form again.

    It is one endpoint, as Starlette would allow only the methods of the first at a path.
    """
    return await (post_sign_in if request.method == "POST" else get_sign_in)(request)


async def get_sign_in(request: Request[Resources]) -> Response:
    """Answers 200 with the form that asks for the token."""
    token_hash(request.state["settings"])
    return _form(request, own_path(request.query_params.get("next", HOME)))


async def post_sign_in(request: Request[Resources]) -> Response:
    """Answers 303 with a session's cookie if the token is right.

    With the form, 403 if it is wrong, and 429 after too many wrong ones; 403 if the form is not of this app,
    400 if it has too many fields.
    """
    sha256 = token_hash(request.state["settings"])
    _refuse_other_origins(request)
    wanted, token = _fields((await request.body()).decode("utf-8", "replace"))
    if not is_token(token.strip(), sha256):
        return _wrong_token(request, own_path(wanted))
    value = cookie(open_session(sha256, time.time()), secure=is_secure(request))
    return RedirectResponse(own_path(wanted), HTTPStatus.SEE_OTHER, {**_NO_STORE, "Set-Cookie": value})


def _fields(text: str) -> tuple[str, str]:
    """Returns where the form leads to, and the token; empty without. Raises `HTTPProblem`, 400."""
    try:
        form = parse_qs(text, max_num_fields=_MOST_FIELDS)
    except ValueError:
        detail = f"The form has more than {_MOST_FIELDS} fields."
        raise HTTPProblem(HTTPStatus.BAD_REQUEST, detail) from None
    return form.get("next", [""])[0], form.get("token", [""])[0]


def _wrong_token(request: Request[Resources], wanted: str) -> Response:
    """Returns the form that asks again. What follows too many wrong tokens is not logged."""
    failures, now = request.state["failures"], time.monotonic()
    wait = failures.wait(now)
    answer = _form(
        request,
        wanted,
        "This token is wrong.",
        HTTPStatus.TOO_MANY_REQUESTS if wait else HTTPStatus.FORBIDDEN,
    )
    if wait:
        answer.headers["Retry-After"] = str(wait)
    else:
        failures.note(now)
        log(logging.WARNING, "an operator could not sign in", {"reason": "wrong token"})
    return answer


async def post_sign_out(request: Request[Resources]) -> Response:
    """Answers 303 to the first page of everybody, and removes the session's cookie."""
    token_hash(request.state["settings"])
    _refuse_other_origins(request)
    value = cookie("", secure=is_secure(request))
    return RedirectResponse("/", HTTPStatus.SEE_OTHER, {**_NO_STORE, "Set-Cookie": value})


async def get_metrics(request: Request[Resources]) -> Response:
    """Answers 200 with metrics in Prometheus's text format."""
    snapshot, settings, now = request.state["board"].snapshot, request.state["settings"], utc_now()
    document = operator_status(snapshot, settings, request.state["started_at"], now)
    content = metrics(document, snapshot, settings, now)
    return Response(content, headers={**_NO_STORE, "Content-Type": MEDIA_TYPE})


def _to_sign_in(request: Request[Resources]) -> Response | None:
    """Returns the answer that leads to sign-in; None for operators. A wrong token raises `HTTPProblem`."""
    if has_session(request):
        return None
    if "Authorization" in request.headers:
        require_operator(request)
        return None
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"{SIGN_IN}?next={quote(path)}", HTTPStatus.SEE_OTHER, _NO_STORE)


def _form(
    request: Request[Resources], path: str, wrong: str | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response:
    headers = {**_NO_STORE, **form_headers(request.state["settings"])}
    return Response(request.state["page"].sign_in(path, wrong), status, headers, media_type=HTML)


def _refuse_other_origins(request: Request[Resources]) -> None:
    if not is_same_origin(request.headers):
        raise HTTPProblem(HTTPStatus.FORBIDDEN, "This form was not sent by a page of this app.")


OPERATIONS: Final = (
    Operation(
        GET,
        "/metrics",
        get_metrics,
        "operators",
        "Metrics for Prometheus",
        {HTTPStatus.OK: Answer("Text format 0.0.4.", media_type="text/plain")},
        (HTTPStatus.NOT_FOUND,),
        authorize=require_operator,
    ),
)
ROUTES: Final = (
    Route(HOME, get_operator_page),
    Route("/operator/components/{component}", get_operator_component),
    Route(SIGN_IN, sign_in, methods=["GET", "POST"]),
    Route("/operator/sign-out", post_sign_out, methods=["POST"]),
)
