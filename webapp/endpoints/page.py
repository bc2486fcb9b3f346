"""The page and its own files: `/` and `/assets/{name}`."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from webapp.page.static_files import StaticFile, plain_name, read_static_files
from webapp.resources import Resources

FILES: Final[Mapping[str, StaticFile]] = read_static_files()

_NOT_KEPT: Final = {"Cache-Control": "no-store"}
_KEPT_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For a year, and not even asked for again: RFC 9111, section 5.2.2.1; RFC 8246."""

_KEPT_FOR_A_DAY: Final = {"Cache-Control": "public, max-age=86400"}


async def read_page(request: Request[Resources]) -> HTMLResponse:
    """200 with the page, made of the current snapshot."""
    return HTMLResponse(request.state["page"].rendered(), headers=_NOT_KEPT)


async def read_file(request: Request[Resources]) -> Response:
    """200 with one of the page's files, 404 for a name that is none.

    While a release replaces another, a page may ask the one for a file of the other; it then gets
    the file as it is here, not to be kept.
    """
    name = request.path_params["name"]
    file = FILES.get(plain_name(name))
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    headers = _KEPT_FOR_EVER if name == file.name else _NOT_KEPT
    return Response(file.content, media_type=file.media_type, headers=headers)


async def read_favicon(_request: Request[Resources]) -> Response:
    """204: the page names its icon itself; this is for clients that ask without reading it."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_KEPT_FOR_A_DAY)


ROUTES: Final = (
    Route("/", read_page),
    Route("/assets/{name}", read_file),
    Route("/favicon.ico", read_favicon),
)
