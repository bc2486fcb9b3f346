"""What the app tells while AWS fails: in its usual time, in words, without internals, until it is over."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import httpx
import pytest

from tests.webapp.crowd import crowd
from tests.webapp.environment import (
    ALARMS_ID,
    AUTHORIZED,
    CREDENTIALS,
    IDS,
    IMAGE_ID,
    TABLE_ID,
    TOKEN_SHA256,
    WEB_ID,
    WORKER_ID,
    components,
    environ_of,
)
from tests.webapp.faults import (
    Fault,
    breaks_off,
    credentials_endpoint,
    hangs,
    hangs_up,
    nobody,
    refuses,
    says,
    silence,
    trickles,
)
from tests.webapp.processes import App, running_app
from tests.webapp.proxy import Proxy, proxy
from tests.webapp.waiting import soon
from webapp.aws import CONNECTIONS_FOR_REQUESTS, WAITING_REQUESTS
from webapp.calls import HINTS, LOG_INTERVAL, FailureKind
from webapp.contract import HEALTH_PATH, READY_PATH, STATUS_PATH
from webapp.endpoints.health import UNREADABLE
from webapp.endpoints.incidents import INCIDENTS_PATH
from webapp.endpoints.status import OPERATOR_STATUS_PATH
from webapp.judge import NO_CREDENTIALS, NO_NETWORK
from webapp.status import NOTICE

DYNAMODB, ECS, ECR, CLOUDWATCH = SERVICES = ("dynamodb", "ecs", "ecr", "monitoring")
"""The AWS services that checks call, as signatures name them."""

INTERNAL = "arn:aws:iam::123456789012:role/secret-role"
pytestmark = pytest.mark.e2e

USUAL = 0.5
"""Seconds in which the app answers whatever AWS does; a call that AWS does not answer takes twice that."""


def environ_with_token(url: str) -> dict[str, str]:
    """The environment of an app that checks every second and tells operators more."""
    return environ_of(url, check_interval=1) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}


@pytest.fixture(scope="module")
def aws(embedded_aws: str) -> Iterator[Proxy]:
    with proxy(embedded_aws) as server:
        yield server


@pytest.fixture(scope="module")
def app(aws: Proxy) -> Iterator[App]:
    with running_app(environ_with_token(aws.url)) as running:
        yield running


@contextmanager
def failing(aws: Proxy, fault: Fault, *services: str) -> Iterator[None]:
    """Has these AWS services fail in one way, or all of them, on top of what fails already."""
    before = aws.faults
    aws.faults = before | dict.fromkeys(services or SERVICES, fault)
    try:
        yield
    finally:
        aws.faults = before


def components_of(app: App) -> dict[str, dict[str, Any]]:
    """How the components are doing, as the app tells it."""
    answer = app.client.get(OPERATOR_STATUS_PATH, headers=AUTHORIZED)
    components: dict[str, dict[str, Any]] = answer.json()["components"]
    return components


def told(app: App, component: str) -> tuple[str, str]:
    """State and message of a component."""
    found = components_of(app)[component]
    # After some faults, the message also says how often the state has changed.
    return found["state"], found["finding"].partition(" Its state has changed")[0]


def asked(app: App, path: str) -> httpx.Response:
    """The answer in the app's usual time. A busy machine may need some attempts; an app that waits for AWS
    needs longer each time."""
    seconds = []
    for _ in range(5):
        started = time.monotonic()
        answer = app.client.get(path)
        seconds.append(time.monotonic() - started)
        if seconds[-1] < USUAL:
            return answer
    raise AssertionError(f"{path} took {seconds} s")


def assert_answers_as_usual(app: App) -> None:
    """Everything that people and load balancers ask for is answered in time, and without internals."""
    for path in (HEALTH_PATH, STATUS_PATH, "/"):
        answer = asked(app, path)
        assert answer.status_code == 200
        for internal in (INTERNAL, "127.0.0.1", "arn:", "Traceback"):
            assert internal not in answer.text


def assert_ready(app: App, wanted: bool) -> dict[str, Any]:
    """The app says in time that it is ready, or that it is not."""
    answer = asked(app, READY_PATH)
    assert answer.status_code == (200 if wanted else 503)
    content: dict[str, Any] = answer.json()
    assert content["ready"] is wanted
    return content


def assert_all_is_well_again(app: App) -> None:
    """Every component becomes operational by itself, and the app ready."""
    soon(lambda: {item["state"] for item in components_of(app).values()}, {"operational"}.__eq__)
    assert_ready(app, True)


FAULTS = {
    "table missing": (
        refuses("ResourceNotFoundException", message=INTERNAL),
        "down",
        "The table does not exist.",
    ),
    "denied": (
        refuses("AccessDeniedException", message=INTERNAL),
        "unknown",
        "The app is not allowed to call dynamodb:GetItem.",
    ),
    "forbidden by something before AWS": (
        says(403, b"<html>no</html>"),
        "unknown",
        "dynamodb:GetItem answered in a way the app does not know.",
    ),
    "credentials expired": (
        refuses("ExpiredTokenException", message=INTERNAL),
        "down",
        "The app has no valid credentials for dynamodb:GetItem.",
    ),
    "credentials unknown": (
        refuses("UnrecognizedClientException"),
        "down",
        "The app has no valid credentials for dynamodb:GetItem.",
    ),
    "throttled": (
        refuses("ThrottlingException"),
        "degraded",
        "dynamodb:GetItem turns requests away: too many of them.",
    ),
    "validation": (
        refuses("ValidationException", message=INTERNAL),
        "unknown",
        "dynamodb:GetItem answered in a way the app does not know.",
    ),
    "error of the server": (
        refuses("InternalServerError", 500, INTERNAL),
        "down",
        "dynamodb:GetItem answers with errors of its own.",
    ),
    "hangs": (hangs(5), "down", "dynamodb:GetItem did not answer in time."),
    "answers byte by byte": (trickles(0.4), "down", "dynamodb:GetItem did not answer in time."),
    "hangs up": (hangs_up, "down", "dynamodb:GetItem cannot be reached."),
    "breaks off": (breaks_off, "down", "dynamodb:GetItem cannot be reached."),
}


@pytest.mark.parametrize("case", FAULTS)
def test_a_fault_of_the_table_is_told_until_it_is_over(app: App, aws: Proxy, case: str) -> None:
    assert_all_is_well_again(app)
    fault, state, message = FAULTS[case]
    with failing(aws, fault, DYNAMODB):
        soon(lambda: told(app, TABLE_ID), (state, message).__eq__)
        assert_answers_as_usual(app)
        assert assert_ready(app, False)["reason"] == UNREADABLE
        others = {name: item["state"] for name, item in components_of(app).items() if name != TABLE_ID}
        assert set(others.values()) == {"operational"}
    assert_all_is_well_again(app)


@pytest.mark.parametrize(
    ("service", "hanging", "action"),
    [(ECR, IMAGE_ID, "ecr:DescribeImageScanFindings"), (CLOUDWATCH, ALARMS_ID, "cloudwatch:DescribeAlarms")],
)
def test_a_service_that_hangs_delays_no_other(
    app: App, aws: Proxy, service: str, hanging: str, action: str
) -> None:
    assert_all_is_well_again(app)
    with failing(aws, hangs(5), service):
        message = f"{action} did not answer in time."
        soon(lambda: told(app, hanging), ("unknown", message).__eq__)
        # A check that hangs takes twice as long as the pause between two: others are made more often.
        checks: dict[str, set[str]] = {name: set() for name in IDS}

        def look() -> int:
            assert_answers_as_usual(app)
            services = components_of(app)
            assert {name for name, item in services.items() if item["state"] != "operational"} == {hanging}
            for name, item in services.items():
                checks[name].add(item["checked_at"])
            return len(checks[hanging])

        soon(look, (3).__eq__, seconds=60)
        assert min(len(seen) for name, seen in checks.items() if name != hanging) > 3
        assert_ready(app, True)
    assert_all_is_well_again(app)


REFUSALS = {
    (ECS, WEB_ID): ("ClusterNotFoundException", "down", "The cluster does not exist."),
    (ECR, IMAGE_ID): ("ImageNotFoundException", "down", "The image is not in its repository."),
    (CLOUDWATCH, ALARMS_ID): (
        "AccessDenied",
        "unknown",
        "The app is not allowed to call cloudwatch:DescribeAlarms.",
    ),
}


def test_refusals_are_told_of_the_services_they_are_of(app: App, aws: Proxy) -> None:
    assert_all_is_well_again(app)
    with ExitStack() as faults:
        for (service, _), (code, _, _) in REFUSALS.items():
            faults.enter_context(failing(aws, refuses(code, message=INTERNAL), service))
        for (_, component), (_, state, message) in REFUSALS.items():
            soon(partial(told, app, component), (state, message).__eq__)
        assert told(app, TABLE_ID)[0] == "operational"
        assert_answers_as_usual(app)
        assert_ready(app, True)
        with failing(aws, refuses("ThrottlingException", message=INTERNAL), ECS):
            message = "ecs:DescribeServices turns requests away: too many of them."
            soon(lambda: told(app, WORKER_ID), ("unknown", message).__eq__)
    assert_all_is_well_again(app)


def test_everything_may_fail_at_once(app: App, aws: Proxy) -> None:
    assert_all_is_well_again(app)
    with failing(aws, hangs_up):
        soon(lambda: {item["finding"] for item in components_of(app).values()}, {NO_NETWORK}.__eq__)
        assert_answers_as_usual(app)
        assert_ready(app, False)
        status = app.client.get(STATUS_PATH).json()
        assert (status["state"], status["notice"]) == ("unknown", NOTICE)
    soon(lambda: app.client.get(STATUS_PATH).json()["notice"], lambda notice: notice is None)
    assert_all_is_well_again(app)


def test_what_nobody_foresaw_is_unknown_and_logged_in_one_line_and_the_checks_go_on(
    app: App, aws: Proxy
) -> None:
    assert_all_is_well_again(app)
    with failing(aws, says(200, b"{}"), ECS):
        message = "The check failed; the app's log says why."
        soon(lambda: told(app, WEB_ID), ("unknown", message).__eq__)
        assert_answers_as_usual(app)
    line = json.loads(app.process.wait_for("^.*in a way nobody foresaw.*$")[0])
    # Both are asked of ECS, and either may be first.
    assert (line["level"], line["component"]) in {("error", WEB_ID), ("error", WORKER_ID)}
    assert "KeyError" in line["exception"]
    assert_all_is_well_again(app)


def test_the_log_names_action_kind_code_and_what_to_look_at(app: App, aws: Proxy) -> None:
    with failing(aws, refuses("AccessDeniedException", message="look for me"), CLOUDWATCH):
        line = json.loads(app.process.wait_for("^.*look for me.*$")[0])
    assert (line["action"], line["kind"], line["code"], line["hint"]) == (
        "cloudwatch:DescribeAlarms",
        "access_denied",
        "AccessDeniedException",
        HINTS[FailureKind.ACCESS_DENIED],
    )
    assert_all_is_well_again(app)


def test_a_refused_signature_is_logged_without_what_was_signed(app: App, aws: Proxy) -> None:
    signed = f"x-amz-security-token:{CREDENTIALS['AWS_SESSION_TOKEN']}"
    with failing(aws, refuses("InvalidSignatureException", 403, signed), DYNAMODB):
        app.process.wait_for("InvalidSignatureException")
    assert CREDENTIALS["AWS_SESSION_TOKEN"] not in "".join(app.process.stdout + app.process.stderr)
    assert_all_is_well_again(app)


def test_calls_to_aws_do_not_grow_with_requests(app: App, aws: Proxy) -> None:
    assert_all_is_well_again(app)
    paths = (STATUS_PATH, f"{STATUS_PATH}/{WEB_ID}", READY_PATH, HEALTH_PATH, "/")
    before = len(aws.seen)
    started = time.monotonic()
    for _ in range(100):
        for path in paths:
            assert app.client.get(path).status_code == 200
    seconds = time.monotonic() - started
    # Each component is checked at most every 0.9 s, by three calls at most; the table also by the recorder.
    rounds = seconds / 0.9 + 1
    assert len(aws.seen) - before <= rounds * 3 * len(IDS)


def test_an_endpoint_that_is_down_is_told() -> None:
    with nobody() as url, running_app(environ_with_token(url)) as app:
        soon(lambda: told(app, TABLE_ID), ("unknown", NO_NETWORK).__eq__)
        assert_answers_as_usual(app)
        assert_ready(app, False)


def test_an_endpoint_that_hangs_is_told_and_the_app_starts_all_the_same() -> None:
    with silence() as server, running_app(environ_with_token(server.url)) as app:
        assert_answers_as_usual(app)
        assert_ready(app, False)
        soon(lambda: {item["finding"] for item in components_of(app).values()}, {NO_NETWORK}.__eq__)
        assert assert_ready(app, False)["reason"] == UNREADABLE
        assert_answers_as_usual(app)


def test_a_table_that_is_not_there_is_told(embedded_aws: str) -> None:
    with running_app(
        environ_with_token(embedded_aws) | {"TABLE": "nowhere", "COMPONENTS": components(table="nowhere")}
    ) as app:
        soon(lambda: told(app, TABLE_ID), ("down", "The table does not exist.").__eq__)
        assert_answers_as_usual(app)
        assert_ready(app, False)


def without_credentials(url: str) -> dict[str, str]:
    """The environment of a task that has no credentials in it."""
    return {name: value for name, value in environ_with_token(url).items() if name not in CREDENTIALS}


def assert_told_without_credentials(app: App) -> None:
    """Every component is unknown for want of credentials, and so is what needs the table."""
    soon(
        lambda: {item["finding"] for item in components_of(app).values()},
        {NO_CREDENTIALS}.__eq__,
    )
    assert_answers_as_usual(app)
    assert_ready(app, False)
    answer = app.client.get("/api/incidents")
    assert (answer.status_code, answer.json()["detail"]) == (
        503,
        "The app has no valid credentials. Try again later.",
    )
    assert answer.headers["retry-after"] == "10"


def test_missing_credentials_are_told(embedded_aws: str) -> None:
    environ = without_credentials(embedded_aws)
    with running_app(environ | {"AWS_EC2_METADATA_DISABLED": "true"}) as app:
        assert_told_without_credentials(app)


@pytest.mark.parametrize("silent", [False, True])
def test_the_app_starts_before_its_credentials_can_be_had(embedded_aws: str, silent: bool) -> None:
    with credentials_endpoint(silent=silent) as endpoint:
        uri = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": endpoint.url}
        with running_app(without_credentials(embedded_aws) | uri) as app:
            assert app.client.get(HEALTH_PATH).status_code == 200
            assert_told_without_credentials(app)
            endpoint.open()
            assert_all_is_well_again(app)
            assert "session-token-of-the-task" not in "".join(app.process.stdout + app.process.stderr)


def test_of_a_crowd_some_wait_and_the_rest_is_turned_away_with_few_lines_in_the_log(
    app: App, aws: Proxy
) -> None:
    assert_all_is_well_again(app)
    before, started = len(app.process.stdout), time.monotonic()
    with failing(aws, hangs(5), DYNAMODB):
        with crowd(app.port, INCIDENTS_PATH, 2 * (CONNECTIONS_FOR_REQUESTS + WAITING_REQUESTS)) as asked:
            answers = asked.result()
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"2", "10"}
        details = [answer.json()["detail"] for answer in answers]
        assert details.count("The app has too much to do. Try again.") >= CONNECTIONS_FOR_REQUESTS
    assert_all_is_well_again(app)
    most = (time.monotonic() - started) / LOG_INTERVAL + 1
    lines = [json.loads(line) for line in app.process.stdout[before:]]
    turned_away = [line for line in lines if line.get("kind") == "overloaded"]
    assert 1 <= len(turned_away) <= most
    assert {(line["message"], line["hint"]) for line in turned_away} == {
        ("a call to AWS was not made", HINTS[FailureKind.OVERLOADED])
    }
    timeouts = Counter(line["action"] for line in lines if line.get("kind") == "timeout")
    assert max(timeouts.values()) <= most


def no_answer_to_queries(handler: BaseHTTPRequestHandler) -> None:
    """Answers what the check of the table asks, and lets everything else hang."""
    match handler.headers["X-Amz-Target"].rpartition(".")[2]:
        case "GetItem":
            says(200, b"{}")(handler)
        case "DescribeTable":
            says(200, b'{"Table": {"TableStatus": "ACTIVE"}}')(handler)
        case _:
            hangs(3)(handler)


def states_during_a_crowd(app: App) -> set[str]:
    """The states of the table that the app tells while all its connections for requests wait."""
    states = set()
    with crowd(app.port, INCIDENTS_PATH, CONNECTIONS_FOR_REQUESTS + WAITING_REQUESTS) as asked:
        while not asked.done():
            states.add(told(app, TABLE_ID)[0])
            time.sleep(0.1)
    assert {answer.status_code for answer in asked.result()} == {503}
    return states


def test_a_crowd_is_not_mistaken_for_a_table_that_is_down(app: App, aws: Proxy) -> None:
    # On a busy machine, the proxy may answer the check too late; a crowd would be mistaken each time.
    def crowded() -> bool:
        assert_all_is_well_again(app)
        with failing(aws, no_answer_to_queries, DYNAMODB):
            return "down" not in states_during_a_crowd(app)

    assert any(crowded() for _ in range(3))
    assert_all_is_well_again(app)
