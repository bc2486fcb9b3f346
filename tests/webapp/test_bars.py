"""The bar of the last 90 days: each day is split by state, and never looks better than it was."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.page.bars import DAYS, HEIGHT, PITCH, WIDTH, DaySeconds, bar_of

TODAY = date(2026, 11, 23)
DAY = 86_400
SECONDS = st.integers(0, DAY // 4)
A_DAY = st.builds(
    DaySeconds,
    date=st.dates(TODAY - timedelta(days=100), TODAY + timedelta(days=1)),
    length=st.just(DAY),
    operational=SECONDS,
    degraded=SECONDS,
    down=SECONDS,
    maintenance=SECONDS,
)


def day(age: int = 0, length: float = DAY, **seconds: float) -> DaySeconds:
    """A day of so long ago."""
    return DaySeconds(TODAY - timedelta(days=age), length, **seconds)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (day(operational=DAY), "Operational"),
        (day(operational=DAY - 60), "Operational"),
        (day(), "No data"),
        (day(operational=DAY - 7440, down=240), "Down for 4 min, no data for 2 h"),
        (day(operational=100, degraded=50, length=150), "Degraded for 50 s"),
        (
            day(operational=DAY - 3720, down=60, degraded=60, maintenance=3600),
            "Down for 1 min, degraded for 1 min, maintenance for 1 h",
        ),
        (day(operational=DAY / 2), "No data for 12 h"),
    ],
)
def test_a_days_words_tell_what_was_not_operational_and_what_is_not_known(
    shown: DaySeconds, words: str
) -> None:
    assert shown.words.replace("\N{NO-BREAK SPACE}", " ") == words


def columns(paths: tuple[tuple[str, str], ...]) -> dict[int, dict[str, tuple[int, int]]]:
    """The top and height of each part of each column, read from the paths."""
    found: dict[int, dict[str, tuple[int, int]]] = {}
    for part, path in paths:
        shapes = re.findall(rf"M(\d+) (\d+)h{WIDTH}v(\d+)h-{WIDTH}z", path)
        assert "".join(f"M{x} {y}h{WIDTH}v{height}h-{WIDTH}z" for x, y, height in shapes) == path
        for x, y, height in shapes:
            found.setdefault(int(x) // PITCH, {})[part] = (int(y), int(height))
    return found


@given(st.lists(A_DAY, unique_by=lambda each: each.date))
def test_every_column_is_filled_and_has_a_visible_part_for_whatever_there_was(days: list[DaySeconds]) -> None:
    bar = bar_of(days, TODAY)
    found = columns(bar.paths)
    assert sorted(found) == list(range(DAYS))
    known = {each.date: each for each in days}
    for position, parts in found.items():
        shown = known.get(bar.first + timedelta(days=position))
        assert sum(height for _, height in parts.values()) == HEIGHT
        assert min(height for _, height in parts.values()) > 0
        spans = sorted((top, top + height) for top, height in parts.values())
        assert [end for _, end in spans[:-1]] == [top for top, _ in spans[1:]]
        assert parts.keys() == (shown.parts.keys() if shown else {"none"})


def test_one_minute_without_service_is_still_to_be_seen() -> None:
    bar = bar_of([day(operational=DAY - 60, down=60)], TODAY)
    assert columns(bar.paths)[DAYS - 1]["down"] == (0, 9)


def test_tips_are_told_only_for_days_that_were_not_operational_throughout() -> None:
    days = [day(age, operational=DAY) for age in range(DAYS)]
    days[3] = day(3, operational=DAY - 600, down=600)
    bar = bar_of(days, TODAY)
    assert bar.tips == {DAYS - 4: "Down for 10\N{NO-BREAK SPACE}min"}
    assert [each.date for each in bar.troubled] == [TODAY - timedelta(days=3)]


def test_the_summary_says_the_same_without_a_drawing() -> None:
    good = [day(age, operational=DAY) for age in range(DAYS)]
    assert bar_of(good, TODAY).summary == "The last 90 days: operational throughout."
    bad = [day(0, operational=DAY - 60, down=60), day(1, operational=1, degraded=DAY - 1), *good[2:88]]
    assert bar_of(bad, TODAY).summary == (
        "The last 90 days: down on 1 day, degraded on 1 day, without any data on 2 days."
    )
