"""What the public must not learn: known secrets of a bad day are looked for in every public answer."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.webapp.environment import (
    ACCOUNT_ID,
    ALARM_PREFIX,
    ALARMS_ID,
    AUTHORIZED,
    CLUSTER,
    COMMIT,
    DIGEST,
    ECS_SERVICE,
    IMAGE_ID,
    REGION,
    REPOSITORY,
    TABLE,
    TABLE_ID,
    TOKEN_SHA256,
    WATCHED,
    WEB_ID,
    WORKER_ID,
    environ_of,
)
from tests.webapp.furnishing import furnish, raise_alarm
from tests.webapp.processes import App, running_app, running_moto
from tests.webapp.waiting import soon
from webapp.components import COMPONENTS

PRIVATE_PROBE = "http://10.11.12.13:8099/internal-check"
HIDDEN_NAME = "Secret alarms"
HIDDEN_TITLE = "Secrets wait"
MISSING = f"arn:aws:ecs:{REGION}:{ACCOUNT_ID}:service/{CLUSTER}/vanished"
"""The resource of a worker that is not there, which has the words of an ARN."""

PUBLIC = (
    "/",
    f"/components/{WEB_ID}",
    f"/components/{WORKER_ID}",
    f"/components/{TABLE_ID}",
    "/incidents",
    "/incidents/{incident}",
    "/feed.atom",
    "/badge.svg",
    f"/badge.svg?component={WORKER_ID}",
    "/badge.json",
    "/api/status",
    f"/api/status/{WEB_ID}",
    f"/api/status/{WORKER_ID}",
    "/api/history?component=" + WEB_ID,
    "/api/history?component=" + WORKER_ID,
    "/api/incidents",
    "/api/incidents/{incident}",
    "/healthz",
    "/readyz",
    "/openapi.json",
    "/favicon.ico",
)
REFUSED: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("GET", "/nothing", {}),
    ("GET", f"/components/{ALARMS_ID}", {}),
    ("GET", f"/badge.svg?component={ALARMS_ID}", {}),
    ("GET", f"/api/status/{ALARMS_ID}", {}),
    ("GET", "/api/status/services.nothing", {}),
    ("GET", f"/api/history?component={ALARMS_ID}", {}),
    ("GET", "/api/history?component=services.nothing&from=never", {}),
    ("GET", "/api/incidents/1", {}),
    ("GET", "/incidents?cursor=wrong", {}),
    ("DELETE", "/api/status", {}),
    ("POST", "/api/incidents", {}),
    ("POST", "/api/incidents", AUTHORIZED | {"Content-Type": "application/json"}),
    ("PATCH", "/api/incidents/{incident}", {"Authorization": "Bearer wrong"}),
    ("GET", "/operator", {}),
    ("GET", "/operator/sign-in", {}),
    ("POST", "/operator/sign-in", {}),
    ("GET", "/operator", {"Authorization": "Bearer wrong"}),
    ("GET", "/api/operator/status", {}),
    ("GET", f"/api/operator/status/{ALARMS_ID}", {}),
    ("GET", f"/api/operator/history?component={WEB_ID}", {}),
    ("GET", "/api/operator/events", {}),
    ("GET", "/metrics", {}),
)


@dataclass(frozen=True)
class BadDay:
    """An app with a bad day, an incident, and what its operators alone may read."""

    app: App
    incident: str
    hidden: str
    """An incident of a component that is not public alone."""

    secrets: frozenset[str]
    operators: str


@pytest.fixture(scope="module")
def bad_day() -> Iterator[BadDay]:
    """A missing worker, an alarm, a component that is not public, a probe of a private address."""
    watched = tuple(
        each.model_copy(
            update={"resource": MISSING.rpartition("/")[2]}
            if each.id == WORKER_ID
            else {"public": False, "name": HIDDEN_NAME}
            if each.id == ALARMS_ID
            else {"public": False}
            if each.id == IMAGE_ID
            else {}
        )
        for each in WATCHED
    )
    with running_moto() as url:
        furnish(url)
        raise_alarm(url, f"{ALARM_PREFIX}cpu")
        environ = environ_of(url, check_interval=1) | {
            "COMPONENTS": COMPONENTS.dump_json(watched, exclude_none=True).decode(),
            "PROBES": json.dumps({WEB_ID: PRIVATE_PROBE}),
            "WRITE_TOKEN_SHA256": TOKEN_SHA256,
        }
        with running_app(environ) as app:
            soon(lambda: document(app)["components"][WORKER_ID]["state"], lambda state: state == "down")
            soon(lambda: document(app)["components"][ALARMS_ID]["state"], lambda state: state == "degraded")
            content = {
                "title": "Orders wait",
                "message": "We look into it.",
                "components": [WORKER_ID, ALARMS_ID],
            }
            made = app.client.post("/api/incidents", json=content, headers=AUTHORIZED)
            assert made.status_code == 201, made.text
            content = {
                "title": HIDDEN_TITLE,
                "message": "m",
                "components": [ALARMS_ID],
                "severity": "critical",
            }
            hidden = app.client.post("/api/incidents", json=content, headers=AUTHORIZED)
            assert hidden.status_code == 201, hidden.text
            found = document(app)
            yield BadDay(
                app, made.json()["id"], hidden.json()["id"], secrets_of(found), operators_text(app, found)
            )


def document(app: App) -> dict[str, dict[str, dict[str, object]]]:
    """The operators' status document."""
    answer = app.client.get("/api/operator/status", headers=AUTHORIZED)
    assert answer.status_code == 200, answer.text
    read: dict[str, dict[str, dict[str, object]]] = answer.json()
    return read


def secrets_of(found: dict[str, dict[str, dict[str, object]]]) -> frozenset[str]:
    """What the public must not learn: names and numbers of AWS, the release, and all that checks found."""
    known = {
        ACCOUNT_ID,
        f"{ALARM_PREFIX}cpu".removeprefix(f"{CLUSTER}-"),
        CLUSTER,
        COMMIT,
        DIGEST,
        DIGEST.removeprefix("sha256:"),
        ECS_SERVICE,
        HIDDEN_NAME,
        HIDDEN_TITLE,
        ALARMS_ID,
        REGION,
        REPOSITORY,
        TABLE,
        "vanished",
        "10.11.12.13",
        "arn:aws",
    }
    for component in found["components"].values():
        known.add(str(component["finding"]))
        details = component["details"]
        assert isinstance(details, dict)
        known.update(value for value in details.values() if isinstance(value, str) and len(value) > 12)
        known.update(name for name in details if "_" in name)
    return frozenset(known)


def operators_text(app: App, found: dict[str, dict[str, dict[str, object]]]) -> str:
    """All that operators may read, with its entities resolved."""
    from html import unescape

    pages = ["/operator", *(f"/operator/components/{name}" for name in found["components"]), "/metrics"]
    texts = [unescape(app.client.get(page, headers=AUTHORIZED).text) for page in pages]
    return "\n".join([*texts, json.dumps(found, ensure_ascii=False)])


def whole(answer: httpx.Response) -> str:
    """Everything that a client gets."""
    return f"{answer.status_code}\n{dict(answer.headers)}\n{answer.text}"


def leaks(text: str, secrets: frozenset[str]) -> list[str]:
    """The secrets that a text has."""
    return sorted(secret for secret in secrets if secret.lower() in text.lower())


@pytest.mark.parametrize("path", PUBLIC)
def test_a_public_answer_has_no_secret(bad_day: BadDay, path: str) -> None:
    answer = bad_day.app.client.get(path.format(incident=bad_day.incident))
    assert answer.is_success
    assert leaks(whole(answer), bad_day.secrets) == []
    assert "latency_ms" not in answer.text or path == "/openapi.json"


@pytest.mark.parametrize(("method", "path", "headers"), REFUSED)
def test_a_refusal_has_no_secret(bad_day: BadDay, method: str, path: str, headers: dict[str, str]) -> None:
    answer = bad_day.app.client.request(method, path.format(incident=bad_day.incident), headers=headers)
    assert not answer.is_success or path == "/operator/sign-in"
    # Problem details repeat the path that the client has sent.
    sent = frozenset(secret for secret in bad_day.secrets if secret.lower() in path.lower())
    assert leaks(whole(answer), bad_day.secrets - sent) == []


def test_the_public_stream_has_no_secret(bad_day: BadDay) -> None:
    with bad_day.app.client.stream("GET", "/api/events") as answer:
        first = next(event for event in answer.iter_text() if "data: " in event)
    assert leaks(f"{dict(answer.headers)}\n{first}", bad_day.secrets) == []


def test_an_answer_while_the_table_is_gone_has_no_secret(bad_day: BadDay) -> None:
    from tests.webapp.faults import nobody

    with nobody() as url:
        environ = environ_of(url, check_interval=1) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}
        with running_app(environ) as app:
            table = soon(
                lambda: document(app)["components"][TABLE_ID],
                lambda table: table["state"] == "unknown" and table["finding"] != "Not checked yet.",
            )
            secrets = bad_day.secrets - {ALARMS_ID} | {str(table["finding"])}  # the alarms are public in it
            assert app.client.get("/readyz").status_code == 503
            for path in (
                "/",
                "/incidents",
                f"/components/{WEB_ID}",
                "/api/incidents",
                "/feed.atom",
                "/readyz",
            ):
                answer = app.client.get(path)
                assert leaks(whole(answer), secrets) == []
            assert str(table["finding"]) in "".join(app.process.stdout)


def test_operators_read_what_is_kept_from_the_public(bad_day: BadDay) -> None:
    never = {CLUSTER, ACCOUNT_ID, "arn:aws", "10.11.12.13"}
    told = {secret for secret in bad_day.secrets if secret.lower() in bad_day.operators.lower()}
    assert bad_day.secrets - never <= told


@pytest.mark.parametrize("path", ["/incidents/{}", "/api/incidents/{}"])
def test_an_incident_of_what_is_not_public_is_there_for_operators_only(bad_day: BadDay, path: str) -> None:
    client, found = bad_day.app.client, path.format(bad_day.hidden)
    assert client.get(found).status_code == 404
    told = client.get(found, headers=AUTHORIZED)
    assert told.status_code == 200
    assert HIDDEN_TITLE in told.text
    assert "no-store" in told.headers["cache-control"]
