"""The page: what it tells of each state of things, and how it is served."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import DIGEST, IDS, IMAGE_ID, WATCHED, WEB_ID, WORKER_ID, environ_of
from tests.webapp.pages import Element, read_page
from tests.webapp.processes import App
from webapp.board import Board, Result, Snapshot
from webapp.endpoints.page import FILES, URLS
from webapp.history.models import Day, Seconds, share
from webapp.incidents.models import Incident, Kind, Progress, Update
from webapp.page.template import PageTemplate
from webapp.page.views import DAYS, banner, component_history, figures, state_of
from webapp.settings import Settings, read_settings
from webapp.states import Detail, Finding, State
from webapp.status import operator_status, stale_after

NOW = datetime(2026, 11, 23, 6, 25, 30, tzinfo=UTC)
TODAY = NOW.date()
STARTED = NOW - timedelta(hours=1)
COUNTS = st.integers(min_value=0, max_value=1440)


def settings() -> Settings:
    """Settings of an app that checks every second."""
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1))


TEMPLATE = PageTemplate(URLS, settings())


def board(
    states: Mapping[str, State] | None = None,
    age: float = 3,
    details: dict[str, Detail] | None = None,
) -> Board:
    """A board with services checked so many seconds ago, operational unless said otherwise."""
    made = Board(IDS, STARTED)
    for name in IDS:
        finding = Finding((states or {}).get(name, State.OPERATIONAL), f"As {name} says.", details or {})
        made.put_result(Result(name, finding, NOW - timedelta(seconds=age), STARTED, 12.3))
    return made


def page(snapshot: Snapshot) -> Element:
    """The page of a snapshot, read."""
    document = operator_status(snapshot, settings(), STARTED, NOW)
    return read_page(TEMPLATE.render(document, snapshot, stale_after(settings()), NOW).decode())


def incident(title: str = "Slow", message: str = "We look into it.") -> Incident:
    """An open incident with two updates."""
    update = Update(number=2, at=NOW - timedelta(minutes=5), state=Progress.IDENTIFIED, message=message)
    first = Update(number=1, at=NOW - timedelta(hours=1), state=Progress.INVESTIGATING, message="Oh.")
    return Incident(
        id="01HZXY",
        kind=Kind.INCIDENT,
        version=2,
        title=title,
        state=Progress.IDENTIFIED,
        components=(WEB_ID,),
        opened_at=NOW - timedelta(hours=1),
        updated_at=NOW - timedelta(minutes=5),
        resolved_at=None,
        updates=(update, first),
    )


# As served


def test_is_served_as_html_that_is_asked_for_again_before_use(app: App) -> None:
    answer = app.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    root = read_page(answer.text)
    assert root.one("h1").text == "Status dev, eu-central-1"
    assert root.one("title").text.endswith(" · Status")
    assert [element.attributes["id"] for element in root.all("li", class_="component")] == [
        f"component-{name}" for name in IDS
    ]


def test_head_answers_like_get_without_a_body(app: App) -> None:
    answer = app.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 1000


def test_all_that_it_loads_is_served_for_ever_under_a_name_that_tells_the_content(app: App) -> None:
    root = read_page(app.client.get("/").text)
    addresses = [
        element.attributes.get("href") or element.attributes["src"]
        for element in (*root.all("link"), *root.all("script"), *root.all("img"))
    ]
    assert len(set(addresses)) == len(FILES)
    for address in addresses:
        assert re.fullmatch(r"/assets/[a-z]+\.[0-9a-f]{16}\.[a-z]+", address)
        answer = app.client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert (
            answer.headers["content-type"]
            == FILES[re.sub(r"\.[0-9a-f]{16}|/assets/", "", address)].media_type
        )


def test_a_page_of_another_release_gets_the_files_of_this_one_but_may_not_keep_them(app: App) -> None:
    answer = app.client.get("/assets/page.0123456789abcdef.css")
    assert answer.status_code == 200
    assert answer.content == FILES["page.css"].content
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "name", ["nothing.css", "page.py", "..%2Fpage.html", "", "page", "%00", "page.css.map"]
)
def test_other_files_are_not_served(app: App, name: str) -> None:
    answer = app.client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_client_that_wants_an_icon_without_reading_the_page_gets_none(app: App) -> None:
    assert app.client.get("/favicon.ico").status_code == 204


def test_has_no_script_or_style_in_its_own_text_and_nothing_from_elsewhere(app: App) -> None:
    root = read_page(app.client.get("/").text)
    assert [script.text for script in root.all("script")] == [""]
    assert root.all("style") == []
    for element in root:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src"):
            assert element.attributes.get(name, "/").startswith(("/", "#"))
            assert not element.attributes.get(name, "/").startswith("//")


# What it tells


def test_tells_where_it_is_and_what_runs() -> None:
    release = page(board().snapshot).by_id("release").text
    assert DIGEST in release
    assert "0123456789abcdef0123456789abcdef01234567" in release
    assert "23 Nov 2026, 05:25:30 UTC" in release


def test_tells_of_each_service_its_state_in_words_and_when_it_was_checked() -> None:
    row = page(board({IMAGE_ID: State.DEGRADED}).snapshot).by_id("component-status.image")
    assert row.one("h3").text == "Image"
    assert row.one("p", class_="state").text == "Degraded"
    assert row.one("use").attributes["href"] == "#icon-degraded"
    assert row.one("p", class_="message").text == "Works, with problems."
    assert row.one("p", class_="check").text == "checked 3 s ago, 12 ms"
    assert row.one("span", class_="checked").one("time").attributes["datetime"] == "2026-11-23T06:25:27.000Z"


@pytest.mark.parametrize(
    ("states", "heading", "note"),
    [
        ({}, "All components are operational", None),
        ({WEB_ID: State.DEGRADED}, "Web shop is degraded", "This concerns Web shop."),
        (
            {WORKER_ID: State.DOWN, IMAGE_ID: State.UNKNOWN},
            "Worker is down",
            "This concerns Worker, Image.",
        ),
    ],
)
def test_the_banner_says_how_all_is_and_what_it_concerns(
    states: dict[str, State], heading: str, note: str | None
) -> None:
    snapshot = board(states).snapshot
    found = banner(operator_status(snapshot, settings(), STARTED, NOW))
    assert (found.heading, found.note) == (heading, note)
    root = page(snapshot)
    assert root.by_id("heading").text == heading
    assert root.one("title").text.startswith(heading)


def test_says_that_nothing_is_checked_yet() -> None:
    root = page(Board(IDS, STARTED).snapshot)
    assert root.by_id("overall").text == "Not checked yet The first checks are under way."
    assert root.by_id(f"component-{WORKER_ID}").one("p", class_="check").text == "no check has ended yet"
    assert root.by_id(f"component-{WORKER_ID}").one("p", class_="state").text == "Unknown"


def test_says_that_some_services_are_not_checked_yet() -> None:
    made = Board(IDS, STARTED)
    made.put_result(Result(WEB_ID, Finding(State.OPERATIONAL, "Fine."), NOW, NOW, 1.0))
    assert page(made.snapshot).by_id("overall").text == (
        "4 of 5 components are in a state that is not known Not all components have been checked yet."
    )


def test_says_that_checks_are_overdue_instead_of_what_they_found() -> None:
    root = page(board(age=300).snapshot)
    assert root.by_id("overall").text == (
        "Checks are overdue When last checked: All components are operational. Checked 5 min ago."
    )
    assert "unknown" in root.by_id("overall").attributes["class"].split()
    assert "Overdue: checked 5 min ago" in root.by_id(f"component-{WORKER_ID}").text


def test_a_services_details_are_told_in_words() -> None:
    details: dict[str, Detail] = {
        "desired_count": 2,
        "deployed_at": "2026-11-22T10:00:00+01:00",
        "private": True,
        "encrypted": False,
        "odd_at": "yesterday",
        "nothing": None,
    }
    assert [(figure.label, figure.words) for figure in figures(details)] == [
        ("Desired count", "2"),
        ("Deployed at", "22 Nov 2026, 09:00:00 UTC"),
        ("Private", "Yes"),
        ("Encrypted", "No"),
        ("Odd at", "yesterday"),
    ]
    text = page(board(details=details).snapshot).by_id(f"details-{WEB_ID}").text
    assert "Deployed at22 Nov 2026, 09:00:00 UTC" in text


# Incidents


def test_says_that_there_are_no_incidents_or_that_they_are_not_available() -> None:
    made = board()
    assert page(made.snapshot).by_id("incidents").text == "Open incidents Incidents are not available now."
    made.put_open_incidents(())
    assert page(made.snapshot).by_id("incidents").text == "Open incidents There are none."


@pytest.mark.parametrize("count", [0, 1])
def test_says_when_incidents_could_not_be_read_lately(count: int) -> None:
    limit = timedelta(seconds=stale_after(settings()))
    for age, words in ((limit, None), (timedelta(minutes=5), "Incidents were last read 5 min ago.")):
        made = board()
        made.put_open_incidents((incident(),) * count, NOW - age)
        section = page(made.snapshot).by_id("incidents")
        assert [said.text for said in section.all("p", class_="last-read")] == ([words] if words else [])
        if not count:
            assert ("There are none." in section.text) is (words is None)
            assert ("There were none." in section.text) is (words is not None)


def test_says_when_the_history_could_not_be_read_lately() -> None:
    for age, words in ((180, []), (181, ["The history was last read 3 min ago."])):
        made = board()
        made.put_days({}, NOW - timedelta(seconds=age))
        section = page(made.snapshot).by_id("components")
        assert [said.text for said in section.all("p", class_="last-read")] == words


def test_tells_its_script_when_incidents_and_days_were_read() -> None:
    made = board()
    assert "data-read-at" not in page(made.snapshot).by_id("incidents").attributes
    made.put_open_incidents((), NOW)
    made.put_days({}, NOW)
    for section, overdue_after in (("incidents", stale_after(settings())), ("components", 180)):
        attributes = page(made.snapshot).by_id(section).attributes
        assert attributes["data-read-at"] == "2026-11-23T06:25:30.000Z"
        assert float(attributes["data-overdue-after"] or "") == overdue_after


def test_shows_open_incidents_with_their_updates() -> None:
    made = board()
    made.put_open_incidents((incident(),))
    card = page(made.snapshot).by_id("incident-01HZXY")
    assert card.one("h3").text == "Slow"
    assert card.one("p", class_="progress").text == "Identified"
    assert card.one("a", href=f"#component-{WEB_ID}").text == "Web shop"
    assert [update.text for update in card.one("ol").all("li")] == [
        "Identified 23 Nov 2026, 06:20 UTC We look into it.",
        "Investigating 23 Nov 2026, 05:25 UTC Oh.",
    ]


def test_an_incident_with_many_updates_shows_the_newest_and_where_all_are() -> None:
    made = board()
    long = incident().model_copy(update={"updates": incident().updates * 15})
    made.put_open_incidents((long,))
    card = page(made.snapshot).by_id("incident-01HZXY")
    assert [len(updates.all("li")) for updates in card.all("ol")] == [3, 17]
    assert card.one("a", href="/api/incidents/01HZXY").text == "All 30 updates as JSON"


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "</title></main><img src=x onerror=alert(1)>",
        "\"' onload=alert(1) x='",
        "{{ 7 * 7 }}{% raw %}",
        "<!-- ]]> &lt;b&gt;",
    ],
)
def test_hostile_text_is_shown_as_text(hostile: str) -> None:
    made = board(details={"name": hostile})
    made.put_open_incidents((incident(title=hostile, message=hostile),))
    root = page(made.snapshot)
    assert root.by_id("title-01HZXY").text == hostile
    assert hostile in root.by_id(f"details-{WORKER_ID}").text
    assert len(root.all("script")) == 1
    assert len(root.all("img")) == 1


# Days


def bars(root: Element, service: str) -> list[Element]:
    """The bars of a service's days."""
    return root.by_id(f"bars-{service}").all("i")


def test_says_that_the_history_is_not_available() -> None:
    root = page(board().snapshot)
    assert "The history of the last 90 days is not available now." in root.by_id("components").text
    assert root.all("div", class_="bars") == []


def test_shows_a_bar_for_each_of_90_days_whether_there_are_records_or_not() -> None:
    made = board()
    days = (
        Day(date=TODAY - timedelta(days=89), seconds=Seconds(operational=86_400), no_data=0),
        Day(
            date=TODAY - timedelta(days=2),
            seconds=Seconds(operational=76_800, degraded=900, down=7500, unknown=1200),
            no_data=0,
        ),
        Day(date=TODAY, seconds=Seconds(operational=600), no_data=42),
    )
    made.put_days({WEB_ID: days})
    root = page(made.snapshot)
    found = bars(root, WEB_ID)
    assert len(found) == DAYS
    assert found[0].attributes == {"class": "operational", "data-tip": "26 Aug 2026\nOperational"}
    assert found[-1].attributes["data-tip"] == "23 Nov 2026\nNo data for 42\N{NO-BREAK SPACE}s"
    assert found[-3].attributes["class"] == "down"
    assert found[-3].attributes["data-tip"].replace("\N{NO-BREAK SPACE}", " ") == (
        "21 Nov 2026\nDown for 2 h 5 min, degraded for 15 min, unknown for 20 min"
    )
    assert found[1].attributes == {"class": "none", "data-tip": "27 Aug 2026\nNo data"}
    assert {bar.attributes["class"] for bar in bars(root, WORKER_ID)} == {"none"}


def test_says_the_same_of_the_days_without_bars() -> None:
    made = board()
    made.put_days({WEB_ID: (Day(date=TODAY, seconds=Seconds(operational=54_000, down=6000), no_data=0),)})
    root = page(made.snapshot)
    assert root.by_id(f"bars-{WEB_ID}").attributes["aria-label"] == (
        "Last 90 days: down on 1 day; no data on 89 days. 90% available."
    )
    assert root.by_id(f"component-{WEB_ID}").one("span", class_="share").text == "90% available in 90 days"
    assert (
        root.by_id(f"component-{WEB_ID}").one("ul", class_="troubled").text
        == "23 Nov 2026Down for 1 h 40 min"
    )
    assert root.by_id(f"component-{WORKER_ID}").one("span", class_="share").text == "No data yet"
    assert root.by_id(f"component-{WORKER_ID}").all("ul", class_="troubled") == []


@given(operational=COUNTS, degraded=COUNTS, down=COUNTS, unknown=COUNTS)
def test_a_days_state_is_the_worst_it_has_records_of(
    operational: int, degraded: int, down: int, unknown: int
) -> None:
    seconds = Seconds(operational=operational, degraded=degraded, down=down, unknown=unknown)
    day = Day(date=TODAY, seconds=seconds)
    if down:
        expected: State | None = State.DOWN
    elif degraded:
        expected = State.DEGRADED
    elif unknown:
        expected = State.UNKNOWN
    else:
        expected = State.OPERATIONAL if operational else None
    assert state_of(day) is expected


DAYS_OF_A_SERVICE = st.lists(
    st.builds(
        Day,
        date=st.dates(TODAY - timedelta(days=100), TODAY + timedelta(days=1)),
        seconds=st.builds(Seconds, operational=COUNTS, degraded=COUNTS, down=COUNTS, unknown=COUNTS),
    ),
    unique_by=lambda day: day.date,
)


@given(DAYS_OF_A_SERVICE)
def test_the_days_are_always_the_90_that_end_today(days: list[Day]) -> None:
    history = component_history(days, TODAY)
    assert [bar.date for bar in history.bars] == [
        TODAY - timedelta(days=age) for age in range(DAYS - 1, -1, -1)
    ]
    known = {day.date for day in days if state_of(day)}
    assert all((bar.state is not None) == (bar.date in known) for bar in history.bars)
    assert (history.availability is None) == (
        not any(share(day.seconds).with_data for day in days if within(day.date))
    )


def within(day: date) -> bool:
    """Whether the page shows a day."""
    return TODAY - timedelta(days=DAYS) < day <= TODAY


def test_every_service_and_every_state_has_its_look() -> None:
    root = page(Board(IDS, STARTED).snapshot)
    symbols = {symbol.attributes["id"] for symbol in root.all("symbol")}
    css = FILES["page.css"].content.decode()
    for state in State:
        assert f"icon-{state}" in symbols
        assert f"\n.{state} {{" in css
    assert {row.one("h3").text for row in root.all("li", class_="component")} == {
        *(component.name for component in WATCHED)
    }
