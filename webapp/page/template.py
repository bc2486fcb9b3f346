"""Renders the page, and caches it for the requests of one second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from webapp.board import Board, Snapshot
from webapp.events import event_id
from webapp.history.models import Day
from webapp.page import wording
from webapp.page.views import DAYS, DAYS_OVERDUE_AFTER, banner, component_history, component_views, reading_of
from webapp.prepared import PerSnapshot, Prepared
from webapp.settings import Settings
from webapp.status import OperatorStatus, StatusCache, stale_after

TEMPLATES: Final = Path(__file__).parent / "templates"

Days = Mapping[str, Sequence[Day]]


@dataclass(frozen=True)
class HistoryHtml:
    """HTML of a component's last 90 days: a bar for each, and a list of those with problems."""

    bars: str
    troubled: str


@dataclass(frozen=True)
class Histories:
    """The HTML of all components' last 90 days, and the data it was rendered from."""

    days: Days
    today: date
    html: Mapping[str, HistoryHtml]


class PageTemplate:
    """The page's Jinja templates. Autoescaping is on."""

    def __init__(self, assets: Mapping[str, str], settings: Settings) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "age": wording.age,
            "day": wording.day,
            "latency": wording.latency,
            "machine": wording.machine,
            "minute": wording.minute,
            "moment": wording.moment,
        }
        environment.globals |= {
            "assets": assets,
            "days": DAYS,
            "names": {component.id: component.name for component in settings.watched.values()},
            "title": settings.title,
        }
        self._page = environment.get_template("page.html")
        self._bars = environment.get_template("bars.html")
        self._troubled = environment.get_template("troubled.html")
        self._ids = tuple(settings.watched)
        self._histories: Histories | None = None

    def render(self, status: OperatorStatus, snapshot: Snapshot, stale_after: float, now: datetime) -> bytes:
        """Returns the page for a status document and its snapshot, as UTF-8.

        `stale_after`, in seconds, is the age at which a check, or a read of the incidents, becomes overdue.
        """
        return self._page.render(
            banner=banner(status),
            days_read=reading_of(snapshot.days_read_at, DAYS_OVERDUE_AFTER, now),
            histories=None if snapshot.days is None else self._histories_of(snapshot.days, now.date()),
            id=event_id(status.started_at, snapshot.version),
            incidents=snapshot.open_incidents,
            incidents_read=reading_of(snapshot.incidents_read_at, stale_after, now),
            now=now,
            components=component_views(status),
            stale_after=stale_after,
            status=status,
        ).encode()

    def _histories_of(self, days: Days, today: date) -> Mapping[str, HistoryHtml]:
        # They are most of the page and change once a minute, so they are cached.
        known = self._histories
        if known is None or known.days is not days or known.today != today:
            html = {each: self._history_of(each, days.get(each, ()), today) for each in self._ids}
            known = self._histories = Histories(days, today, html)
        return known.html

    def _history_of(self, id: str, days: Sequence[Day], today: date) -> HistoryHtml:
        history = component_history(days, today)
        return HistoryHtml(self._bars.render(id=id, history=history), self._troubled.render(history=history))


class PageCache:
    """Renders the page on request, at most once per second and snapshot."""

    def __init__(self, board: Board, status: StatusCache, settings: Settings, template: PageTemplate) -> None:
        self._board = board
        self._status = status
        self._stale_after = stale_after(settings)
        self._template = template
        self._answer = PerSnapshot(board, self._rendered, "text/html; charset=utf-8")

    def prepared(self) -> Prepared:
        """Returns the page as an answer."""
        return self._answer.get()

    def _rendered(self, now: datetime) -> bytes:
        document = self._status.operator(now)
        return self._template.render(document, self._board.snapshot, self._stale_after, now)
