"""What keeps data: what services get for it, who may reach it, and how it is kept."""

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.policies import Role
from stacks.reading import read_platform
from stacks.rules import warnings
from tests.stacks.conftest import Synthesize, synthesized
from tests.stacks.platform_files import PROJECT, environment, errors_of, write_platform
from tests.stacks.reachability import Reachability
from tests.stacks.terraform_json import Stack

STORES = """
[databases.shop]
[queues.orders]
[queues.steps]
fifo = true
[buckets.uploads]
[tables.sessions]
"""


def service(name: str, uses: str = "", more: str = "", kind: str = "worker") -> str:
    return f'[services.{name}]\nkind = "{kind}"\ndockerfile = "Dockerfile"\nuses = [{uses}]\n{more}\n'


def stores(uses: str, *, stores: str = STORES, others: str = "", top: str = "") -> str:
    """An environment with stores, a service `one` that uses some, and others."""
    return environment(top=top, services=f"{service('one', uses)}{service('other')}{others}{stores}")


ALL = '"databases.shop", "queues.orders", "buckets.uploads", "tables.sessions"'
HERE = "eu-central-1:111111111111"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stack]:
    return synthesized(tmp_path_factory.mktemp("whole"), dev=stores(ALL))


def variables(stack: Stack, name: str = "one") -> dict[str, str]:
    return {each["name"]: each["value"] for each in stack.container(f"{name}_task")["environment"]}


def test_a_service_has_the_variables_of_what_it_uses(whole: dict[str, Stack]) -> None:
    found = variables(whole["dev-service"])
    assert found["ORDERS_QUEUE_URL"] == (
        "https://sqs.eu-central-1.amazonaws.com/111111111111/oaktree-dev-orders"
    )
    assert found["UPLOADS_BUCKET"] == "oaktree-dev-uploads-111111111111"
    assert found["SESSIONS_TABLE"] == "oaktree-dev-sessions"
    assert found["SHOP_NAME"] == "shop"
    assert found["SHOP_HOST"] == "${local.databases_shop_host}"
    assert found["SHOP_PORT"] == "${local.databases_shop_port}"
    assert not {
        name for name in variables(whole["dev-service"], "other") if name in found and "_" in name
    } - {"AWS_REGION"}


def test_user_and_password_of_a_database_are_secrets(whole: dict[str, Stack]) -> None:
    container = whole["dev-service"].container("one_task")
    found = {each["name"]: each["valueFrom"] for each in container["secrets"]}
    assert found.keys() == {"SHOP_USER", "SHOP_PASSWORD"}
    assert found["SHOP_USER"].endswith(":username::")
    assert found["SHOP_PASSWORD"].endswith(":password::")
    assert whole["dev-service"].container("other_task")["secrets"] == []


def test_what_settings_say_of_a_variable_goes_before_what_is_given(synthesize: Synthesize) -> None:
    more = 'environment = { ORDERS_QUEUE_URL = "mine", SHOP_PASSWORD = "open" }'
    others = service("two", '"queues.orders", "databases.shop"', more)
    stack = synthesize(dev=stores(ALL, others=others))["dev-service"]
    assert variables(stack, "two")["ORDERS_QUEUE_URL"] == "mine"
    assert variables(stack, "two")["SHOP_PASSWORD"] == "open"
    secrets = {each["name"] for each in stack.container("two_task")["secrets"]}
    assert secrets == {"SHOP_USER"}


CALLS = {
    ("topics", "publish"): [("sns:Publish", "arn:aws:sns:{here}:oaktree-dev-events")],
    ("queues", "read"): [("sqs:ReceiveMessage", "arn:aws:sqs:{here}:oaktree-dev-orders")],
    ("queues", "write"): [("sqs:SendMessage", "arn:aws:sqs:{here}:oaktree-dev-orders")],
    ("buckets", "read"): [
        ("s3:GetObject", "arn:aws:s3:::oaktree-dev-uploads-111111111111/a/b"),
        ("s3:ListBucket", "arn:aws:s3:::oaktree-dev-uploads-111111111111"),
    ],
    ("buckets", "write"): [
        ("s3:PutObject", "arn:aws:s3:::oaktree-dev-uploads-111111111111/a/b"),
        ("s3:DeleteObject", "arn:aws:s3:::oaktree-dev-uploads-111111111111/a/b"),
    ],
    ("tables", "read"): [
        ("dynamodb:Query", "arn:aws:dynamodb:{here}:table/oaktree-dev-sessions"),
        ("dynamodb:Query", "arn:aws:dynamodb:{here}:table/oaktree-dev-sessions/index/by-user"),
    ],
    ("tables", "write"): [("dynamodb:PutItem", "arn:aws:dynamodb:{here}:table/oaktree-dev-sessions")],
}
"""What reading and writing are, as programs ask for it."""

NAMES = {"queues": "orders", "buckets": "uploads", "tables": "sessions"}


def role(stack: Stack, foundation: Stack, name: str) -> Role:
    """The task role of a service, with its boundary."""
    body = stack.all("aws_iam_role_policy").get(f"{name}_task_role_policy", {"policy": '{"Statement": []}'})
    boundary = json.loads(foundation.one("aws_iam_policy", "workload_boundary")["policy"])["Statement"]
    return Role(
        "111111111111",
        f"oaktree-dev-{name}-task",
        tuple(json.loads(body["policy"])["Statement"]),
        tuple(boundary),
    )


def allowed(found: Role) -> Iterator[tuple[str, str]]:
    for key, calls in CALLS.items():
        granted = {found.allows(Call(action, (resource.format(here=HERE),))) for action, resource in calls}
        assert len(granted) == 1, key
        if granted == {True}:
            yield key


@pytest.mark.parametrize("access", ["", ":read", ":write"])
@pytest.mark.parametrize("kind", NAMES)
def test_a_service_may_do_what_it_uses_a_store_for_and_nothing_else(
    synthesize: Synthesize, kind: str, access: str
) -> None:
    stacks = synthesize(dev=stores(f'"{kind}.{NAMES[kind]}{access}"'))
    found, foundation = stacks["dev-service"], stacks["foundation"]
    wanted = {(kind, each) for each in ("read", "write") if access in ("", f":{each}")}
    assert set(allowed(role(found, foundation, "one"))) == wanted
    assert set(allowed(role(found, foundation, "other"))) == set()


def test_the_boundary_keeps_services_from_the_states(whole: dict[str, Stack]) -> None:
    statement = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}
    found = role(whole["dev-service"], whole["foundation"], "one")
    greedy = Role(found.account_id, found.name, (statement,), found.boundary)
    bucket = "arn:aws:s3:::oaktree-state-111111111111-eu-central-1"
    for resource in (bucket, f"{bucket}/dev-data.tfstate"):
        for action in ("s3:GetObject", "s3:ListBucket", "s3:PutObject"):
            assert not greedy.allows(Call(action, (resource,)))


def test_only_who_uses_a_database_reaches_it(whole: dict[str, Stack]) -> None:
    found = Reachability(whole["dev-network"], whole["dev-service"])
    for zone in ("a", "b"):
        database = found.network.host(f"database_{zone}", groups=frozenset({"databases_shop_group"}))
        assert all(found.reaches(task, database, 5432) for task in found.tasks("one"))
        assert not any(found.reaches(task, database, 22) for task in found.tasks("one"))
        assert not any(found.reaches(task, database, 5432) for task in found.tasks("other"))
        assert not any(found.reaches(database, task, 5432) for task in found.tasks("one"))


def test_only_who_uses_a_cache_reaches_it(synthesize: Synthesize) -> None:
    stacks = synthesize(dev=stores('"caches.sessions"', stores="[caches.sessions]\nreplicas = 1\n"))
    found = Reachability(stacks["dev-network"], stacks["dev-service"])
    cache = found.network.host("database_a", groups=frozenset({"caches_sessions_group"}))
    assert all(found.reaches(task, cache, 6379) for task in found.tasks("one"))
    assert not any(found.reaches(task, cache, 6379) for task in found.tasks("other"))
    assert variables(stacks["dev-service"])["SESSIONS_CACHE_URL"] == "${local.caches_sessions_url}"
    group = stacks["dev-data"].one("aws_elasticache_replication_group")
    assert (group["transit_encryption_enabled"], group["at_rest_encryption_enabled"]) == (True, "true")
    assert (group["num_cache_clusters"], group["multi_az_enabled"]) == (2, True)


VOLUME = '[volumes.media]\npath = "/media"\n'


def test_a_volume_is_mounted_by_who_uses_it_and_by_nobody_else(synthesize: Synthesize) -> None:
    proxy = '[services.one.sidecars.proxy]\nimage = "proxy@sha256:{}"\n'.format("0" * 64)
    reader = service("reader", '"volumes.media:read"')
    text = stores('"volumes.media"', stores=VOLUME, others=proxy + reader)
    stacks = synthesize(dev=text)
    data, found = stacks["dev-data"], stacks["dev-service"]
    assert set(data.all("aws_efs_mount_target")) == {"volume_media_in_a", "volume_media_in_b"}
    definition = found.one("aws_ecs_task_definition", "one_task")
    (volume,) = definition["volume"]
    assert volume["efs_volume_configuration"] == {
        "file_system_id": "${local.volumes_media_id}",
        "transit_encryption": "ENABLED",
        "authorization_config": {
            "access_point_id": "${aws_efs_access_point.one_volume_media.id}",
            "iam": "ENABLED",
        },
    }
    for container in json.loads(definition["container_definitions"]):
        assert container["mountPoints"] == [
            {"sourceVolume": "volume-media", "containerPath": "/media", "readOnly": False}
        ]
    (mounted,) = found.container("reader_task")["mountPoints"]
    assert mounted["readOnly"] is True
    assert found.container("other_task")["mountPoints"] == []
    network = Reachability(stacks["dev-network"], found)
    target = network.network.host("database_a", groups=frozenset({"volumes_media_group"}))
    assert all(network.reaches(task, target, 2049) for task in network.tasks("reader"))
    assert not any(network.reaches(task, target, 2049) for task in network.tasks("other"))


@pytest.mark.parametrize(
    ("name", "wanted"), [("one", {"Mount", "Write"}), ("reader", {"Mount"}), ("other", set())]
)
def test_a_volume_is_written_by_who_may_and_by_its_own_access_point(
    synthesize: Synthesize, name: str, wanted: set[str]
) -> None:
    text = stores('"volumes.media"', stores=VOLUME, others=service("reader", '"volumes.media:read"'))
    stacks = synthesize(dev=text)
    arn = "arn:aws:elasticfilesystem:eu-central-1:111111111111:file-system/fs-0"
    body = stacks["dev-service"].all("aws_iam_role_policy").get(f"{name}_task_role_policy")
    if body:
        body["policy"] = body["policy"].replace("${local.volumes_media_arn}", arn)
        body["policy"] = re.sub(r"\$\{aws_efs_access_point\.(\w+)\.arn\}", r"\1", body["policy"])
    found = role(stacks["dev-service"], stacks["foundation"], name)

    def may(point: str) -> set[str]:
        context = {"elasticfilesystem:AccessPointArn": (point,)}
        return {
            action
            for action in ("Mount", "Write")
            if found.allows(Call(f"elasticfilesystem:Client{action}", (arn,), context))
        }

    assert may(f"{name}_volume_media") == wanted
    assert may("another") == set()


def test_a_role_reads_the_secret_of_a_database_that_its_service_uses(whole: dict[str, Stack]) -> None:
    def reads(name: str) -> bool:
        policy = whole["dev-service"].one("aws_iam_role_policy", f"{name}_execution_role_policy")["policy"]
        return "databases_shop_secret" in policy

    assert (reads("one"), reads("other")) == (True, False)


ENDPOINTS = '[network]\ncidr = "10.10.0.0/16"\nnat = "none"\nendpoints = ["ecr.api", "ecr.dkr", "logs"]\n'


@pytest.mark.parametrize(
    ("uses", "added"),
    [("", set()), ('"queues.orders"', {"sqs"}), (ALL, {"sqs", "secretsmanager"})],
)
def test_without_nat_the_endpoints_of_what_is_used_are_there(
    synthesize: Synthesize, uses: str, added: set[str]
) -> None:
    text = environment(network=ENDPOINTS, services=f"{service('one', uses)}{STORES}")
    stacks = synthesize(dev=text)
    found = stacks["dev-network"].all("aws_vpc_endpoint").values()
    names = {each["service_name"].removeprefix("com.amazonaws.eu-central-1.") for each in found}
    assert names - {"s3", "dynamodb"} == {"ecr.api", "ecr.dkr", "logs"} | added
    lacking = stacks["dev-service"].content["locals"]["lacking_dev-network"]
    assert {each for each in ("sqs", "secretsmanager") if f'"endpoint_{each}"' in lacking} == added


def kept(stack: Stack) -> dict[str, dict[str, Any]]:
    kinds = ("aws_db_instance", "aws_sqs_queue", "aws_s3_bucket", "aws_dynamodb_table")
    return {f"{kind}.{name}": body for kind in kinds for name, body in stack.all(kind).items()}


@pytest.mark.parametrize("protected", [True, False])
def test_stores_of_a_protected_environment_cannot_be_destroyed(
    synthesize: Synthesize, protected: bool
) -> None:
    top = f"protected = {str(protected).lower()}\n"
    data = synthesize(dev=stores(ALL, top=top))["dev-data"]
    assert {body["lifecycle"]["prevent_destroy"] for body in kept(data).values()} == {protected}
    database = data.one("aws_db_instance")
    assert database["deletion_protection"] is protected
    assert database["skip_final_snapshot"] is not protected
    assert data.one("aws_dynamodb_table", "table_sessions")["deletion_protection_enabled"] is protected
    if protected:
        # The group is another one for each database, so that the snapshot has a name of its own.
        assert database["final_snapshot_identifier"] == (
            'oaktree-dev-shop-final-${replace(aws_security_group.database_shop_group.id, "sg-", "")}'
        )
    else:
        assert "final_snapshot_identifier" not in database


def test_a_database_is_private_encrypted_backed_up_and_asks_for_tls(whole: dict[str, Stack]) -> None:
    data = whole["dev-data"]
    database = data.one("aws_db_instance")
    assert database["manage_master_user_password"] is True
    assert "password" not in database
    assert database["storage_encrypted"] is True
    assert database["publicly_accessible"] is False
    assert database["backup_retention_period"] == 7
    parameters = data.one("aws_db_parameter_group")
    assert parameters["parameter"] == [{"name": "rds.force_ssl", "value": "1"}]
    assert parameters["family"] == "postgres17"
    logs = {body["name"] for body in data.all("aws_cloudwatch_log_group").values()}
    assert logs == {f"/aws/rds/instance/oaktree-dev-shop/{log}" for log in ("postgresql", "upgrade")}


def test_a_new_password_deploys_the_services_that_use_it_anew(synthesize: Synthesize) -> None:
    job = service("night", '"databases.shop"', 'schedule = "@daily"', kind="job")
    stack = synthesize(dev=stores('"databases.shop"', others=job))["dev-service"]
    pattern = json.loads(stack.one("aws_cloudwatch_event_rule")["event_pattern"])
    assert pattern["detail"]["additionalEventData"] == {"SecretId": ["${local.databases_shop_secret}"]}
    definition = json.loads(stack.one("aws_sfn_state_machine", "database_shop_rotated_machine")["definition"])
    assert definition["States"]["Each"]["Items"] == ["oaktree-dev-one"]
    policy = json.loads(stack.one("aws_iam_role_policy", "database_shop_rotated_role_policy")["policy"])
    (statement,) = policy["Statement"]
    assert statement["Action"] == ["ecs:UpdateService"]
    assert len(statement["Resource"]) == 1
    assert statement["Resource"][0].endswith("/oaktree-dev-one")
    alarm = stack.one("aws_cloudwatch_metric_alarm", "databases_shop_not_rotated")
    assert (alarm["metric_name"], alarm["threshold"]) == ("ExecutionsFailed", 0)
    machine = "${aws_sfn_state_machine.database_shop_rotated_machine.arn}"
    assert alarm["dimensions"] == {"StateMachineArn": machine}


def test_rotation_is_always_set_since_to_remove_it_would_end_it(synthesize: Synthesize) -> None:
    def rotations(days: int) -> list[int]:
        text = stores(
            ALL, stores=STORES.replace("[databases.shop]", f"[databases.shop]\nrotation_days = {days}")
        )
        found = synthesize(dev=text)["dev-data"].all("aws_secretsmanager_secret_rotation").values()
        return [each["rotation_rules"]["automatically_after_days"] for each in found]

    assert (rotations(7), rotations(30)) == ([7], [30])


def test_every_queue_has_a_dead_letter_queue_that_takes_from_it_only(whole: dict[str, Stack]) -> None:
    data = whole["dev-data"]
    for key, ending in (("orders", ""), ("steps", ".fifo")):
        queue = data.one("aws_sqs_queue", f"queue_{key}")
        letters = data.one("aws_sqs_queue", f"queue_{key}_dead_letters")
        assert queue["name"] == f"oaktree-dev-{key}{ending}"
        assert letters["name"] == f"oaktree-dev-{key}-dlq{ending}"
        assert json.loads(queue["redrive_policy"]) == {
            "deadLetterTargetArn": f"${{aws_sqs_queue.queue_{key}_dead_letters.arn}}",
            "maxReceiveCount": 5,
        }
        assert json.loads(letters["redrive_allow_policy"]) == {
            "redrivePermission": "byQueue",
            "sourceQueueArns": [f"arn:aws:sqs:{HERE}:oaktree-dev-{key}{ending}"],
        }


def test_a_bucket_tells_a_queue_which_admits_it_and_no_other(synthesize: Synthesize) -> None:
    notify = '[[buckets.uploads.notify]]\nqueue = "orders"\nprefix = "in/"\nevents = ["created", "removed"]\n'
    data = synthesize(dev=stores(ALL, others=notify, stores=STORES.replace("[buckets.uploads]", "")))[
        "dev-data"
    ]
    (told,) = data.one("aws_s3_bucket_notification")["queue"]
    assert told["queue_arn"] == f"arn:aws:sqs:{HERE}:oaktree-dev-orders"
    assert told["events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert told["filter_prefix"] == "in/"
    for key, admitted in (("orders", True), ("steps", False)):
        policy = json.loads(data.one("aws_sqs_queue", f"queue_{key}")["policy"])
        sids = {statement["Sid"] for statement in policy["Statement"]}
        assert sids == {"TlsOnly"} | ({"SentByS3"} if admitted else set())


TOPIC = """
[topics.events]
[[topics.events.subscriptions]]
queue = "orders"
filter = { kind = ["order", "return"] }
"""


def test_a_topic_reaches_its_queues_and_only_who_uses_it_publishes(synthesize: Synthesize) -> None:
    stacks = synthesize(dev=stores('"topics.events"', stores=STORES + TOPIC))
    data, service_stack = stacks["dev-data"], stacks["dev-service"]
    (subscription,) = data.all("aws_sns_topic_subscription").values()
    assert subscription["endpoint"] == f"arn:aws:sqs:{HERE}:oaktree-dev-orders"
    assert json.loads(subscription["filter_policy"]) == {"kind": ["order", "return"]}
    assert subscription["filter_policy_scope"] == "MessageAttributes"
    policy = json.loads(data.one("aws_sqs_queue", "queue_orders")["policy"])
    (sent,) = [each for each in policy["Statement"] if each["Sid"] == "SentBySns"]
    assert sent["Condition"]["ArnEquals"] == {"aws:SourceArn": [f"arn:aws:sns:{HERE}:oaktree-dev-events"]}
    assert variables(service_stack)["EVENTS_TOPIC_ARN"] == f"arn:aws:sns:{HERE}:oaktree-dev-events"
    found = [set(allowed(role(service_stack, stacks["foundation"], name))) for name in ("one", "other")]
    assert found == [{("topics", "publish")}, set()]


def test_what_sns_cannot_deliver_goes_to_the_dead_letters(synthesize: Synthesize) -> None:
    data = synthesize(dev=stores('"topics.events"', stores=STORES + TOPIC))["dev-data"]
    policy = json.loads(data.one("aws_sqs_queue", "queue_orders_dead_letters")["policy"])
    (sent,) = [each for each in policy["Statement"] if each["Sid"] == "SentBySns"]
    assert sent["Resource"] == [f"arn:aws:sqs:{HERE}:oaktree-dev-orders-dlq"]
    assert "SentBySns" not in data.one("aws_sqs_queue", "queue_steps_dead_letters")["policy"]


@pytest.mark.parametrize("names", [("files", "files1"), ("a1b", "a-1b")])
def test_statements_of_names_that_are_alike_have_other_sids(
    synthesize: Synthesize, names: tuple[str, str]
) -> None:
    uses = ", ".join(f'"buckets.{name}"' for name in names)
    text = stores(uses, stores="".join(f"[buckets.{name}]\n" for name in names))
    stack = synthesize(dev=text)["dev-service"]
    policy = json.loads(stack.one("aws_iam_role_policy", "one_task_role_policy")["policy"])
    sids = [each["Sid"] for each in policy["Statement"]]
    assert len(set(sids)) == len(sids) == 4


@pytest.mark.parametrize("kind", ["queues", "buckets", "tables"])
def test_a_service_waits_for_a_store_whose_name_is_known(synthesize: Synthesize, kind: str) -> None:
    stacks = synthesize(dev=stores(f'"{kind}.{NAMES[kind]}"'))
    key = f"{kind}_{NAMES[kind]}_name"
    assert key in stacks["dev-data"].content["output"]["connections"]["value"]
    assert f'"{key}"' in stacks["dev-service"].content["locals"]["lacking_dev-data"]


def test_texts_of_users_are_no_expressions(synthesize: Synthesize) -> None:
    more = '[[buckets.uploads.notify]]\nqueue = "orders"\nprefix = "in/${x}"\n'
    topic = TOPIC.replace('"return"', '"${path.module}"')
    data = synthesize(dev=stores("", stores=STORES + more + topic))["dev-data"]
    (told,) = data.one("aws_s3_bucket_notification")["queue"]
    assert told["filter_prefix"] == "in/$${x}"
    assert "$${path.module}" in data.one("aws_sns_topic_subscription")["filter_policy"]


def test_a_table_has_its_keys_and_those_of_its_indexes(synthesize: Synthesize) -> None:
    table = """[tables.sessions]
partition_key = "session"
sort_key = "at"
sort_type = "N"
expiry_attribute = "expires"
[tables.sessions.indexes.by-user]
partition_key = "user"
sort_key = "at"
sort_type = "N"
"""
    stacks = synthesize(dev=stores('"tables.sessions"', stores=table))
    found = stacks["dev-data"].one("aws_dynamodb_table")
    assert (found["hash_key"], found["range_key"]) == ("session", "at")
    assert {each["name"]: each["type"] for each in found["attribute"]} == {
        "session": "S",
        "at": "N",
        "user": "S",
    }
    (index,) = found["global_secondary_index"]
    assert (index["name"], index["hash_key"], index["range_key"]) == ("by-user", "user", "at")
    assert found["ttl"] == {"attribute_name": "expires", "enabled": True}
    # DynamoDB counts what it throttles of an index apart.
    alarm = stacks["dev-service"].one("aws_cloudwatch_metric_alarm", "tables_sessions_by-user_throttles")
    counted = [query["metric"]["dimensions"] for query in alarm["metric_query"] if "metric" in query]
    assert counted == [{"TableName": "oaktree-dev-sessions", "GlobalSecondaryIndexName": "by-user"}] * 2


def backlog(stack: Stack) -> list[dict[str, Any]]:
    policy = stack.one("aws_appautoscaling_policy", "one_scaling_by_backlog")
    configuration = policy["target_tracking_scaling_policy_configuration"]
    metrics: list[dict[str, Any]] = configuration["customized_metric_specification"]["metrics"]
    return metrics


def evaluated(metrics: Sequence[dict[str, Any]], **known: float | None) -> float:
    """The value of metric math; None stands for a metric without data."""
    functions = {
        "IF": lambda condition, one, other: one if condition else other,
        "FILL": lambda value, other: other if value is None else value,
    }
    values: dict[str, Any] = dict(known)

    for each in metrics:
        if "expression" in each:
            # There is no value where it divides by zero, and IF does not take that branch.
            text = each["expression"].replace("messages / tasks", "(messages / tasks if tasks else None)")
            values[each["id"]] = eval(text, {**functions, "__builtins__": {}}, values)  # noqa: S307 - our own expression
    return float(values[next(each["id"] for each in metrics if each["return_data"])])


SCALED = """scaling = { min_capacity = 0, max_capacity = 5, queue = "orders", messages_per_task = 20 }"""


@pytest.fixture(scope="module")
def scaled(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    text = environment(services=service("one", '"queues.orders:read"', SCALED) + STORES)
    return synthesized(tmp_path_factory.mktemp("scaled"), dev=text)["dev-service"]


@given(
    visible=st.none() | st.integers(0, 10_000),
    taken=st.none() | st.integers(0, 1_000),
    tasks=st.none() | st.integers(0, 50),
)
def test_tasks_follow_the_backlog_down_to_none(
    scaled: Stack, visible: int | None, taken: int | None, tasks: int | None
) -> None:
    value = evaluated(backlog(scaled), visible=visible, taken=taken, running=tasks)
    messages, running = (visible or 0) + (taken or 0), tasks or 0
    if not messages:
        assert value == 0
    elif running > 1:
        assert value == messages / running
    elif running:
        # No less than aimed at: the last task stays while there is work.
        assert value == max(messages, 20)
    else:
        assert value > 20


def test_an_empty_queue_raises_no_alarm_for_missing_tasks(scaled: Stack) -> None:
    assert scaled.one("aws_appautoscaling_target")["min_capacity"] == 0
    # The last task is never idle enough for CPU or memory to need none.
    assert set(scaled.all("aws_appautoscaling_policy")) == {"one_scaling_by_backlog"}
    alarm = scaled.one("aws_cloudwatch_metric_alarm", "one_no_running_task")
    assert alarm["treat_missing_data"] == "notBreaching"


EXISTING = """
[databases.shop]
existing = true
name = "legacy-shop"
[queues.orders]
existing = true
name = "legacy-orders"
[buckets.uploads]
existing = true
name = "legacy-uploads"
"""


def test_what_exists_already_is_used_alike_and_left_as_it_is(synthesize: Synthesize) -> None:
    uses = '"databases.shop", "queues.orders", "buckets.uploads:read"'
    stacks = synthesize(dev=stores(uses, stores=EXISTING))
    data, found = stacks["dev-data"], stacks["dev-service"]
    assert "resource" not in data.content
    (read,) = data.content["data"]["aws_db_instance"].values()
    assert read["db_instance_identifier"] == "legacy-shop"
    given = variables(found)
    assert given["ORDERS_QUEUE_URL"].endswith("/legacy-orders")
    assert given["UPLOADS_BUCKET"] == "legacy-uploads"
    assert given["SHOP_NAME"] == "shop"
    offered = data.content["output"]["connections"]["value"]
    assert {"databases_shop_host", "queues_orders_name", "buckets_uploads_name"} <= set(offered)
    (rule,) = [
        body
        for body in found.all("aws_vpc_security_group_ingress_rule").values()
        if body["security_group_id"] == "${local.databases_shop_group}"
    ]
    assert rule["from_port"] == 5432
    one = role(found, stacks["foundation"], "one")
    other = role(found, stacks["foundation"], "other")
    for action, arn, wanted in (
        ("sqs:SendMessage", f"arn:aws:sqs:{HERE}:legacy-orders", True),
        ("s3:GetObject", "arn:aws:s3:::legacy-uploads/x", True),
        ("s3:PutObject", "arn:aws:s3:::legacy-uploads/x", False),
    ):
        assert one.allows(Call(action, (arn,))) is wanted
        assert not other.allows(Call(action, (arn,)))


BAD = {
    "a name for what OakTree calls itself": (
        stores("", stores="[queues.orders]\nname = 'mine'\n"),
        "dev.toml: queues.orders.name: only with existing = true",
    ),
    "a setting of what is there already": (
        stores("", stores="[queues.orders]\nexisting = true\nretention = 600\n"),
        "dev.toml: queues.orders.retention: leave it out: OakTree changes nothing that exists already",
    ),
    "a store that is not there": (
        stores('"databases.shp"'),
        (
            'dev.toml: services.one.uses.0 = "databases.shp": one that [databases] of dev has; did you mean '
            "'databases.shop'? known here: databases.shop"
        ),
    ),
    "a kind that there is not": (
        stores('"database.shop"'),
        (
            'dev.toml: services.one.uses.0 = "database.shop": what it uses, a table and a name, such as '
            '"queues.orders"; the tables are services, databases, caches, queues, topics, buckets, tables, '
            "volumes"
        ),
    ),
    "a right that a database does not know": (
        stores('"databases.shop:read"'),
        (
            'dev.toml: services.one.uses.0 = "databases.shop:read": "databases.shop": only '
            "queues, buckets, tables, volumes "
            "know :read and :write"
        ),
    ),
    "a store twice": (
        stores('"queues.orders", "queues.orders:read"'),
        (
            'dev.toml: services.one.uses.1 = "queues.orders:read": once: queues.orders is '
            "there already, and without "
            ":read and :write it allows both"
        ),
    ),
    "two that give the same variable": (
        stores(
            '"queues.orders", "services.orders-queue"',
            others=service("orders-queue", kind="web", more="internal = true"),
        ),
        (
            'dev.toml: services.one.uses.1 = "services.orders-queue": another name: '
            "queues.orders gives the variable "
            "ORDERS_QUEUE_URL, too"
        ),
    ),
    "a job that works longer than its messages are hidden": (
        stores(
            "",
            others=service("night", '"queues.orders"', 'schedule = "@daily"\ntimeout = 600', kind="job"),
        ),
        (
            "dev.toml: services.night.timeout = 600: less than "
            "queues.orders.visibility_timeout = 120, which "
            "can be raised: otherwise another task gets a message while this one still works on it"
        ),
    ),
    "scaling by a queue that is only written": (
        environment(
            services=service("one", '"queues.orders:write"', 'scaling = { queue = "orders" }') + STORES
        ),
        'dev.toml: services.one.scaling.queue = "orders": a queue that it reads, one of its uses; ',
    ),
    "no tasks without a queue": (
        environment(services=service("one", more="scaling = { min_capacity = 0 }")),
        (
            "dev.toml: services.one.scaling.min_capacity = 0: at least 1; only a worker with "
            "scaling.queue can scale "
            "from 0"
        ),
    ),
    "a bucket that tells a FIFO queue": (
        stores("", stores=STORES + '[[buckets.uploads.notify]]\nqueue = "steps"\n'),
        'dev.toml: buckets.uploads.notify.0.queue = "steps": a queue with fifo = false: S3 sends to no other',
    ),
    "two notifications of the same objects": (
        stores(
            "",
            stores=STORES
            + '[[buckets.uploads.notify]]\nqueue = "orders"\nprefix = "in/"\n'
            + '[[buckets.uploads.notify]]\nqueue = "orders"\nprefix = "in/new"\n',
        ),
        (
            "dev.toml: buckets.uploads.notify.1: another prefix or suffix: S3 tells one "
            "queue of an object, and "
            "notify.0 has the same"
        ),
    ),
    "a bucket that the load balancers have": (
        stores("", stores="[buckets.access-logs]\n"),
        (
            "dev.toml: buckets.access-logs: a bucket cannot be called 'access-logs': "
            "the load balancers log to it"
        ),
    ),
    "a database that every server has": (
        stores("", stores="[databases.postgres]\n"),
        "dev.toml: databases.postgres: another name: RDS refuses this one for a database of PostgreSQL",
    ),
    "a database with a word of SQL for a name": (
        stores("", stores="[databases.user]\n"),
        "dev.toml: databases.user: another name: RDS refuses this one for a database of PostgreSQL",
    ),
    "a window that is too short": (
        stores("", stores='[databases.shop]\nbackup_window = "23:50-00:10"\n'),
        'dev.toml: databases.shop.backup_window = "23:50-00:10": at least 30 minutes',
    ),
    "two windows at once": (
        stores(
            "",
            stores='[databases.shop]\nbackup_window = "03:00-04:00"\n'
            'maintenance_window = "sun:03:30-sun:04:30"\n',
        ),
        (
            'dev.toml: databases.shop.maintenance_window = "sun:03:30-sun:04:30": outside backup_window = '
            "'03:00-04:00'"
        ),
    ),
    "a name that is a pattern": (
        stores("", stores='[buckets.all]\nexisting = true\nname = "*"\n'),
        'dev.toml: buckets.all.name = "*": the name of an S3 bucket',
    ),
    "the bucket of the states": (
        stores(
            "",
            stores='[buckets.all]\nexisting = true\nname = "oaktree-state-111111111111-eu-central-1"\n',
        ),
        (
            'dev.toml: buckets.all.name = "oaktree-state-111111111111-eu-central-1": not one of '
            "oaktree's own, "
            "which begin so"
        ),
    ),
    "a job and what follows a rotation by one name": (
        stores(
            "",
            stores="[databases.shop]\n",
            others=service("shop-rotated", more='schedule = "@daily"', kind="job"),
        ),
        (
            "dev.toml: databases.shop: another name: the job shop-rotated has a state machine called "
            "'oaktree-dev-shop-rotated'"
        ),
    ),
    "a store that is disabled": (
        stores('"queues.orders"', stores="[queues.orders]\nenabled = false\n"),
        (
            'dev.toml: services.one.uses.0 = "queues.orders": orders is disabled (dev.toml: '
            "queues.orders.enabled = "
            "false); enable it, or disable what needs it, too"
        ),
    ),
    "storage that could not grow": (
        stores("", stores="[databases.shop]\nstorage = 100\n"),
        "dev.toml: databases.shop.max_storage = 100: at least 110 with storage = 100, or 0",
    ),
    "a protected database without backups": (
        stores("", stores="[databases.shop]\nbackup_days = 0\n", top="protected = true\n"),
        "dev.toml: databases.shop.backup_days = 0: at least 1: the environment is protected",
    ),
    "a topic that alarms have": (
        stores("", stores="[topics.on-call]\n"),
        "dev.toml: topics.on-call: another name: alarms are published to a topic called so",
    ),
    "a topic for a queue of the other order": (
        stores("", stores=STORES + TOPIC.replace("orders", "steps")),
        'dev.toml: topics.events.subscriptions.0.queue = "steps": a queue with fifo = false, as the topic',
    ),
    "a topic that nobody would hear of": (
        stores("", stores=STORES + TOPIC.replace("orders", "oders")),
        "dev.toml: topics.events.subscriptions.0.queue = \"oders\": a queue of dev; did you mean 'orders'? ",
    ),
    "two volumes in one place": (
        stores(
            '"volumes.media", "volumes.more"',
            stores=VOLUME + VOLUME.replace("media]", "more]"),
        ),
        (
            'dev.toml: services.one.uses.1 = "volumes.more": a volume with another path: volumes.media has '
            "/media already"
        ),
    ),
    "an attribute of two types": (
        stores(
            "",
            stores="[tables.sessions]\n[tables.sessions.indexes.all]\n"
            'partition_key = "id"\npartition_type = "N"\n',
        ),
        "dev.toml: tables.sessions.indexes.all: one type for the attribute id: it is 'S' already",
    ),
    "a queue with the name of another's dead letters": (
        stores("", stores=STORES + "[queues.orders-dlq]\n"),
        (
            "dev.toml: queues.orders-dlq: another name: queues.orders has a queue called "
            "'oaktree-dev-orders-dlq'"
        ),
    ),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD)
def test_stores_that_cannot_be_are_refused(tmp_path: Path, text: str, told: str) -> None:
    found = errors_of(write_platform(tmp_path, dev=text))
    assert any(each.startswith(told) for each in found), found


def test_what_nobody_uses_gets_a_warning(tmp_path: Path) -> None:
    text = stores('"queues.orders:write", "databases.shop"')
    found = [str(each) for each in warnings(read_platform(write_platform(tmp_path, dev=text)))]
    assert found == [
        "dev.toml: queues.orders: no service of dev reads it: its messages expire",
        "dev.toml: queues.steps: no service of dev has it in its uses",
        "dev.toml: buckets.uploads: no service of dev has it in its uses",
        "dev.toml: tables.sessions: no service of dev has it in its uses",
    ]


def test_stores_come_from_the_project_and_an_environment_may_leave_one_out(synthesize: Synthesize) -> None:
    dev = environment(services=service("one", '"queues.orders"'))
    other = dev.replace("10.10.", "10.20.") + "[queues.steps]\nenabled = false\n"
    stacks = synthesize(PROJECT + STORES, dev=dev, staging=other)
    names = {
        env: {body["name"] for body in stacks[f"{env}-data"].all("aws_sqs_queue").values()}
        for env in ("dev", "staging")
    }
    assert names["dev"] == {
        f"oaktree-dev-{key}" for key in ("orders", "orders-dlq", "steps.fifo", "steps-dlq.fifo")
    }
    assert names["staging"] == {f"oaktree-staging-{key}" for key in ("orders", "orders-dlq")}


def test_every_access_to_a_store_is_one_that_the_boundary_admits(synthesize: Synthesize) -> None:
    for kind, access in itertools.product(NAMES, (":read", ":write")):
        stacks = synthesize(dev=stores(f'"{kind}.{NAMES[kind]}{access}"'))
        found = role(stacks["dev-service"], stacks["foundation"], "one")
        for statement in found.statements:
            for action in statement["Action"]:
                for resource in statement["Resource"]:
                    call = Call(action, (resource.replace("/*", "/x"),))
                    assert found.allows(call), (action, resource)
