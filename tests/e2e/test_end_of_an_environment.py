"""The shop's platform to nothing: grown, protected, destroyed.

The tests of a module are one story; each builds on those before it. It begins where
`test_life_of_an_environment.py` begins, and no service has to run for it.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import calls
from tests.e2e.desk import Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import beyond, note_permissions
from tests.e2e.shop import ACCOUNT, BUCKET, NAME, REGION, SERVICES, copied, deploy_role

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def desk(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk on which dev is applied."""
    with copied(shop, tmp_path_factory.mktemp("desk")) as made:
        yield made


GROWS = {
    "aws_cloudwatch_dashboard.dashboard": {"dashboard_body"},
    "aws_db_subnet_group.database_subnets": {"subnet_ids"},
    "aws_elasticache_subnet_group.cache_sessions_subnets": {"subnet_ids"},
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
    for kind in ("network", "data", "service"):
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
    assert ports == [8000, 8080, 8083]


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


def test_everything_is_destroyed_and_nothing_is_left(desk: Desk, shop: Path) -> None:
    before = set(json.loads((shop / "before.json").read_text()))
    assert inventory(desk.embedded, ACCOUNT, REGION) > before
    s3 = desk.embedded.client("s3", REGION, ACCOUNT)
    file = {"Bucket": f"{NAME}-dev-uploads-{ACCOUNT}", "Key": "orders/1.json"}
    s3.put_object(**file, Body=b"{}")
    s3.delete_object(**file)  # which leaves a version and a marker
    wrong = desk.ops_here(ACCOUNT, "destroy", "--env", "dev", "--stack", "service", typed="prod\n")
    assert wrong.returncode != 0
    memory, role = desk.directory / ".oaktree/local", deploy_role(desk)
    first = calls.count(memory)
    for kind in ("service", "data", "network"):
        done = desk.ops_here(ACCOUNT, "destroy", "--env", "dev", "--stack", kind, typed="dev\n")
        assert succeeded(done)
    made = calls.recorded(memory, first)
    # Previous revisions are deregistered by `make destroy` itself, which no workflow runs.
    assert beyond(role, made, BUCKET, s3) <= {"ecs:ListTaskDefinitions"}
    note_permissions(desk.embedded, REGION, memory, {ACCOUNT}, NAME)
    done = desk.ops_here(ACCOUNT, "destroy", "--stack", "foundation", typed=f"{NAME}\n")
    assert succeeded(done)
    assert inventory(desk.embedded, ACCOUNT, REGION) - before == frozenset()
