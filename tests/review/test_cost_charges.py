"""What each kind of resource is charged for, where a unit of everything costs $1 a month."""

from decimal import Decimal
from typing import Any

import pytest

from review.model import UNKNOWN, Billed, Tree
from tests.review.pricing import billed, cost, estimated, priced

TASK: dict[str, Tree] = {"cpu": "512", "memory": "2048", "requires_compatibilities": ["FARGATE"]}
SERVICE: dict[str, Tree] = {
    "name": "web",
    "desired_count": 2,
    "launch_type": "FARGATE",
    "task_definition": UNKNOWN,
}


def task(**values: Tree) -> Billed:
    return billed("aws_ecs_task_definition", after={**TASK, **values})


def service(*others: Billed, **values: Tree) -> tuple[Any, str, tuple[str, ...]]:
    after = {**SERVICE, **values}
    web = billed("aws_ecs_service", after=after, links=(("task_definition", "aws_ecs_task_definition.x"),))
    (line,) = estimated(web, *(others or (task(),))).lines
    return line.after.quantize(Decimal("0.000001")), line.what, line.gaps


def test_a_service_costs_its_tasks_by_vcpu_and_gb() -> None:
    assert service() == (5, "2 tasks of 0.5 vCPU and 2 GB, X86_64", ())


@pytest.mark.parametrize(
    ("value", "named"), [("enabled", 1), ("enhanced", 1), (UNKNOWN, 1), ("disabled", 0), ([], 0)]
)
def test_container_insights_are_named_without_a_price(value: Tree, named: int) -> None:
    cluster = billed("aws_ecs_cluster", after={"setting": [{"name": "containerInsights", "value": value}]})
    found = estimated(cluster, billed("aws_ecs_cluster", after={}, address="aws_ecs_cluster.plain"))
    gap = "Container Insights has no price here: it costs by metrics of services and tasks"
    assert [line.gaps for line in found.unpriced] == [(gap,)] * named
    assert found.after == 0


@pytest.mark.parametrize(
    ("cpu", "memory", "each"),
    [("256", "512", "0.75"), ("1 vCPU", "2 GB", "3"), (".5 vcpu", "1gb", "1.5"), ("1024", "3072", "4")],
)
def test_the_size_of_a_task_has_two_forms(cpu: str, memory: str, each: str) -> None:
    assert service(task(cpu=cpu, memory=memory), desired_count=1)[0] == Decimal(each)


def test_the_architecture_has_its_own_price() -> None:
    arm = task(runtime_platform=[{"cpu_architecture": "ARM64", "operating_system_family": "LINUX"}])
    web = billed("aws_ecs_service", after=SERVICE, links=(("task_definition", "aws_ecs_task_definition.x"),))
    prices = priced(fargate_arm64_vcpu="0.8", fargate_arm64_gb="0.8")
    (line,) = estimated(web, arm, prices=prices).lines
    assert line.after.quantize(Decimal("0.0001")) == 4
    assert line.what == "2 tasks of 0.5 vCPU and 2 GB, ARM64"


def test_a_block_of_terraform_json_is_an_object() -> None:
    assert "ARM64" in service(task(runtime_platform={"cpu_architecture": "ARM64"}))[1]


def test_the_least_tasks_of_its_scaling_count() -> None:
    scaling = billed("aws_appautoscaling_target", after={"min_capacity": 3, "resource_id": "service/c/web"})
    assert service(task(), scaling)[1] == "3 tasks of 0.5 vCPU and 2 GB, X86_64"
    linked = billed(
        "aws_appautoscaling_target",
        after={"min_capacity": 1, "resource_id": UNKNOWN},
        links=(("resource_id", "aws_ecs_service.x"),),
    )
    assert service(task(), linked)[1] == "1 task of 0.5 vCPU and 2 GB, X86_64"


def test_a_service_that_scales_to_zero_costs_nothing() -> None:
    assert cost("aws_ecs_service", {**SERVICE, "desired_count": 0}) == (0, "", ())


@pytest.mark.parametrize(
    ("strategy", "count", "spot"),
    [
        ([("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 1)], 4, 2),
        ([("FARGATE", 1, 0), ("FARGATE_SPOT", 0, 1)], 4, 3),
        ([("FARGATE", 2, 1), ("FARGATE_SPOT", 0, 3)], 1, 0),
        ([("FARGATE", 0, 1), ("FARGATE_SPOT", 0, 2)], 2, 1),
        ([("FARGATE_SPOT", 0, 1)], 3, 3),
        ([("FARGATE", 0, 1), ("FARGATE_SPOT", 2, 0)], 3, 2),
    ],
)
def test_tasks_are_on_spot_after_the_base_and_by_weight(
    strategy: list[tuple[str, int, int]], count: int, spot: int
) -> None:
    providers: Tree = [{"capacity_provider": name, "base": base, "weight": w} for name, base, w in strategy]
    web = billed(
        "aws_ecs_service",
        after={**SERVICE, "desired_count": count, "capacity_provider_strategy": providers},
        links=(("task_definition", "aws_ecs_task_definition.x"),),
    )
    prices = priced(
        fargate_x86_64_vcpu="0.000001", fargate_x86_64_gb="0.000001", fargate_spot_x86_64_gb="0.5"
    )
    (line,) = estimated(web, task(cpu="1024", memory="2048"), prices=prices).lines
    assert line.after.quantize(Decimal("0.01")) == spot * 2


def test_spot_without_a_price_is_said_and_not_guessed() -> None:
    providers: Tree = [{"capacity_provider": "FARGATE_SPOT", "base": 0, "weight": 1}]
    web = billed(
        "aws_ecs_service",
        after={**SERVICE, "capacity_provider_strategy": providers},
        links=(("task_definition", "aws_ecs_task_definition.x"),),
    )
    prices = priced(fargate_spot_x86_64_vcpu="", fargate_spot_x86_64_gb="")
    (line,) = estimated(web, task(), prices=prices).lines
    assert line.after == 0
    assert "a Fargate Spot vCPU, X86_64 has no price for eu-central-1" in line.gaps


def test_storage_above_what_a_task_comes_with_costs() -> None:
    assert service(task(ephemeral_storage=[{"size_in_gib": 21}]), desired_count=1)[0] == Decimal("3.5")
    assert service(task(ephemeral_storage=[{"size_in_gib": 20}]), desired_count=1)[0] == Decimal("2.5")


def test_a_public_address_of_a_task_costs() -> None:
    assert service(network_configuration=[{"assign_public_ip": True}])[0] == 7
    assert service(network_configuration=[{"assign_public_ip": False}])[0] == 5


@pytest.mark.parametrize(
    ("values", "gap"),
    [
        ({"desired_count": UNKNOWN}, "the number of its tasks is not known"),
        ({"desired_count": None}, "the number of its tasks is not known"),
        ({"launch_type": UNKNOWN}, "where its tasks run is not known"),
        ({"launch_type": None}, "where its tasks run is not known"),
        (
            {"capacity_provider_strategy": [{"capacity_provider": "own"}]},
            "its capacity provider is not Fargate's",
        ),
    ],
)
def test_what_is_not_known_of_a_service_is_said(values: dict[str, Tree], gap: str) -> None:
    assert service(**values) == (0, "", (gap,))


def test_a_task_definition_that_is_not_there_is_not_guessed() -> None:
    assert cost("aws_ecs_service", SERVICE)[2] == ("the size of its tasks is not known",)
    assert service(task(cpu=UNKNOWN))[2] == ("the size of its tasks is not known",)
    windows: Tree = [{"operating_system_family": "WINDOWS_SERVER_2022_CORE"}]
    assert service(task(runtime_platform=windows))[2] == ("its platform has no price here",)


def test_tasks_on_instances_cost_what_the_instances_do() -> None:
    assert cost("aws_ecs_service", {**SERVICE, "launch_type": "EC2"}) == (0, "", ())
    assert cost("aws_instance", {})[2] == ("it has no price here",)


ALARM: dict[str, Any] = {"metric": [{"period": 60}]}
BAND = {"expression": "ANOMALY_DETECTION_BAND(m1, 2)"}


@pytest.mark.parametrize(
    ("type_", "values", "dollars", "what"),
    [
        ("aws_lb", {"subnets": ["a", "b"]}, 3, "ALB, 2 public addresses"),
        ("aws_lb", {"subnets": [UNKNOWN, UNKNOWN, UNKNOWN], "internal": False}, 4, "ALB, 3 public addresses"),
        ("aws_lb", {"subnets": ["a", "b"], "internal": True}, 1, "internal ALB"),
        ("aws_lb", {"subnets": ["a"], "load_balancer_type": "network"}, 2, "NLB, 1 public address"),
        (
            "aws_lb",
            {"subnets": UNKNOWN, "subnet_mapping": [{"allocation_id": "eipalloc-1"}, {"allocation_id": ""}]},
            2,
            "ALB, 1 public address",
        ),
        ("aws_lb", {"subnets": ["a"], "ip_address_type": "dualstack-without-public-ipv4"}, 1, "ALB"),
        ("aws_nat_gateway", {}, 1, "NAT gateway"),
        ("aws_eip", {}, 1, "public address"),
        ("aws_eip", {"public_ipv4_pool": "amazon"}, 1, "public address"),
        ("aws_eip", {"public_ipv4_pool": "ipv4pool-ec2-1"}, 0, ""),
        (
            "aws_vpc_endpoint",
            {"vpc_endpoint_type": "Interface", "subnet_ids": ["a", "b"]},
            2,
            "interface endpoint in 2 zones",
        ),
        ("aws_vpc_endpoint", {"vpc_endpoint_type": "Gateway"}, 0, ""),
        ("aws_vpc_endpoint", {}, 0, ""),
        (
            "aws_db_instance",
            {
                "engine": "postgres",
                "instance_class": "db.t4g.micro",
                "storage_type": "gp3",
                "allocated_storage": 20,
            },
            21,
            "PostgreSQL db.t4g.micro, single-AZ, 20 GB",
        ),
        (
            "aws_db_instance",
            {
                "engine": "postgres",
                "instance_class": "db.m7g.large",
                "storage_type": "gp3",
                "allocated_storage": 100,
                "multi_az": True,
                "manage_master_user_password": True,
                "iops": 3000,
            },
            102,
            "PostgreSQL db.m7g.large, Multi-AZ, 100 GB",
        ),
        (
            "aws_elasticache_replication_group",
            {"engine": "valkey", "node_type": "cache.t4g.micro", "num_cache_clusters": 2},
            2,
            "2 Valkey nodes cache.t4g.micro",
        ),
        (
            "aws_elasticache_replication_group",
            {
                "engine": "valkey",
                "node_type": "cache.t4g.small",
                "num_node_groups": 2,
                "replicas_per_node_group": 1,
            },
            4,
            "4 Valkey nodes cache.t4g.small",
        ),
        ("aws_elasticache_cluster", {"replication_group_id": "shop"}, 0, ""),
        ("aws_cloudwatch_metric_alarm", {"period": 60}, 1, "standard alarm, 1 metric"),
        ("aws_cloudwatch_metric_alarm", {"period": "300"}, 1, "standard alarm, 1 metric"),
        ("aws_cloudwatch_metric_alarm", {"period": 10}, 1, "high-resolution alarm, 1 metric"),
        (
            "aws_cloudwatch_metric_alarm",
            {"metric_query": [ALARM, ALARM, {"expression": "m1 / m2"}]},
            2,
            "standard alarm, 2 metrics",
        ),
        ("aws_cloudwatch_metric_alarm", {"metric_query": [ALARM, BAND]}, 3, "standard alarm, 3 metrics"),
        ("aws_cloudwatch_composite_alarm", {}, 1, "composite alarm"),
        ("aws_secretsmanager_secret", {}, 1, "1 secret"),
        ("aws_secretsmanager_secret", {"replica": [{"region": "eu-west-1"}]}, 2, "2 secrets"),
        ("aws_kms_key", {}, 1, "KMS key"),
        ("aws_wafv2_web_acl", {"rule": [{"name": "a"}, {"name": "b"}]}, 3, "web ACL, 2 rules"),
        ("aws_route53_zone", {}, 1, "hosted zone"),
        ("aws_service_discovery_private_dns_namespace", {}, 1, "hosted zone of a namespace"),
        ("aws_dynamodb_table", {"billing_mode": "PAY_PER_REQUEST"}, 0, ""),
        ("aws_sqs_queue", {}, 0, ""),
        ("aws_iam_role", {}, 0, ""),
    ],
)
def test_a_resource_costs_by_its_meters(type_: str, values: Tree, dollars: int, what: str) -> None:
    assert cost(type_, values) == (dollars, what, ())


@pytest.mark.parametrize(
    ("type_", "values", "dollars", "gap"),
    [
        ("aws_lb", {"load_balancer_type": "gateway"}, 0, "its type has no price here"),
        ("aws_lb", {"subnets": UNKNOWN}, 1, "the number of its public addresses is not known"),
        ("aws_lb", UNKNOWN, 0, "its values are not known"),
        (
            "aws_nat_gateway",
            {"availability_mode": "regional"},
            0,
            "a regional NAT gateway is charged by the zones that AWS chooses",
        ),
        (
            "aws_vpc_endpoint",
            {"vpc_endpoint_type": "Interface", "subnet_ids": UNKNOWN},
            0,
            "the number of its zones is not known",
        ),
        ("aws_vpc_endpoint", {"vpc_endpoint_type": "GatewayLoadBalancer"}, 0, "its type has no price here"),
        (
            "aws_db_instance",
            {"engine": "mysql", "instance_class": "db.t4g.micro"},
            0,
            "only PostgreSQL has prices here",
        ),
        (
            "aws_db_instance",
            {"engine": "postgres", "instance_class": UNKNOWN},
            0,
            "its engine, class or number of zones is not known",
        ),
        (
            "aws_db_instance",
            {
                "engine": "postgres",
                "instance_class": "db.t4g.micro",
                "storage_type": "gp2",
                "allocated_storage": 20,
            },
            1,
            "only gp3 storage has a price here",
        ),
        (
            "aws_db_instance",
            {
                "engine": "postgres",
                "instance_class": "db.t4g.micro",
                "storage_type": "gp3",
                "allocated_storage": UNKNOWN,
            },
            1,
            "its storage is not known",
        ),
        (
            "aws_db_instance",
            {
                "engine": "postgres",
                "instance_class": "db.t4g.micro",
                "storage_type": "gp3",
                "allocated_storage": 400,
                "iops": 16000,
            },
            401,
            "its provisioned IOPS have no price here",
        ),
        (
            "aws_db_instance",
            {"engine": "postgres", "instance_class": "db.x9.huge"},
            0,
            "its storage is not known",
        ),
        (
            "aws_elasticache_replication_group",
            {"engine": "redis", "node_type": "cache.t4g.micro"},
            0,
            "only Valkey nodes of a known type have prices here",
        ),
        (
            "aws_elasticache_replication_group",
            {"engine": "valkey", "node_type": "cache.t4g.micro"},
            0,
            "the number of its nodes is not known",
        ),
        (
            "aws_cloudwatch_metric_alarm",
            {"metric_query": [{"expression": " select AVG(x)"}]},
            0,
            "how many metrics its query matches is not known",
        ),
        ("aws_cloudwatch_metric_alarm", {"period": UNKNOWN}, 0, "its metrics are not known"),
        ("aws_cloudwatch_metric_alarm", {}, 0, "its metrics are not known"),
        ("aws_wafv2_web_acl", {"rule_json": "[]"}, 1, "its rules are not known"),
        (
            "aws_wafv2_web_acl",
            {
                "rule": [
                    {
                        "statement": [
                            {"managed_rule_group_statement": [{"name": "AWSManagedRulesBotControlRuleSet"}]}
                        ]
                    }
                ]
            },
            2,
            "managed rules with a price of their own have none here",
        ),
        ("aws_secretsmanager_secret", {"replica": UNKNOWN}, 1, "the number of its replicas is not known"),
        (
            "aws_dynamodb_table",
            {"billing_mode": "PROVISIONED"},
            0,
            "provisioned capacity of DynamoDB has no price here",
        ),
        ("aws_rds_cluster", {}, 0, "it has no price here"),
    ],
)
def test_what_is_not_known_or_has_no_price_is_said(type_: str, values: Tree, dollars: int, gap: str) -> None:
    found = cost(type_, values)
    assert found[0] == dollars
    assert found[2][0] == gap


def test_a_size_that_is_not_in_the_table_is_named() -> None:
    values: Tree = {"engine": "valkey", "node_type": "cache.x9.huge", "num_cache_clusters": 1}
    assert cost("aws_elasticache_replication_group", values)[2] == (
        "cache.x9.huge has no price for eu-central-1",
    )
