"""Turning something on is not reported as turning it off, and moving a value between blocks is reported."""

from dataclasses import replace
from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Action, Document, Holder
from tests.review.flagging import allow, change, flags_of, plan, policy

BUCKET = {"bucket": "b"}
DLQ = '{"deadLetterTargetArn": "arn:aws:sqs:eu-central-1:111122223333:dlq", "maxReceiveCount": 5}'
EXEC = [{"execute_command_configuration": [{"logging": "OVERRIDE"}]}]


def told(type: str, before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The titles of what an update of these attributes raises."""
    return [
        each.title
        for each in flags_of("dev", plan([change(type, {"id": "x", **before}, {"id": "x", **after})]))
    ]


@pytest.mark.parametrize(
    ("type", "before", "after"),
    [
        (
            "aws_cloudfront_distribution",
            {"logging_config": []},
            {"logging_config": [{"bucket": "b", "prefix": "p"}]},
        ),
        ("aws_dynamodb_table", {"stream_view_type": ""}, {"stream_view_type": "NEW_IMAGE"}),
        ("aws_ecs_cluster", {"configuration": []}, {"configuration": EXEC}),
        ("aws_lambda_function", {"dead_letter_config": []}, {"dead_letter_config": [{"target_arn": "a"}]}),
        ("aws_s3_bucket", {"logging": []}, {"logging": [{"target_bucket": "b"}]}),
        (
            "aws_s3_bucket",
            {"object_lock_configuration": []},
            {"object_lock_configuration": [{"object_lock_enabled": "Enabled"}]},
        ),
        (
            "aws_sfn_state_machine",
            {"logging_configuration": []},
            {"logging_configuration": [{"level": "ALL"}]},
        ),
        (
            "aws_sfn_state_machine",
            {"logging_configuration": [{"level": "OFF", "log_destination": ""}]},
            {"logging_configuration": [{"level": "ALL", "log_destination": "a"}]},
        ),
    ],
)
def test_what_is_turned_on_raises_nothing_and_turned_off_again_it_does(
    type: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert told(type, before, after) == []
    assert told(type, after, before) != []


@pytest.mark.parametrize(
    ("type", "before", "after", "titles"),
    [
        (
            "aws_appautoscaling_target",
            {"suspended_state": [{"dynamic_scaling_in_suspended": True}]},
            {"suspended_state": [{"dynamic_scaling_in_suspended": False}]},
            ["Scaling changed"],
        ),
        (
            "aws_autoscaling_group",
            {"suspended_processes": ["Launch"]},
            {"suspended_processes": []},
            ["Scaling changed"],
        ),
        (
            "aws_autoscaling_group",
            {"suspended_processes": []},
            {"suspended_processes": ["Launch"]},
            ["Scaling off"],
        ),
        (
            "aws_cloudfront_distribution",
            {"default_cache_behavior": [{"trusted_key_groups": ["k"]}]},
            {"default_cache_behavior": [{"trusted_key_groups": []}]},
            ["Open without login"],
        ),
        (
            "aws_cloudfront_distribution",
            {"origin": [{"custom_origin_config": [{"origin_protocol_policy": "https-only"}]}]},
            {"origin": [{"custom_origin_config": [{"origin_protocol_policy": "http-only"}]}]},
            ["Unencrypted traffic"],
        ),
        ("aws_db_instance", {"iops": 12000}, {"iops": 3000}, ["Storage lowered"]),
        (
            "aws_db_instance",
            {"max_allocated_storage": 500},
            {"max_allocated_storage": 0},
            ["Storage lowered"],
        ),
        (
            "aws_db_instance",
            {"max_allocated_storage": 0},
            {"max_allocated_storage": 500},
            ["Storage changed"],
        ),
        (
            "aws_ecr_repository",
            {"image_tag_mutability": "IMMUTABLE"},
            {"image_tag_mutability": "MUTABLE_WITH_EXCLUSION"},
            ["Tags can be moved"],
        ),
        (
            "aws_elasticache_replication_group",
            {"auth_token": "a"},
            {"auth_token": None},
            ["Open without login"],
        ),
        ("aws_iam_access_key", {"status": "Inactive"}, {"status": "Active"}, ["Credentials active again"]),
        (
            "aws_kms_key",
            {"deletion_window_in_days": 30},
            {"deletion_window_in_days": 7},
            ["Deletion made easy"],
        ),
        (
            "aws_lambda_function",
            {"reserved_concurrent_executions": -1},
            {"reserved_concurrent_executions": 2},
            ["Limit lowered"],
        ),
        (
            "aws_lambda_function",
            {"reserved_concurrent_executions": 2},
            {"reserved_concurrent_executions": -1},
            ["Capacity raised"],
        ),
        (
            "aws_lambda_function",
            {"logging_config": [{"log_format": "Text"}]},
            {"logging_config": [{"log_format": "JSON"}]},
            ["Settings changed"],
        ),
        (
            "aws_lb_listener",
            {"default_action": [{"redirect": [{"protocol": "HTTPS"}]}]},
            {"default_action": [{"redirect": []}]},
            ["No redirect to HTTPS"],
        ),
        (
            "aws_rds_cluster",
            {"serverlessv2_scaling_configuration": [{"max_capacity": 16}]},
            {"serverlessv2_scaling_configuration": [{"max_capacity": 2}]},
            ["Limit lowered"],
        ),
        ("aws_sqs_queue", {"redrive_policy": ""}, {"redrive_policy": DLQ}, ["Message handling changed"]),
        ("aws_ssm_parameter", {"type": "SecureString"}, {"type": "String"}, ["Secret in plain"]),
    ],
)
def test_a_point_says_the_direction(
    type: str, before: dict[str, Any], after: dict[str, Any], titles: list[str]
) -> None:
    assert told(type, before, after) == titles


@pytest.mark.parametrize(
    ("type", "attribute", "before", "after"),
    [
        (
            "aws_security_group",
            "egress",
            [
                {"from_port": 22, "cidr_blocks": ["10.0.0.0/8"]},
                {"from_port": 443, "cidr_blocks": ["10.1.0.0/16", "10.2.0.0/16"]},
            ],
            [
                {"from_port": 22, "cidr_blocks": ["10.0.0.0/8", "10.1.0.0/16"]},
                {"from_port": 443, "cidr_blocks": ["10.2.0.0/16"]},
            ],
        ),
        (
            "aws_cloudfront_distribution",
            "ordered_cache_behavior",
            [
                {"path_pattern": "/a", "function_association": [{"arn": "login"}]},
                {"path_pattern": "/b", "function_association": []},
            ],
            [
                {"path_pattern": "/a", "function_association": []},
                {"path_pattern": "/b", "function_association": [{"arn": "login"}]},
            ],
        ),
        (
            "aws_s3_bucket_notification",
            "queue",
            [{"id": "a", "events": ["c", "d"]}, {"id": "b", "events": ["e"]}],
            [{"id": "a", "events": ["c"]}, {"id": "b", "events": ["d", "e"]}],
        ),
    ],
)
def test_values_that_move_from_one_block_to_another_are_a_change(
    type: str, attribute: str, before: list[Any], after: list[Any]
) -> None:
    assert told(type, {attribute: before}, {attribute: after}) != []


def test_blocks_in_another_order_are_no_change() -> None:
    host, path = (
        {"host_header": [{"values": ["a"]}], "path_pattern": []},
        {"host_header": None, "path_pattern": [{"values": ["/x"]}]},
    )
    assert told("aws_lb_listener_rule", {"condition": [host, path]}, {"condition": [path, host]}) == []


RULE = {"id": "r", "status": "Enabled"}


@pytest.mark.parametrize(
    ("before", "after", "is_sooner"),
    [
        ({"expiration": [{"days": 30}]}, {"expiration": [{"days": 0, "date": "2020-01-01T00:00:00Z"}]}, True),
        (
            {"expiration": [{"date": "2030-01-01T00:00:00Z"}]},
            {"expiration": [{"date": "2020-01-01T00:00:00Z"}]},
            True,
        ),
        (
            {"expiration": [{"date": "2020-01-01T00:00:00Z"}]},
            {"expiration": [{"date": "2030-01-01T00:00:00Z"}]},
            False,
        ),
        (
            {"noncurrent_version_expiration": [{"noncurrent_days": 30, "newer_noncurrent_versions": "10"}]},
            {"noncurrent_version_expiration": [{"noncurrent_days": 30, "newer_noncurrent_versions": "9"}]},
            True,
        ),
        (
            {"noncurrent_version_expiration": [{"noncurrent_days": 30}]},
            {"noncurrent_version_expiration": [{"noncurrent_days": 30, "newer_noncurrent_versions": "9"}]},
            False,
        ),
        (
            {"noncurrent_version_expiration": [{"noncurrent_days": 30, "newer_noncurrent_versions": "9"}]},
            {"noncurrent_version_expiration": [{"noncurrent_days": 30}]},
            True,
        ),
    ],
)
def test_a_date_and_a_number_of_versions_make_objects_expire_too(
    before: dict[str, Any], after: dict[str, Any], is_sooner: bool
) -> None:
    found = told(
        "aws_s3_bucket_lifecycle_configuration",
        {**BUCKET, "rule": [{**RULE, **before}]},
        {**BUCKET, "rule": [{**RULE, **after}]},
    )
    assert ("Objects expire sooner" in found) is is_sooner


@pytest.mark.parametrize(
    ("type", "after", "titles"),
    [
        (
            "aws_appautoscaling_scheduled_action",
            {"scalable_target_action": [{"max_capacity": 0}]},
            ["Scaled to zero on schedule"],
        ),
        ("aws_autoscaling_schedule", {"desired_capacity": 0}, ["Scaled to zero on schedule"]),
        ("aws_ecr_lifecycle_policy", {"repository": "web"}, ["Images expire"]),
        ("aws_eip", {"instance": "i-1"}, ["Made public"]),
        ("aws_lb_listener", {"load_balancer_arn": "arn:1"}, ["Listener added"]),
        ("aws_lb_listener_rule", {"listener_arn": "arn:1"}, ["Routing changed"]),
        ("aws_network_acl_rule", {"network_acl_id": "acl-1", "rule_action": "deny"}, ["Rule added"]),
        ("aws_route", {"route_table_id": "rtb-1"}, ["Route changed"]),
        ("aws_route53_record", {"name": "www", "allow_overwrite": True}, ["Name points elsewhere"]),
        (
            "aws_route_table_association",
            {"subnet_id": "subnet-1", "route_table_id": "rtb-1"},
            ["Route changed"],
        ),
        ("aws_s3_bucket_notification", {"bucket": "b"}, ["Delivery changed"]),
        ("aws_sns_topic_subscription", {"topic_arn": "arn:1"}, ["Subscriber added"]),
    ],
)
def test_a_new_resource_that_changes_what_is_there_is_not_safe(
    type: str, after: dict[str, Any], titles: list[str]
) -> None:
    assert [each.title for each in flags_of("dev", plan([change(type, ABSENT, after)]))] == titles


def test_a_new_resource_that_belongs_to_a_new_one_raises_nothing() -> None:
    bucket = change("aws_s3_bucket", ABSENT, {"bucket": "b"})
    notification = change("aws_s3_bucket_notification", ABSENT, {"bucket": "b"})
    rule = change("aws_lb_listener_rule", ABSENT, {"listener_arn": UNKNOWN, "priority": 1})
    assert flags_of("dev", plan([bucket, notification, rule])) == ()


@pytest.mark.parametrize(
    ("operator", "key", "narrow", "wide"),
    [
        ("IpAddress", "aws:SourceIp", "10.0.0.0/24", "10.0.0.0/8"),
        ("NumericLessThan", "aws:MultiFactorAuthAge", "300", "3600"),
        ("NumericGreaterThanEquals", "s3:TlsVersion", "1.3", "1.2"),
        ("DateLessThan", "aws:CurrentTime", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
    ],
)
def test_bounds_of_a_condition_are_compared(operator: str, key: str, narrow: str, wide: str) -> None:
    def allows(value: str) -> dict[str, Any]:
        return {"policy": policy(allow("s3:GetObject", Condition={operator: {key: [value]}})), "role": "web"}

    assert told("aws_iam_role_policy", allows(wide), allows(narrow)) == ["Condition tightened"]
    assert told("aws_iam_role_policy", allows(narrow), allows(wide)) == ["Condition loosened"]


def test_a_deny_that_goes_says_whose() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    former: Any
    now: Any
    former, now = ({"policy": policy(allow("s3:*"), *more)} for more in ([deny], []))
    role = replace(change("aws_iam_role_policy", former, now), holders=(Holder("role web", is_new=False),))
    (flag,) = flags_of("dev", plan([role]))
    assert (flag.title, flag.principal) == ("Deny removed", "role web")


def test_drift_that_the_apply_sets_to_a_third_value_is_told() -> None:
    sides: list[Any] = [{"desired_count": count} for count in (4, 6, 2)]
    drift = change("aws_ecs_service", sides[0], sides[1])
    acting = plan([change("aws_ecs_service", sides[1], sides[2])])
    found = flags_of("dev", replace(acting, drift=(drift,)))
    assert ("Undoes a change made outside of Terraform", 6, 2) in [
        (each.title, each.before, each.after) for each in found
    ]


def test_an_inline_policy_that_goes_takes_its_deny_and_its_permissions() -> None:
    deny = {"name": "deny", "policy": policy({"Effect": "Deny", "Action": "iam:*", "Resource": "*"})}
    read = {"name": "read", "policy": policy(allow("s3:GetObject"))}
    found = told("aws_iam_role", {"inline_policy": [deny, read]}, {"inline_policy": []})
    assert found == ["Deny removed", "No longer allowed"]


def test_a_boundary_that_is_set_takes_permissions_from_a_role_that_is_there() -> None:
    bounded = {"permissions_boundary": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    assert told("aws_iam_role", {"permissions_boundary": None}, bounded) == ["Permissions boundary set"]
    assert flags_of("dev", plan([change("aws_iam_role", ABSENT, {**bounded})])) == ()


def test_another_path_of_the_host_is_told() -> None:
    sides: list[Any] = [{"volume": [{"name": "v", "host_path": path}]} for path in ("/data", "/")]
    assert told("aws_ecs_task_definition", *sides) == ["Shared with the host"]


def test_a_firewall_that_blocks_by_default_is_told() -> None:
    sides: list[Any] = [{"default_action": [{action: [{}]}]} for action in ("allow", "block")]
    assert told("aws_wafv2_web_acl", *sides) == ["Blocked by the firewall"]


def test_an_action_that_the_apply_names_is_not_called_unlisted() -> None:
    statement: Any = {"Effect": "Allow", "Action": [UNKNOWN], "Resource": "*"}
    later: Any = {"policy": policy(statement), "role": "web"}
    found = flags_of("dev", plan([change("aws_iam_role_policy", {"policy": policy()}, later)]))
    assert "not known yet: (known after apply) on *" in [each.after for each in found]


@pytest.mark.parametrize(
    ("before", "after", "titles"),
    [
        ({"memory": 1024}, {}, ["Container settings changed"]),
        (
            {"linuxParameters": {"initProcessEnabled": True}},
            {"linuxParameters": {}},
            ["Container settings changed"],
        ),
        (
            {"healthCheck": {"command": ["x"], "retries": 3}},
            {"healthCheck": {"command": ["x"], "retries": 1}},
            ["Container settings changed"],
        ),
        (
            {"logConfiguration": {"logDriver": "awslogs"}},
            {"logConfiguration": {"logDriver": "none"}},
            ["Logging off"],
        ),
        (
            {"portMappings": [{"containerPort": 80, "name": "a"}]},
            {"portMappings": [{"containerPort": 80, "name": "b"}]},
            ["Container settings changed"],
        ),
        ({"image": "a:1"}, {"image": "a:2"}, ["Image changed"]),
    ],
)
def test_no_change_of_a_container_is_silent(
    before: dict[str, Any], after: dict[str, Any], titles: list[str]
) -> None:
    sides: list[Any] = [
        {"container_definitions": Document([{"name": "web", **side}])} for side in (before, after)
    ]
    assert told("aws_ecs_task_definition", *sides) == titles


def test_a_grant_of_more_to_the_same_account_is_told() -> None:
    def acl(permission: str) -> dict[str, Any]:
        grant = {"permission": permission, "grantee": [{"id": "b" * 64}]}
        return {"access_control_policy": [{"owner": [{"id": "a" * 64}], "grant": [grant]}]}

    assert told("aws_s3_bucket_acl", acl("READ"), acl("FULL_CONTROL")) == ["Access changed"]


def test_coarser_metrics_are_told() -> None:
    sides: list[Any] = [
        {"setting": [{"name": "containerInsights", "value": value}]} for value in ("enhanced", "enabled")
    ]
    assert told("aws_ecs_cluster", *sides) == ["Metrics off"]


def test_a_replacement_that_is_refused_says_so() -> None:
    sides: list[Any] = [
        {"identifier": "x", "deletion_protection": True, "storage_encrypted": each} for each in (False, True)
    ]
    found = flags_of("dev", plan([change("aws_db_instance", *sides, action=Action.REPLACE)]))
    assert found[0].reason.endswith("Its deletion protection is on, so the deletion is refused.")
    assert (found[0].before, found[0].after) == ("x", ABSENT)


def test_a_rule_with_another_description_is_harmless_wherever_it_stands() -> None:
    def rule(port: int, text: str) -> dict[str, Any]:
        return {"from_port": port, "to_port": port, "cidr_blocks": ["10.0.0.0/8"], "description": text}

    before = {"ingress": [rule(80, "z"), rule(443, "b"), rule(22, "c")]}
    after = {"ingress": [rule(443, "b"), rule(22, "c"), rule(80, "a")]}
    assert told("aws_security_group", before, after) == []
    assert (
        told("aws_security_group", before, {"ingress": [rule(22, "c"), rule(443, "b"), rule(81, "a")]}) != []
    )


def test_a_key_that_nobody_can_manage_any_more_is_told() -> None:
    root = {"Principal": {"AWS": "arn:aws:iam::111111111111:root"}}
    every = policy(allow("kms:*", "*", **root))
    found = told("aws_kms_key", {"policy": every}, {"policy": policy(allow("kms:Decrypt", "*", **root))})
    assert found[0] == "Key locked"
    manager = policy(allow(["kms:Decrypt", "kms:PutKeyPolicy"], "*", **root))
    assert "Key locked" not in told("aws_kms_key", {"policy": every}, {"policy": manager})


def test_to_decrypt_with_every_key_is_to_read() -> None:
    sides: list[Any] = [
        {"policy": policy(*more), "role": "web"} for more in ([], [allow("kms:Decrypt", "*")])
    ]
    assert told("aws_iam_role_policy", *sides) == ["All data can be read"]
