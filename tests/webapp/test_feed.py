"""The Atom feed: valid XML whatever people write, with ids and times that readers rely on."""

from datetime import datetime, timedelta
from html import unescape
from uuid import UUID
from xml.etree.ElementTree import Element

from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.announced import ATOM, HOUR, NOW, change, incident, maintenance, read_xml
from webapp.incidents.changes import UpdateCorrection, corrected
from webapp.incidents.feed import feed
from webapp.incidents.models import Incident, as_of

BASE = "https://status.example.com"


def parsed(*incidents: Incident, now: datetime = NOW, title: str = "Status") -> Element:
    document = feed([as_of(each, now) for each in incidents], title, "table/web/feed", BASE, now)
    assert document.startswith(b"<?xml version='1.0' encoding='utf-8'?>")
    return read_xml(document)


def text(element: Element, path: str) -> str:
    found = element.findtext(path, namespaces=ATOM)
    assert found is not None
    return found


def entries(root: Element) -> list[Element]:
    return root.findall("a:entry", ATOM)


def test_a_feed_has_what_rfc_4287_requires() -> None:
    minor, planned = incident(severity="major"), maintenance()
    root = parsed(planned, minor)
    assert root.tag == "{http://www.w3.org/2005/Atom}feed"
    assert UUID(text(root, "a:id").removeprefix("urn:uuid:")).version == 5
    assert (text(root, "a:title"), text(root, "a:author/a:name")) == ("Status", "Status")
    assert text(root, "a:updated") == "2026-11-23T06:25:00Z"
    links = [(link.get("rel"), link.get("href")) for link in root.findall("a:link", ATOM)]
    assert links == [("self", f"{BASE}/feed.atom"), ("alternate", f"{BASE}/")]
    first, second = entries(root)
    for entry, each in ((first, planned), (second, minor)):
        assert text(entry, "a:id") == f"urn:uuid:{each.id}"
        link = entry.find("a:link", ATOM)
        assert link is not None
        assert link.get("href") == f"{BASE}/incidents/{each.id}"
    assert text(first, "a:title") == "New disks (scheduled)"
    assert "Planned from 2026-11-23 07:25 UTC to 2026-11-23 08:25 UTC." in text(first, "a:content")
    assert text(second, "a:title") == "Slow (investigating)"
    assert second.find("a:category[@term='major']", ATOM) is not None


def test_an_empty_feed_is_valid_and_always_the_same() -> None:
    root = parsed()
    assert not entries(root)
    assert text(root, "a:updated") == "1970-01-01T00:00:00Z"
    assert feed([], "Status", "n", BASE, NOW) == feed([], "Status", "n", BASE, NOW + HOUR)


def test_each_update_and_correction_counts_as_an_update_of_the_entry() -> None:
    resolved = change(incident(), NOW + HOUR, state="resolved", message="Over <at> 7.")
    fixed = corrected(resolved, 2, UpdateCorrection(message="Over at 8."), NOW + 2 * HOUR)
    for each, updated in ((resolved, "07:25"), (fixed, "08:25")):
        root = parsed(each, now=NOW + 9 * HOUR)
        assert text(root, "a:updated") == f"2026-11-23T{updated}:00Z"
        (entry,) = entries(root)
        assert text(entry, "a:updated") == text(root, "a:updated")
        assert text(entry, "a:published") == "2026-11-23T06:25:00Z"
    (entry,) = entries(parsed(fixed))
    content = text(entry, "a:content")
    assert "<strong>Resolved</strong>, 2026-11-23 07:25 UTC<br>Over at 8." in content
    assert "Corrected 2026-11-23 08:25 UTC, was: Over &lt;at&gt; 7." in content


def test_a_maintenance_is_updated_by_the_clock() -> None:
    for after, state, updated in (
        (timedelta(0), "scheduled", "06:25"),
        (HOUR, "in progress", "07:25"),
        (3 * HOUR, "completed", "08:25"),
    ):
        (entry,) = entries(parsed(maintenance(), now=NOW + after))
        assert text(entry, "a:title") == f"New disks ({state})"
        assert text(entry, "a:updated") == f"2026-11-23T{updated}:00Z"
    cancelled = change(maintenance(), state="cancelled", message="No disks.")
    (entry,) = entries(parsed(cancelled, now=NOW + 9 * HOUR))
    assert text(entry, "a:updated") == "2026-11-23T06:25:00Z"


@given(st.text(), st.text(), st.text())
def test_any_text_makes_a_document_that_xml_can_read(title: str, message: str, site: str) -> None:
    first = incident()
    update = first.updates[0].model_copy(update={"message": message})
    odd = first.model_copy(update={"title": title, "updates": (update,)})
    (entry,) = entries(parsed(odd, title=site))
    assert text(entry, "a:id") == f"urn:uuid:{odd.id}"
    plain = "".join(each for each in title if each.isalnum())
    assert plain in "".join(each for each in text(entry, "a:title") if each.isalnum())
    said = "".join(each for each in message if each.isalnum())
    assert said in "".join(each for each in unescape(text(entry, "a:content")) if each.isalnum())
