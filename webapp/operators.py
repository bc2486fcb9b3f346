"""Who may use the operator's view."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from webapp.incidents.requests import authorize
from webapp.resources import Resources


def require_operator(request: Request[Resources]) -> None:
    """Returns if the request is an operator's: it has the token that may write.

    Raises 404 if the operator's view is off, which it also is without a token; else what `authorize` raises.
    """
    settings = request.state["settings"]
    if settings.operator_view == "off" or not settings.writing:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    authorize(request)
