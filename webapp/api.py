"""All operations of the app, and their description: `/openapi.json`."""

from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, Final

import orjson
from starlette.requests import Request

from webapp.components import ID_PATTERN
from webapp.endpoints import feed, health, history, incidents, operators, page, status
from webapp.openapi import Schema, document
from webapp.operations import GET, Answer, Operation
from webapp.resources import Resources
from webapp.responses import JsonResponse

TITLE: Final = "OakTree status service"
VERSION: Final = "1"
DESCRIPTION: Final = (
    "How the platform is doing that the app runs on, what the app remembers of it, and what people "
    "say about it. Times are in UTC. Every answer has a request id, by which the log tells more."
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


async def get_description(request: Request[Resources]) -> JsonResponse:
    """Answers 200 with an OpenAPI 3.1 document."""
    return JsonResponse(_encoded(tuple(request.state["settings"].public)))


@cache
def _encoded(components: tuple[str, ...]) -> bytes:
    return orjson.dumps(api_document(components))


OPERATIONS: Final = (
    *health.OPERATIONS,
    *status.OPERATIONS,
    *history.OPERATIONS,
    *incidents.OPERATIONS,
    *feed.OPERATIONS,
    Operation(
        GET,
        "/openapi.json",
        get_description,
        "description",
        "This document",
        {HTTPStatus.OK: Answer("An OpenAPI 3.1 document.", schema={"type": "object"})},
        public=True,
    ),
    *page.OPERATIONS,
    *operators.OPERATIONS,
)
