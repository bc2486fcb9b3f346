"""Live events: `/api/events`."""

from typing import Final

from starlette.requests import Request
from starlette.routing import Route

from webapp.events import EventStream
from webapp.resources import Resources

EVENTS_PATH: Final = "/api/events"


async def read_events(request: Request[Resources]) -> EventStream:
    """200 with server-sent events that go on, 503 while too many listen already."""
    return request.state["events"].stream()


ROUTES: Final = (Route(EVENTS_PATH, read_events),)
