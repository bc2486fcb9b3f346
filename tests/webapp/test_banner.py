"""The headline says what is, with names and numbers that are right."""

from datetime import UTC, datetime

import pytest

from webapp.page.banner import Banner, OpenIncident, Part, banner_of


def parts(**states: str) -> list[Part]:
    """Components by name, with an underscore for a blank."""
    return [Part(name.replace("_", " "), state) for name, state in states.items()]


GOOD = parts(Web="operational", Orders="operational", Prices="operational", Receipts="operational")


@pytest.mark.parametrize(
    ("shown", "banner"),
    [
        (GOOD, Banner("operational", "All systems operational")),
        (parts(Orders="down", Web="operational"), Banner("down", "Orders is down")),
        (
            parts(Orders="down", Web="down", Prices="degraded", Receipts="operational"),
            Banner("down", "Orders and Web are down", "Prices is degraded."),
        ),
        (
            parts(A="down", B="down", C="down", D="operational"),
            Banner("down", "3 of 4 components are down", "A, B and C."),
        ),
        (parts(A="down", B="down"), Banner("down", "All components are down")),
        (parts(A="down"), Banner("down", "A is down")),
        (
            parts(A="degraded", B="degraded", C="degraded", D="degraded", E="degraded", F="operational"),
            Banner("degraded", "5 of 6 components are degraded", "A, B, C and 2 others."),
        ),
        (parts(A="degraded", B="unknown"), Banner("degraded", "A is degraded")),
        (
            parts(A="unknown", B="unknown", C="operational"),
            Banner("unknown", "A and B are in an unknown state"),
        ),
        (parts(A="unknown", B="unknown"), Banner("unknown", "The state of all components is unknown")),
        (
            parts(A="maintenance", B="operational"),
            Banner("maintenance", "Scheduled maintenance in progress", "A."),
        ),
        (parts(A="maintenance", B="down"), Banner("down", "B is down")),
    ],
)
def test_the_worst_state_with_the_names_or_the_number_of_those_in_it(
    shown: list[Part], banner: Banner
) -> None:
    assert banner_of(shown) == banner


def test_a_critical_incident_is_the_headline() -> None:
    critical = OpenIncident("Orders are lost", "critical", True)
    shown = parts(Orders="down", Web="operational")
    expected = Banner("down", "Orders are lost", "Affects Orders.")
    assert banner_of(shown, [OpenIncident("Slow", "minor", True), critical]) == expected
    assert banner_of(shown, [critical], notice="The page lost its connection.") == expected
    assert banner_of(parts(A="down", B="down"), [critical]) == Banner("down", "Orders are lost")


def test_an_incident_without_components_is_the_headline_where_no_component_is_worse() -> None:
    minor, major = OpenIncident("Mails are late", "minor", False), OpenIncident("No sign-in", "major", False)
    assert banner_of(GOOD, [minor]) == Banner("degraded", "Mails are late")
    assert banner_of(GOOD, [minor, major]) == Banner("down", "No sign-in")
    assert banner_of(parts(A="down", B="operational"), [minor]) == Banner("down", "A is down")
    assert banner_of(GOOD, [OpenIncident("Slow", "minor", True)]).state == "operational"


def test_what_the_page_cannot_see_comes_before_what_it_saw() -> None:
    at = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
    shown = parts(A="down", B="operational")
    assert banner_of(shown, notice="The page cannot check anything.", blind_since=at) == Banner(
        "unknown", "The page cannot check anything", "What follows is how things were at 09:12 UTC."
    )
    assert banner_of(shown, stale=True) == Banner(
        "unknown", "Checks are overdue", "When last checked: A is down."
    )
    assert banner_of(shown, checked=False).heading == "Not checked yet"


def test_a_maintenance_without_components_is_told() -> None:
    assert banner_of(GOOD, maintenance=True) == Banner("maintenance", "Scheduled maintenance in progress")
