"""An environment from nothing to nothing: up, unchanged, grown by a zone, destroyed.

It is one of three in an account in Tokyo, which has no zone b, for a project with as long a name as may be.
The account has an OIDC provider for GitHub already, which stays.
The tests of a module are one story; each builds on those before it.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import httpx
import pytest

from ops.core.checkout import SOURCE
from ops.local.embedded import start_embedded
from tests.e2e.app_status import operational_status
from tests.e2e.desk import Desk, succeeded
from tests.e2e.inventory import inventory
from tests.ops.github_tokens import trust_github
from tests.places import ENVIRONMENTS
from tests.webapp.waiting import soon

pytestmark = pytest.mark.e2e

ACCOUNT, OTHER_ACCOUNT = "111111111111", "222222222222"
NAME = "oaktreesuite"
REGION = "ap-northeast-1"
STACKS = ("foundation", "dev-network", "dev-data", "dev-service")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on which nothing is up yet, and no environment is protected."""
    made = Desk(tmp_path_factory.mktemp("desk"))
    shutil.copytree(ENVIRONMENTS, made.directory / "environments")
    for file in (made.directory / "environments").iterdir():
        text = file.read_text().replace(OTHER_ACCOUNT, ACCOUNT).replace("eu-central-1", REGION)
        text = re.sub(r"(protected|protection) += true", r"\1 = false", text)
        text = text.replace('"oaktree"', f'"{NAME}"').replace('["a", "b", "c"]', '["a", "c", "d"]')
        file.write_text(text.replace('.0.0/16" }', '.0.0/16", availability_zones = ["a", "c"] }'))
    project = made.directory / "environments/project.toml"
    existing = f'accounts_with_oidc_provider = ["{ACCOUNT}"]\n'
    project.write_text(project.read_text() + "protected = false\n" + existing)
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


@pytest.mark.usefixtures("before")
def test_up_brings_the_platform_and_the_app_answers_from_it(desk: Desk) -> None:
    done = desk.ops("up", "--env", "dev")
    assert succeeded(done)
    found = re.search(r"dev web: (http://127\.0\.0\.1:\d+)", done.stdout)
    assert found, done.stdout
    assert httpx.get(f"{found[1]}/readyz").status_code == 200
    status = operational_status(found[1])
    assert (status["environment"], status["service"], status["region"]) == ("dev", "web", REGION)
    record = desk.embedded.client("ssm", REGION, ACCOUNT).get_parameter(Name=f"/{NAME}/dev/releases/web")
    assert json.loads(record["Parameter"]["Value"])["image"].endswith(status["release"]["digest"])


def test_an_alarm_that_is_raised_shows_in_the_status_until_it_is_over(desk: Desk) -> None:
    cloudwatch = desk.embedded.client("cloudwatch", REGION, ACCOUNT)
    address = json.loads((desk.directory / ".oaktree/local/app-dev-web.json").read_text())["address"]

    def told() -> str:
        message: str = httpx.get(f"{address}/api/status/cloudwatch").json()["message"]
        return message

    quiet = told()
    for state, message in (("ALARM", "Raised: cpu."), ("OK", quiet)):
        cloudwatch.set_alarm_state(AlarmName=f"{NAME}-dev-web/cpu", StateValue=state, StateReason="a test")
        soon(told, message.__eq__, seconds=40)


def test_the_app_runs_with_what_the_registered_task_definition_says_and_nothing_more(desk: Desk) -> None:
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    (service,) = ecs.describe_services(cluster=f"{NAME}-dev", services=[f"{NAME}-dev-web"])["services"]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    registered = {item["name"]: item["value"] for item in task["containerDefinitions"][0]["environment"]}
    pid = (desk.directory / ".oaktree/local/app-dev-web.pid").read_text()
    environ = Path(f"/proc/{pid}/environ").read_text()
    running = dict(item.split("=", 1) for item in environ.split("\0") if item)
    assert registered.items() <= running.items()
    brought = {name for name in running if name not in registered}
    assert {name for name in brought if not name.startswith("AWS_")} <= {"PATH", "PYTHONPATH"}


@pytest.mark.parametrize("stack", STACKS)
def test_a_second_plan_has_no_changes(desk: Desk, stack: str) -> None:
    done = desk.terraform(stack, ACCOUNT, "plan", "-detailed-exitcode", "-lock=false")
    assert succeeded(done)


def test_the_state_of_every_stack_is_in_the_bucket(desk: Desk) -> None:
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    listed = s3.list_objects_v2(Bucket=f"{NAME}-state-{ACCOUNT}-{REGION}")["Contents"]
    assert {item["Key"] for item in listed} == {f"{stack}.tfstate" for stack in STACKS}


def test_tags_reach_the_service_and_what_it_starts(desk: Desk) -> None:
    ecs = desk.embedded.client("ecs", REGION, ACCOUNT)
    (service,) = ecs.describe_services(cluster=f"{NAME}-dev", services=[f"{NAME}-dev-web"], include=["TAGS"])[
        "services"
    ]
    assert {item["key"]: item["value"] for item in service["tags"]} == {
        "project": NAME,
        "environment": "dev",
        "owner": "platform@example.com",
        "cost-centre": "1000",
        "managed-by": "terraform",
        "repository": "example/oaktree",
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
    done = desk.terraform(tmp_path, ACCOUNT, "plan", f"-var=web_allowed_cidrs={cidrs}")
    assert (done.returncode == 0) is allowed, done.stderr
    told = " ".join(done.stderr.split())
    assert ("web_allowed_cidrs must be a list of one or more IPv4 CIDRs" in told) is not allowed


GROWS = {
    "aws_db_subnet_group.database_subnets": {"subnet_ids"},
    "aws_vpc_endpoint.dynamodb_endpoint": {"route_table_ids"},
    "aws_vpc_endpoint.s3_endpoint": {"route_table_ids"},
    "aws_lb.web_balancer": {"subnets", "subnet_mapping"},
    "aws_ecs_service.web_service": {"network_configuration"},
}


def test_a_zone_is_added_without_moving_anything(desk: Desk) -> None:
    dev = desk.directory / "environments/dev.toml"
    dev.write_text(
        dev.read_text().replace('availability_zones = ["a", "c"]', 'availability_zones = ["a", "c", "d"]')
    )
    ec2 = desk.embedded.client("ec2", REGION, ACCOUNT)
    subnets = {item["SubnetId"]: item["CidrBlock"] for item in ec2.describe_subnets()["Subnets"]}
    gateways = {item["NatGatewayId"] for item in ec2.describe_nat_gateways()["NatGateways"]}

    for kind in ("network", "service"):
        done = desk.ops_here(ACCOUNT, "plan", "--env", "dev", "--stack", kind)
        assert succeeded(done)
        changes = desk.changes(f"dev-{kind}")
        assert changes
        for change in changes:
            if change.actions == ("create",):
                assert "_d" in change.address
            else:
                assert change.actions == ("update",), change
                assert set(change.changed) <= GROWS[change.address], change
        done = desk.ops_here(ACCOUNT, "apply", "--env", "dev", "--stack", kind)
        assert succeeded(done)

    after = {item["SubnetId"]: item["CidrBlock"] for item in ec2.describe_subnets()["Subnets"]}
    assert subnets.items() < after.items()
    assert {item["NatGatewayId"] for item in ec2.describe_nat_gateways()["NatGateways"]} == gateways


def test_a_target_group_is_replaced_without_a_gap(desk: Desk) -> None:
    """A port cannot be changed in place, and AWS deletes no target group that a listener uses."""
    for name in ("stacks", "webapp"):
        shutil.copytree(SOURCE / name, desk.directory / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(SOURCE / "main.py", desk.directory)
    contract = desk.directory / "webapp/contract.py"
    contract.write_text(contract.read_text().replace("PORT: Final = 8080", "PORT: Final = 8081"))

    assert succeeded(desk.ops_here(ACCOUNT, "plan", "--env", "dev", "--stack", "service"))
    actions = {change.address: change.actions for change in desk.changes("dev-service")}
    assert actions["aws_lb_target_group.web_targets"] == ("create", "delete")
    assert actions["aws_lb_listener.web_http"] == ("update",)
    elb = desk.embedded.client("elbv2", REGION, ACCOUNT)
    (before,) = elb.describe_target_groups()["TargetGroups"]
    assert succeeded(desk.ops_here(ACCOUNT, "apply", "--env", "dev", "--stack", "service"))
    (after,) = elb.describe_target_groups()["TargetGroups"]
    assert after["TargetGroupName"] != before["TargetGroupName"]
    assert (before["Port"], after["Port"]) == (8080, 8081)


def test_everything_is_destroyed_and_nothing_is_left(desk: Desk, before: frozenset[str]) -> None:
    assert inventory(desk.embedded, ACCOUNT, REGION) > before
    wrong = desk.ops_here(ACCOUNT, "destroy", "--env", "dev", "--stack", "service", typed="prod\n")
    assert wrong.returncode != 0
    for arguments in (("--env", "dev", "--stack", "service"), ("--env", "dev", "--stack", "network")):
        done = desk.ops_here(ACCOUNT, "destroy", *arguments, typed="dev\n")
        assert succeeded(done)
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
