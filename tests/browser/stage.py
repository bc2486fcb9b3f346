"""Surroundings that are worth looking at: a shop with 90 days of history, and people who write incidents."""

import random
from collections.abc import Iterable
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

from tests.webapp.environment import (
    ALARM_PREFIX,
    ALARMS_ID,
    AUTHORIZED,
    ECS_SERVICE,
    IMAGE_ID,
    REPOSITORY,
    TABLE,
    TABLE_ID,
    TOKEN_SHA256,
    WEB_ID,
    WORKER,
    WORKER_ID,
    component,
    environ_of,
)
from tests.webapp.furnishing import aws, raise_alarm
from tests.webapp.processes import App
from webapp.board import utc_now
from webapp.components import COMPONENTS, Kind
from webapp.contract import STATUS_PATH
from webapp.states import State
from webapp.table import Keys, item_of

MINUTES: Final = 24 * 60
BATCH: Final = 25
"""Items that one write takes. Source: Amazon DynamoDB API Reference, "BatchWriteItem"."""

PRICES_ID, ORDERS_ID, DATABASE_ID = "services.prices", "queues.orders", "databases.shop"
LONG_NAME: Final = "Order processing for customers in Austria, Switzerland and Liechtenstein"
STORES: Final = "Data stores"
SHOWN: Final = (
    component(WEB_ID, Kind.WEB, "Web shop", ECS_SERVICE, group="Shop"),
    component(PRICES_ID, Kind.ALARMS, "Prices", ALARM_PREFIX.removesuffix("-web/"), group="Shop"),
    component(WORKER_ID, Kind.WORKER, LONG_NAME, WORKER, group="Shop"),
    component("services.cleanup", Kind.WORKER, "Nightly cleanup", WORKER, group="Shop"),
    component(DATABASE_ID, Kind.WORKER, "Shop database", WORKER, group=STORES),
    component(ORDERS_ID, Kind.WORKER, "Orders", WORKER, group=STORES),
    component("buckets.receipts", Kind.WORKER, "Receipts", WORKER, group=STORES),
    component("tables.sessions", Kind.WORKER, "Sessions", WORKER, group=STORES),
    component(TABLE_ID, Kind.STORAGE, "Status page", TABLE, group="Status page"),
    component(IMAGE_ID, Kind.IMAGE, "Image", REPOSITORY, group="Status page", public=False),
    component(ALARMS_ID, Kind.ALARMS, "Alarms", ALARM_PREFIX, group="Status page", public=False),
)
"""What the stage watches; what the names promise is played by what the embedded AWS of the tests has."""

PUBLIC_IDS: Final = tuple(each.id for each in SHOWN if each.public)

_TROUBLE: Final = {PRICES_ID: 0.15, WORKER_ID: 0.3, ORDERS_ID: 0.1, TABLE_ID: 0.0, "buckets.receipts": 0.0}
_SINCE: Final = {"services.cleanup": 76, "buckets.receipts": 2}
"""The age in days of what is younger than 90 days."""

_WITHOUT_DATA: Final = {WEB_ID: range(40, 43), "tables.sessions": range(60, 68)}


def stage_environ(url: str, **variables: str) -> dict[str, str]:
    """The variables of an app that watches the stage every second."""
    shown = COMPONENTS.dump_json(SHOWN, exclude_none=True).decode()
    links = '[{"name": "Shop", "url": "https://shop.example.com"}]'
    return environ_of(url, check_interval=1) | {
        "COMPONENTS": shown,
        "TITLE": "Shop status",
        "LINKS": links,
        "WRITE_TOKEN_SHA256": TOKEN_SHA256,
        **variables,
    }


def put_days(url: str, table: str = TABLE) -> None:
    """90 days of each component; each has its own share of bad days, and some are younger than others."""
    dice = random.Random(90)  # noqa: S311 - the same history each time
    today = utc_now().date()
    puts = []
    for each in SHOWN:
        for age in range(_SINCE.get(each.id, 89), 0, -1):
            if age not in _WITHOUT_DATA.get(each.id, ()):
                counts = _counts(dice, _TROUBLE.get(each.id, 0.05))
                item = item_of(Keys("web").day(each.id, today - timedelta(days=age)), counts)
                puts.append({"PutRequest": {"Item": item}})
    for start in range(0, len(puts), BATCH):
        aws("dynamodb", url).batch_write_item(RequestItems={table: puts[start : start + BATCH]})


def _counts(dice: random.Random, trouble: float) -> dict[str, int]:
    """The minutes of a day by state; a fifth of the bad days has minutes without data."""
    drawn = dice.random()
    if drawn < trouble / 3:
        bad = {State.DOWN: dice.randint(3, 300), State.DEGRADED: dice.randint(1, 60)}
    elif drawn < trouble:
        bad = {State.DEGRADED: dice.randint(2, 500)}
    else:
        bad = {}
    missing = dice.randint(10, 200) if bad and dice.random() < 0.2 else 0
    good = {State.OPERATIONAL: MINUTES - missing - sum(bad.values())}
    return {state.value: count for state, count in (good | bad).items()}


class Stage:
    """An app that may be written to, and the embedded AWS around it."""

    def __init__(self, app: App, aws_url: str) -> None:
        self.app = app
        self.url = str(app.client.base_url)
        self._aws_url = aws_url

    def raise_alarm(self) -> None:
        """Makes Prices degraded."""
        raise_alarm(self._aws_url, f"{ALARM_PREFIX}cpu")

    def quiet_alarm(self) -> None:
        """Makes Prices operational again."""
        raise_alarm(self._aws_url, f"{ALARM_PREFIX}cpu", "OK")

    def state_of(self, name: str) -> str:
        """The state in which the app shows a component."""
        return str(self.app.client.get(f"{STATUS_PATH}/{name}").json()["state"])

    def open_incident(
        self,
        title: str,
        message: str,
        components: Iterable[str] = (),
        severity: str = "minor",
        **more: object,
    ) -> str:
        """Opens an incident; its id."""
        content = {"title": title, "message": message, "components": list(components), "severity": severity}
        return str(self._written("POST", "/api/incidents", **content, **more)["id"])

    def announce(self, title: str, message: str, components: Iterable[str], start: int, end: int) -> str:
        """Announces a maintenance that starts and ends so many minutes from now; its id."""
        starts_at, ends_at = (
            (utc_now() + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")
            for minutes in (start, end)
        )
        content = {"kind": "maintenance", "title": title, "message": message, "components": list(components)}
        return str(
            self._written("POST", "/api/incidents", **content, starts_at=starts_at, ends_at=ends_at)["id"]
        )

    def update_incident(self, identifier: str, state: str, message: str) -> None:
        """Says something more about an incident, which may be repeated."""
        self._written("PATCH", f"/api/incidents/{identifier}", state=state, message=message)

    def correct(self, identifier: str, number: int, message: str) -> None:
        """Corrects an update of an incident."""
        self._written("PATCH", f"/api/incidents/{identifier}/updates/{number}", message=message)

    def _written(self, method: str, path: str, **content: object) -> dict[str, Any]:
        headers = AUTHORIZED | ({"If-Match": "*"} if method == "PATCH" else {})
        if method == "POST":
            headers |= {"Idempotency-Key": uuid4().hex}
        # The embedded AWS of the tests is slow while a browser draws.
        answers = (self.app.client.request(method, path, json=content, headers=headers) for _ in range(5))
        answer = next(each for each in answers if each.status_code != HTTPStatus.SERVICE_UNAVAILABLE)
        assert answer.is_success or answer.status_code == HTTPStatus.CONFLICT, answer.text
        written: dict[str, Any] = answer.json()
        return written
