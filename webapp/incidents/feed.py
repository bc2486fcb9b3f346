"""The Atom feed of incidents and maintenances.

Source of the format: RFC 4287. Characters that XML 1.0, section 2.2, does not know become U+FFFD.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final
from uuid import NAMESPACE_URL, uuid5
from xml.etree.ElementTree import Element, SubElement, tostring

from webapp.incidents.models import Incident, Kind, Progress, Update

MEDIA_TYPE: Final = "application/atom+xml; charset=utf-8"

_ATOM: Final = "http://www.w3.org/2005/Atom"
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""When a feed without entries was updated: the element is required."""

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def feed(incidents: Sequence[Incident], title: str, name: str, base: str, now: datetime) -> bytes:
    """Returns a feed as an XML document in UTF-8, with an entry for each incident, in its state now.

    `name` tells this feed from all others and makes its id. Links start with `base`, such as
    `https://status.example.com`.
    """
    root = Element("feed", {"xmlns": _ATOM})
    _text(root, "id", uuid5(NAMESPACE_URL, name).urn)
    _text(root, "title", title)
    updated = max((_updated_at(each, now) for each in incidents), default=_NEVER)
    _text(root, "updated", _rfc_3339(updated))
    _text(SubElement(root, "author"), "name", title)
    SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{base}/feed.atom"})
    SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": f"{base}/"})
    for each in incidents:
        _entry(root, each, base, now)
    document: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _entry(root: Element, incident: Incident, base: str, now: datetime) -> None:
    entry = SubElement(root, "entry")
    _text(entry, "id", f"urn:uuid:{incident.id}")
    _text(entry, "title", f"{incident.title} ({_in_words(incident.state)})")
    _text(entry, "published", _rfc_3339(incident.opened_at))
    _text(entry, "updated", _rfc_3339(_updated_at(incident, now)))
    SubElement(
        entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{base}/incidents/{incident.id}"}
    )
    SubElement(entry, "category", {"term": incident.severity or incident.kind})
    content = "".join((*_planned(incident), *(_paragraph(update) for update in incident.updates)))
    _text(entry, "content", content).set("type", "html")


def _updated_at(incident: Incident, now: datetime) -> datetime:
    """Returns when it was written, or when a maintenance started or completed by the clock, since."""
    by_clock = (incident.starts_at, incident.ends_at if incident.state is Progress.COMPLETED else None)
    passed = [at for at in by_clock if at and at <= now and incident.state is not Progress.CANCELLED]
    return max((incident.updated_at, *passed))


def _planned(incident: Incident) -> tuple[str, ...]:
    if incident.kind is not Kind.MAINTENANCE or not incident.starts_at or not incident.ends_at:
        return ()
    return (f"<p>Planned from {_when(incident.starts_at)} to {_when(incident.ends_at)}.</p>",)


def _paragraph(update: Update) -> str:
    corrections = "".join(
        f"<br><small>Corrected {_when(each.at)}, was: {escape(each.was)}</small>"
        for each in update.corrections
    )
    state = _in_words(update.state).capitalize()
    return f"<p><strong>{state}</strong>, {_when(update.at)}<br>{escape(update.message)}{corrections}</p>"


def _in_words(state: Progress) -> str:
    return state.replace("_", " ")


def _when(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _rfc_3339(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text(parent: Element, tag: str, text: str) -> Element:
    element = SubElement(parent, tag)
    element.text = _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
    return element
