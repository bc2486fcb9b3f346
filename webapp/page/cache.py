"""Renders the pages of one view: that of everybody, or that of operators."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from webapp.board import Board, Snapshot, utc_now
from webapp.components import Component
from webapp.incidents.models import Incident
from webapp.incidents.shown import seen
from webapp.page.answers import HTML, operator_page, public_page
from webapp.page.bars import Bar, bar_of
from webapp.page.charts import Chart
from webapp.page.making import card_of, front_of, insight_of, listed_days, row_of, seconds_of, site_of
from webapp.page.template import Templates
from webapp.page.views import Change, Drill
from webapp.prepared import Prepared
from webapp.settings import Settings
from webapp.status import operator_status, public_snapshot, status


class Pages:
    """All pages of one view. The first page is rendered at most once per second and snapshot."""

    def __init__(
        self, board: Board, settings: Settings, started_at: datetime, templates: Templates, *, operator: bool
    ) -> None:
        self._board = board
        self._settings = settings
        self._started_at = started_at
        self._templates = templates
        self._operator = operator
        self._site = site_of(settings, operator=operator)
        self._status = operator_status if operator else status
        self._answer = operator_page if operator else public_page
        self._front_key: tuple[int, int] | None = None
        self._front = Prepared(b"", HTML)
        self._bars_key: tuple[object, datetime] | None = None
        self._bars: Mapping[str, Bar] = {}
        self.components: Mapping[str, Component] = {
            name: each for name, each in settings.watched.items() if operator or each.public
        }
        """Those that this view shows, by their ids."""

    def front(self) -> Prepared:
        """Returns the first page."""
        now, snapshot = utc_now(), self._board.snapshot
        key = (snapshot.version, int(now.timestamp()))
        if key != self._front_key:
            document = self._status(snapshot, self._settings, self._started_at, now)
            front = front_of(
                document,
                self._seen_in(snapshot),
                self._settings,
                self.components,
                self._bars_of(snapshot, now),
                now,
            )
            rendered = self._templates.front(self._site, front, now)
            self._front = self._answer(rendered, self._settings)
            self._front_key = key
        return self._front

    def component(
        self, name: str, changes: Sequence[Change] | None, chart: Chart | None, hours: int
    ) -> Prepared:
        """Returns the page of one of `components`; `changes` is None if they cannot be read."""
        now, snapshot = utc_now(), self._board.snapshot
        document = self._status(snapshot, self._settings, self._started_at, now)
        insight = insight_of(self.components[name], snapshot.results[name]) if self._operator else None
        recent = snapshot.recent_incidents or snapshot.open_incidents or ()
        drill = Drill(
            row=row_of(document.components[name], self._bars_of(snapshot, now).get(name), insight),
            changes=None if changes is None else tuple(changes),
            incidents=tuple(
                card_of(each, self.components, now) for each in recent if name in each.components
            ),
            chart=chart,
            chart_hours=hours,
        )
        rendered = self._templates.component(self._site, drill, now)
        return self._answer(rendered, self._settings)

    def incidents(self, found: Sequence[Incident], *, first_page: bool, following: str | None) -> Prepared:
        """Returns a page of incidents, the newest first; `following` is the cursor of the page after it."""
        now = utc_now()
        incidents = found if self._operator else seen(found, self.components)
        days = listed_days([card_of(each, self.components, now) for each in incidents])
        rendered = self._templates.incidents(self._site, days, first_page=first_page, following=following)
        return self._answer(rendered, self._settings)

    def incident(self, found: Incident) -> Prepared:
        """Returns the page of one incident."""
        card = card_of(found, self.components, utc_now())
        return self._answer(self._templates.incident(self._site, card), self._settings)

    def sign_in(self, path: str, wrong: str | None) -> bytes:
        """Returns the form that asks for the token; `wrong` says why it asks again."""
        return self._templates.sign_in(self._site, path, wrong)

    def _seen_in(self, snapshot: Snapshot) -> Snapshot:
        """Returns a snapshot with the incidents that this view shows."""
        return snapshot if self._operator else public_snapshot(snapshot, self._settings)

    def _bars_of(self, snapshot: Snapshot, now: datetime) -> Mapping[str, Bar]:
        """Returns the bar of each component. They are most of the page and change once a minute."""
        key = (snapshot.days, now.replace(second=0, microsecond=0))
        if key[0] is None:
            return {}
        if self._bars_key is None or self._bars_key[0] is not key[0] or self._bars_key[1] != key[1]:
            days = snapshot.days or {}
            self._bars = {
                name: bar_of(seconds_of(days.get(name, ()), now), now.date()) for name in self.components
            }
            self._bars_key = key
        return self._bars
