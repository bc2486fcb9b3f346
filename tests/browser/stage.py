"""Surroundings that are worth looking at: 90 days of history, and people who write incidents."""

import random
from datetime import timedelta
from typing import Any

import httpx

from tests.webapp.environment import ALARM_PREFIX, AUTHORIZED, IDS, TABLE
from tests.webapp.furnishing import aws, raise_alarm
from tests.webapp.processes import App
from webapp.board import utc_now
from webapp.contract import STATUS_PATH
from webapp.states import State
from webapp.table import Keys, item_of

MINUTES = 24 * 60
BATCH = 25
"""Items that one write takes. Source: Amazon DynamoDB API Reference, "BatchWriteItem"."""


def put_days(url: str, table: str = TABLE) -> None:
    """90 days of each service; each has its own share of bad days, and some are younger than others."""
    dice = random.Random(90)  # noqa: S311 - the same history each time
    today = utc_now().date()
    puts = []
    for number, service in enumerate(IDS):
        first = 89 if number % 2 else 76
        for age in range(first, 0, -1):
            counts = _counts(dice, trouble=(0.0, 0.03, 0.06, 0.2, 0.02, 0.0)[number])
            item = item_of(Keys("web").day(service, today - timedelta(days=age)), counts)
            puts.append({"PutRequest": {"Item": item}})
    for start in range(0, len(puts), BATCH):
        aws("dynamodb", url).batch_write_item(RequestItems={table: puts[start : start + BATCH]})


def _counts(dice: random.Random, trouble: float) -> dict[str, int]:
    """The minutes of a day by state."""
    drawn = dice.random()
    if drawn < trouble / 3:
        bad = {State.DOWN: dice.randint(3, 300), State.DEGRADED: dice.randint(1, 60)}
    elif drawn < trouble:
        bad = {State.DEGRADED: dice.randint(2, 500)}
    elif drawn < trouble * 1.2:
        bad = {State.UNKNOWN: dice.randint(1, 20)}
    else:
        bad = {}
    good = {State.OPERATIONAL: MINUTES - sum(bad.values())}
    return {state.value: count for state, count in (good | bad).items()}


class Stage:
    """An app that may be written to, and the embedded AWS around it."""

    def __init__(self, app: App, aws_url: str) -> None:
        self.app = app
        self.url = str(app.client.base_url)
        self._aws_url = aws_url

    def raise_alarm(self) -> None:
        """Makes CloudWatch degraded."""
        raise_alarm(self._aws_url, f"{ALARM_PREFIX}cpu")

    def quiet_alarm(self) -> None:
        """Makes CloudWatch operational again."""
        raise_alarm(self._aws_url, f"{ALARM_PREFIX}cpu", "OK")

    def state_of_cloudwatch(self) -> str:
        """What the app says of CloudWatch now."""
        return str(self.app.client.get(f"{STATUS_PATH}/status.alarms").json()["state"])

    def open_incident(self, title: str, message: str, *services: str) -> str:
        """Opens an incident; its id."""
        incident = self._written("POST", "/api/incidents", title=title, message=message, components=services)
        return str(incident["id"])

    def update_incident(self, identifier: str, state: str, message: str) -> None:
        """Says something more about an incident."""
        self._written("PATCH", f"/api/incidents/{identifier}", state=state, message=message)

    def _written(self, method: str, path: str, **content: object) -> dict[str, Any]:
        headers = AUTHORIZED | {"If-Match": "*"} if method == "PATCH" else AUTHORIZED
        answer: httpx.Response = self.app.client.request(method, path, json=content, headers=headers)
        assert answer.is_success, answer.text
        written: dict[str, Any] = answer.json()
        return written
