"""The description of the API: `/openapi.json`."""

from functools import cache
from typing import Final

import orjson
from starlette.requests import Request
from starlette.routing import Route

from webapp.answers import Answer
from webapp.api import api_document


async def read_description(_request: Request) -> Answer:
    """200 with an OpenAPI 3.1 document."""
    return Answer(_encoded())


@cache
def _encoded() -> bytes:
    return orjson.dumps(api_document())


ROUTES: Final = (Route("/openapi.json", read_description),)
