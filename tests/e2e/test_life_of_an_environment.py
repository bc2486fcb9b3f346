"""The shop from nothing: up, unchanged by a second `make up`, in use, beside a second environment.

The tests of a module are one story; each builds on those before it. `test_end_of_an_environment.py` tells
how the same platform grows and ends.
"""

import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from ops.core.clients import Credentials, isolated_client
from tests.e2e import calls
from tests.e2e.app_status import operational_status
from tests.e2e.desk import Desk, succeeded
from tests.e2e.roles import beyond, note_permissions
from tests.e2e.shop import (
    ACCOUNT,
    BUCKET,
    HAS_CACHE_SERVER,
    NAME,
    QUOTES,
    REGION,
    SECOND,
    SERVICES,
    STACKS,
    copied,
    deploy_role,
)
from tests.ops.registering import GIVEN_BY_AWS
from tests.webapp.waiting import soon
from webapp.contract import fingerprint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def desk(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on which dev is applied, and no service runs yet."""
    with copied(shop, tmp_path_factory.mktemp("desk")) as made:
        yield made


def logged(desk: Desk, name: str) -> list[dict[str, Any]]:
    """The lines that a program of the shop has logged."""
    log = desk.directory / ".oaktree/local/logs" / f"{name}.log"
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def variables(desk: Desk, service: str) -> dict[str, str]:
    """The variables that a service runs with."""
    pid = (desk.directory / f".oaktree/local/app-dev-{service}.pid").read_text()
    environ = Path(f"/proc/{pid}/environ").read_text()
    return dict(item.split("=", 1) for item in environ.split("\0") if item)


def routed(desk: Desk, host: str, path: str) -> httpx.Response:
    """What a load balancer's stand-in answers."""
    router = json.loads((desk.directory / ".oaktree/local/router-dev.json").read_text())
    return httpx.get(f"http://127.0.0.1:{router['ports']['']}{path}", headers={"Host": host})


def address(desk: Desk, service: str, env: str = "dev") -> str:
    """Where a service listens."""
    record = json.loads((desk.directory / f".oaktree/local/app-{env}-{service}.json").read_text())
    return str(record["address"])


def test_up_brings_the_platform_and_every_service(shop: Path) -> None:
    said = (shop / "said").read_text()
    listed = dict(re.findall(r"^(\w+) +(?:web|worker|job|status) +(.*)$", said, re.MULTILINE))
    assert set(listed) == set(SERVICES), said
    assert listed["web"].startswith("http://shop.example.com.localhost:")
    assert listed["quotes"].endswith("/prices")
    assert listed["worker"] == "runs, and listens nowhere"
    assert listed["cleanup"] == "not run: a job, which is not started by itself"
    found = re.search(rf"^{NAME}-dev-sessions +cache +(.*)$", said, re.MULTILINE)
    assert found
    assert found[1].startswith("127.0.0.1:" if HAS_CACHE_SERVER else "not run: neither valkey-server nor")


def test_the_deploy_role_could_have_made_all_but_the_foundation(desk: Desk) -> None:
    made = list(calls.recorded(desk.directory / ".oaktree/local"))
    first = next(number for number, each in enumerate(made) if each.call.action == "ec2:CreateVpc")
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    # The services are given their roles' keys, and the database here has the password of RDS.
    at_a_desk = {"sts:AssumeRole", "secretsmanager:GetSecretValue"}
    assert beyond(deploy_role(desk), made[first:], BUCKET, s3) <= at_a_desk
    assert [each.call for each in made if not each.allowed] == []


def test_a_second_up_runs_the_services_with_the_passwords_of_that_day(desk: Desk) -> None:
    rds, secrets = (desk.embedded.client(name, REGION, ACCOUNT) for name in ("rds", "secretsmanager"))
    (database,) = rds.describe_db_instances(DBInstanceIdentifier=f"{NAME}-dev-shop")["DBInstances"]
    secrets.rotate_secret(SecretId=database["MasterUserSecret"]["SecretArn"])
    assert succeeded(desk.ops("up", "--env", "dev"))


@pytest.mark.parametrize("stack", STACKS)
def test_its_plans_had_no_changes(desk: Desk, stack: str) -> None:
    log = (desk.directory / f".oaktree/local/logs/{stack}-apply.log").read_text()
    assert "No changes. Your infrastructure matches the configuration." in log


def test_requests_reach_each_service_by_host_and_path_and_services_reach_each_other(desk: Desk) -> None:
    page = routed(desk, "shop.example.com", "/")
    assert page.status_code == 200
    assert "<td>Pencil of oak<td>2.05 EUR" in page.text  # which web has of prices
    assert routed(desk, "shop.example.com", "/prices/oak-pencil").json()["cents"] == 205
    assert routed(desk, "status.shop.example.com", "/readyz").status_code == 200
    assert routed(desk, "another.example.com", "/").status_code == 404


@pytest.fixture(scope="module")
def order(desk: Desk) -> dict[str, Any]:
    """An order that somebody has placed."""
    placed = httpx.post(f"{address(desk, 'web')}/orders", json={"product": "oak-pencil", "quantity": 2})
    return dict(placed.raise_for_status().json())


def placed_order(desk: Desk, order: dict[str, Any]) -> dict[str, Any]:
    return dict(httpx.get(f"{address(desk, 'web')}/orders/{order['id']}").raise_for_status().json())


def test_an_order_is_stored_with_its_file_and_confirmed_by_the_worker(
    desk: Desk, order: dict[str, Any]
) -> None:
    """The worker asks the prices for what it costs."""
    confirmed = soon(partial(placed_order, desk, order), is_confirmed)
    assert confirmed["price"] == {"cents": 205, "currency": "EUR"}
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    bucket = f"{NAME}-dev-uploads-{ACCOUNT}"
    kept = s3.get_object(Bucket=bucket, Key=f"orders/{order['id']}.json")["Body"].read()
    assert json.loads(kept)["id"] == order["id"]
    sqs = desk.embedded.client("sqs", REGION, ACCOUNT)
    url = sqs.get_queue_url(QueueName=f"{NAME}-dev-orders")["QueueUrl"]
    counted = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counted)["Attributes"]
    assert left == dict.fromkeys(counted, "0")


def is_confirmed(order: dict[str, Any]) -> bool:
    return bool(order["state"] == "confirmed")


def test_before_deploy_ran_before_there_was_traffic(desk: Desk) -> None:
    (ran,) = logged(desk, "before-dev-web")
    began = next(each for each in logged(desk, "app-dev-web") if each["message"] == "listening")
    assert (ran["message"], ran["time"] < began["time"]) == ("migrated", True)


def test_a_job_runs_to_its_end(desk: Desk) -> None:
    done = desk.ops_here(ACCOUNT, "run-job", "--env", "dev", "--service", "cleanup")
    assert succeeded(done)
    assert '"message": "cleaned up"' in done.stdout


def test_what_a_service_publishes_reaches_the_worker_of_a_queue(desk: Desk, order: dict[str, Any]) -> None:
    its = variables(desk, "quotes")
    sns = as_service(its, "sns")
    for kind, message in (("note", "which no worker understands"), ("order", {"order": order["id"]})):
        attributes = {"kind": {"DataType": "String", "StringValue": kind}}
        sns.publish(
            TopicArn=its["EVENTS_TOPIC_ARN"], Message=json.dumps(message), MessageAttributes=attributes
        )
    soon(lambda: {each["message"] for each in logged(desk, "app-dev-worker")}, CONFIRMED_BEFORE.__le__)
    assert not any(each["message"] == "message failed" for each in logged(desk, "app-dev-worker"))


CONFIRMED_BEFORE = {"order was confirmed or closed before"}


def as_service(its: dict[str, str], service: str) -> Any:
    """A client with what a service has."""
    keys = (its[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"))
    return isolated_client(service, REGION, its["AWS_ENDPOINT_URL"], Credentials(*keys))


def test_a_queue_is_notified_of_each_file_in_the_bucket(desk: Desk, order: dict[str, Any]) -> None:
    its = variables(desk, "quotes")
    sqs = as_service(its, "sqs")

    def received() -> list[dict[str, Any]]:
        answered = sqs.receive_message(QueueUrl=its["FILES_QUEUE_URL"], MaxNumberOfMessages=10)
        found.extend(json.loads(each["Body"]) for each in answered.get("Messages", ()))
        return found

    found: list[dict[str, Any]] = []
    soon(received, lambda messages: len(messages) > 1)
    assert {"s3:TestEvent"} == {each["Event"] for each in found if "Event" in each}
    (event,) = (each["Records"][0] for each in found if "Records" in each)
    assert event["s3"]["object"]["key"] == f"orders/{order['id']}.json"


def test_a_service_has_its_table_its_files_and_its_cache_if_there_is_a_server(desk: Desk) -> None:
    its = variables(desk, "quotes")
    dynamodb = as_service(its, "dynamodb")
    visit = {"visitor": {"S": "a"}, "page": {"S": "/"}, "at": {"N": "1"}}
    dynamodb.put_item(TableName=its["VISITS_TABLE"], Item=visit)
    asked = {"KeyConditionExpression": "page = :page", "ExpressionAttributeValues": {":page": {"S": "/"}}}
    assert dynamodb.query(TableName=its["VISITS_TABLE"], IndexName="by-page", **asked)["Items"] == [visit]
    (Path(its["MEDIA_PATH"]) / "note").write_text("kept")
    assert (desk.directory / ".oaktree/local/volumes/dev-media/note").read_text() == "kept"
    cache = urlsplit(its["SESSIONS_CACHE_URL"])
    if not HAS_CACHE_SERVER:
        assert cache.scheme == "rediss"
        return
    with socket.create_connection((str(cache.hostname), cache.port or 0), timeout=10) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(100) == b"+PONG\r\n"


def test_the_status_page_knows_the_platform_that_it_runs_on(desk: Desk) -> None:
    status = operational_status(address(desk, "status"))
    assert {f"services.{service}" for service in SERVICES} <= status["components"].keys()
    record = desk.embedded.client("ssm", REGION, ACCOUNT).get_parameter(Name=f"/{NAME}/dev/releases/status")
    runs = json.loads(record["Parameter"]["Value"])
    assert status["fingerprint"] == fingerprint(runs["image"].partition("@")[2], runs["commit"])


def test_an_alarm_that_is_raised_shows_in_the_status_until_it_is_over(desk: Desk) -> None:
    cloudwatch = desk.embedded.client("cloudwatch", REGION, ACCOUNT)
    status = address(desk, "status")
    token = (desk.directory / ".oaktree/local/write-token").read_text().strip()

    def told() -> str:
        url = f"{status}/api/operator/status/status.alarms"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {token}"})
        return str(answer.json()["finding"])

    quiet = told()
    for state, message in (("ALARM", "Raised: status/cpu."), ("OK", quiet)):
        cloudwatch.set_alarm_state(AlarmName=f"{NAME}-dev-status/cpu", StateValue=state, StateReason="a test")
        soon(told, message.__eq__, seconds=40)


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "cleanup"])
def test_services_run_with_what_the_registered_task_definition_says_and_nothing_more(
    desk: Desk, service: str
) -> None:
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    found = ecs.describe_services(cluster=f"{NAME}-dev", services=[f"{NAME}-dev-{service}"])["services"][0]
    task = ecs.describe_task_definition(taskDefinition=found["taskDefinition"])["taskDefinition"]
    (container,) = task["containerDefinitions"]
    assert container["readonlyRootFilesystem"] is True
    registered = {item["name"]: item["value"] for item in container["environment"]}
    running = variables(desk, service)
    # A peer or store is elsewhere here, and so is the service itself.
    elsewhere = {"MEDIA_PATH", "PORT", "PRICES_URL", "PROBES"}
    elsewhere |= {"SESSIONS_CACHE_URL"} if HAS_CACHE_SERVER else set()
    assert {name for name, value in registered.items() if running[name] != value} <= elsewhere
    secret = {item["name"] for item in container["secrets"]}
    assert running.keys() - registered.keys() - secret <= {
        *GIVEN_BY_AWS,
        "PATH",
        "PYTHONPATH",
        "PWD",
        "OLDPWD",
    }


def test_a_program_that_is_not_ours_has_its_own_port_and_user(desk: Desk) -> None:
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    task = ecs.describe_task_definition(taskDefinition=f"{NAME}-dev-prices")["taskDefinition"]
    (container,) = task["containerDefinitions"]
    assert (container["portMappings"][0]["containerPort"], container["user"]) == (8081, "1000:1000")


def test_a_second_environment_has_what_it_did_not_leave_out(desk: Desk) -> None:
    assert succeeded(desk.ops("up", "--env", "staging"))
    alone = address(desk, "prices", "staging")
    assert httpx.get(f"{alone}/prices/oak-pencil").json()["cents"] == 205
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    arns = ecs.list_services(cluster=f"{NAME}-staging")["serviceArns"]
    assert {arn.rpartition("/")[2] for arn in arns} == {f"{NAME}-staging-prices"}


def test_the_state_of_every_stack_is_in_the_bucket(desk: Desk) -> None:
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {item["Key"] for item in listed} == {f"{stack}.tfstate" for stack in (*STACKS, *SECOND)}


def test_tags_reach_the_service_and_what_it_starts(desk: Desk) -> None:
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    (service,) = ecs.describe_services(cluster=f"{NAME}-dev", services=[f"{NAME}-dev-web"], include=["TAGS"])[
        "services"
    ]
    assert {item["key"]: item["value"] for item in service["tags"]} == {
        "project": NAME,
        "environment": "dev",
        "owner": "shop@example.com",
        "cost-centre": "1000",
        "managed-by": "terraform",
        "repository": "example/shop",
    }
    assert service["propagateTags"] == "SERVICE"


def test_nobody_applies_to_the_wrong_account(desk: Desk) -> None:
    done = desk.terraform("dev-network", "333333333333", "plan", "-lock=false")
    assert done.returncode == 1
    assert "AWS account ID not allowed: 333333333333" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("cidrs", "allowed"),
    [
        ('["198.51.100.0/24", "203.0.113.0/24"]', True),
        ('["everybody"]', False),
        ('["::/0"]', False),
        ('["198.51.100.1/24"]', False),
        ("[]", False),
    ],
)
def test_who_may_reach_the_load_balancer_can_be_said_to_terraform(
    desk: Desk, tmp_path: Path, cidrs: str, allowed: bool
) -> None:
    """By a variable, all that is planned here; what comes of it is in the story `restrict-access`."""
    service = json.loads((desk.directory / "cdktf.out/stacks/dev-service/cdk.tf.json").read_text())
    (tmp_path / "variable.tf.json").write_text(json.dumps({"variable": service["variable"]}))
    done = desk.terraform(tmp_path, ACCOUNT, "plan", f"-var=allowed_cidrs={cidrs}")
    assert (done.returncode == 0) is allowed, done.stderr
    told = " ".join(done.stderr.split())
    assert ("allowed_cidrs must be a list of one or more IPv4 CIDRs" in told) is not allowed


OF_ALL = {
    "aws_cloudwatch_composite_alarm",
    "aws_cloudwatch_dashboard",
    "aws_cloudwatch_query_definition",
}
"""What names every service: whether all are healthy, and where to look."""


def test_removing_a_service_moves_nothing_of_the_others(desk: Desk) -> None:
    file = desk.directory / "environments/dev.toml"
    text = file.read_text()
    file.write_text(text.replace(QUOTES, ""))
    try:
        done = desk.ops_here(ACCOUNT, "plan", "--env", "dev", "--stack", "service")
    finally:
        file.write_text(text)
    assert succeeded(done)
    # The status app gets the list of all services, so it is deployed with the others that remain.
    status = {"aws_ecs_service.status_service", "aws_ecs_task_definition.status_task"}
    planned = [change for change in desk.changes("dev-service") if change.address not in status]
    assert len(desk.changes("dev-service")) == len(planned) + len(status)
    changes = [change for change in planned if change.address.partition(".")[0] not in OF_ALL]
    assert {change.actions for change in planned if change not in changes} == {("update",)}
    assert len(changes) > 10
    assert {change.actions for change in changes} == {("delete",)}
    # Its rule is called after the path, not after the service.
    others = [change.address for change in changes if "quotes" not in change.address]
    assert [address.partition(".")[0] for address in others] == ["aws_lb_listener_rule"]


def has_gone(pid: int) -> bool:
    """Whether a process has ended and nothing of it is left."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # the desk's embedded AWS was started by this very process
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_down_leaves_no_process_and_no_file(desk: Desk) -> None:
    note_permissions(desk.embedded, REGION, desk.directory / ".oaktree/local", {ACCOUNT}, NAME)
    pids = [int(file.read_text()) for file in (desk.directory / ".oaktree/local").glob("*.pid")]
    assert pids
    assert desk.ops("down").returncode == 0
    for pid in pids:
        # Whoever adopted the process may take a moment to collect its exit status.
        soon(partial(has_gone, pid), bool)
    assert not (desk.directory / ".oaktree/local").exists()
