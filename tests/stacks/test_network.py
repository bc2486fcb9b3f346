"""The network stack: what is in it, what may pass, and that it can grow."""

from collections import Counter
from typing import Any

import pytest

from stacks.addressing import Tier
from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment
from tests.stacks.reachability import TASK_PORTS, Network, outside
from tests.stacks.terraform_json import Stack

WORLD = outside("198.51.100.7")
PRIVATE = "10.10.0.0/17"


def network_of(synthesize: Synthesize, settings: str) -> Stack:
    text = environment(network=f'[network]\ncidr = "10.10.0.0/16"\n{settings}\n')
    return synthesize(dev=text)["dev-network"]


def test_each_tier_has_a_subnet_in_each_zone_and_none_assigns_public_addresses(
    stacks: dict[str, Stack],
) -> None:
    subnets = stacks["prod-network"].all("aws_subnet")
    assert set(subnets) == {f"{tier}_{zone}" for tier in Tier for zone in "abc"}
    assert not any(subnet["map_public_ip_on_launch"] for subnet in subnets.values())
    assert {name: subnet["availability_zone"] for name, subnet in subnets.items()} == {
        f"{tier}_{zone}": f"eu-central-1{zone}" for tier in Tier for zone in "abc"
    }


@pytest.mark.parametrize(
    ("nat", "gateways", "routes"),
    [
        ("none", set(), {}),
        ("single", {"nat_b"}, {"a": "nat_b", "b": "nat_b", "c": "nat_b"}),
        ("per-zone", {"nat_a", "nat_b", "nat_c"}, {"a": "nat_a", "b": "nat_b", "c": "nat_c"}),
    ],
)
def test_private_routes_lead_to_the_nat_gateway_asked_for(
    synthesize: Synthesize, nat: str, gateways: set[str], routes: dict[str, str]
) -> None:
    endpoints = 'endpoints = ["ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sts"]'
    network = network_of(synthesize, f'availability_zones = ["b", "a", "c"]\nnat = "{nat}"\n{endpoints}')
    assert set(network.all("aws_nat_gateway")) == gateways
    assert {
        zone: network.one("aws_route", f"private_{zone}_default")["nat_gateway_id"]
        for zone in "abc"
        if f"private_{zone}_default" in network.all("aws_route")
    } == {zone: f"${{aws_nat_gateway.{gateway}.id}}" for zone, gateway in routes.items()}


def test_the_database_tier_has_no_default_route(stacks: dict[str, Stack]) -> None:
    routes = stacks["prod-network"].all("aws_route")
    assert {name.split("_")[0] for name in routes} == {"public", "private"}


GROWS = {
    "aws_db_subnet_group.database_subnets": "subnet_ids",
    "aws_vpc_endpoint.dynamodb_endpoint": "route_table_ids",
    "aws_vpc_endpoint.s3_endpoint": "route_table_ids",
    "aws_vpc_endpoint.logs_endpoint": "subnet_ids",
}
"""What lists its subnets or route tables and so must grow with a zone."""


@pytest.mark.parametrize("nat", ["single", "per-zone"])
@pytest.mark.parametrize("added", ["c", "a"])
def test_a_zone_more_changes_nothing_but_the_lists_that_must_grow(
    synthesize: Synthesize, nat: str, added: str
) -> None:
    before_zones = [zone for zone in ("a", "b", "c") if zone != added]
    settings = f'nat = "{nat}"\nendpoints = ["logs"]\navailability_zones = '
    before = network_of(synthesize, settings + str(before_zones)).resources()
    after = network_of(synthesize, settings + str([*before_zones, added])).resources()

    assert before.keys() < after.keys()
    assert all(f"_{added}" in address for address in after.keys() - before.keys())
    for address, body in before.items():
        grown: Any = after[address]
        if address in GROWS:
            key = GROWS[address]
            assert set(body[key]) < set(grown[key])
            grown = grown | {key: body[key]}
        assert grown == body, address


def test_what_aws_creates_by_default_admits_nothing(stacks: dict[str, Stack]) -> None:
    network = stacks["dev-network"]
    for kind in ("aws_default_security_group", "aws_default_network_acl", "aws_default_route_table"):
        assert set(network.one(kind)) & {"ingress", "egress", "route", "subnet_ids"} == set()


def test_every_subnet_has_the_acl_of_its_tier(stacks: dict[str, Stack]) -> None:
    associations = stacks["prod-network"].all("aws_network_acl_association")
    assert {(item["subnet_id"], item["network_acl_id"]) for item in associations.values()} == {
        (f"${{aws_subnet.{tier}_{zone}.id}}", f"${{aws_network_acl.{tier}_acl.id}}")
        for tier in Tier
        for zone in "abc"
    }


def test_the_interface_endpoints_admit_the_private_tier_before_their_names_lead_there(
    stacks: dict[str, Stack],
) -> None:
    network = stacks["prod-network"]
    rule = network.one("aws_vpc_security_group_ingress_rule", "endpoints_from_private")
    assert rule["security_group_id"] == "${aws_security_group.endpoints_group.id}"
    assert rule["cidr_ipv4"] == "10.30.0.0/17"
    assert (rule["ip_protocol"], rule["from_port"], rule["to_port"]) == ("tcp", 443, 443)
    for endpoint in network.all("aws_vpc_endpoint").values():
        if endpoint["vpc_endpoint_type"] == "Interface":
            assert endpoint["depends_on"] == ["aws_vpc_security_group_ingress_rule.endpoints_from_private"]


def test_the_rule_of_the_endpoints_is_there_before_the_first_endpoint(stacks: dict[str, Stack]) -> None:
    network = stacks["dev-network"].all("aws_vpc_security_group_ingress_rule")
    service = stacks["dev-service"].all("aws_vpc_security_group_egress_rule")
    assert "endpoints_from_private" in network
    assert "web_task_to_endpoints" in service


@pytest.mark.parametrize("port", [2049, 3306, 5432, 6379])
def test_acls_let_only_tasks_talk_to_the_engines_of_the_database_tier(
    stacks: dict[str, Stack], port: int
) -> None:
    network = Network(stacks["dev-network"])
    task = network.host("private_a", ports=TASK_PORTS)
    assert all(network.carries(task, network.host(f"database_{zone}"), port) for zone in "ab")
    assert not network.carries(network.host("public_a"), network.host("database_a"), port)


def test_acls_let_tasks_of_the_public_tier_talk_to_the_database_tier(synthesize: Synthesize) -> None:
    network = Network(network_of(synthesize, 'tasks = "public"\nnat = "none"'))
    task = network.host("public_a", public=True, ports=TASK_PORTS)
    assert network.carries(task, network.host("database_b"), 5432)
    assert not network.carries(network.host("private_a", ports=TASK_PORTS), network.host("database_a"), 5432)


def test_acls_stop_what_the_database_tier_does_not_serve_and_all_that_it_asks_for(
    stacks: dict[str, Stack],
) -> None:
    network = Network(stacks["dev-network"])
    database, task = network.host("database_a"), network.host("private_b", ports=TASK_PORTS)
    assert not any(network.carries(task, database, port) for port in (22, 443, 3389, 8080))
    for peer in (task, network.host("public_a"), WORLD):
        assert not any(network.carries(database, peer, port) for port in (22, 443, 5432, 8080))


def test_acls_admit_the_internet_to_the_load_balancer_only(stacks: dict[str, Stack]) -> None:
    network = Network(stacks["dev-network"])
    balancer = network.host("public_a", public=True)
    assert [port for port in (22, 25, 80, 443, 445, 3389) if network.carries(WORLD, balancer, port)] == [
        80,
        443,
    ]
    inside = network.host("private_a", public=True)
    assert not any(network.carries(WORLD, inside, port) for port in (22, 80, 443, 3389, 8080))


def test_no_acl_admits_everyone_to_ports_of_remote_administration(stacks: dict[str, Stack]) -> None:
    for rule in stacks["dev-network"].all("aws_network_acl_rule").values():
        if not rule["egress"] and rule["cidr_block"] == "0.0.0.0/0" and rule["protocol"] == "tcp":
            assert not any(rule["from_port"] <= port <= rule["to_port"] for port in (22, 3389))


@pytest.mark.parametrize(
    ("tier", "cidr"), [("public", "0.0.0.0/0"), ("private", "0.0.0.0/0"), ("database", PRIVATE)]
)
def test_acls_let_path_mtu_discovery_pass_both_ways(stacks: dict[str, Stack], tier: str, cidr: str) -> None:
    rules = stacks["dev-network"].all("aws_network_acl_rule")
    for direction, egress in (("in", False), ("out", True)):
        rule = rules[f"{tier}_acl_{direction}_path_mtu"]
        assert (rule["protocol"], rule["icmp_type"], rule["icmp_code"]) == ("icmp", 3, 4)
        assert (rule["egress"], rule["cidr_block"], rule["rule_action"]) == (egress, cidr, "allow")
        assert not {"from_port", "to_port"} & set(rule)


def test_acl_rules_are_numbered_once_and_within_the_quota(stacks: dict[str, Stack]) -> None:
    rules = list(stacks["prod-network"].all("aws_network_acl_rule").values())
    places = [(rule["network_acl_id"], rule["egress"], rule["rule_number"]) for rule in rules]
    assert len(set(places)) == len(places)
    counts = Counter((acl, egress) for acl, egress, _ in places)
    assert max(counts.values()) <= 20


def test_a_new_service_changes_no_acl(synthesize: Synthesize) -> None:
    before = synthesize(dev=environment())["dev-network"].resources()
    after = synthesize(
        dev=environment(
            services="[services.web]\nkind = 'status'\n"
            "[services.api]\nkind = 'worker'\ndockerfile = 'Dockerfile'\n"
        )
    )["dev-network"].resources()
    assert before == after


def test_gateway_endpoints_are_always_there_and_interface_endpoints_as_asked(
    stacks: dict[str, Stack],
) -> None:
    assert set(stacks["dev-network"].all("aws_vpc_endpoint")) == {"s3_endpoint", "dynamodb_endpoint"}
    assert set(stacks["prod-network"].all("aws_vpc_endpoint")) == {
        "s3_endpoint",
        "dynamodb_endpoint",
        "ecr_api_endpoint",
        "ecr_dkr_endpoint",
        "logs_endpoint",
    }


@pytest.mark.parametrize(("setting", "traffic"), [("rejected", "REJECT"), ("all", "ALL"), ("off", None)])
def test_flow_logs_record_what_was_asked(synthesize: Synthesize, setting: str, traffic: str | None) -> None:
    logs = network_of(synthesize, f'flow_logs = "{setting}"').all("aws_flow_log")
    assert [log["traffic_type"] for log in logs.values()] == ([traffic] if traffic else [])


def test_the_names_of_aws_lead_to_the_interface_endpoints(stacks: dict[str, Stack]) -> None:
    network = stacks["prod-network"]
    endpoints = network.all("aws_vpc_endpoint").values()
    interfaces = [endpoint for endpoint in endpoints if endpoint["vpc_endpoint_type"] == "Interface"]
    assert interfaces
    assert all(endpoint["private_dns_enabled"] is True for endpoint in interfaces)
    vpc = network.one("aws_vpc")
    assert vpc["enable_dns_support"] is vpc["enable_dns_hostnames"] is True
