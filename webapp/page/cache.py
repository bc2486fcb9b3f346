"""The page as bytes, made at most once a second and once a snapshot."""

from webapp.board import Board, utc_now
from webapp.page.template import PageTemplate
from webapp.settings import Settings
from webapp.status import stale_after
from webapp.status_cache import StatusCache


class PageCache:
    """Renders the page when somebody asks and it may have changed, as the status document is."""

    def __init__(self, board: Board, status: StatusCache, settings: Settings, template: PageTemplate) -> None:
        self._board = board
        self._status = status
        self._stale_after = stale_after(settings)
        self._template = template
        self._key: tuple[int, int] | None = None
        self._rendered = b""

    def rendered(self) -> bytes:
        """The page as HTML in UTF-8."""
        now = utc_now()
        snapshot = self._board.snapshot
        key = (snapshot.version, int(now.timestamp()))
        if key != self._key:
            document = self._status.document(now)
            self._rendered = self._template.render(document, snapshot, self._stale_after, now)
            self._key = key
        return self._rendered
