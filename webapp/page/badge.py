"""The badge: an SVG of its own, and the JSON from which shields.io draws one.

Source of the JSON: shields.io, "Endpoint Badge".
"""

from collections.abc import Mapping
from html import escape
from typing import Final

_COLOURS: Final[Mapping[str, str]] = {
    "operational": "#2b7a4f",
    "degraded": "#9a6200",
    "down": "#b0332a",
    "maintenance": "#2a5db0",
    "unknown": "#5d666e",
}
"""White text on each has a contrast of at least 4.5."""

_SPACE: Final = 12
_NARROW: Final = frozenset("fijlrtI.,:;'|![]() ")
_WIDE: Final = frozenset("mwMW@%")
_LONGEST: Final = 40


def badge_svg(label: str, state: str) -> str:
    """Returns a badge as SVG: the label on grey, the state on its colour."""
    shown = label if len(label) <= _LONGEST else f"{label[: _LONGEST - 1]}…"
    left, right = _width(shown), _width(state)
    title = f"{escape(label)}: {state}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img"'
        f' aria-label="{title}"><title>{title}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="20" rx="4"/></clipPath>'
        f'<g clip-path="url(#r)"><path fill="#41484d" d="M0 0h{left}v20H0z"/>'
        f'<path fill="{_COLOURS[state]}" d="M{left} 0h{right}v20H{left}z"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"'
        ' aria-hidden="true">'
        f'<text x="{left / 2}" y="14" textLength="{left - _SPACE}">{escape(shown)}</text>'
        f'<text x="{left + right / 2}" y="14" textLength="{right - _SPACE}">{state}</text></g></svg>'
    )


def badge_json(label: str, state: str) -> dict[str, object]:
    """Returns what shields.io draws a badge from; it may keep it for five minutes."""
    return {
        "schemaVersion": 1,
        "label": label,
        "message": state,
        "color": _COLOURS[state].removeprefix("#"),
        "isError": state == "down",
        "cacheSeconds": 300,
    }


def _width(text: str) -> int:
    """Returns the width of a text in Verdana of 11 px with its margins; `textLength` makes it exact."""
    widths = (4.0 if c in _NARROW else 10.5 if c in _WIDE else 7.0 if c.islower() else 8.0 for c in text)
    return round(sum(widths)) + _SPACE
