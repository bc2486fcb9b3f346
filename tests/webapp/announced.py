"""Incidents and maintenances of tests, and the requests about them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import httpx

from tests.webapp.environment import AUTHORIZED, TOKEN_SHA256, environ_of
from tests.webapp.processes import App
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.incidents.changes import IncidentChange, NewIncident, changed, opened
from webapp.incidents.models import Incident, incident_id

NOW = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)
HOUR = timedelta(hours=1)
ATOM = {"a": "http://www.w3.org/2005/Atom"}
NEW = {"title": "Slow", "message": "We look into it.", "components": ["services.web"]}


def incident(number: int = 0, **members: Any) -> Incident:
    """An incident that was opened some seconds after `NOW`."""
    at = NOW + timedelta(seconds=number)
    content = {"title": "Slow", "message": "We look into it.", "components": ["services.web"], **members}
    return opened(new_incident(**content), incident_id(at, bytes(10)), at)


def maintenance(
    starts_at: datetime = NOW + HOUR, ends_at: datetime = NOW + 2 * HOUR, **members: Any
) -> Incident:
    """A maintenance that was announced at `NOW`."""
    content = {
        "kind": "maintenance",
        "title": "New disks",
        "message": "Orders wait.",
        "components": ["queues.orders"],
        "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(),
        **members,
    }
    return opened(new_incident(**content), incident_id(starts_at, bytes(10)), NOW)


def new_incident(**members: Any) -> NewIncident:
    """What a client sends to open an incident."""
    return NewIncident.model_validate(members, strict=False)


def change(before: Incident, now: datetime = NOW, **members: Any) -> Incident:
    """The incident after a change by a client."""
    return changed(before, IncidentChange.model_validate(members, strict=False), now)


def environ(url: str, table: str) -> dict[str, str]:
    """The variables of an app that may write, with a table of its own."""
    return environ_of(url) | {"TABLE": table, "WRITE_TOKEN_SHA256": TOKEN_SHA256}


def post(app: App, body: Any = NEW, **headers: str) -> httpx.Response:
    """The answer to a request that opens an incident."""
    return app.client.post(INCIDENTS_PATH, json=body, headers={**AUTHORIZED, **headers})


def patch(app: App, path: str, body: Any, if_match: str | None = "*") -> httpx.Response:
    """The answer to a request that changes one."""
    headers = {} if if_match is None else {"If-Match": if_match}
    return app.client.patch(path, json=body, headers={**AUTHORIZED, **headers})


def open_one(app: App, body: Any = NEW) -> str:
    """The path of a new incident."""
    answer = post(app, body)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def refused(answer: httpx.Response, status: int) -> str:
    """Why an answer is a problem of this status."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    return str(answer.json()["detail"])


def read_xml(document: bytes) -> ET.Element:
    """The root of a document of the app."""
    return ET.fromstring(document)  # noqa: S314 - it is the app's own
