"""The network stack: what is in it, what may pass, and that it can grow."""

from collections import Counter
from typing import Any

import pytest

from stacks.addressing import Tier
from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment
from tests.stacks.terraform_json import Stack


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


def admits(network: Stack, tier: str, egress: bool, port: int, cidr: str) -> bool:
    """Whether a tier's ACL lets TCP on a port pass, from or to a CIDR as the rules write it."""
    return any(
        rule["egress"] == egress
        and rule["network_acl_id"] == f"${{aws_network_acl.{tier}_acl.id}}"
        and rule["rule_action"] == "allow"
        and rule["protocol"] == "tcp"
        and rule["cidr_block"] in (cidr, "0.0.0.0/0")
        and rule["from_port"] <= port <= rule["to_port"]
        for rule in network.all("aws_network_acl_rule").values()
    )


PUBLIC, PRIVATE, DATABASE, WORLD = "10.10.128.0/18", "10.10.0.0/17", "10.10.192.0/18", "198.51.100.0/24"

CONVERSATIONS = {
    "a client with the load balancer": [("public", False, 443, WORLD), ("public", True, 50000, WORLD)],
    "the load balancer with a task": [
        ("public", True, 8080, PRIVATE),
        ("private", False, 8080, PUBLIC),
        ("private", True, 1024, PUBLIC),
        ("public", False, 1024, PRIVATE),
    ],
    "the load balancer with a service on another port": [
        ("public", True, 3000, PRIVATE),
        ("private", False, 3000, PUBLIC),
    ],
    "a task with another service": [
        ("private", True, 9000, PRIVATE),
        ("private", False, 9000, PRIVATE),
        ("private", True, 32768, PRIVATE),
        ("private", False, 32768, PRIVATE),
    ],
    "a task with the world through NAT": [
        ("private", True, 443, WORLD),
        ("public", False, 443, PRIVATE),
        ("public", True, 443, WORLD),
        ("public", False, 1024, WORLD),
        ("public", True, 32768, PRIVATE),
        ("private", False, 32768, WORLD),
    ],
    "a task with an endpoint": [
        ("private", True, 443, PRIVATE),
        ("private", False, 443, PRIVATE),
        ("private", True, 32768, PRIVATE),
        ("private", False, 32768, PRIVATE),
    ],
    "a task with a database": [
        ("private", True, 5432, DATABASE),
        ("database", False, 5432, PRIVATE),
        ("database", True, 32768, PRIVATE),
        ("private", False, 32768, DATABASE),
    ],
}


@pytest.mark.parametrize("conversation", CONVERSATIONS)
def test_acls_let_every_conversation_pass_both_ways(stacks: dict[str, Stack], conversation: str) -> None:
    for tier, egress, port, cidr in CONVERSATIONS[conversation]:
        assert admits(stacks["dev-network"], tier, egress, port, cidr), (tier, egress, port, cidr)


@pytest.mark.parametrize(
    ("tier", "egress", "port", "cidr"),
    [
        ("public", False, 22, WORLD),
        ("public", False, 3389, WORLD),
        ("private", False, 22, WORLD),
        ("private", False, 3389, WORLD),
        ("private", False, 8080, WORLD),
        ("private", False, 443, WORLD),
        ("database", False, 5432, WORLD),
        ("database", False, 5432, PUBLIC),
        ("database", True, 443, WORLD),
        ("database", True, 50000, WORLD),
        ("database", True, 50000, PUBLIC),
        ("private", True, 22, WORLD),
    ],
)
def test_acls_stop_what_nobody_needs(
    stacks: dict[str, Stack], tier: str, egress: bool, port: int, cidr: str
) -> None:
    assert not admits(stacks["dev-network"], tier, egress, port, cidr)


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
