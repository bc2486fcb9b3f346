"""The Atom feed of incidents and maintenances: `/feed.atom`."""

import re
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from webapp.board import utc_now
from webapp.incidents.feed import MEDIA_TYPE, feed
from webapp.incidents.shown import seen
from webapp.incidents.store import Wanted, list_incidents
from webapp.operations import GET, TABLE_PROBLEMS, Answer, Operation
from webapp.prepared import Prepared
from webapp.resources import Resources

FEED_PATH: Final = "/feed.atom"

MOST_ENTRIES: Final = 50

_HOST: Final = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
"""A name or address with an optional port: RFC 9110, section 7.2, without what no load balancer passes on."""


async def get_feed(request: Request[Resources]) -> Prepared:
    """Answers 200 with an Atom feed of the newest incidents, or 304 if the client has it already."""
    settings, now = request.state["settings"], utc_now()
    found = await list_incidents(request.state["table"], Wanted(), None, MOST_ENTRIES, now)
    name = f"{settings.table}/{settings.service}/feed"
    incidents = seen(found.incidents, settings.public)
    document = feed(incidents, settings.title, name, base_url(request), now)
    # The links have the name that the client asked for, so shared caches may not keep them for others.
    return Prepared(document, MEDIA_TYPE, cache_control="private, no-cache")


def base_url(request: Request[Resources]) -> str:
    """Returns the address by which the client reached the app, such as `https://status.example.com`.

    Empty, so that links are relative, if the header Host is not a plain name or address. The load balancer
    sets X-Forwarded-Proto, and passes on Host (Elastic Load Balancing, "HTTP headers and Application Load
    Balancers"); no other header counts.
    """
    hosts = request.headers.getlist("Host")
    if len(hosts) != 1 or not _HOST.fullmatch(hosts[0]):
        return ""
    scheme = "https" if request.headers.getlist("X-Forwarded-Proto") == ["https"] else "http"
    return f"{scheme}://{hosts[0]}"


OPERATIONS: Final = (
    Operation(
        GET,
        FEED_PATH,
        get_feed,
        "incidents",
        "An Atom feed of incidents and maintenances",
        {
            HTTPStatus.OK: Answer(
                "The feed (RFC 4287).",
                media_type="application/atom+xml",
                headers={"ETag": "Its entity tag, for If-None-Match."},
            )
        },
        TABLE_PROBLEMS,
        public=True,
    ),
)
