"""The page's Jinja templates. Autoescaping is on."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from webapp.page import bars, charts, wording
from webapp.page.charts import Chart
from webapp.page.views import Days, Drill, Front, IncidentCard, Site

TEMPLATES: Final = Path(__file__).parent / "templates"

_TICKS: Final = 6


class Templates:
    """Renders views as HTML in UTF-8."""

    def __init__(self, assets: Mapping[str, str]) -> None:
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        environment.filters |= {
            "clock": wording.clock,
            "day": wording.day,
            "duration": wording.duration,
            "latency": wording.latency,
            "machine": wording.machine,
            "minute": wording.minute,
            "points": _points,
            "progress": _progress,
            "ticks": _ticks,
            "tips": _tips,
            "to_minute": _to_minute,
        }
        environment.globals |= {
            "assets": assets,
            "bar_height": bars.HEIGHT,
            "bar_pitch": bars.PITCH,
            "bar_width": bars.DAYS * bars.PITCH - (bars.PITCH - bars.WIDTH),
            "chart_height": charts.HEIGHT,
            "chart_width": charts.WIDTH,
            "days": bars.DAYS,
        }
        self._environment = environment

    def front(self, site: Site, front: Front, now: datetime) -> bytes:
        """Returns the first page."""
        return self._render("front.html", site, front.headline.state, front=front, now=now)

    def component(self, site: Site, drill: Drill, now: datetime) -> bytes:
        """Returns the page of one component."""
        return self._render("component.html", site, drill.row.state, drill=drill, now=now)

    def incidents(
        self, site: Site, days: Sequence[Days], *, first_page: bool, following: str | None
    ) -> bytes:
        """Returns a page of past incidents, by month; `following` is the cursor of the page after it."""
        months = [(words, list(some)) for words, some in groupby(days, lambda day: wording.month(day.last))]
        return self._render("incidents.html", site, months=months, first_page=first_page, following=following)

    def incident(self, site: Site, card: IncidentCard) -> bytes:
        """Returns the page of one incident."""
        return self._render("incident.html", site, "operational" if card.over else card.state, card=card)

    def sign_in(self, site: Site, path: str, wrong: str | None = None) -> bytes:
        """Returns the form that asks for the token; `wrong` says why it asks again."""
        return self._render("sign-in.html", site, path=path, wrong=wrong)

    def _render(self, name: str, site: Site, state: str = "operational", **values: object) -> bytes:
        return self._environment.get_template(name).render(site=site, state=state, **values).encode()


def _to_minute(at: datetime) -> datetime:
    # The script knows it to the second; without it, the page stays the same for as long as what it says.
    return at.replace(second=0, microsecond=0)


def _tips(tips: Mapping[int, str]) -> str:
    return orjson.dumps({str(position): words for position, words in tips.items()}).decode()


def _points(chart: Chart) -> str:
    """Returns the points of a chart for the script: seconds since the epoch, p50 and p95."""
    points: Iterable[list[float]] = (
        [int(point.at.timestamp()), round(point.p50), round(point.p95)] for point in chart.points
    )
    return orjson.dumps(list(points)).decode()


def _ticks(chart: Chart) -> list[datetime]:
    return [chart.start + (chart.end - chart.start) * tick / _TICKS for tick in range(_TICKS + 1)]


def _progress(words: str) -> str:
    return words.replace("_", " ").capitalize()
