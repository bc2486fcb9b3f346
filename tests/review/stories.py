"""What the recorded plans are about: changes that people make to this project's own stacks, and accidents.

Every story begins with the whole platform applied as `SETTINGS` says, and is planned but never
applied. So they can be told in any order, and anew on any desk.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Final

from ops.local.embedded import Embedded

Json = dict[str, Any]

ACCOUNT: Final = "111111111111"
REGION: Final = "eu-central-1"
SETTINGS: Final = f"""account_id  = "{ACCOUNT}"
region      = "{REGION}"
owner       = "platform@example.com"
cost_centre = "1000"
network     = {{ cidr = "10.10.0.0/16" }}

[services.web]
kind    = "status"
cpu     = 512
memory  = 2048
scaling = {{ min_capacity = 1, max_capacity = 2 }}
secrets = {{ WRITE_TOKEN_SHA256 = "ssm:/oaktree/dev/web/write-token-sha256" }}
token_over_http = true

[databases.shop]

[queues.orders]

[services.worker]
kind  = "worker"
image = "public.ecr.aws/docker/library/busybox@sha256:{"b0" * 32}"
uses  = ["queues.orders"]

[data]
deletion_protection = true
"""
"""The environment dev as it was applied before every story."""

FOUNDATION: Final = "foundation"
NETWORK: Final = "dev-network"
DATA: Final = "dev-data"
SERVICE: Final = "dev-service"
RELEASE: Final = "/oaktree/dev/releases/web"
TOPIC: Final = f"arn:aws:sns:{REGION}:{ACCOUNT}:oaktree-dev-alarms"
MADE_UP: Final = "made" + "-up-" + "Zm9vYmFyYmF6cXV4"
"""What must not be seen in any comment."""


@dataclass(frozen=True, slots=True)
class Edit:
    """A text replaced in a file of the checkout: a person's change."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Story:
    """Plans of some stacks after a change.

    `edits` are made before the synthesis; `configure` and `remember` change what was synthesized
    and what Terraform's state says, by stack. `behind` changes the embedded AWS while the plans are
    made. Only with `refresh` does Terraform look at what AWS has, and with `empty` it begins with
    no state. `whole` keeps the plan with everything in it.
    """

    stacks: tuple[str, ...]
    edits: tuple[Edit, ...] = ()
    configure: Mapping[str, Callable[[Json], None]] = field(default_factory=dict)
    remember: Mapping[str, Callable[[Json], None]] = field(default_factory=dict)
    behind: Callable[[Embedded], AbstractContextManager[None]] = lambda _: nullcontext()
    arguments: tuple[str, ...] = ()
    refresh: bool = False
    empty: bool = False
    whole: bool = False


def _dev(old: str, new: str) -> Edit:
    return Edit("environments/dev.toml", old, new)


def _replaced(configuration: Json, old: str, new: str) -> None:
    """Replace a text wherever it is."""
    text = json.dumps(configuration)
    assert old in text
    changed = json.loads(text.replace(old, new))
    configuration.clear()
    configuration.update(changed)


def _statements(configuration: Json, name: str) -> Any:
    policy = json.loads(configuration["resource"]["aws_iam_role_policy"][name]["policy"])
    return policy, policy["Statement"]


@contextmanager
def _released(embedded: Embedded) -> Iterator[None]:
    """Another image is the release."""
    ssm = embedded.client("ssm", REGION, ACCOUNT)
    former = ssm.get_parameter(Name=RELEASE)["Parameter"]["Value"]
    image = json.loads(former)["image"].rpartition("@")[0]
    record = {"image": f"{image}@sha256:{'5eed' * 16}", "commit": "9f1fb75c"}
    ssm.put_parameter(Name=RELEASE, Value=json.dumps(record), Type="String", Overwrite=True)
    try:
        yield
    finally:
        ssm.put_parameter(Name=RELEASE, Value=former, Type="String", Overwrite=True)


@contextmanager
def _unreleased(embedded: Embedded) -> Iterator[None]:
    """Nothing was ever released."""
    ssm = embedded.client("ssm", REGION, ACCOUNT)
    former = ssm.get_parameter(Name=RELEASE)["Parameter"]["Value"]
    ssm.delete_parameter(Name=RELEASE)
    try:
        yield
    finally:
        ssm.put_parameter(Name=RELEASE, Value=former, Type="String")


@contextmanager
def _scaled(embedded: Embedded) -> Iterator[None]:
    """The autoscaling did its work, which no plan is about."""
    ecs = embedded.client("ecs", REGION, ACCOUNT)
    ecs.update_service(cluster="oaktree-dev", service="oaktree-dev-web", desiredCount=2)
    try:
        yield
    finally:
        ecs.update_service(cluster="oaktree-dev", service="oaktree-dev-web", desiredCount=1)


@contextmanager
def _meddled(embedded: Embedded) -> Iterator[None]:
    """Somebody deleted the topic that alarms go to and kept logs for a day only, and the app was scaled."""
    sns = embedded.client("sns", REGION, ACCOUNT)
    logs = embedded.client("logs", REGION, ACCOUNT)
    with _scaled(embedded):
        policy = sns.get_topic_attributes(TopicArn=TOPIC)["Attributes"]["Policy"]
        tags = sns.list_tags_for_resource(ResourceArn=TOPIC)["Tags"]
        sns.delete_topic(TopicArn=TOPIC)
        logs.put_retention_policy(logGroupName="/oaktree/dev/web", retentionInDays=1)
        try:
            yield
        finally:
            logs.put_retention_policy(logGroupName="/oaktree/dev/web", retentionInDays=30)
            sns.create_topic(Name=TOPIC.rpartition(":")[2], Attributes={"Policy": policy}, Tags=tags)


@contextmanager
def _with_a_key(embedded: Embedded) -> Iterator[None]:
    """A secret was made by hand."""
    ssm = embedded.client("ssm", REGION, ACCOUNT)
    ssm.put_parameter(Name="/oaktree/dev/api-key", Value=f"{MADE_UP}1", Type="SecureString", Overwrite=True)
    try:
        yield
    finally:
        ssm.delete_parameter(Name="/oaktree/dev/api-key")


def _open(configuration: Json) -> None:
    configuration["resource"]["aws_vpc_security_group_ingress_rule"]["web_task_from_balancer"] |= {
        "referenced_security_group_id": None,
        "cidr_ipv4": "0.0.0.0/0",
    }
    configuration["resource"]["aws_vpc_security_group_ingress_rule"]["web_task_ssh"] = {
        "security_group_id": "${aws_security_group.web_task_group.id}",
        "cidr_ipv6": "::/0",
        "ip_protocol": "tcp",
        "from_port": 22,
        "to_port": 22,
    }
    configuration["resource"]["aws_s3_bucket_public_access_block"]["access_logs_public_access"] |= {
        "block_public_policy": False,
        "restrict_public_buckets": False,
    }


def _widen(configuration: Json) -> None:
    resources = configuration["resource"]
    policy, statements = _statements(configuration, "web_task_role_policy")
    statements.insert(0, {"Sid": "Everything", "Effect": "Allow", "Action": ["*"], "Resource": ["*"]})
    statements.append(
        {
            "Sid": "PassAny",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": f"arn:aws:iam::{ACCOUNT}:*",
        }
    )
    resources["aws_iam_role_policy"]["web_task_role_policy"]["policy"] = json.dumps(policy)
    role = resources["aws_iam_role"]["web_task_role"]
    trust = json.loads(role["assume_role_policy"])
    trust["Statement"].append(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRole",
            "Principal": {"AWS": "arn:aws:iam::999999999999:root"},
        }
    )
    role["assume_role_policy"] = json.dumps(trust)


def _trust_every_branch(configuration: Json) -> None:
    role = configuration["resource"]["aws_iam_role"]["github_deploy"]
    trust = json.loads(role["assume_role_policy"])
    (statement,) = trust["Statement"]
    statement["Condition"] = {
        "StringLike": {
            "token.actions.githubusercontent.com:sub": "repo:example/oaktree:*",
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
        }
    }
    role["assume_role_policy"] = json.dumps(trust)


def _rename(configuration: Json) -> None:
    table = configuration["resource"]["aws_dynamodb_table"]
    table["status"] = table.pop("table")
    _replaced(configuration, "aws_dynamodb_table.table.", "aws_dynamodb_table.status.")


def _rename_with_moved(configuration: Json) -> None:
    _rename(configuration)
    configuration["moved"] = [{"from": "aws_dynamodb_table.table", "to": "aws_dynamodb_table.status"}]


def _other_key(configuration: Json) -> None:
    configuration["resource"]["aws_dynamodb_table"]["table"] |= {
        "hash_key": "id",
        "attribute": [{"name": "id", "type": "S"}, {"name": "sk", "type": "S"}],
    }


def _import_topic(configuration: Json) -> None:
    configuration["import"] = [{"to": "aws_sns_topic.alarm_topic", "id": TOPIC}]


def _without_topic(state: Json) -> None:
    state["resources"] = [item for item in state["resources"] if item["name"] != "alarm_topic"]


def _forget_table(configuration: Json) -> None:
    del configuration["resource"]["aws_dynamodb_table"]
    _replaced(configuration, "${aws_dynamodb_table.table.name}", "oaktree-dev-status")
    configuration["removed"] = [{"from": "aws_dynamodb_table.table", "lifecycle": {"destroy": False}}]


def _check(configuration: Json) -> None:
    configuration["check"] = {
        "table": {
            "assert": [
                {
                    "condition": '${aws_dynamodb_table.table.billing_mode == "PROVISIONED"}',
                    "error_message": "The table is paid per request: <@everyone> said #1 | `provisioned`.",
                }
            ]
        }
    }


def _refuse(configuration: Json) -> None:
    configuration["resource"]["aws_ecs_service"]["web_service"]["lifecycle"]["precondition"] = [
        {"condition": "${aws_lb.balancer.internal}", "error_message": "The load balancer is public."}
    ]
    configuration["resource"]["aws_cloudwatch_log_group"]["web_log"]["retention_in_days"] = 90


def _left_over(state: Json) -> None:
    (targets,) = (item for item in state["resources"] if item["type"] == "aws_lb_target_group")
    targets["instances"].append(targets["instances"][0] | {"deposed": "0a1b2c3d"})


def _plain(configuration: Json) -> None:
    task = configuration["resource"]["aws_ecs_task_definition"]["web_task"]
    _replaced(task, '\\"secrets\\": [{', '\\"secrets\\": [], \\"formerSecrets\\": [{')
    containers = task["container_definitions"]
    start = containers.index('"formerSecrets": [')
    end = containers.index("]", start) + len("], ")
    containers = containers[:start] + containers[end:]
    plain = json.dumps({"name": "WRITE_TOKEN_SHA256", "value": MADE_UP})
    task["container_definitions"] = containers.replace('"environment": [', f'"environment": [{plain}, ')


def _keep_secrets(configuration: Json) -> None:
    configuration["resource"]["aws_ssm_parameter"] = {
        "api_key": {"name": "/oaktree/dev/api-key", "type": "SecureString", "value": "${var.api_key}"}
    }
    configuration["variable"]["api_key"] = {"type": "string", "sensitive": True, "default": f"{MADE_UP}2"}
    configuration["import"] = [{"to": "aws_ssm_parameter.api_key", "id": "/oaktree/dev/api-key"}]
    configuration["output"]["api_key"] = {"value": "${var.api_key}", "sensitive": True}
    configuration["output"]["web_url"]["value"] = f"https://admin:{MADE_UP}@example.com/"


ALL: Final = (FOUNDATION, NETWORK, SERVICE)

STORIES: Final[Mapping[str, Story]] = {
    "create-all": Story(ALL, empty=True),
    "no-changes": Story(ALL),
    "change-image": Story((SERVICE,), behind=_released, whole=True),
    "no-release": Story((SERVICE,), behind=_unreleased),
    "change-sizes": Story(
        (SERVICE,),
        (
            _dev("cpu     = 512\nmemory  = 2048", "cpu     = 1024\nmemory  = 4096"),
            _dev("min_capacity = 1, max_capacity = 2", "min_capacity = 2, max_capacity = 8"),
        ),
    ),
    "lower-memory": Story((SERVICE,), (_dev("memory  = 2048", "memory  = 1024"),)),
    "more-spot": Story((SERVICE,), (_dev("[services.web]", "[services.web]\nspot_percent = 50"),)),
    "restrict-access": Story(
        (SERVICE,), arguments=('-var=allowed_cidrs=["198.51.100.0/24", "203.0.113.0/24"]',)
    ),
    "add-zone": Story(
        (NETWORK, SERVICE),
        (_dev('cidr = "10.10.0.0/16"', 'cidr = "10.10.0.0/16", availability_zones = ["a", "b", "c"]'),),
    ),
    "retag": Story((NETWORK, SERVICE), (_dev('cost_centre = "1000"', 'cost_centre = "2000"'),)),
    "remove-protection": Story(
        (SERVICE,),
        (_dev("deletion_protection = true", "deletion_protection = false\n\n[logs]\nretention_days = 7"),),
    ),
    "replace-target-group": Story(
        (SERVICE,), (Edit("webapp/contract.py", "PORT: Final = 8080", "PORT: Final = 8081"),)
    ),
    "open-to-the-world": Story((SERVICE,), configure={SERVICE: _open}),
    "widen-permissions": Story(
        (FOUNDATION, SERVICE), configure={FOUNDATION: _trust_every_branch, SERVICE: _widen}
    ),
    "secret-to-plain": Story((SERVICE,), configure={SERVICE: _plain}),
    "keep-secrets": Story((SERVICE,), configure={SERVICE: _keep_secrets}, behind=_with_a_key),
    "rename-with-moved": Story((DATA,), configure={DATA: _rename_with_moved}),
    "rename-without-moved": Story((DATA,), configure={DATA: _rename}),
    "replace-table": Story((DATA,), configure={DATA: _other_key}),
    "import": Story((SERVICE,), configure={SERVICE: _import_topic}, remember={SERVICE: _without_topic}),
    "larger-database": Story(
        (DATA,), (_dev("[databases.shop]\n", '[databases.shop]\ninstance = "db.t4g.small"\n'),)
    ),
    "take-stores-out": Story(
        (DATA,),
        (_dev("[databases.shop]\n\n[queues.orders]\n", ""), _dev('uses  = ["queues.orders"]\n', "")),
    ),
    "rename-service": Story((DATA, SERVICE), (_dev("[services.worker]", "[services.postman]"),)),
    "keep-the-order-of-messages": Story(
        (DATA,), (_dev("[queues.orders]\n", "[queues.orders]\nfifo = true\n"),)
    ),
    "forget": Story((DATA,), configure={DATA: _forget_table}),
    "deposed": Story((SERVICE,), remember={SERVICE: _left_over}),
    "failed-check": Story((DATA,), configure={DATA: _check}),
    "error": Story((SERVICE,), configure={SERVICE: _refuse}),
    "destroy": Story((SERVICE,), arguments=("-destroy",)),
    "scaled": Story((SERVICE,), behind=_scaled, refresh=True),
    "drift": Story((SERVICE,), behind=_meddled, refresh=True),
}
