"""The status of an environment, as a command against the embedded AWS.

The tests are one life of a service, in the order they stand here.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from ops.core.ecs import COMMIT
from ops.local.embedded import Embedded
from stacks.reading import read_platform
from tests.ops.amending import Amended, amending
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.deployed_service import CLUSTER, SERVICE, Account
from tests.webapp.environment import VARIABLES

FIRST, SECOND = "abcdef0" * 5, "1234567" * 5
JOB = f"""
[services.cleanup]
kind = "job"
image = "example.com/cleanup@sha256:{"0" * 64}"
schedule = "@daily"
"""
NOTHING = "dev: account 111111111111, eu-central-1"


@pytest.fixture(scope="module")
def account(embedded: Embedded, desk: Desk) -> Account:
    return Account(embedded, read_platform(desk.checkout.environments))


@pytest.fixture(scope="module")
def here(embedded: Embedded, desk: Desk) -> Desk:
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture
def amended(embedded: Embedded) -> Iterator[Amended]:
    with amending(embedded.endpoint) as amended:
        yield amended


def through(here: Desk, amended: Amended) -> Desk:
    return replace(here, environment={**here.environment, "AWS_ENDPOINT_URL": amended.endpoint})


def told(desk: Desk, *arguments: str) -> str:
    done = desk.run("status", "--env", "dev", *arguments)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_commit_is_a_variable_of_the_contract() -> None:
    assert COMMIT in VARIABLES


def test_an_environment_without_anything_is_told_and_what_makes_it(here: Desk) -> None:
    shown = told(here)
    assert shown.startswith(NOTHING)
    assert "web      not in ECS  none   none         none    never" in shown
    assert "web was never released" in shown
    assert "make bootstrap ENV=dev" in shown


def test_a_release_without_a_service_is_recorded_not_deployed(here: Desk, account: Account) -> None:
    account.releases.record("web", account.push(FIRST), FIRST)
    assert "web is recorded, not deployed: `make bootstrap ENV=dev`" in told(here)


def test_a_service_that_runs_what_is_recorded_is_shown_without_remarks(here: Desk, account: Account) -> None:
    image = account.push(FIRST)
    account.serve(account.define(image, FIRST))
    for name in ("cpu", "memory"):
        account.alarm(f"{SERVICE}/{name}", "OK")
    account.alarm("oaktree-dev-web-api/cpu", "ALARM")
    shown = told(here)
    assert shown.count("\n\n") == 1, "nothing follows the table"
    header, first, *more = shown.rstrip().splitlines()[2:]
    assert header.split("  ")[0] == "SERVICE"
    assert "0 of 0" in first
    assert "  1 COMPLETED  " in first
    assert "2 OK" in first
    assert "version 1, recorded" in first
    digest = image.rpartition(":")[2]
    assert digest[:12] in first
    assert f"of {FIRST[:12]}" in more[0]
    assert "just now by " in more[0]


def test_another_record_than_what_runs_is_told(here: Desk, account: Account) -> None:
    image = account.push(SECOND)
    account.releases.record("web", image, SECOND, why="promoted from test version 7")
    shown = told(here)
    assert "not as recorded" in shown
    assert "promoted from test version 7" in shown
    digest = image.rpartition(":")[2][:12]
    assert f"web: {digest} of commit {SECOND[:12]} is recorded, not deployed: `make deploy ENV=dev" in shown


def test_an_alarm_is_told_by_name_and_the_others_by_number(here: Desk, account: Account) -> None:
    account.alarm(f"{SERVICE}/cpu", "ALARM")
    account.alarm(f"{SERVICE}/slow-answers", "INSUFFICIENT_DATA")
    shown = told(here)
    assert "ALARM cpu" in shown
    assert "1 OK" in shown
    assert "1 without data" in shown
    assert "web: raised: cpu; `make logs ENV=dev SERVICE=web SINCE=1h`" in shown


def test_an_alarm_of_what_services_share_is_told(here: Desk, account: Account) -> None:
    account.alarm("oaktree-dev/nat.a/port-errors", "ALARM")
    account.alarm("oaktree-dev/balancer-errors", "OK")
    shown = told(here)
    assert "dev: raised: nat.a/port-errors; `make outputs ENV=dev` prints the link" in shown


def test_a_rollout_that_failed_is_told_with_ecss_reason(
    here: Desk, account: Account, amended: Amended
) -> None:
    definition = account.define(account.push(SECOND), SECOND)
    account.client("ecs").update_service(cluster=CLUSTER, service=SERVICE, taskDefinition=definition)

    def fail(found: Any) -> None:
        service = found["services"][0]
        now = service["deployments"][0]["createdAt"]
        former = service["deployments"][0] | {"runningCount": 2, "desiredCount": 2, "status": "ACTIVE"}
        former["taskDefinition"] = definition.replace(":2", ":1")
        failed = former | {
            "status": "PRIMARY",
            "rolloutState": "FAILED",
            "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
            "taskDefinition": definition,
            "failedTasks": 3,
            "runningCount": 0,
            "pendingCount": 1,
        }
        service |= {"runningCount": 2, "pendingCount": 1, "desiredCount": 3}
        service["deployments"] = [former, failed]
        service["events"] = [
            {"id": "1", "createdAt": now - 60, "message": "was steady"},
            {"id": "2", "createdAt": now, "message": "is unable to place a task"},
        ]

    amended.amendments["DescribeServices"] = fail
    shown = told(through(here, amended))
    assert "2 of 3" in shown
    assert "1 pending" in shown
    assert "  2 FAILED  " in shown
    assert "  1 going away  " in shown
    assert "rollout of oaktree-dev-web:2 FAILED, 3 tasks failed so far. ECS deployment " in shown
    assert ": is unable to place a task" in shown
    assert "was steady" not in shown
    assert "not deployed" not in shown


def test_a_service_that_was_deleted_counts_as_none(here: Desk, amended: Amended) -> None:
    amended.amendments["DescribeServices"] = lambda found: found["services"][0].update(status="INACTIVE")
    assert "not in ECS" in told(through(here, amended))


def test_json_has_all_of_it(here: Desk) -> None:
    shown = json.loads(told(here, "--json", "--service", "web"))
    assert shown["environment"] == "dev"
    assert shown["alarms"] == {"raised": ["nat.a/port-errors"], "unknown": [], "fine": ["balancer-errors"]}
    (web,) = shown["services"]
    assert web["service"] == "web"
    assert web["is_deployed"] is True
    assert web["tasks"] == {"running": 0, "pending": 0, "desired": 0}
    assert web["alarms"] == {"raised": ["cpu"], "unknown": ["slow-answers"], "fine": ["memory"]}
    assert web["release"]["commit"] == web["deployments"][0]["runs"]["commit"] == SECOND
    assert web["deployments"][0]["since"].endswith("Z")


def test_a_record_that_nobody_can_read_is_told(here: Desk, account: Account) -> None:
    account.client("ssm").put_parameter(
        Name="/oaktree/dev/releases/web", Value="not JSON", Type="String", Overwrite=True
    )
    shown = told(here)
    assert "cannot be read" in shown
    assert "make rollback ENV=dev SERVICE=web TO=<version>" in shown


@pytest.fixture
def with_job(here: Desk) -> Iterator[None]:
    """The settings with a job, for one test."""
    settings = here.checkout.environments / "dev.toml"
    before = settings.read_text()
    settings.write_text(before + JOB)
    yield
    settings.write_text(before)


@pytest.mark.usefixtures("with_job")
def test_a_job_is_shown_with_its_next_runs_and_without_tasks(here: Desk, account: Account) -> None:
    before = told(here)
    assert "cleanup  not deployed" in before
    assert "cleanup  not in ECS" not in before
    iam = account.client("iam")
    principal = {"Service": "scheduler.amazonaws.com"}
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    role = iam.create_role(RoleName="schedule", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    account.client("scheduler").create_schedule(
        Name="oaktree-dev-cleanup",
        ScheduleExpression="cron(0 3 * * ? *)",
        ScheduleExpressionTimezone="Europe/Berlin",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:x", "RoleArn": role},
    )
    account.alarm("oaktree-dev-cleanup/failed", "ALARM")
    line = next(line for line in told(here).splitlines() if line.startswith("cleanup  "))
    assert line.count(" 03:00") == 3
    assert "Europe/Berlin by cron(0 3 * * ? *)" in line
    assert "ALARM failed" in line
    assert "third-party image" in line
    alone = told(here, "--service", "cleanup")
    assert "SERVICE  TASKS" not in alone
    assert "cleanup: raised: failed; `make logs ENV=dev SERVICE=cleanup SINCE=1h`" in alone
    (job,) = json.loads(told(here, "--json"))["jobs"]
    assert (job["job"], job["upcoming"]["expression"]) == ("cleanup", "cron(0 3 * * ? *)")
    assert len(job["upcoming"]["runs"]) == 3


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "ENV is missing. Use one of dev."),
        (("--env", "dev", "--service", "api"), "SERVICE=api is not a service of dev. Use one of web."),
    ],
)
def test_bad_input_is_told_with_status_2(desk: Desk, arguments: tuple[str, ...], expected: str) -> None:
    done = desk.run("status", *arguments)
    assert done.returncode == 2
    assert expected in done.stderr


def test_credentials_of_another_account_are_told(desk: Desk, embedded: Embedded) -> None:
    elsewhere = replace(desk, environment=embedded.environment("222222222222", REGION, desk.environment))
    done = elsewhere.run("status", "--env", "dev")
    assert done.returncode == 1
    assert f"those of account 222222222222; this belongs to account {ACCOUNT}" in done.stderr
