"""What newly leads elsewhere, or lets in the world by many small steps, raises its flag."""

from dataclasses import replace
from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Concern, DeferredChange, Document, Tree
from tests.review.flagging import change, flags, flags_of, plan, titles

OURS = change("aws_sqs_queue", {"arn": "arn:aws:sqs:eu-central-1:111111111111:q", "a": 1}, {"a": 2})
INGRESS = "aws_vpc_security_group_ingress_rule"
EVERYBODY = "http://acs.amazonaws.com/groups/global/AllUsers"


def rule(cidr: str, group: Tree = "sg-1") -> dict[str, Tree]:
    ports: dict[str, Tree] = {"from_port": 22, "to_port": 22, "ip_protocol": "tcp"}
    return {"cidr_ipv4": cidr, "security_group_id": group, **ports}


def waf(action: str) -> dict[str, Any]:
    return {"rule": [{"name": "a", "action": [{action: [{}]}]}]}


@pytest.mark.parametrize(
    ("type", "before", "after", "title"),
    [
        (
            "aws_route53_record",
            {"records": ["192.0.2.1"]},
            {"records": ["192.0.2.2"]},
            "Name points elsewhere",
        ),
        (
            "aws_route53_record",
            {"alias": [{"name": "a"}]},
            {"alias": [{"name": "b"}]},
            "Name points elsewhere",
        ),
        (
            "aws_lb_listener",
            {"default_action": [{"target_group_arn": "a"}]},
            {"default_action": [{"target_group_arn": UNKNOWN}]},
            "Traffic sent elsewhere",
        ),
        ("aws_cloudwatch_metric_alarm", {"threshold": 80}, {"threshold": 0}, "Alarm loosened"),
        ("aws_cloudwatch_metric_alarm", {"alarm_actions": ["a"]}, {"alarm_actions": ["b"]}, "Alarm changed"),
        (
            "aws_ecs_service",
            {"load_balancer": [{"target_group_arn": "a"}]},
            {"load_balancer": []},
            "Load balancer changed",
        ),
        (
            "aws_ecs_service",
            {"network_configuration": [{"security_groups": ["a"]}]},
            {"network_configuration": [{"security_groups": ["b"]}]},
            "Network changed",
        ),
        ("aws_kms_alias", {"target_key_id": "a"}, {"target_key_id": "b"}, "Encryption key changed"),
        ("aws_cloudwatch_log_group", {"kms_key_id": "a"}, {"kms_key_id": "b"}, "Encryption key changed"),
        ("aws_cloudwatch_log_group", {"skip_destroy": True}, {"skip_destroy": False}, "Deletion made easy"),
        ("aws_wafv2_web_acl", waf("block"), waf("count"), "Firewall weakened"),
        ("aws_s3_bucket", {"grant": []}, {"grant": [{"uri": EVERYBODY}]}, "Made public"),
        ("aws_s3_bucket", {"grant": []}, {"grant": [{"id": "abc"}]}, "Shared with another account"),
        (
            "aws_network_acl",
            {"ingress": [{"action": "deny", "cidr_block": "192.0.2.0/24"}]},
            {"ingress": []},
            "Traffic no longer denied",
        ),
    ],
)
def test_what_leads_elsewhere_is_flagged(
    type: str, before: dict[str, Tree], after: dict[str, Tree], title: str
) -> None:
    assert titles(change(type, before, after)) == [title]
    assert titles(change(type, before, {**before, "tags": {"a": "b"}})) == []


@pytest.mark.parametrize(
    ("type", "after"),
    [
        ("aws_snapshot_create_volume_permission", {"account_id": "666666666666"}),
        ("aws_db_snapshot", {"shared_accounts": ["666666666666"]}),
        (
            "aws_cloudwatch_log_subscription_filter",
            {"destination_arn": "arn:aws:logs:eu-central-1:666666666666:destination:x"},
        ),
        (
            "aws_ecr_replication_configuration",
            {"replication_configuration": [{"rule": [{"destination": [{"registry_id": "666666666666"}]}]}]},
        ),
    ],
)
def test_what_is_shared_with_another_account_is_flagged(type: str, after: dict[str, Any]) -> None:
    assert titles(OURS, change(type, ABSENT, after)) == ["Shared with another account"]


def test_a_destination_in_our_own_account_is_not() -> None:
    after: dict[str, Tree] = {"destination_arn": "arn:aws:lambda:eu-central-1:111111111111:function:f"}
    assert titles(OURS, change("aws_cloudwatch_log_subscription_filter", ABSENT, after)) == []


def test_a_grant_to_the_owner_of_the_bucket_is_none_to_another() -> None:
    def acl(grantee: str) -> Tree:
        grant: dict[str, Tree] = {"grantee": [{"id": grantee}], "permission": "FULL_CONTROL"}
        return {"access_control_policy": [{"owner": [{"id": "me"}], "grant": [grant]}]}

    assert titles(change("aws_s3_bucket_acl", ABSENT, acl("me"))) == []
    assert titles(change("aws_s3_bucket_acl", ABSENT, acl("you"))) == ["Shared with another account"]


def test_many_rules_that_are_the_world_together_are_flagged_once() -> None:
    rules = [change(INGRESS, ABSENT, rule(f"{i}.0.0.0/8"), name=f"r{i}") for i in range(1, 240)]
    assert titles(*rules) == ["Open to the world"]
    halves = [f"{i}.0.0.0/8" for i in range(1, 240, 2)]
    block: dict[str, Tree] = {"cidr_blocks": [*halves], "from_port": 22, "to_port": 22, "protocol": "tcp"}
    assert titles(change("aws_security_group", ABSENT, {"ingress": [block]})) == ["Open to the world"]


def test_rules_of_several_groups_and_those_of_before_are_not_added_up() -> None:
    apart = [change(INGRESS, ABSENT, rule(f"{i}.0.0.0/8", f"sg-{i}"), name=f"r{i}") for i in range(20, 30)]
    assert titles(*apart) == []
    old = [
        change(INGRESS, rule(f"{i}.0.0.0/8"), {**rule(f"{i}.0.0.0/8"), "tags": {}}, name=f"r{i}")
        for i in range(20, 30)
    ]
    assert titles(*old) == []


@pytest.mark.parametrize(
    ("type", "after"),
    [
        ("aws_ec2_managed_prefix_list_entry", {"cidr": "0.0.0.0/0", "prefix_list_id": "pl-1"}),
        ("aws_ec2_managed_prefix_list", {"entry": [{"cidr": "::/0"}]}),
    ],
)
def test_the_world_on_a_prefix_list_is_flagged(type: str, after: dict[str, Tree]) -> None:
    assert titles(change(type, ABSENT, after)) == ["Open to the world"]


@pytest.mark.parametrize(
    ("before", "after", "title"),
    [
        ({}, {"dockerSecurityOptions": ["label:disable"]}, "Security options changed"),
        ({}, {"linuxParameters": {"devices": [{"hostPath": "/dev/sda"}]}}, "Shared with the host"),
        ({}, {"user": "00"}, "Runs as root"),
        ({"essential": True}, {"essential": False}, "No longer essential"),
        ({"secrets": [{"name": "DB", "valueFrom": "arn"}]}, {}, "Secret removed"),
    ],
)
def test_a_container_that_is_set_apart_less_is_flagged(
    before: dict[str, Tree], after: dict[str, Tree], title: str
) -> None:
    def task(definition: dict[str, Tree]) -> Tree:
        return {"container_definitions": Document([{"name": "app", "image": "a@sha256:1", **definition}])}

    assert titles(change("aws_ecs_task_definition", task(before), task(after))) == [title]


def test_the_deletion_of_what_denies_is_flagged_unless_all_of_it_goes() -> None:
    deny = change("aws_network_acl_rule", {"rule_action": "deny", "network_acl_id": "acl-1"})
    attached = change("aws_organizations_policy_attachment", {"policy_id": "p"})
    assert titles(deny) == ["Traffic no longer denied"]
    assert titles(deny, change("aws_network_acl", {"id": "acl-1"})) == []
    assert titles(attached) == ["Organisation's policy off"]


def test_a_deletion_of_data_that_is_put_off_is_flagged() -> None:
    deletion = change("aws_db_instance", {"identifier": "db"})
    put_off = replace(plan([]), deferred=(DeferredChange("resource_config_unknown", deletion),))
    (flag,) = flags_of("dev-service", put_off)
    assert (flag.concern, flag.title) == (Concern.DATA_LOSS, "Data deleted")


def test_many_prefix_lists_that_were_there_raise_nothing() -> None:
    def listed(first: int) -> Tree:
        return {"ingress": [{"prefix_list_ids": [f"pl-{i}"], "from_port": i} for i in range(first, 3000)]}

    assert flags(change("aws_security_group", listed(0), listed(1))) == ()
