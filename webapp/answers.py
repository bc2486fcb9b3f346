"""JSON answers, and problem details (RFC 9457) for whatever goes wrong."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse


class Answer(JSONResponse):
    """JSON that no cache may keep: it tells how things are now."""

    def __init__(
        self,
        content: Mapping[str, object],
        status_code: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(content, status_code, {"Cache-Control": "no-store", **(headers or {})})


class Problem(Answer):
    """Problem details of a status code (RFC 9457, section 3), without a type of their own."""

    media_type = "application/problem+json"

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        super().__init__(content, status, headers)


async def refuse(request: Request, error: Exception) -> Problem:
    """Answers a request that the app has no answer for; 405 says which methods are allowed."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    match status:
        case HTTPStatus.NOT_FOUND:
            detail = f"There is nothing at {request.url.path}."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
            detail = f"{request.url.path} answers {headers['Allow']}, not {request.method}."
        case _:
            detail = error.detail
    return Problem(status, detail, headers)


async def fail(_request: Request, _error: Exception) -> Problem:
    """Answers a request that failed in a way nobody foresaw; the error itself goes to the log."""
    detail = "The app failed to answer; its log says why."
    # The server closes the connection after an error, so nothing more may be sent on it.
    return Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail, {"Connection": "close"})
