"""JSON responses, and problem details (RFC 9457) for errors."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from webapp.calls import AwsError, FailureKind
from webapp.logs import current_request_id

JSON: Final = "application/json"

RETRY_SOON: Final = 2
RETRY_LATER: Final = 10
"""Seconds that `Retry-After` asks for: RFC 9110, section 10.2.3."""


class JsonResponse(Response):
    """A JSON response that caches may not store, as it describes the current state."""

    media_type = JSON

    def __init__(
        self,
        content: bytes | BaseModel | Mapping[str, object],
        status_code: int = HTTPStatus.OK,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        # Starlette would find out what is known here, which takes as long as the encoding.
        self.status_code = status_code
        self.background = None
        self.body = _encoded(content)
        self.raw_headers = [
            (b"cache-control", b"no-store"),
            (b"content-type", self.media_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
        ]
        if headers:
            self.raw_headers += [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _encoded(content: bytes | BaseModel | Mapping[str, object]) -> bytes:
    match content:
        case bytes():
            return content
        case BaseModel():
            return content.__pydantic_serializer__.to_json(content)
        case _:
            return orjson.dumps(content)


def problem_document(status: HTTPStatus, detail: str, identifier: str | None) -> dict[str, object]:
    """Returns the problem details of a status code (RFC 9457, section 3) for a request."""
    return {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "request_id": identifier,
    }


class ProblemResponse(JsonResponse):
    """Problem details of a status code (RFC 9457, section 3), of type about:blank.

    `request_id` identifies the request's log lines; `errors` lists the invalid parts of the request, each by
    a JSON pointer (RFC 6901) or a parameter's name.
    """

    media_type = "application/problem+json"

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        content = problem_document(status, detail, current_request_id.get())
        if errors:
            content["errors"] = errors
        super().__init__(content, status, headers)


class HTTPProblem(HTTPException):
    """An HTTP error with the invalid parts of the request, answered as problem details."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        headers: Mapping[str, str] | None = None,
        errors: list[dict[str, str]] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.errors = errors


_AWS_PROBLEMS: Final[Mapping[FailureKind, tuple[HTTPStatus, str, int | None]]] = {
    FailureKind.THROTTLED: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app's table is asked too often. Try again.", RETRY_SOON,
    ),
    FailureKind.TIMEOUT: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app's table did not answer in time. Try again.", RETRY_LATER,
    ),
    FailureKind.OVERLOADED: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app has too much to do. Try again.", RETRY_SOON,
    ),
    FailureKind.UNAVAILABLE: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app's table has an error of its own. Try again.", RETRY_LATER,
    ),
    FailureKind.ENDPOINT_UNREACHABLE: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app's table cannot be reached. Try again later.", RETRY_LATER,
    ),
    FailureKind.CREDENTIALS: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app has no valid credentials. Try again later.", RETRY_LATER,
    ),
    FailureKind.ACCESS_DENIED: (
        HTTPStatus.INTERNAL_SERVER_ERROR, "The app is not allowed to use its table; its log says why.", None,
    ),
    FailureKind.MISSING: (
        HTTPStatus.SERVICE_UNAVAILABLE, "The app's table does not exist. Try again later.", RETRY_LATER,
    ),
    FailureKind.UNEXPECTED: (
        HTTPStatus.BAD_GATEWAY, "The app's table answered in a way the app does not know.", None,
    ),
}  # fmt: skip
"""The status depends on whether a retry can help; the number is `Retry-After` in seconds."""


async def handle_http_exception(request: Request[Any], error: Exception) -> ProblemResponse:
    """Answers an HTTP error as problem details; 405 names the allowed methods."""
    if not isinstance(error, HTTPException):
        raise error
    status = HTTPStatus(error.status_code)
    headers = dict(error.headers or {})
    match status:
        case HTTPStatus.NOT_FOUND if error.detail == status.phrase:
            detail = f"There is nothing at {request.scope['path']}."
        case HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
            detail = f"{request.scope['path']} answers {headers['Allow']}, not {request.method}."
        case _:
            detail = error.detail
    return ProblemResponse(status, detail, headers, error.errors if isinstance(error, HTTPProblem) else None)


async def handle_aws_error(_request: Request[Any], error: Exception) -> ProblemResponse:
    """Answers a request for which a call to AWS failed; the reason is logged."""
    if not isinstance(error, AwsError):
        raise error
    status, detail, seconds = _AWS_PROBLEMS[error.kind]
    return ProblemResponse(status, detail, {"Retry-After": str(seconds)} if seconds else None)


async def handle_unexpected_error(_request: Request[Any], _error: Exception) -> ProblemResponse:
    """Answers a request that failed unexpectedly; the server logs the error."""
    return unexpected_problem()


def unexpected_problem() -> ProblemResponse:
    """Returns the answer to a request that failed unexpectedly. The client must not reuse the connection."""
    detail = "The app failed to answer; its log says why."
    return ProblemResponse(HTTPStatus.INTERNAL_SERVER_ERROR, detail, {"Connection": "close"})
