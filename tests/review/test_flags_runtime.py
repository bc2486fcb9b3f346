from dataclasses import replace
from typing import Any

import pytest

from review.model import ABSENT, UNKNOWN, Action, Concern, Document, Masked, ResourceChange, Tree
from tests.review.flagging import change, flags, flags_of, plan, titles

DIGEST = "1.dkr.ecr.eu-central-1.amazonaws.com/web@sha256:" + "a" * 64
OTHER = "1.dkr.ecr.eu-central-1.amazonaws.com/web@sha256:" + "b" * 64
TAG = "1.dkr.ecr.eu-central-1.amazonaws.com/web:v1"
TASK = "aws_ecs_task_definition"
SECRET = Masked(b"1")

WEB: dict[str, Any] = {
    "name": "web",
    "image": DIGEST,
    "user": "10001:10001",
    "readonlyRootFilesystem": True,
    "memory": 512,
    "cpu": 256,
    "environment": [{"name": "LEVEL", "value": "info"}],
    "secrets": [{"name": "TOKEN", "valueFrom": "arn:aws:ssm:a:1:parameter/token"}],
    "healthCheck": {"command": ["CMD", "check"], "interval": 10, "retries": 3, "timeout": 5},
    "linuxParameters": {"capabilities": {"drop": ["ALL"]}},
    "logConfiguration": {"logDriver": "awslogs"},
    "portMappings": [{"containerPort": 8080, "protocol": "tcp"}],
}


def task(*containers: dict[str, Any], **more: Tree) -> dict[str, Tree]:
    return {"family": "web", "container_definitions": Document(list(containers)), **more}


def web(**more: Any) -> dict[str, Any]:
    """The container with other values; a value of ABSENT leaves one out."""
    return {key: value for key, value in {**WEB, **more}.items() if value is not ABSENT}


def environment(value: Tree, name: str = "TOKEN") -> list[Tree]:
    return [{"name": name, "value": value}]


WEAKER = [
    (web(image=OTHER), "Image changed", ("image",), DIGEST, OTHER),
    (web(memory=256), "Memory lowered", ("memory",), 512, 256),
    (web(cpu=128), "CPU lowered", ("cpu",), 256, 128),
    (web(user="root"), "Runs as root", ("user",), "10001:10001", "root"),
    (web(user="0:0"), "Runs as root", ("user",), "10001:10001", "0:0"),
    (web(user=ABSENT), "Runs as root", ("user",), "10001:10001", ABSENT),
    (
        web(readonlyRootFilesystem=False),
        "Root file system writable",
        ("readonlyRootFilesystem",),
        True,
        False,
    ),
    (web(privileged=True), "Privileged container", ("privileged",), ABSENT, True),
    (
        web(linuxParameters={"capabilities": {"drop": ["ALL"], "add": ["SYS_PTRACE"]}}),
        "Capability added",
        ("linuxParameters", "capabilities", "add"),
        ABSENT,
        "SYS_PTRACE",
    ),
    (
        web(linuxParameters={"capabilities": {"drop": []}}),
        "Capability added",
        ("linuxParameters", "capabilities", "drop"),
        "ALL",
        ABSENT,
    ),
    (web(healthCheck=ABSENT), "Health check removed", ("healthCheck",), WEB["healthCheck"], ABSENT),
    (
        web(healthCheck={**WEB["healthCheck"], "command": ["CMD", "true"]}),
        "Health check changed",
        ("healthCheck", "command"),
        ["CMD", "check"],
        ["CMD", "true"],
    ),
    (
        web(healthCheck={**WEB["healthCheck"], "interval": 60}),
        "Health check loosened",
        ("healthCheck", "interval"),
        10,
        60,
    ),
    (
        web(logConfiguration=ABSENT),
        "Logging off",
        ("logConfiguration",),
        {"logDriver": "awslogs"},
        ABSENT,
    ),
    (
        web(portMappings=[{"containerPort": 9090, "protocol": "tcp"}]),
        "Ports changed",
        ("portMappings",),
        ["8080/tcp"],
        ["9090/tcp"],
    ),
    (
        web(environment=environment(SECRET), secrets=[]),
        "Secret in plain",
        ("environment", "TOKEN"),
        "arn:aws:ssm:a:1:parameter/token",
        SECRET,
    ),
    (
        web(environment=environment("plain"), secrets=[]),
        "Secret in plain",
        ("environment", "TOKEN"),
        "arn:aws:ssm:a:1:parameter/token",
        "plain",
    ),
    (
        web(environment=environment(SECRET, "KEY")),
        "Secret in plain",
        ("environment", "KEY"),
        ABSENT,
        SECRET,
    ),
    (
        web(environment=environment(SECRET, "LEVEL")),
        "Secret in plain",
        ("environment", "LEVEL"),
        "info",
        SECRET,
    ),
]


@pytest.mark.parametrize(("after", "title", "path", "old", "new"), WEAKER, ids=lambda value: str(value)[:24])
def test_a_container_that_gets_weaker_is_flagged(
    after: dict[str, Any], title: str, path: tuple[str, ...], old: Tree, new: Tree
) -> None:
    (flag,) = flags(change(TASK, task(web()), task(after), action=Action.REPLACE))
    assert (flag.title, flag.path) == (title, ("container_definitions", "web", *path))
    assert (flag.before, flag.after) == (old, new)


@pytest.mark.parametrize("after", [weaker for weaker, *_ in WEAKER])
def test_a_container_that_already_was_so_is_not(after: dict[str, Any]) -> None:
    changed = {**after, "stopTimeout": 30}
    assert titles(change(TASK, task(after), task(changed), action=Action.REPLACE)) == []


def test_a_new_task_definition_is_flagged_for_secrets_and_rights_only() -> None:
    assert titles(change(TASK, ABSENT, task(web()))) == []
    bad = web(environment=environment(SECRET), privileged=True, user="root")
    assert titles(change(TASK, ABSENT, task(bad))) == [
        "Privileged container",
        "Secret in plain",
        "Runs as root",
    ]


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (DIGEST, OTHER, "named by its digest"),
        (DIGEST, TAG, "no longer named by its digest"),
        (TAG, TAG.replace("v1", "v2"), "named by a tag"),
        (DIGEST, "docker.io/evil/web@sha256:" + "a" * 64, "of another repository"),
        ("localhost:5000/web:v1", "localhost:5000/web:v2", "named by a tag"),
        (DIGEST, Masked(b"1"), "another image"),
    ],
)
def test_the_reason_says_how_the_image_is_named(before: Tree, after: Tree, words: str) -> None:
    (flag,) = flags(change(TASK, task(web(image=before)), task(web(image=after)), action=Action.REPLACE))
    assert words in flag.reason


def test_containers_that_come_and_go_are_flagged() -> None:
    side = {"name": "side", "image": TAG}
    (flag,) = flags(change(TASK, task(web()), task(web(), side), action=Action.REPLACE))
    assert (flag.title, flag.path, flag.after) == (
        "Container added",
        ("container_definitions", "side"),
        TAG,
    )
    (flag,) = flags(change(TASK, task(web(), side), task(web()), action=Action.REPLACE))
    assert (flag.title, flag.before) == ("Container removed", TAG)
    assert titles(change(TASK, task(web(), side), task(side, web()), action=Action.REPLACE)) == []


@pytest.mark.parametrize("value", [UNKNOWN, SECRET])
def test_containers_that_are_not_known_are_unknown(value: Tree) -> None:
    for before, action in ((ABSENT, Action.CREATE), (task(web()), Action.REPLACE)):
        (flag,) = flags(change(TASK, before, task(web()) | {"container_definitions": value}, action=action))
        assert (flag.concern, flag.path) == (Concern.UNKNOWN, ("container_definitions",))
    same: dict[str, Tree] = {"container_definitions": SECRET}
    assert titles(change(TASK, same, {**same, "tags": {}}, action=Action.UPDATE)) == []


@pytest.mark.parametrize("key", ["task_role_arn", "execution_role_arn"])
def test_another_role_is_flagged(key: str) -> None:
    title = "Task role changed" if key == "task_role_arn" else "Execution role changed"
    before, after = task(web(), **{key: "arn:a"}), task(web(), **{key: "arn:b"})
    assert titles(change(TASK, before, after, action=Action.REPLACE)) == [title]
    assert titles(change(TASK, before, before, action=Action.UPDATE)) == []
    assert titles(change(TASK, ABSENT, after)) == []
    (flag,) = flags(change(TASK, before, task(web(), **{key: UNKNOWN}), action=Action.REPLACE))
    assert (flag.concern, flag.title) == (Concern.UNKNOWN, title)


def test_less_memory_for_the_task_is_flagged() -> None:
    more, less = task(web(), memory="2048", cpu="512"), task(web(), memory="1024", cpu="512")
    (flag,) = flags(change(TASK, more, less, action=Action.REPLACE))
    assert (flag.title, flag.before, flag.after) == ("Memory lowered", "2048", "1024")
    assert titles(change(TASK, less, more, action=Action.REPLACE)) == []


def test_the_rights_of_the_host_are_flagged() -> None:
    before, after = task(web(), pid_mode=None), task(web(), pid_mode="host")
    assert titles(change(TASK, before, after, action=Action.REPLACE)) == ["Shared with the host"]
    mounted = task(web(), volume=[{"name": "v", "host_path": "/"}])
    found = titles(change(TASK, before, mounted, action=Action.REPLACE))
    assert found == ["Shared with the host", "Volumes changed"]
    assert titles(change(TASK, mounted, mounted, action=Action.UPDATE)) == []


@pytest.mark.parametrize(
    ("type", "before", "after", "title"),
    [
        ("aws_ecs_service", {"desired_count": 2}, {"desired_count": 0}, "Scaled to zero"),
        ("aws_appautoscaling_target", {"min_capacity": 1}, {"min_capacity": 0}, "Scaled to zero"),
        ("aws_appautoscaling_target", {"max_capacity": 8}, {"max_capacity": 2}, "Limit lowered"),
        (
            "aws_ecs_service",
            {"deployment_minimum_healthy_percent": 100},
            {"deployment_minimum_healthy_percent": 0},
            "Fewer tasks while deploying",
        ),
        ("aws_lambda_function", {"memory_size": 512}, {"memory_size": 128}, "Memory lowered"),
        ("aws_lambda_function", {"role": "arn:a"}, {"role": "arn:b"}, "Role changed"),
        (
            "aws_lambda_function",
            {"environment": [{"variables": {"KEY": "x"}}]},
            {"environment": [{"variables": {"KEY": SECRET}}]},
            "Secret in plain",
        ),
        (
            "aws_ecs_service",
            {"deployment_circuit_breaker": [{"enable": True, "rollback": True}]},
            {"deployment_circuit_breaker": [{"enable": True, "rollback": False}]},
            "Rollback off",
        ),
        (
            "aws_ecs_service",
            {"alarms": [{"enable": True, "rollback": True}]},
            {"alarms": []},
            "Rollback off",
        ),
        (
            "aws_lb_target_group",
            {"health_check": [{"enabled": True}]},
            {"health_check": [{"enabled": False}]},
            "Health check off",
        ),
    ],
)
def test_what_runs_less_or_otherwise_is_flagged(
    type: str, before: dict[str, Any], after: dict[str, Any], title: str
) -> None:
    found = flags(change(type, before, after))
    assert {flag.title for flag in found} == {title}
    assert titles(change(type, after, {**after, "tags": {"a": "b"}})) == []


def test_fewer_tasks_are_flagged() -> None:
    assert titles(change("aws_ecs_service", {"desired_count": 4}, {"desired_count": 2})) == ["Limit lowered"]
    assert titles(change("aws_ecs_service", {"desired_count": 0}, {"desired_count": 0})) == []


def test_a_number_that_is_not_known_is_unknown() -> None:
    (flag,) = flags(change("aws_ecs_service", {"desired_count": 2}, {"desired_count": UNKNOWN}))
    assert flag.concern is Concern.UNKNOWN


def test_a_new_function_with_a_plain_secret_is_flagged() -> None:
    after: dict[str, Tree] = {"environment": [{"variables": {"KEY": SECRET, "LEVEL": "info"}}]}
    assert titles(change("aws_lambda_function", ABSENT, after)) == ["Secret in plain"]
    assert titles(change("aws_lambda_function", after, after)) == []


def test_what_stops_while_it_is_in_use_is_flagged() -> None:
    service: dict[str, Tree] = {"name": "web"}
    found = [flag.title for flag in flags_of("dev", plan([change("aws_ecs_service", service)]))]
    assert found == ["ECS service deleted"]
    replaced = change("aws_ecs_service", service, service, action=Action.REPLACE)
    assert titles(replaced) == ["Interrupted by a replacement"]
    smooth = change("aws_ecs_service", service, service, action=Action.REPLACE, create_before_destroy=True)
    assert titles(smooth) == ["Replaced"]
    assert titles(change("aws_ecs_service", service, deposed="abcd1234")) == []
    assert titles(change("aws_ecs_service", service, action=Action.FORGET)) == ["No longer managed"]


def test_a_shell_in_containers_is_flagged() -> None:
    off: dict[str, Tree] = {"enable_execute_command": False}
    on: dict[str, Tree] = {"enable_execute_command": True}
    assert titles(change("aws_ecs_service", off, on)) == ["Shell access turned on"]
    assert titles(change("aws_ecs_service", on, off)) == []


def all_titles(each: ResourceChange) -> list[str]:
    """The titles of all flags of a change."""
    return [flag.title for flag in flags_of("dev-service", plan([each]))]


@pytest.mark.parametrize(
    ("kind", "key", "before", "after", "title"),
    [
        ("aws_iam_access_key", "status", "Active", "Inactive", "State changed"),
        ("aws_macie2_account", "status", "ENABLED", "PAUSED", "Detection off"),
        ("aws_batch_job_queue", "state", "ENABLED", "DISABLED", "State changed"),
        ("aws_eks_cluster", "version", "1.30", "1.31", "Version changed"),
        ("aws_transfer_connector", "url", "sftp://a", "sftp://b", "Moved"),
        ("aws_network_interface_sg_attachment", "network_interface_id", "eni-1", "eni-2", "Moved"),
        ("aws_wafv2_web_acl", "token_domains", ["a.com"], ["b.com"], "Protection changed"),
        ("aws_cloudfront_distribution", "web_acl_id", "a", "b", "Protection changed"),
        ("aws_s3_bucket_acl", "acl", "private", "log-delivery-write", "Access changed"),
        ("aws_ecs_service", "deployment_minimum_healthy_percent", 50, 100, "Deployments changed"),
        ("aws_ecs_service", "availability_zone_rebalancing", "ENABLED", "DISABLED", "Placement changed"),
        ("aws_ecs_service", "force_delete", False, True, "Deletion made easy"),
        ("aws_ecs_task_definition", "family", "a", "b", "Name changed"),
        ("aws_ecs_task_definition", "requires_compatibilities", ["FARGATE"], ["EC2"], "Platform changed"),
        ("aws_lb", "idle_timeout", 60, 4000, "Request handling changed"),
        ("aws_lb", "drop_invalid_header_fields", False, True, "Request handling changed"),
        ("aws_lb", "access_logs", [{"bucket": "a"}], [{"bucket": "b"}], "Logs go elsewhere"),
        ("aws_vpc_endpoint", "private_dns_enabled", False, True, "Name points elsewhere"),
        ("aws_vpc_endpoint", "route_table_ids", ["rtb-1"], ["rtb-1", "rtb-2"], "Network changed"),
        ("aws_db_instance", "identifier", "a", "b", "Name changed"),
        ("aws_db_instance", "publicly_accessible", True, False, "No longer public"),
        ("aws_db_instance", "backup_retention_period", 0, 7, "Interrupted"),
        ("aws_db_instance", "monitoring_interval", 60, 0, "Monitoring off"),
        ("aws_db_instance", "performance_insights_retention_period", 731, 7, "Kept for less time"),
        ("aws_db_instance", "multi_az", False, True, "Capacity raised"),
        ("aws_db_instance", "license_model", "a", "b", "Parameters changed"),
        ("aws_elasticache_replication_group", "log_delivery_configuration", [{"a": "b"}], [], "Logging off"),
        ("aws_lambda_function", "s3_object_version", "a", "b", "Code changed"),
        ("aws_secretsmanager_secret_version", "version_stages", ["AWSCURRENT"], ["x"], "Value changed"),
        ("aws_kms_key", "rotation_period_in_days", 90, 2560, "Rotation changed"),
        ("aws_iam_user", "path", "/", "/people/", "Name changed"),
        ("aws_launch_template", "default_version", 3, 1, "Code changed"),
        ("aws_lambda_function", "reserved_concurrent_executions", 5, -1, "Capacity raised"),
        ("aws_sns_topic", "signature_version", 1, 2, "Delivery changed"),
        ("aws_elasticache_replication_group", "transit_encryption_enabled", False, True, "TLS required"),
        (
            "aws_elasticache_replication_group",
            "transit_encryption_mode",
            "preferred",
            "required",
            "TLS required",
        ),
        ("aws_s3_bucket_public_access_block", "restrict_public_buckets", False, True, "No longer public"),
        (
            "aws_instance",
            "metadata_options",
            [{"http_tokens": "optional"}],
            [{"http_tokens": "required"}],
            "Settings changed",
        ),
        (
            "aws_ecs_service",
            "network_configuration",
            [{"assign_public_ip": True}],
            [{"assign_public_ip": False}],
            "No longer public",
        ),
        ("aws_scheduler_schedule", "state", "DISABLED", "ENABLED", "Schedule changed"),
        ("aws_sqs_queue", "kms_master_key_id", None, "alias/queues", "Encryption key set"),
        ("aws_elb", "internal", False, True, "Network changed"),
        ("aws_cloudfront_distribution", "enabled", False, True, "State changed"),
        ("aws_cloudwatch_event_rule", "is_enabled", False, True, "Schedule changed"),
        ("aws_iam_group_membership", "users", ["a", "b"], ["a"], "Permission moved"),
    ],
)
def test_a_change_that_may_harm_is_not_taken_for_harmless(
    kind: str, key: str, before: Tree, after: Tree, title: str
) -> None:
    assert all_titles(change(kind, {"id": "x", key: before}, {"id": "x", key: after})) == [title]
    assert all_titles(change(kind, {"id": "x", key: before}, {"id": "x", key: before})) == []


@pytest.mark.parametrize("key", ["status", "state", "version", "url", "endpoint", "region"])
def test_what_aws_computes_is_harmless(key: str) -> None:
    assert all_titles(change("aws_thing", {"id": "x", key: "a"}, {"id": "x", key: UNKNOWN})) == []
    assert all_titles(change("aws_thing", {"id": "x"}, {"id": "x", key: "a"})) == []
    assert all_titles(change("aws_thing", ABSENT, {"id": "x", key: "a"})) == []
    assert all_titles(change("aws_thing", {"id": "x", key: "a"}, {"id": "x", key: "b"})) != []


def test_what_nobody_sets_is_only_computed_anew_by_a_replacement() -> None:
    before: dict[str, Tree] = {"id": "x", "internal": True}
    replaced = change("aws_lb", before, before | {"internal": UNKNOWN}, action=Action.REPLACE)
    for written, found in ((frozenset({"name"}), False), (frozenset({"internal"}), True)):
        assert (
            any(
                flag.path == ("internal",)
                for flag in flags_of("dev", plan([replace(replaced, written=written)]))
            )
            is found
        )


def test_a_key_that_is_known_after_the_apply_may_be_another_one() -> None:
    before: dict[str, Tree] = {"id": "x", "kms_key_id": "arn:aws:kms:::key/1"}
    later = change("aws_secretsmanager_secret", before, before | {"kms_key_id": UNKNOWN})
    assert titles(later) == ["Encryption key changed"]
    anew = change("aws_db_instance", before, before | {"kms_key_id": UNKNOWN}, action=Action.REPLACE)
    computed = flags_of("dev", plan([replace(anew, written=frozenset({"identifier"}))]))
    assert "Encryption key changed" not in [flag.title for flag in computed]
