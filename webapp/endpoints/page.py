"""The page and its assets: `/` and `/assets/{name}`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webapp import page
from webapp.operations import GET, Answer, Hot, Operation
from webapp.prepared import Prepared
from webapp.resources import Resources

ASSETS: Final = Path(page.__file__).parent / "assets"
MEDIA_TYPES: Final[Mapping[str, str]] = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
"""Sources: RFC 2318 (CSS), RFC 9239 (JavaScript), W3C SVG 2, appendix "Media type registration"."""

_DIGITS: Final = 16

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
"""For a year, without revalidation: RFC 9111, section 5.2.2.1; RFC 8246."""

_ONE_DAY: Final = {"Cache-Control": "public, max-age=86400"}


@dataclass(frozen=True)
class StaticFile:
    """An asset: its content, its media type, and the name it is served under: `<stem>.<hash><suffix>`."""

    name: str
    media_type: str
    content: bytes

    @cached_property
    def immutable(self) -> Prepared:
        """Returns the answer under this name."""
        return Prepared(self.content, self.media_type, cache_control=_IMMUTABLE)

    @cached_property
    def substitute(self) -> Prepared:
        """Returns the answer under the name that the asset has in another release."""
        return Prepared(self.content, self.media_type, cache_control="no-store")


def read_static_files() -> Mapping[str, StaticFile]:
    """Returns all assets by their plain names, such as `page.css`."""
    return {path.name: _read(path) for path in sorted(ASSETS.iterdir())}


def plain_name(name: str) -> str:
    """Returns the plain name of an asset: `page.css` for `page.0123456789abcdef.css`."""
    path = PurePosixPath(name)
    return f"{PurePosixPath(path.stem).stem}{path.suffix}"


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    name = f"{path.stem}.{hashlib.sha256(content).hexdigest()[:_DIGITS]}{path.suffix}"
    return StaticFile(name, MEDIA_TYPES[path.suffix], content)


FILES: Final[Mapping[str, StaticFile]] = read_static_files()

URLS: Final = {plain: f"/assets/{file.name}" for plain, file in FILES.items()}
"""URL of each asset by its plain name."""


def get_page(resources: Resources) -> Prepared:
    """Answers 200 with the page for the current snapshot."""
    return resources["page"].prepared()


async def read_asset(request: Request[Resources]) -> Prepared:
    """Answers 200 with an asset, 404 if it does not exist.

    During a deployment, a page of one release may request an asset of the other; it then gets this release's
    asset, which may not be cached.
    """
    name = request.path_params["name"]
    file = FILES.get(plain_name(name))
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return file.immutable if name == file.name else file.substitute


async def read_favicon(_request: Request[Resources]) -> Response:
    """Answers 204: the page links its icon; this is for clients that request it by convention."""
    return Response(status_code=HTTPStatus.NO_CONTENT, headers=_ONE_DAY)


OPERATIONS: Final = (
    Operation(
        GET,
        "/",
        Hot(get_page),
        "page",
        "The status page",
        {HTTPStatus.OK: Answer("The page, for a browser.", media_type="text/html")},
    ),
)
ROUTES: Final = (
    Route("/assets/{name}", read_asset),
    Route("/favicon.ico", read_favicon),
)
