"""What lives as long as the app; requests find it in `request.state`."""

from typing import TypedDict

from webapp.aws import Clients
from webapp.board import Board
from webapp.events import Events
from webapp.page.cache import PageCache
from webapp.settings import Settings
from webapp.status_cache import StatusCache
from webapp.stopping import Stopping


class Resources(TypedDict):
    """The state that the lifespan hands to requests."""

    settings: Settings
    clients: Clients
    board: Board
    status: StatusCache
    page: PageCache
    events: Events
    stopping: Stopping
