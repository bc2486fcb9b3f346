"""`make cost` and `make prices`: from a checkout's Terraform JSON, and from a server of price files."""

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from ops.core.errors import OpsError, UsageError
from ops.look.cost import network_choices, service_choices
from ops.look.prices import update
from review.cost.prices import PRICES, read_prices
from review.model import Billed
from review.reading.billed import billed_in
from stacks.reading import read_platform
from stacks.settings import Environment
from tests.commands import run
from tests.ops.conftest import REGION, Desk
from tests.review.test_offers import aws, file, row

IMAGE = f"public.ecr.aws/nginx/nginx@sha256:{'0' * 64}"
STACK = {
    "provider": {"aws": [{"region": REGION}]},
    "resource": {
        "aws_ecs_service": {
            "web": {
                "name": "web",
                "desired_count": 2,
                "capacity_provider_strategy": [{"capacity_provider": "FARGATE", "base": 0, "weight": 1}],
                "task_definition": "${aws_ecs_task_definition.web.arn}",
            }
        },
        "aws_ecs_task_definition": {"web": {"cpu": "1024", "memory": "2048"}},
        "aws_ecs_cluster": {"dev": {"setting": [{"name": "containerInsights", "value": "enabled"}]}},
        "aws_nat_gateway": {"a": {}},
        "aws_sqs_queue": {"orders": {}},
        "aws_cloudwatch_composite_alarm": {"unhealthy": {}},
    },
}
MAIN = """
import json, sys
from pathlib import Path
out = Path(sys.argv[sys.argv.index("--outdir") + 1])
for kind in ("network", "data", "service"):
    folder = out / "stacks" / f"dev-{kind}"
    folder.mkdir(parents=True, exist_ok=True)
    stack = json.loads(%r) if kind == "service" else {}
    (folder / "cdk.tf.json").write_text(json.dumps(stack))
"""


def environment(directory: Path, network: str = "") -> Environment:
    """An environment of the tests with these settings of the network."""
    (directory / "project.toml").write_text(
        f'name = "p"\nrepository = "o/r"\naccount_id = "111111111111"\nregion = "{REGION}"\n'
        f'owner = "a@example.com"\ncost_centre = "1"\n[services.web]\nport = 80\nimage = "{IMAGE}"\n'
    )
    (directory / "dev.toml").write_text(
        f'account_id = "111111111111"\nregion = "{REGION}"\nowner = "a@example.com"\ncost_centre = "1"\n'
        f'[network]\ncidr = "10.10.0.0/16"\navailability_zones = ["a", "b"]\n{network}'
    )
    return read_platform(directory).environments["dev"]


def test_an_environment_is_printed_with_what_it_costs(desk: Desk) -> None:
    (desk.checkout.directory / "main.py").write_text(MAIN % json.dumps(STACK))
    done = desk.run("cost", "--env", "dev")
    assert done.returncode == 0, done.stderr
    assert "dev: $120.86 a month, list price in eu-central-1 as of 2026-09-11\n" in done.stdout
    assert "$82.90  dev-service  aws_ecs_service.web " in done.stdout
    assert "By use only: SQS.\n" in done.stdout
    assert "aws_cloudwatch_composite_alarm.unhealthy: a composite alarm has no price for" in done.stdout
    assert "aws_ecs_cluster.dev: Container Insights has no price here" in done.stdout
    assert 'network.nat = "none"' in done.stdout
    assert "no price" in next(line for line in done.stdout.splitlines() if "spot_percent" in line)


def test_what_was_synthesized_otherwise_is_one_line(desk: Desk) -> None:
    (desk.checkout.directory / "main.py").write_text(MAIN % json.dumps({"resource": []}))
    done = desk.run("cost", "--env", "dev")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "The cost of dev cannot be estimated: resource is a list, but must be an object\n"


def test_the_choices_of_nat_are_gateways_with_addresses_or_endpoints(tmp_path: Path) -> None:
    found = {each.setting: each for each in network_choices(environment(tmp_path), read_prices())}
    gateway = (Decimal("0.052") + Decimal("0.005")) * 730
    assert found['network.nat = "per-zone"'].total == 2 * gateway
    assert found['network.nat = "single"'].total == gateway
    assert found['network.nat = "single"'].is_current
    none = found['network.nat = "none"']
    assert none.what == "3 more interface endpoints in 2 zones: ecr.api, ecr.dkr, logs"
    assert none.total == 3 * 2 * 730 * Decimal("0.012")


def test_endpoints_that_are_there_already_are_not_counted_again(tmp_path: Path) -> None:
    has = environment(tmp_path, 'endpoints = ["ecr.api", "logs"]\n')
    none = list(network_choices(has, read_prices()))[-1]
    assert none.what == "1 more interface endpoint in 2 zones: ecr.dkr"


def test_a_network_without_nat_of_its_own_has_no_choice(tmp_path: Path) -> None:
    assert not list(network_choices(environment(tmp_path, 'tasks = "public"\nnat = "none"\n'), read_prices()))


def resources() -> list[tuple[str, str, tuple[Billed, ...]]]:
    return [("dev-service", "dev", billed_in(STACK))]


def test_arm64_is_compared_and_spot_without_a_price_is_said(tmp_path: Path) -> None:
    arm, spot = service_choices(environment(tmp_path), resources(), read_prices())
    assert not arm.is_current
    assert arm.now == 2 * 730 * (Decimal("0.04656") + 2 * Decimal("0.00511"))
    assert arm.total == 2 * 730 * (Decimal("0.03725") + 2 * Decimal("0.00409"))
    assert spot.total is None
    assert spot.what.endswith("a Fargate Spot vCPU, X86_64 has no price for eu-central-1")


def test_a_setting_is_as_now_by_its_value_and_not_by_an_equal_cost(tmp_path: Path) -> None:
    one_zone = environment(tmp_path).network.model_copy(update={"availability_zones": ("a",)})
    dev = environment(tmp_path).model_copy(update={"network": one_zone})
    single, per_zone = (
        next(each for each in network_choices(dev, read_prices()) if nat in each.setting)
        for nat in ("single", "per-zone")
    )
    assert single.total == per_zone.total
    assert (single.is_current, per_zone.is_current) == (True, False)
    services = {"web": dev.services["web"].model_copy(update={"architecture": "arm64", "spot_percent": 100})}
    arm, spot = service_choices(dev.model_copy(update={"services": services}), resources(), read_prices())
    assert arm.is_current
    assert spot.is_current


FILES = {
    f"AmazonEC2/current/{REGION}/index.csv": file("AmazonEC2", row("N", "EUC1-NatGateway-Hours", "0.06")),
    f"AmazonVPC/current/{REGION}/index.csv": file(
        "AmazonVPC", row("A", "EUC1-PublicIPv4:InUseAddress", "0.0050000000")
    ),
    f"AmazonCloudWatch/current/{REGION}/index.csv": file(
        "AmazonCloudWatch", row("C", "EUC1-CW:CompositeAlarmMonitorUsage", "0.5")
    ),
}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    copy = tmp_path / "prices.toml"
    copy.write_text(PRICES.read_text())
    return copy


def test_prices_that_are_found_are_new_and_the_others_stay(table: Path) -> None:
    before = read_prices(table)
    with aws(FILES) as address:
        updated = update(address, table)
    after = read_prices(table)
    nat, alarm = after.find(REGION, "nat"), after.find(REGION, "alarm.composite")
    assert nat
    assert alarm
    assert (nat.usd, str(nat.as_of)) == (Decimal("0.06"), "2026-10-07")
    assert alarm.usd == Decimal("0.5")
    assert after.find(REGION, "alb") == before.find(REGION, "alb")
    assert after.by_region["us-east-1"] == before.by_region["us-east-1"]
    said = "\n".join(updated.lines)
    assert f"{REGION}: 3 prices found, 2 of them new or changed" in said
    assert "  nat: 0.052 -> 0.06" in said
    assert "  alarm.composite: none -> 0.5" in said
    assert "  not found, so kept as they were: alarm.standard, alb, dashboard," in said
    assert "  without a price: fargate.storage, " in said
    assert "status 404" in said
    assert not updated.is_complete


def test_without_any_price_the_table_stays_as_it_is(table: Path) -> None:
    with (
        aws({}) as address,
        pytest.raises(OpsError, match=r"No price was found, so .*prices\.toml stays"),
    ):
        update(address, table)
    assert table.read_text() == PRICES.read_text()
    assert [each.name for each in table.parent.iterdir()] == ["prices.toml"]


def test_the_table_is_swapped_and_keeps_its_mode(table: Path) -> None:
    table.chmod(0o640)
    with aws(FILES) as address:
        update(f"{address}/", table)
    assert table.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in table.parent.iterdir()] == ["prices.toml"]


def test_a_table_that_cannot_be_read_is_a_usage_error(table: Path) -> None:
    table.write_text("[")
    with pytest.raises(UsageError, match=r"prices\.toml"):
        update("http://127.0.0.1:9", table)


def test_the_command_says_that_nothing_was_found() -> None:
    content = PRICES.read_bytes()
    with aws({}) as address:
        done = run(("prices", "--offers", address), {"PATH": os.environ["PATH"]})
    assert done.returncode == 1
    assert done.stderr.startswith("No price was found, so ")
    assert PRICES.read_bytes() == content
