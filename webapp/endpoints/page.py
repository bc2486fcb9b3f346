"""The pages for everybody, their assets, and the badge."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from webapp import page
from webapp.board import utc_now
from webapp.fields import MayBeLeftOut
from webapp.incidents.models import ID_PATTERN, IncidentsQuery
from webapp.incidents.requests import cursor_before, position_of
from webapp.incidents.shown import is_seen
from webapp.incidents.store import Wanted, list_incidents, read_incident
from webapp.operations import GET, Answer, Hot, Operation
from webapp.operators import is_operator
from webapp.page.badge import badge_json, badge_svg
from webapp.page.drilling import changes_of
from webapp.prepared import Prepared
from webapp.requests import read_query
from webapp.resources import Resources
from webapp.responses import JsonResponse

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
_FOR_A_MINUTE: Final = {"Cache-Control": "public, max-age=60"}


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
    """Answers 200 with the first page for the current snapshot."""
    return resources["page"].front()


async def get_component(request: Request[Resources]) -> Prepared:
    """Answers 200 with the page of a component, 404 if the public does not see it."""
    pages, name = request.state["page"], request.path_params["component"]
    if name not in pages.components:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    changes = await changes_of(request.state["table"], name, utc_now(), messages=False)
    return pages.component(name, changes, None, 24)


async def get_incidents_page(request: Request[Resources]) -> Prepared:
    """Answers 200 with a page of incidents and maintenances by day, 400 for an invalid cursor."""
    query = read_query(request, IncidentsQuery)
    wanted = Wanted(query.state, query.from_, query.to)
    found = await list_incidents(request.state["table"], wanted, position_of(query), query.limit, utc_now())
    following = None if found.next_before is None else cursor_before(found.next_before, query)
    pages = request.state["page"]
    return pages.incidents(found.incidents, first_page=query.cursor is None, following=following)


async def get_incident_page(request: Request[Resources]) -> Prepared:
    """Answers 200 with the page of an incident, 404 if it does not exist, or only for operators."""
    identifier = request.path_params["id"]
    found = (
        await read_incident(request.state["table"], identifier)
        if re.fullmatch(ID_PATTERN, identifier)
        else None
    )
    if found is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    if is_seen(found, request.state["settings"].public):
        return request.state["page"].incident(found)
    if is_operator(request):
        return request.state["operator_page"].incident(found)
    raise HTTPException(HTTPStatus.NOT_FOUND)


class BadgeQuery(BaseModel):
    """Which badge is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    component: MayBeLeftOut[str] = Field(
        default=None, max_length=100, description="The id of a component; all together when left out."
    )


async def get_badge(request: Request[Resources], query: BadgeQuery) -> Response:
    """Answers 200 with the badge of everything, or of a component, as SVG; 404 if it does not exist."""
    svg = badge_svg(*_badge(request, query))
    return Response(svg, media_type=MEDIA_TYPES[".svg"], headers=_FOR_A_MINUTE)


async def get_badge_json(request: Request[Resources], query: BadgeQuery) -> JsonResponse:
    """Answers 200 with what shields.io draws the badge from; 404 if the component does not exist."""
    return JsonResponse(badge_json(*_badge(request, query)), headers=_FOR_A_MINUTE)


def _badge(request: Request[Resources], query: BadgeQuery) -> tuple[str, str]:
    """Returns the label and the state of the badge."""
    status = request.state["status"].public(utc_now())
    if query.component is None:
        return request.state["settings"].title, status.state
    if query.component not in status.components:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    component = status.components[query.component]
    return component.name, component.state


async def get_asset(request: Request[Resources]) -> Prepared:
    """Answers 200 with an asset, 404 if it does not exist.

    During a deployment, a page of one release may request an asset of the other; it then gets this release's
    asset, which may not be cached.
    """
    name = request.path_params["name"]
    file = FILES.get(plain_name(name))
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return file.immutable if name == file.name else file.substitute


async def get_favicon(_request: Request[Resources]) -> Response:
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
    Operation(
        GET,
        "/badge.svg",
        get_badge,
        "badge",
        "A badge with the state",
        {HTTPStatus.OK: Answer("The badge.", media_type="image/svg+xml")},
        (HTTPStatus.NOT_FOUND,),
        public=True,
    ),
    Operation(
        GET,
        "/badge.json",
        get_badge_json,
        "badge",
        "What shields.io draws a badge from",
        {HTTPStatus.OK: Answer("An endpoint badge of shields.io.", schema={"type": "object"})},
        (HTTPStatus.NOT_FOUND,),
        public=True,
    ),
)
ROUTES: Final = (
    Route("/components/{component}", get_component),
    Route("/incidents", get_incidents_page),
    Route("/incidents/{id}", get_incident_page),
    Route("/assets/{name}", get_asset),
    Route("/favicon.ico", get_favicon),
)
