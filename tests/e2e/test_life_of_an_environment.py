"""The shop's environments from nothing to nothing: up, unchanged, in use, grown, destroyed.

They are two of three in an account in Tokyo, which has no zone b, for a project with as long a name as may
be. The account has an OIDC provider for GitHub already, which stays. dev has services of every kind, behind
a domain and a web application firewall, and is off at night.
The tests of a module are one story; each builds on those before it.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.core.checkout import SOURCE
from ops.local.embedded import start_embedded
from ops.local.embedded_server.authorization.policies import Role
from ops.local.services import GIVEN_BY_AWS
from tests.e2e import calls
from tests.e2e.app_status import operational_status
from tests.e2e.desk import Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import beyond, note_permissions, read_role
from tests.ops.github_tokens import trust_github
from tests.webapp.waiting import soon
from webapp.contract import fingerprint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222"
NAME = "oaktreesuite"
REGION = "ap-northeast-1"
BUCKET = f"{NAME}-state-{ACCOUNT}-{REGION}"
STACKS = ("foundation", "dev-network", "dev-data", "dev-service")
SECOND = ("staging-network", "staging-data", "staging-service")
SERVICES = ("web", "prices", "worker", "cleanup", "status", "quotes")
SHOP = SOURCE / "examples/shop/environments"

QUOTES = """
[services.quotes]
same_image_as = "prices"
port          = 8082
path          = "/prices"
health_path   = "/healthz"
command       = ["node", "server.mjs", "--port", "8082"]
user          = "1000:1000"

[services.quotes.local]
command           = ["node", "server.mjs", "--host", "127.0.0.1", "--port", "{port}"]
working_directory = "examples/shop/prices"
"""
"""The prices for everybody, by their path."""

BEHIND_A_DOMAIN = """
[load_balancer]
domain      = "shop.example.com"
hosted_zone = "example.com"
waf         = { rate_limit = 2000 }

[services.status]
domain  = "status.shop.example.com"
secrets = { WRITE_TOKEN_SHA256 = "ssm:/shop/dev/write-token-sha256" }
scaling = { min_capacity = 1, max_capacity = 1 }
"""

STAGING = f"""account_id  = "{ACCOUNT}"
region      = "{REGION}"
owner       = "shop@example.com"
cost_centre = "1000"
network     = {{ cidr = "10.60.0.0/16", availability_zones = ["a", "c"] }}

[services]
worker  = {{ enabled = false }}
cleanup = {{ enabled = false }}
status  = {{ enabled = false }}
web     = {{ enabled = false }}
prices  = {{ internal = false, health_path = "/healthz" }}

# Databases and buckets take their time.
[databases]
shop = {{ enabled = false }}

[buckets]
uploads = {{ enabled = false }}
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on which nothing is up yet, and no environment is protected."""
    made = Desk(tmp_path_factory.mktemp("desk"))
    environments = made.directory / "environments"
    environments.mkdir()
    for file in SHOP.iterdir():
        text = file.read_text().replace(OTHER_ACCOUNT, ACCOUNT).replace("eu-central-1", REGION)
        text = text.replace("shop.example.com", "example.com")  # which dev has here
        text = re.sub(r"^protected( +)= true$", r"protected\1= false", text, flags=re.MULTILINE)
        text = text.replace('name        = "shop"', f'name        = "{NAME}"')
        text = text.replace('["a", "b", "c"]', '["a", "c", "d"]')
        (environments / file.name).write_text(
            text.replace('.0.0/16" }', '.0.0/16", availability_zones = ["a", "c"] }')
        )
    own = f'protected = false\naccounts_with_oidc_provider = ["{ACCOUNT}"]\n'
    project, dev = environments / "project.toml", environments / "dev.toml"
    project.write_text(own + project.read_text())
    dev.write_text(dev.read_text().partition("# Without domains")[0] + BEHIND_A_DOMAIN + QUOTES)
    (environments / "staging.toml").write_text(STAGING)
    trust_github(start_embedded(made.directory / ".oaktree/local", ACCOUNT).client("iam", REGION))
    with pytest.MonkeyPatch.context() as here:
        # As users have it: other tests spare Terraform the provider's checksum.
        here.delenv("TF_CLI_CONFIG_FILE", raising=False)
        yield made
        made.ops("down")


@pytest.fixture(scope="module")
def before(desk: Desk) -> frozenset[str]:
    """What an account has before anything is created in it."""
    return inventory(desk.embedded, ACCOUNT, REGION)


def logged(desk: Desk, name: str) -> list[dict[str, Any]]:
    """The lines that a program of the shop has logged."""
    log = desk.directory / ".oaktree/local/logs" / f"{name}.log"
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def routed(desk: Desk, host: str, path: str) -> httpx.Response:
    """What a load balancer's stand-in answers."""
    router = json.loads((desk.directory / ".oaktree/local/router-dev.json").read_text())
    return httpx.get(f"http://127.0.0.1:{router['ports']['']}{path}", headers={"Host": host})


def address(desk: Desk, service: str, env: str = "dev") -> str:
    """Where a service listens."""
    record = json.loads((desk.directory / f".oaktree/local/app-{env}-{service}.json").read_text())
    return str(record["address"])


@pytest.mark.usefixtures("before")
def test_up_brings_the_platform_and_every_service(desk: Desk) -> None:
    done = desk.ops("up", "--env", "dev")
    assert succeeded(done)
    listed = dict(re.findall(r"^(\w+) +(?:web|worker|job|status) +(.*)$", done.stdout, re.MULTILINE))
    assert set(listed) == set(SERVICES), done.stdout
    assert listed["web"].startswith("http://shop.example.com.localhost:")
    assert listed["quotes"].endswith("/prices")
    assert listed["worker"] == "runs, and listens nowhere"
    assert listed["cleanup"] == "not run: a job, which is not started by itself"


def deploy_role(desk: Desk) -> Role:
    return read_role(desk.embedded.client("iam", REGION, ACCOUNT), ACCOUNT, f"{NAME}-github-deploy")


def test_the_deploy_role_could_have_made_all_but_the_foundation(desk: Desk) -> None:
    made = list(calls.recorded(desk.directory / ".oaktree/local"))
    first = next(number for number, each in enumerate(made) if each.call.action == "ec2:CreateVpc")
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    # The services are given their roles' keys, and the database here has the password of RDS.
    at_a_desk = {"sts:AssumeRole", "secretsmanager:GetSecretValue"}
    assert beyond(deploy_role(desk), made[first:], BUCKET, s3) <= at_a_desk
    assert [each.call for each in made if not each.allowed] == []


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
    pid = (desk.directory / f".oaktree/local/app-dev-{service}.pid").read_text()
    environ = Path(f"/proc/{pid}/environ").read_text()
    running = dict(item.split("=", 1) for item in environ.split("\0") if item)
    # A peer is at another address here, and so is the service itself.
    assert {name for name, value in registered.items() if running[name] != value} <= {
        *("PORT", "PRICES_URL", "PROBES")
    }
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


def test_data_outlives_a_new_password_and_new_tasks(desk: Desk, order: dict[str, Any]) -> None:
    rds, secrets = (desk.embedded.client(name, REGION, ACCOUNT) for name in ("rds", "secretsmanager"))
    (database,) = rds.describe_db_instances(DBInstanceIdentifier=f"{NAME}-dev-shop")["DBInstances"]
    before = (desk.directory / ".oaktree/local/app-dev-web.pid").read_text()
    secrets.rotate_secret(SecretId=database["MasterUserSecret"]["SecretArn"])
    assert succeeded(desk.ops("up", "--env", "dev"))
    assert (desk.directory / ".oaktree/local/app-dev-web.pid").read_text() != before
    assert is_confirmed(placed_order(desk, order))


def test_a_second_environment_has_what_it_did_not_leave_out(desk: Desk) -> None:
    assert succeeded(desk.ops("up", "--env", "staging"))
    alone = address(desk, "prices", "staging")
    assert httpx.get(f"{alone}/prices/oak-pencil").json()["cents"] == 205
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    arns = ecs.list_services(cluster=f"{NAME}-staging")["serviceArns"]
    assert {arn.rpartition("/")[2] for arn in arns} == {f"{NAME}-staging-prices"}


@pytest.mark.parametrize("stack", [*STACKS, *SECOND])
def test_a_second_plan_has_no_changes(desk: Desk, stack: str) -> None:
    done = desk.terraform(stack, ACCOUNT, "plan", "-detailed-exitcode", "-lock=false")
    assert succeeded(done)


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


@pytest.mark.parametrize("env", ["dev", "staging"])
def test_adding_or_removing_a_service_moves_nothing_of_the_others(desk: Desk, env: str) -> None:
    """dev has it, staging has not."""
    file = desk.directory / f"environments/{env}.toml"
    text = file.read_text()
    file.write_text(text.replace(QUOTES, "") if QUOTES in text else text + QUOTES)
    try:
        done = desk.ops_here(ACCOUNT, "plan", "--env", env, "--stack", "service")
    finally:
        file.write_text(text)
    assert succeeded(done)
    planned = desk.changes(f"{env}-service")
    changes = [change for change in planned if change.address.partition(".")[0] not in OF_ALL]
    assert {change.actions for change in planned if change not in changes} == {("update",)}
    assert len(changes) > 10
    assert {change.actions for change in changes} == {("create",) if env == "staging" else ("delete",)}
    # Its rule is called after the path, not after the service.
    others = [change.address for change in changes if ".quotes_" not in change.address]
    assert [address.partition(".")[0] for address in others] == ["aws_lb_listener_rule"]


GROWS = {
    "aws_cloudwatch_dashboard.dashboard": {"dashboard_body"},
    "aws_db_subnet_group.database_subnets": {"subnet_ids"},
    "aws_vpc_endpoint.dynamodb_endpoint": {"route_table_ids"},
    "aws_vpc_endpoint.s3_endpoint": {"route_table_ids"},
    "aws_lb.balancer": {"subnets", "subnet_mapping"},
    "aws_sfn_state_machine.cleanup_state_machine": {"definition", "revision_id", "state_machine_version_arn"},
    **{f"aws_ecs_service.{name}_service": {"network_configuration"} for name in SERVICES},
}


def test_a_zone_is_added_and_a_port_changed_without_moving_anything_else(desk: Desk) -> None:
    """A port cannot be changed in place, and AWS deletes no target group that a listener uses."""
    dev = desk.directory / "environments/dev.toml"
    text = dev.read_text().replace('availability_zones = ["a", "c"]', 'availability_zones = ["a", "c", "d"]')
    dev.write_text(text.replace("8082", "8083"))
    ec2, elb = (desk.embedded.client(name, REGION, ACCOUNT) for name in ("ec2", "elbv2"))
    subnets = {item["SubnetId"]: item["CidrBlock"] for item in ec2.describe_subnets()["Subnets"]}
    gateways = {item["NatGatewayId"] for item in ec2.describe_nat_gateways()["NatGateways"]}

    actions: dict[str, tuple[str, ...]] = {}
    for kind in ("network", "service"):
        done = desk.ops_here(ACCOUNT, "plan", "--env", "dev", "--stack", kind)
        assert succeeded(done)
        changes = desk.changes(f"dev-{kind}")
        actions |= {change.address: change.actions for change in changes}
        assert changes
        for change in changes:
            if ".quotes_" in change.address:
                assert kind == "service"
            elif change.address.startswith("aws_lb_listener_rule."):
                assert (change.actions, change.changed) == (("update",), ("action",))
            elif change.actions == ("create",):
                assert "_d" in change.address
            else:
                assert change.actions == ("update",), change
                assert set(change.changed) <= GROWS[change.address], change
        done = desk.ops_here(ACCOUNT, "apply", "--env", "dev", "--stack", kind)
        assert succeeded(done)
    assert actions["aws_lb_target_group.quotes_targets"] == ("create", "delete")

    after = {item["SubnetId"]: item["CidrBlock"] for item in ec2.describe_subnets()["Subnets"]}
    assert subnets.items() < after.items()
    assert {item["NatGatewayId"] for item in ec2.describe_nat_gateways()["NatGateways"]} == gateways
    ports = sorted(item["Port"] for item in elb.describe_target_groups()["TargetGroups"])
    assert ports == [8000, 8080, 8081, 8083]


def test_what_is_protected_is_not_destroyed(desk: Desk) -> None:
    dev = desk.directory / "environments/dev.toml"
    text = dev.read_text()
    try:
        for settings, said in (
            (f"protected = true\n{text}", "is protected: "),
            (f"{text}\n[databases.shop]\ndeletion_protection = true\n", "The database shop of dev-data is"),
        ):
            dev.write_text(settings)
            refused = desk.ops_here(ACCOUNT, "destroy", "--env", "dev", "--stack", "data", typed="dev\n")
            assert refused.returncode != 0
            assert said in " ".join(refused.stderr.split())
    finally:
        dev.write_text(text)


def test_everything_is_destroyed_and_nothing_is_left(desk: Desk, before: frozenset[str]) -> None:
    assert inventory(desk.embedded, ACCOUNT, REGION) > before
    wrong = desk.ops_here(ACCOUNT, "destroy", "--env", "dev", "--stack", "service", typed="prod\n")
    assert wrong.returncode != 0
    memory, role = desk.directory / ".oaktree/local", deploy_role(desk)
    first = calls.count(memory)
    for env in ("dev", "staging"):
        for kind in ("service", "data", "network"):
            done = desk.ops_here(ACCOUNT, "destroy", "--env", env, "--stack", kind, typed=f"{env}\n")
            assert succeeded(done)
    made = calls.recorded(memory, first)
    # Previous revisions are deregistered by `make destroy` itself, which no workflow runs.
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    assert beyond(role, made, BUCKET, s3) <= {"ecs:ListTaskDefinitions"}
    note_permissions(desk.embedded, REGION, memory, {ACCOUNT}, NAME)
    done = desk.ops_here(ACCOUNT, "destroy", "--stack", "foundation", typed=f"{NAME}\n")
    assert succeeded(done)
    assert inventory(desk.embedded, ACCOUNT, REGION) - before == frozenset()


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
    pids = [int(file.read_text()) for file in (desk.directory / ".oaktree/local").glob("*.pid")]
    assert pids
    assert desk.ops("down").returncode == 0
    for pid in pids:
        # Whoever adopted the process may take a moment to collect its exit status.
        soon(partial(has_gone, pid), bool)
    assert not (desk.directory / ".oaktree/local").exists()
