"""The pages: what they tell of each state of things, and how they are served."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.webapp.announced import change, incident, maintenance
from tests.webapp.environment import (
    COMMIT,
    DIGEST,
    IDS,
    TABLE_ID,
    WATCHED,
    WEB_ID,
    WORKER_ID,
    all_overdue_after,
    environ_of,
)
from tests.webapp.pages import Element, read_page
from tests.webapp.processes import App
from webapp.board import Board, Result
from webapp.components import COMPONENTS
from webapp.endpoints.page import FILES, URLS
from webapp.history.models import Day, Seconds
from webapp.incidents.models import Incident
from webapp.page.answers import policy
from webapp.page.cache import Pages
from webapp.page.drilling import changes
from webapp.page.making import card_of, figures_of, listed_days, past_days, seconds_of
from webapp.page.template import Templates
from webapp.page.views import Change
from webapp.settings import Settings, read_settings
from webapp.states import Detail, Finding, State

NOW = datetime(2026, 11, 23, 6, 25, 30, tzinfo=UTC)
TODAY = NOW.date()
STARTED = NOW - timedelta(hours=1)
TEMPLATES = Templates(URLS)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pages are made at `NOW`."""
    monkeypatch.setattr("webapp.page.cache.utc_now", lambda: NOW)


def settings(**variables: str) -> Settings:
    """Settings of an app that checks every second."""
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=1) | variables)


def board(
    states: Mapping[str, State] | None = None, age: float = 3, details: Mapping[str, Detail] | None = None
) -> Board:
    """A board with components checked so many seconds ago, operational unless said otherwise."""
    made = Board(IDS, STARTED)
    for name in IDS:
        finding = Finding((states or {}).get(name, State.OPERATIONAL), f"As {name} says.", details or {})
        made.put_result(Result(name, finding, NOW - timedelta(seconds=age), STARTED, 12.3))
    return made


def pages(made: Board, *, operator: bool = False, **variables: str) -> Pages:
    """The pages of a board."""
    return Pages(made, settings(**variables), STARTED, TEMPLATES, operator=operator)


def front(made: Board, *, operator: bool = False, **variables: str) -> Element:
    """The first page of a board, read."""
    return read_page(pages(made, operator=operator, **variables).front().content.decode())


def drill(
    made: Board, name: str, found: tuple[Change, ...] | None = (), *, operator: bool = False
) -> Element:
    """The page of a component, read."""
    return read_page(pages(made, operator=operator).component(name, found, None, 24).content.decode())


# As served


def test_is_served_as_html_that_is_asked_for_again_each_time(app: App) -> None:
    answer = app.client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    root = read_page(answer.text)
    assert root.one("title").text.endswith(" · Status")
    assert [row.attributes["id"] for row in root.all("li", class_="row")] == [
        f"component-{name}" for name in IDS
    ]


def test_a_client_that_has_the_page_is_not_sent_it_again(app: App) -> None:
    for path in ("/", f"/components/{WEB_ID}", "/incidents"):
        # What the page says may change between the two.
        pairs = (
            (
                tag := app.client.get(path).headers["etag"],
                app.client.get(path, headers={"If-None-Match": tag}),
            )
            for _ in range(5)
        )
        tag, answer = next(pair for pair in pairs if pair[1].status_code == 304)
        assert (answer.content, answer.headers["etag"]) == (b"", tag)


def test_head_answers_like_get_without_a_body(app: App) -> None:
    answer = app.client.head("/")
    assert (answer.status_code, answer.content) == (200, b"")


def test_all_that_it_loads_is_served_for_ever_under_a_name_that_tells_the_content(app: App) -> None:
    root = read_page(app.client.get("/").text)
    addresses = [
        element.attributes.get("href") or element.attributes["src"]
        for element in (*root.all("link"), *root.all("script"), *root.all("img"))
        if element.attributes.get("rel") != "alternate"
    ]
    assert len(set(addresses)) == 4
    for address in addresses:
        assert re.fullmatch(r"/assets/[a-z]+\.[0-9a-f]{16}\.[a-z]+", address)
        answer = app.client.get(address)
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        plain = re.sub(r"\.[0-9a-f]{16}|/assets/", "", address)
        assert answer.headers["content-type"] == FILES[plain].media_type


def test_a_page_of_another_release_gets_the_files_of_this_one_but_may_not_keep_them(app: App) -> None:
    answer = app.client.get("/assets/page.0123456789abcdef.css")
    assert answer.status_code == 200
    assert answer.content == FILES["page.css"].content
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        *(
            f"/assets/{name}"
            for name in ["nothing.css", "page.py", "..%2Fpage.html", "", "page", "%00", "page.css.map"]
        ),
        "/components/services.nothing",
        "/components/",
        "/incidents/1",
        "/incidents/01890a5d-ac96-774b-bcce-b302099a8057",
        "/badge.svg?component=services.nothing",
        "/badge.json?component=%3Cscript%3E",
    ],
)
def test_what_is_not_there_is_not_served(app: App, path: str) -> None:
    answer = app.client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_client_that_wants_an_icon_without_reading_the_page_gets_none(app: App) -> None:
    assert app.client.get("/favicon.ico").status_code == 204


@pytest.mark.parametrize("path", ["/", f"/components/{WEB_ID}", "/incidents"])
def test_has_no_script_or_style_in_its_own_text_and_nothing_from_elsewhere(app: App, path: str) -> None:
    root = read_page(app.client.get(path).text)
    assert [script.text for script in root.all("script")] == [""]
    assert root.all("style") == []
    for element in root:
        assert not [name for name in element.attributes if name == "style" or name.startswith("on")]
        for name in ("href", "src"):
            assert element.attributes.get(name, "/").startswith(("/", "#"))
            assert not element.attributes.get(name, "/").startswith("//")


@pytest.mark.parametrize("query", ["limit=0", "cursor=nothing", "unknown=1"])
def test_a_list_of_incidents_that_cannot_be_is_refused(app: App, query: str) -> None:
    assert app.client.get(f"/incidents?{query}").status_code == 400


def test_the_badge_is_served_as_svg_and_as_json(app: App) -> None:
    svg = app.client.get("/badge.svg", params={"component": WORKER_ID})
    assert svg.headers["content-type"] == "image/svg+xml"
    assert svg.headers["cache-control"] == "public, max-age=60"
    assert "<title>Worker: " in svg.text
    assert app.client.get("/badge.json").json()["label"] == "Status"


def test_the_policy_lets_in_the_logo_and_lets_out_forms_only_where_they_are() -> None:
    plain = policy("", forms=False)
    assert "img-src 'self';" in plain
    assert "form-action 'none'" in plain
    with_logo = policy("https://cdn.example.com:8443/a.svg", forms=True)
    assert "img-src 'self' https://cdn.example.com:8443;" in with_logo
    assert "form-action 'self'" in with_logo


# The first page


def test_has_the_teams_title_logo_and_links() -> None:
    root = front(
        board(),
        TITLE="Shop <status>",
        LOGO_URL="https://cdn.example.com/logo.svg",
        LINKS='[{"name": "Help", "url": "https://help.example.com/?a=1&b=2"}]',
    )
    assert root.one("p", class_="brand").text == "Shop <status>"
    assert root.one("img").attributes["src"] == "https://cdn.example.com/logo.svg"
    assert root.one("nav").one("a", href="https://help.example.com/?a=1&b=2").text == "Help"


def test_tells_of_each_component_its_name_and_its_state_in_words() -> None:
    row = front(board({WORKER_ID: State.DEGRADED})).by_id(f"component-{WORKER_ID}")
    assert row.one("h4").one("a", href=f"/components/{WORKER_ID}").text == "Worker"
    assert row.one("span", class_="state").text == "Degraded"
    assert row.one("use").attributes["href"] == "#icon-degraded"
    assert row.one("div", class_="who").text == "Worker Degraded since 05:25 UTC"


def test_groups_show_the_worst_state_of_their_components() -> None:
    root = front(board({WORKER_ID: State.DOWN, WEB_ID: State.DEGRADED, TABLE_ID: State.UNKNOWN}))
    assert [each.one("summary").text for each in root.all("details", class_="group")] == [
        "Services1 of 2 down",
        "Status page1 of 3 unknown",
    ]


def test_title_and_icon_tell_the_state() -> None:
    root = front(board({WEB_ID: State.DOWN}))
    assert root.one("title").text == "Web shop is down · Status"
    assert root.by_id("icon").attributes["href"] == URLS["down.svg"]
    assert root.by_id("heading").text == "Web shop is down"
    assert front(board()).by_id("icon").attributes["href"] == URLS["operational.svg"]


def test_says_that_nothing_is_checked_yet() -> None:
    root = front(Board(IDS, STARTED))
    assert root.by_id("overall").text == "Not checked yet The first checks are under way."


def test_says_that_checks_are_overdue_instead_of_what_they_found() -> None:
    root = front(board(age=300))
    assert root.by_id("overall").text == (
        "Checks are overdue When last checked: All systems operational. Checked at 06:20 UTC."
    )
    assert "unknown" in root.by_id("overall").attributes["class"].split()
    assert "Overdue: checked at 06:20 UTC" in root.by_id(f"component-{WEB_ID}").text


def test_the_page_stays_the_same_while_what_it_says_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = board(age=3)
    before = pages(made).front().content
    monkeypatch.setattr("webapp.page.cache.utc_now", lambda: NOW + timedelta(seconds=20))
    for name in IDS:
        found = made.snapshot.results[name]
        made.put_result(Result(name, found.finding, NOW + timedelta(seconds=19), STARTED, 99.0))
    after = pages(made).front().content
    assert before == after


def test_operators_see_what_the_checks_found() -> None:
    made = board({WEB_ID: State.DEGRADED}, details={"desired_count": 2})
    row = front(made, operator=True).by_id(f"component-{WEB_ID}")
    assert row.one("div", class_="insight").one("p").text == "As services.web says. 12 ms"
    assert "Desired count2" in row.text
    release = front(made, operator=True).by_id("release").text
    assert DIGEST in release
    assert COMMIT in release
    public = front(made)
    assert public.all("div", class_="insight") == []
    assert [element for element in public if element.attributes.get("id") == "release"] == []


def test_details_are_told_in_words() -> None:
    details: dict[str, Detail] = {
        "desired_count": 2,
        "deployed_at": "2026-11-22T10:00:00+01:00",
        "private": True,
        "encrypted": False,
        "odd_at": "yesterday",
        "nothing": None,
    }
    assert [(figure.label, figure.words) for figure in figures_of(details)] == [
        ("Desired count", "2"),
        ("Deployed at", "22 Nov 2026, 09:00 UTC"),
        ("Private", "Yes"),
        ("Encrypted", "No"),
        ("Odd at", "yesterday"),
    ]


HIDDEN = COMPONENTS.dump_json(
    tuple(each.model_copy(update={"public": each.id != WORKER_ID}) for each in WATCHED), exclude_none=True
).decode()


def test_a_component_that_is_not_public_is_on_the_operators_page_only() -> None:
    made = board({WORKER_ID: State.DOWN})
    made.put_open_incidents((incident(components=[WORKER_ID, WEB_ID], severity="major"),))
    public, private = (front(made, operator=each, COMPONENTS=HIDDEN) for each in (False, True))
    assert "Worker" not in public.text
    assert public.by_id("heading").text == "Web shop is down"
    assert "not on the public page" in private.by_id(f"component-{WORKER_ID}").text
    assert private.by_id("heading").text == "Web shop and Worker are down"


# Incidents and maintenance


def test_says_that_incidents_are_not_available() -> None:
    root = front(board())
    assert root.by_id("incidents").text == "Incidents Incidents are not available now."
    assert "Past incidents are not available now." in root.by_id("past").text


@pytest.mark.parametrize("count", [0, 1])
def test_says_when_incidents_could_not_be_read_lately(count: int) -> None:
    limit = timedelta(seconds=all_overdue_after(settings()))
    for age, words in ((limit, None), (timedelta(minutes=5), "Incidents were last read at 06:20 UTC.")):
        made = board()
        made.put_open_incidents((incident(),) * count, NOW - age)
        section = front(made).by_id("incidents")
        assert [said.text for said in section.all("p", class_="overdue")] == ([words] if words else [])


def test_says_when_the_history_could_not_be_read_lately() -> None:
    for age, words in ((180, []), (181, ["The history was last read at 06:22 UTC."])):
        made = board()
        made.put_days({}, NOW - timedelta(seconds=age))
        section = front(made).by_id("components")
        assert [said.text for said in section.all("p", class_="overdue")] == words


def test_an_open_incident_is_told_with_severity_components_and_updates() -> None:
    made = board()
    slow = change(incident(severity="minor"), NOW, state="identified", message="A query is slow.")
    made.put_open_incidents((slow,))
    root = front(made)
    card = root.by_id(f"incident-{slow.id}")
    assert card.one("h3").one("a", href=f"/incidents/{slow.id}").text == "Slow"
    assert [chip.text for chip in card.all("span", class_="chip")] == ["Minor", "Identified"]
    assert card.one("a", href=f"/components/{WEB_ID}").text == "Web shop"
    assert [each.text for each in card.one("ol").all("li")] == [
        "Identified 23 Nov 2026, 06:25 UTC A query is slow.",
        "Investigating 23 Nov 2026, 06:25 UTC We look into it.",
    ]
    assert root.by_id("heading").text == "Web shop is degraded"
    assert root.by_id(f"component-{WEB_ID}").attributes["data-state"] == "degraded"


def test_a_critical_incident_is_the_headline() -> None:
    made = board()
    made.put_open_incidents((incident(title="Orders are lost", severity="critical"),))
    root = front(made)
    assert root.one("title").text == "Orders are lost · Status"
    assert root.by_id("icon").attributes["href"] == URLS["down.svg"]


def test_an_incident_with_many_updates_shows_the_newest_and_where_all_are() -> None:
    made, long = board(), incident()
    for number in range(5):
        long = change(long, NOW, message=f"Still at it, {number}.")
    made.put_open_incidents((long,))
    card = front(made).by_id(f"incident-{long.id}")
    assert len(card.one("ol").all("li")) == 3
    assert card.one("p", class_="more").text == "All 6 updates of Slow"
    whole = read_page(pages(made).incident(long).content.decode())
    assert len(whole.one("ol", class_="updates").all("li")) == 6


def test_a_maintenance_is_announced_and_then_shown_by_its_components() -> None:
    running = maintenance(NOW - HOUR, NOW + HOUR, components=[WEB_ID], title="New disks")
    coming = maintenance(NOW + HOUR, NOW + 2 * HOUR, components=[WORKER_ID], title="New cables")
    made = board()
    made.put_open_incidents((coming, running))
    root = front(made)
    cards = root.by_id("maintenances").all("article")
    assert [(card.one("h3").text, card.one("p", class_="chips").text) for card in cards] == [
        ("New disks", "In progress"),
        ("New cables", "Scheduled"),
    ]
    assert root.by_id("heading").text == "Scheduled maintenance in progress"
    assert root.by_id(f"component-{WEB_ID}").attributes["data-state"] == "maintenance"
    assert root.by_id(f"component-{WORKER_ID}").attributes["data-state"] == "operational"
    assert root.by_id("incidents").text == "No open incidents"


def over(made: Incident, at: datetime = NOW) -> Incident:
    """An incident that is resolved."""
    return change(made, at, state="resolved", message="It is well.")


def test_past_incidents_are_told_by_day_with_runs_of_quiet_days() -> None:
    made = board()
    made.put_recent_incidents((over(incident()), incident(1, title="Still open")))
    days = front(made).by_id("past").one("ol").children
    told = [day.text for day in days if isinstance(day, Element)]
    assert told == [
        "23 Nov 2026 Slow Resolved after 30 s It is well.",
        "10 to 22 Nov 2026 No incidents",
    ]


def test_days_whose_incidents_were_too_many_to_read_are_not_called_quiet() -> None:
    made = board()
    oldest = over(incident(-2 * 86_400))
    made.put_recent_incidents((over(incident()), oldest), oldest.began_at)
    days = front(made).by_id("past").one("ol").children
    told = [day.text[:25] for day in days if isinstance(day, Element)]
    assert told == ["23 Nov 2026 Slow Resolved", "22 Nov 2026 No incidents", "21 Nov 2026 Slow Resolved"]


def test_every_day_is_in_the_past_once() -> None:
    cards = [
        card_of(over(incident(-days * 86_400), NOW), settings().watched, NOW) for days in (0, 1, 1, 5, 13, 14)
    ]
    found = past_days(cards, TODAY, TODAY - timedelta(days=13))
    assert [(each.words, len(each.incidents)) for each in found] == [
        ("23 Nov 2026", 1),
        ("22 Nov 2026", 2),
        ("19 to 21 Nov 2026", 0),
        ("18 Nov 2026", 1),
        ("11 to 17 Nov 2026", 0),
        ("10 Nov 2026", 1),
    ]
    assert [len(each.incidents) for each in listed_days(cards)] == [1, 2, 1, 1, 1]


def test_the_page_of_an_incident_shows_corrections_and_reopening() -> None:
    from webapp.incidents.changes import UpdateCorrection, corrected

    said = incident(message="All orders are lost.", severity="major")
    mended = corrected(said, 1, UpdateCorrection(message="No order is lost."), NOW)
    again = change(over(mended), NOW + HOUR, state="investigating", message="It is back.")
    root = read_page(pages(board()).incident(again).content.decode())
    assert root.one("h1").text == "Slow"
    assert [chip.text for chip in root.all("span", class_="chip")] == ["Major", "Investigating", "Reopened"]
    first = root.one("ol", class_="updates").all("li")[-1]
    assert "No order is lost." in first.text
    assert first.one("summary").text == "Corrected 23 Nov 2026, 06:25 UTC"
    assert first.one("del").text == "All orders are lost."


def test_the_list_of_incidents_is_by_month_and_leads_to_older_ones() -> None:
    found = [over(incident(-days * 86_400)) for days in (0, 1, 40)]
    root = read_page(pages(board()).incidents(found, first_page=False, following="a-cursor").content.decode())
    assert [heading.text for heading in root.all("h2")] == ["Nov 2026", "Oct 2026"]
    assert root.one("a", href="/incidents?cursor=a-cursor").text == "Older"
    assert root.one("nav", class_="paging").text == "NewestOlder"
    assert (
        "There have been no incidents."
        in read_page(pages(board()).incidents([], first_page=True, following=None).content.decode())
        .one("main")
        .text
    )


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
    written = incident(title=hostile, message=hostile)
    made.put_open_incidents((written,))
    root = front(made, operator=True)
    assert root.by_id(f"title-{written.id}").text == hostile
    assert hostile in root.by_id(f"details-{WEB_ID}").text
    assert len(root.all("script")) == 1
    assert len(root.all("img")) == 1


# History


def test_says_that_the_history_is_not_available() -> None:
    root = front(board())
    assert root.by_id(f"component-{WEB_ID}").one("div", class_="history").text == (
        "The history is not available now."
    )
    assert root.all("svg", class_="bar") == []


def test_shows_a_bar_with_a_summary_for_each_component() -> None:
    made = board()
    seconds = Seconds(operational=80_000, down=600)
    made.put_days({WEB_ID: (Day(date=TODAY - timedelta(days=1), seconds=seconds),)})
    bar = front(made).by_id(f"component-{WEB_ID}").one("svg", class_="bar")
    assert bar.attributes["aria-label"].startswith("The last 90 days: down on 1 day, without any data on ")
    assert "Down for 10\N{NO-BREAK SPACE}min" in bar.attributes["data-tips"]
    assert bar.attributes["data-first"] == "2026-08-26"


def test_the_last_two_minutes_of_today_are_not_missing_yet() -> None:
    now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    (today,) = seconds_of([Day(date=now.date(), seconds=Seconds(operational=3480))], now)
    assert today.words == "Operational"
    (today,) = seconds_of([Day(date=now.date(), seconds=Seconds(operational=2880))], now)
    assert today.words.replace("\N{NO-BREAK SPACE}", " ") == "No data for 10 min"
    assert seconds_of([Day(date=now.date())], now.replace(hour=0))[0].words == "No data"


# One component


def test_the_page_of_a_component_tells_its_changes_and_incidents() -> None:
    made = board({WEB_ID: State.DOWN})
    about, other = incident(), incident(1, components=[WORKER_ID])
    made.put_recent_incidents((other, about))
    found = (
        Change(NOW - HOUR, "operational", "down", None),
        Change(NOW - 25 * HOUR, "degraded", "operational", 86_400.0),
    )
    root = drill(made, WEB_ID, found)
    assert root.one("title").text == "Web shop: down · Status"
    assert [each.text for each in root.by_id("changes").all("li")] == [
        "23 Nov 2026, 05:25 UTC Operational →to Down until now",
        "22 Nov 2026, 05:25 UTC Degraded →to Operational for 1 d",
    ]
    assert [card.attributes["id"] for card in root.by_id("incidents").all("article")] == [
        f"incident-{about.id}"
    ]
    assert [each.text for each in root if each.attributes.get("id") == "response"] == []


def test_says_what_cannot_be_read_of_a_component() -> None:
    root = drill(board(), WEB_ID, None)
    assert "State changes are not available now." in root.by_id("changes").text
    assert "None in the last 90 days." in drill(board(), WEB_ID, ()).by_id("changes").text
    assert "No response times in this range." in drill(board(), WEB_ID, operator=True).by_id("response").text


def test_a_state_lasts_until_the_next_change() -> None:
    from webapp.history.models import Change as Kept

    kept = [
        Kept(at=NOW, from_=State.DOWN, to=State.OPERATIONAL, message="Two tasks run."),
        Kept(at=NOW - HOUR, from_=State.OPERATIONAL, to=State.DOWN, message="No task runs."),
    ]
    assert changes(kept, messages=True) == (
        Change(NOW, "down", "operational", None, "Two tasks run."),
        Change(NOW - HOUR, "operational", "down", 3600.0, "No task runs."),
    )
    assert {each.message for each in changes(kept, messages=False)} == {None}


def test_every_state_has_its_look() -> None:
    root = front(board())
    symbols = {symbol.attributes["id"] for symbol in root.all("symbol")}
    css = FILES["page.css"].content.decode()
    for state in State:
        assert f"icon-{state}" in symbols
        assert f"{state}.svg" in FILES
        assert re.search(rf"^\.{state}(, \.over)? {{", css, re.MULTILINE)
