"""Passes requests to the operations of their paths."""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from webapp.calls import AwsError
from webapp.cross_origin import CrossOrigin
from webapp.operations import Operation
from webapp.resources import Resources
from webapp.responses import handle_aws_error, handle_http_exception

_PARAMETER: Final = re.compile(r"\\{(\w+)\\}")


class Router:
    """ASGI middleware: answers requests for the paths of these operations, and passes on all others.

    Starlette's own routing takes as long as a prepared answer.
    """

    def __init__(self, app: ASGIApp, operations: Iterable[Operation]) -> None:
        self.app = app
        by_path: dict[str, list[Operation]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, []).append(operation)
        endpoints = {path: _endpoint(at_path) for path, at_path in by_path.items()}
        self._exact = {path: endpoint for path, endpoint in endpoints.items() if "{" not in path}
        self._patterns = [
            (_pattern(path), endpoint) for path, endpoint in endpoints.items() if path not in self._exact
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await (self._find(scope) or self.app)(scope, receive, send)

    def _find(self, scope: Scope) -> ASGIApp | None:
        if scope["type"] != "http":
            return None
        if (endpoint := self._exact.get(scope["path"])) is not None:
            return endpoint
        for pattern, endpoint in self._patterns:
            if match := pattern.fullmatch(scope["path"]):
                scope["path_params"] = match.groupdict()
                return endpoint
        return None


class _Endpoint:
    """ASGI application: answers with the operation of the request's method, or with the problem it meets."""

    def __init__(self, by_method: Mapping[str, Operation], allow: str) -> None:
        self._by_method = by_method
        self._allow = allow

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = self._by_method.get(scope["method"])
        request: Request[Resources] = Request(scope, receive)
        answer: ASGIApp
        try:
            if operation is None:
                raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": self._allow})
            answer = await operation.answer(request)
        except HTTPException as error:
            answer = await handle_http_exception(request, error)
        except AwsError as error:
            answer = await handle_aws_error(request, error)
        await answer(scope, receive, send)


def _endpoint(operations: Iterable[Operation]) -> ASGIApp:
    by_method = {operation.method.value: operation for operation in operations}
    methods = {*by_method}
    read = by_method.get("GET")
    if read is not None:
        by_method["HEAD"] = read
        methods |= {"HEAD", "OPTIONS"} if read.public else {"HEAD"}
    endpoint = _Endpoint(by_method, ", ".join(sorted(methods)))
    return CrossOrigin(endpoint) if read is not None and read.public else endpoint


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", re.escape(path)))
