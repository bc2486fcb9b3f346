"""The badge: it says the state to those who see it and to those who do not."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.page.badge import badge_json, badge_svg

STATES = ["operational", "degraded", "down", "maintenance", "unknown"]
SVG = "{http://www.w3.org/2000/svg}"
NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\ufffe\uffff"), min_size=1)


@given(NAMES, st.sampled_from(STATES))
def test_is_an_svg_whose_title_says_what_it_shows(label: str, state: str) -> None:
    root = ET.fromstring(badge_svg(label, state))  # noqa: S314 - the app's own
    assert root.attrib["aria-label"] == f"{label}: {state}"
    assert root.findtext(f"{SVG}title") == f"{label}: {state}"
    shown, words = (text.text for text in root.iter(f"{SVG}text"))
    assert words == state
    assert shown is not None
    assert label.startswith(shown.removesuffix("…"))


@pytest.mark.parametrize("state", STATES)
def test_white_text_can_be_read_on_its_colour(state: str) -> None:
    colour = str(badge_json("Shop", state)["color"])
    channels = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = sum(part * share for part, share in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))
    assert 1.05 / (luminance + 0.05) >= 4.5


def test_shields_io_can_draw_it() -> None:
    assert badge_json("Shop", "down") == {
        "schemaVersion": 1,
        "label": "Shop",
        "message": "down",
        "color": "b0332a",
        "isError": True,
        "cacheSeconds": 300,
    }
