from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Action, Concern, Masked, Tree
from tests.review.flagging import change, flags, titles

WORLD = ["Open to the world"]
RULE = "aws_vpc_security_group_ingress_rule"


def block(port: int, *cidrs: str, last: int | None = None, **more: Tree) -> dict[str, Tree]:
    v4: list[Tree] = [cidr for cidr in cidrs if ":" not in cidr]
    v6: list[Tree] = [cidr for cidr in cidrs if ":" in cidr]
    return {
        "from_port": port,
        "to_port": port if last is None else last,
        "protocol": "tcp",
        "cidr_blocks": v4,
        "ipv6_cidr_blocks": v6,
        **more,
    }


def group(*blocks: Tree) -> dict[str, Tree]:
    return {"name": "x", "ingress": list(blocks)}


def rule(cidr: Tree, port: int = 22, **more: Tree) -> dict[str, Tree]:
    return {"cidr_ipv4": cidr, "from_port": port, "to_port": port, "ip_protocol": "tcp", **more}


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "::/0", "0.0.0.0/1", "2000::/3", "64.0.0.0/3"])
def test_ingress_from_the_world_is_flagged_in_every_form(cidr: str) -> None:
    key = "cidr_ipv6" if ":" in cidr else "cidr_ipv4"
    listed = "ipv6_cidr_blocks" if ":" in cidr else "cidr_blocks"
    assert titles(change("aws_security_group", group(), group(block(22, cidr)))) == WORLD
    assert titles(change("aws_security_group", ABSENT, group(block(22, cidr)))) == WORLD
    assert titles(change("aws_default_security_group", group(), group(block(22, cidr)))) == WORLD
    single: dict[str, Tree] = {"from_port": 22, "to_port": 22, "ip_protocol": "tcp", key: cidr}
    assert titles(change(RULE, ABSENT, single)) == WORLD
    old: dict[str, Tree] = {
        "type": "ingress",
        "from_port": 22,
        "to_port": 22,
        "protocol": "tcp",
        listed: [cidr],
    }
    assert titles(change("aws_security_group_rule", ABSENT, old)) == WORLD


@pytest.mark.parametrize(
    "cidr", ["10.0.0.0/8", "192.168.0.0/16", "203.0.113.7/32", "fc00::/7", "2001:db8::/32", "nonsense", ""]
)
def test_ingress_from_some_is_not(cidr: str) -> None:
    assert titles(change("aws_security_group", group(), group(block(22, cidr)))) == []
    assert titles(change(RULE, ABSENT, rule(cidr))) == []


@pytest.mark.parametrize(("code", "found"), [(4, []), (1, WORLD), (-1, WORLD)])
def test_path_mtu_discovery_opens_no_port_and_other_icmp_is_flagged(code: int, found: list[str]) -> None:
    single: dict[str, Tree] = {
        "cidr_ipv4": "0.0.0.0/0",
        "from_port": 3,
        "to_port": code,
        "ip_protocol": "icmp",
    }
    assert titles(change(RULE, ABSENT, single)) == found
    entry: dict[str, Tree] = {
        "rule_action": "allow",
        "egress": False,
        "cidr_block": "0.0.0.0/0",
        "protocol": "1",
        "icmp_type": 3,
        "icmp_code": code,
        "network_acl_id": "acl-1",
    }
    assert titles(change("aws_network_acl_rule", ABSENT, entry)) == found


def test_two_halves_are_the_world() -> None:
    halves = block(22, "0.0.0.0/1", "128.0.0.0/1")
    assert titles(change("aws_security_group", group(), group(halves))) == WORLD
    eighths = block(22, *[f"{number}.0.0.0/8" for number in range(256)])
    assert titles(change("aws_security_group", group(), group(eighths))) == WORLD


def test_what_was_open_already_is_not_flagged() -> None:
    ssh, web = block(22, "0.0.0.0/0"), block(443, "0.0.0.0/0")
    named = {**ssh, "description": "Shell"}
    assert titles(change("aws_security_group", group(ssh, web), group(web, named))) == []
    assert titles(change("aws_security_group", group(block(0, "0.0.0.0/0", last=65535)), group(ssh))) == []
    both = group(block(20, "0.0.0.0/0", last=21), block(22, "0.0.0.0/0", last=30))
    assert titles(change("aws_security_group", both, group(block(21, "0.0.0.0/0", last=25)))) == []
    all_protocols = group({**block(0, "0.0.0.0/0"), "protocol": "-1"})
    assert titles(change("aws_security_group", all_protocols, group(ssh))) == []
    assert titles(change(RULE, rule("0.0.0.0/0"), rule("0.0.0.0/0", description="Shell"))) == []


def test_what_is_open_in_one_family_is_new_in_the_other() -> None:
    v4, both = group(block(22, "0.0.0.0/0")), group(block(22, "0.0.0.0/0", "::/0"))
    assert titles(change("aws_security_group", v4, both)) == WORLD


def test_more_ports_than_before_are_flagged() -> None:
    before, after = group(block(22, "0.0.0.0/0")), group(block(22, "0.0.0.0/0", last=25))
    assert titles(change("aws_security_group", before, after)) == WORLD


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (443, 443, "port of the web"),
        (22, 22, "administered"),
        (20, 30, "administered"),
        (5432, 5432, "database"),
        (8080, 8080, "reach a port."),
        (0, 65535, "every port"),
    ],
)
def test_the_reason_says_what_kind_of_port_it_is(first: int, last: int, words: str) -> None:
    (flag,) = flags(change("aws_security_group", group(), group(block(first, "0.0.0.0/0", last=last))))
    assert words in flag.reason


def test_every_protocol_is_every_port() -> None:
    (flag,) = flags(change(RULE, ABSENT, {"cidr_ipv4": "0.0.0.0/0", "ip_protocol": "-1"}))
    assert "every port" in flag.reason
    assert flag.after == {"cidr_ipv4": "0.0.0.0/0", "ip_protocol": "-1"}


def test_ports_that_cannot_be_judged_are_flagged_once() -> None:
    icmp: dict[str, Tree] = {
        "cidr_ipv4": "0.0.0.0/0",
        "ip_protocol": "icmp",
        "from_port": UNKNOWN,
        "to_port": UNKNOWN,
    }
    (flag,) = flags(change(RULE, ABSENT, icmp))
    assert "cannot be told" in flag.reason
    assert titles(change(RULE, icmp, {**icmp, "description": "Ping"})) == []


def test_rules_that_are_masked_and_stay_raise_nothing() -> None:
    masked: dict[str, Tree] = {"ingress": Masked(b"1")}
    assert titles(change("aws_security_group", masked, {**masked, "tags": {"a": "b"}})) == []


def test_egress_is_not_ingress() -> None:
    egress: dict[str, Tree] = {**rule("0.0.0.0/0"), "type": "egress", "cidr_blocks": ["0.0.0.0/0"]}
    assert titles(change("aws_security_group_rule", ABSENT, egress)) == []
    assert titles(change("aws_vpc_security_group_egress_rule", ABSENT, rule("0.0.0.0/0"))) == []
    assert titles(change("aws_security_group", group(), {"egress": [block(22, "0.0.0.0/0")]})) == []


@pytest.mark.parametrize("value", [UNKNOWN, Masked(b"1")])
def test_addresses_that_are_not_known_are_unknown(value: Tree) -> None:
    for found in (
        flags(change(RULE, ABSENT, rule(value))),
        flags(change("aws_security_group", group(), {"ingress": value})),
        flags(change("aws_security_group", group(), group({**block(22), "cidr_blocks": value}))),
        flags(change("aws_security_group", group(), group({**block(22), "cidr_blocks": [value]}))),
    ):
        assert [(flag.concern, flag.title) for flag in found] == [(Concern.UNKNOWN, "Open to the world")]


def test_rules_that_aws_fills_in_are_not_called_unknown() -> None:
    assert titles(change("aws_security_group", ABSENT, {"ingress": UNKNOWN})) == []


def test_a_prefix_list_is_unknown() -> None:
    listed = group(block(443, prefix_list_ids=["pl-1"]))
    (flag,) = flags(change("aws_security_group", group(), listed))
    assert (flag.concern, flag.after) == (Concern.UNKNOWN, "pl-1")
    assert titles(change("aws_security_group", listed, group(block(80, prefix_list_ids=["pl-1"])))) == []


def acl(port: int, last: int, action: str = "allow") -> dict[str, Tree]:
    rule: dict[str, Tree] = {"from_port": port, "to_port": last, "protocol": "tcp", "cidr_block": "0.0.0.0/0"}
    return {**rule, "rule_action": action, "egress": False}


def test_network_acls_are_flagged_but_for_what_new_ones_need() -> None:
    new: dict[str, Tree] = {"network_acl_id": UNKNOWN}
    known: dict[str, Tree] = {"network_acl_id": "acl-1"}
    kind = "aws_network_acl_rule"
    assert titles(change(kind, ABSENT, acl(22, 22) | new)) == WORLD
    assert titles(change(kind, ABSENT, acl(443, 443) | new)) == []
    assert titles(change(kind, ABSENT, acl(1024, 65535) | new)) == []
    assert titles(change(kind, ABSENT, acl(443, 443) | known)) == WORLD
    assert titles(change(kind, ABSENT, acl(22, 22, "deny") | new)) == []
    assert titles(change(kind, ABSENT, acl(22, 22) | new | {"egress": True})) == []
    inline: dict[str, Tree] = {**acl(22, 22), "action": "allow"}
    denied: dict[str, Tree] = {**acl(22, 22), "action": "deny"}
    assert titles(change("aws_network_acl", group(), group(inline))) == WORLD
    assert titles(change("aws_network_acl", group(), group(denied))) == []


GUARD: dict[str, Tree] = {
    "bucket": "b",
    "block_public_acls": True,
    "block_public_policy": True,
    "ignore_public_acls": True,
    "restrict_public_buckets": True,
}


def test_the_block_of_public_access_is_guarded() -> None:
    kind = "aws_s3_bucket_public_access_block"
    weaker = {**GUARD, "block_public_policy": False}
    title = ["Public access no longer blocked"]
    assert titles(change(kind, GUARD, weaker)) == title
    assert titles(change(kind, GUARD)) == title
    assert titles(change(kind, weaker, weaker)) == []
    assert titles(change(kind, weaker, GUARD)) == []
    assert titles(change(kind, ABSENT, weaker)) == title
    assert titles(change(kind, ABSENT, GUARD)) == []
    assert titles(change("aws_s3_bucket", {"bucket": "b"}), change(kind, GUARD)) == ["Data deleted"]
    (flag,) = flags(change(kind, GUARD, {**GUARD, "block_public_acls": UNKNOWN}))
    assert flag.concern is Concern.UNKNOWN


def granting(group: str) -> dict[str, Tree]:
    uri = f"http://acs.amazonaws.com/groups/global/{group}"
    return {"access_control_policy": [{"grant": [{"grantee": [{"uri": uri}], "permission": "READ"}]}]}


def test_public_access_control_lists_are_flagged() -> None:
    kind = "aws_s3_bucket_acl"
    assert titles(change(kind, {"acl": "private"}, {"acl": "public-read"})) == ["Made public"]
    assert titles(change(kind, ABSENT, {"acl": "public-read"})) == ["Made public"]
    assert titles(change(kind, {"acl": "public-read"}, {"acl": "private"})) == []
    assert titles(change(kind, {}, granting("AllUsers"))) == ["Made public"]
    assert titles(change(kind, granting("AllUsers"), granting("AllUsers"))) == []
    assert titles(change(kind, {}, granting("LogDelivery"))) == []


def test_a_load_balancer_that_becomes_public_is_flagged() -> None:
    assert titles(change("aws_lb", {"internal": True}, {"internal": False})) == ["Made public"]
    assert titles(change("aws_lb", ABSENT, {"internal": False})) == ["Made public"]
    assert titles(change("aws_lb", ABSENT, {"internal": True})) == []
    assert titles(change("aws_lb", {"internal": False, "name": "a"}, {"internal": False, "name": "b"})) == []
    replaced = change("aws_lb", {"internal": True}, {"internal": UNKNOWN}, action=Action.REPLACE)
    assert Concern.UNKNOWN in [flag.concern for flag in flags(replaced)]


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("aws_db_instance", {"publicly_accessible": False}, {"publicly_accessible": True}),
        ("aws_subnet", {"map_public_ip_on_launch": False}, {"map_public_ip_on_launch": True}),
        (
            "aws_ecs_service",
            {"network_configuration": [{"assign_public_ip": False}]},
            {"network_configuration": [{"assign_public_ip": True}]},
        ),
        ("aws_lambda_function_url", {"authorization_type": "AWS_IAM"}, {"authorization_type": "NONE"}),
        ("aws_api_gateway_method", {"authorization": "AWS_IAM"}, {"authorization": "NONE"}),
        ("aws_apigatewayv2_route", {"authorization_type": "JWT"}, {"authorization_type": "NONE"}),
        ("aws_db_snapshot", {"shared_accounts": ["1"]}, {"shared_accounts": ["1", "all"]}),
        ("aws_lb_listener", {"protocol": "HTTPS"}, {"protocol": "HTTP"}),
        (
            "aws_lb_listener",
            {"ssl_policy": "ELBSecurityPolicy-TLS13-1-2-2021-06"},
            {"ssl_policy": "ELBSecurityPolicy-2016-08"},
        ),
        (
            "aws_lambda_permission",
            {"principal": "*", "source_arn": "arn:aws:s3:::b"},
            {"principal": "*", "source_arn": None},
        ),
        (
            "aws_instance",
            {"metadata_options": [{"http_tokens": "required"}]},
            {"metadata_options": [{"http_tokens": "optional"}]},
        ),
        (
            "aws_eks_cluster",
            {"vpc_config": [{"public_access_cidrs": ["192.0.2.0/24"]}]},
            {"vpc_config": [{"public_access_cidrs": ["0.0.0.0/0"]}]},
        ),
        (
            "aws_route_table",
            {"route": [{"cidr_block": "0.0.0.0/0", "gateway_id": "nat-1"}]},
            {"route": [{"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}]},
        ),
    ],
)
def test_other_ways_to_become_public(kind: str, before: dict[str, Any], after: dict[str, Any]) -> None:
    (flag,) = flags(change(kind, before, after))
    assert flag.concern is Concern.EXPOSURE
    assert Concern.EXPOSURE not in [flag.concern for flag in flags(change(kind, after, before))]
    assert titles(change(kind, after, {**after, "tags": {"a": "b"}})) == []
    assert Concern.EXPOSURE not in [flag.concern for flag in flags(change(kind, after))]


def test_a_route_to_the_internet_is_flagged_in_a_table_that_is_there() -> None:
    route: dict[str, Tree] = {"destination_cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}
    known: dict[str, Tree] = {"route_table_id": "rtb-1"}
    new: dict[str, Tree] = {"route_table_id": UNKNOWN}
    assert titles(change("aws_route", ABSENT, route | known)) == ["Route to the internet"]
    assert titles(change("aws_route", ABSENT, route | new)) == []


def test_a_public_registry_is_flagged() -> None:
    assert titles(change("aws_ecrpublic_repository", ABSENT, {"repository_name": "x"})) == ["Made public"]


def test_a_new_network_acl_that_admits_every_port_is_flagged() -> None:
    new: dict[str, Tree] = {"network_acl_id": UNKNOWN}
    for first in (0, 1, 1023):
        assert titles(change("aws_network_acl_rule", ABSENT, acl(first, 65535) | new)) == WORLD
