"""The status document as bytes, made at most once a second and once a snapshot."""

from datetime import datetime

from webapp.board import Board, utc_now
from webapp.settings import Settings
from webapp.status import Status, status


class StatusCache:
    """Encodes the status document when somebody asks and it may have changed.

    Within a second of one snapshot, all that changes in it are ages, so requests share it.
    """

    def __init__(self, board: Board, settings: Settings) -> None:
        self._board = board
        self._settings = settings
        self._started_at = utc_now()
        self._key: tuple[int, int] | None = None
        self._encoded = b""

    def encoded(self) -> bytes:
        """The status document as JSON."""
        now = utc_now()
        key = (self._board.snapshot.version, int(now.timestamp()))
        if key != self._key:
            self._encoded = self.document(now).model_dump_json().encode()
            self._key = key
        return self._encoded

    def document(self, now: datetime) -> Status:
        """The status document at a time."""
        return status(self._board.snapshot, self._settings, self._started_at, now)
