"""The headline says what is, with names and numbers that are right."""

from datetime import UTC, datetime

import pytest

from webapp.headline import Headline, OpenIncident, Part, headline_of


def parts(**states: str) -> list[Part]:
    """Components by name, with an underscore for a blank."""
    return [Part(name.replace("_", " "), state) for name, state in states.items()]


GOOD = parts(Web="operational", Orders="operational", Prices="operational", Receipts="operational")


@pytest.mark.parametrize(
    ("shown", "headline"),
    [
        (GOOD, Headline("operational", "All systems operational")),
        (parts(Orders="down", Web="operational"), Headline("down", "Orders is down")),
        (
            parts(Orders="down", Web="down", Prices="degraded", Receipts="operational"),
            Headline("down", "Orders and Web are down", "Prices is degraded."),
        ),
        (
            parts(A="down", B="down", C="down", D="operational"),
            Headline("down", "3 of 4 components are down", "A, B and C."),
        ),
        (parts(A="down", B="down"), Headline("down", "All components are down")),
        (parts(A="down"), Headline("down", "A is down")),
        (
            parts(A="degraded", B="degraded", C="degraded", D="degraded", E="degraded", F="operational"),
            Headline("degraded", "5 of 6 components are degraded", "A, B, C and 2 others."),
        ),
        (parts(A="degraded", B="unknown"), Headline("degraded", "A is degraded")),
        (
            parts(A="unknown", B="unknown", C="operational"),
            Headline("unknown", "A and B are in an unknown state"),
        ),
        (parts(A="unknown", B="unknown"), Headline("unknown", "The state of all components is unknown")),
        (
            parts(A="maintenance", B="operational"),
            Headline("maintenance", "Scheduled maintenance in progress", "A."),
        ),
        (parts(A="maintenance", B="down"), Headline("down", "B is down")),
    ],
)
def test_the_worst_state_with_the_names_or_the_number_of_those_in_it(
    shown: list[Part], headline: Headline
) -> None:
    assert headline_of(shown) == headline


def test_a_critical_incident_is_the_headline() -> None:
    critical = OpenIncident("Orders are lost", "critical", True)
    shown = parts(Orders="down", Web="operational")
    expected = Headline("down", "Orders are lost", "Affects Orders.")
    assert headline_of(shown, [OpenIncident("Slow", "minor", True), critical]) == expected
    blind = headline_of(shown, [critical], notice="The page lost its connection.")
    assert blind == Headline("down", "Orders are lost", "Affects Orders. The page lost its connection.")
    assert headline_of(parts(A="down", B="down"), [critical]) == Headline("down", "Orders are lost")


def test_an_incident_without_components_is_the_headline_where_no_component_is_worse() -> None:
    minor, major = OpenIncident("Mails are late", "minor", False), OpenIncident("No sign-in", "major", False)
    assert headline_of(GOOD, [minor]) == Headline("degraded", "Mails are late")
    assert headline_of(GOOD, [minor, major]) == Headline("down", "No sign-in")
    assert headline_of(parts(A="down", B="operational"), [minor]) == Headline("down", "A is down")
    assert headline_of(GOOD, [OpenIncident("Slow", "minor", True)]).state == "operational"


def test_what_the_page_cannot_see_comes_before_what_it_saw() -> None:
    at = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
    shown = parts(A="down", B="operational")
    assert headline_of(shown, notice="The page cannot check anything.", blind_since=at) == Headline(
        "unknown", "The page cannot check anything", "What follows is how things were at 09:12 UTC."
    )
    assert headline_of(shown, stale=True) == Headline(
        "unknown", "Checks are overdue", "When last checked: A is down."
    )
    assert headline_of(shown, checked=False).text == "Not checked yet"


def test_a_maintenance_without_components_is_told() -> None:
    assert headline_of(GOOD, maintenance=True) == Headline("maintenance", "Scheduled maintenance in progress")


@pytest.mark.parametrize(
    ("severity", "state"), [("minor", "degraded"), ("major", "down"), ("critical", "down")]
)
def test_an_incident_comes_before_what_the_page_cannot_see(severity: str, state: str) -> None:
    at = datetime(2026, 11, 23, 9, 12, tzinfo=UTC)
    known = [OpenIncident("Slow", "minor", True), OpenIncident("Orders are lost", severity, True)]
    told = headline_of(GOOD, known[-1:], notice="The page cannot check anything.", blind_since=at)
    assert told == Headline(
        state,
        "Orders are lost",
        "The page cannot check anything. What follows is how things were at 09:12 UTC.",
    )
    assert headline_of(GOOD, known[::-1], stale=True) == Headline(
        state, "Orders are lost", "Checks are overdue."
    )
    assert headline_of(GOOD, known[1:], checked=False).note == "Not checked yet."
