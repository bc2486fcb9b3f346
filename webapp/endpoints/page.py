"""The page and its own files: `/` and `/assets/{name}`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from webapp import page
from webapp.resources import Resources

ASSETS: Final = Path(page.__file__).parent / "assets"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Sources: RFC 2318 (CSS), RFC 9239 (JavaScript), W3C SVG 2, appendix "Media type registration"."""

_DIGITS: Final = 16

_NOT_KEPT: Final = {"Cache-Control": "no-store"}
_KEPT_FOR_EVER: Final = {"Cache-Control": "public, max-age=31536000, immutable"}
"""For a year, and not even asked for again: RFC 9111, section 5.2.2.1; RFC 8246."""

_KEPT_FOR_A_DAY: Final = {"Cache-Control": "public, max-age=86400"}


@dataclass(frozen=True)
class StaticFile:
    """A file's content, its media type, and the name it is served under: `<stem>.<hash><suffix>`."""

    name: str
    media_type: str
    content: bytes


def read_static_files() -> Mapping[str, StaticFile]:
    """All files of the page by their plain names, such as `page.css`."""
    return {path.name: _read(path) for path in sorted(ASSETS.iterdir())}


def plain_name(name: str) -> str:
    """The plain name of a file that is served under this one: `page.css` of `page.0123456789abcdef.css`."""
    path = PurePosixPath(name)
    return f"{PurePosixPath(path.stem).stem}{path.suffix}"


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}{path.suffix}"
    return StaticFile(name, MEDIA_TYPES[path.suffix], content)


FILES: Final[Mapping[str, StaticFile]] = read_static_files()

URLS: Final = {plain: f"/assets/{file.name}" for plain, file in FILES.items()}
"""The address of each file by its plain name."""


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
