"""The embedded AWS refuses what the policies of a role do not allow, and writes down who called what."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.core.clients import isolated_client
from ops.local.embedded import Embedded, start_embedded, stop_embedded
from ops.local.embedded_server.authorization import FILE, Authorization
from ops.local.embedded_server.authorization.calls import Call, calls
from ops.local.embedded_server.authorization.policies import Role, UnknownConditionError
from ops.local.embedded_server.authorization.requests import Request

HOME, OTHER = "111111111111", "222222222222"
REGION = "eu-central-1"

TAGGED = {"Tags": [{"Key": "project", "Value": "shop"}]}


def allow(actions: Sequence[str], *, on: str = "*", when: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [on], "Condition": when or {}}


def deny(actions: Sequence[str], *, on: str = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": list(actions), "Resource": [on]}


DEV, PROD, ELSEWHERE = (
    f"arn:aws:ssm:{REGION}:{HOME}:parameter/{name}" for name in ("shop/dev/a", "shop/prod/a", "b")
)
READER = (
    allow(["ssm:Get*", "ssm:PutParameter"], on=f"arn:aws:ssm:*:{HOME}:parameter/shop/*"),
    allow(["ec2:describe*"]),
    deny(["ssm:PutParameter"], on=f"arn:aws:ssm:*:{HOME}:parameter/shop/prod/*"),
)


@pytest.mark.parametrize(
    ("action", "resources", "allowed"),
    [
        ("ssm:GetParameter", (DEV,), True),
        ("ssm:GetParameter", (PROD,), True),
        ("ssm:GetParameter", (ELSEWHERE,), False),
        ("ssm:GetParameter", (), False),
        ("ssm:PutParameter", (DEV,), True),
        ("ssm:PutParameter", (PROD,), False),
        ("ssm:DeleteParameter", (DEV,), False),
        ("ec2:DescribeVpcs", (), True),
        ("ec2:CreateVpc", (), False),
        ("sts:GetCallerIdentity", (), True),
        ("sts:AssumeRole", (), False),
    ],
)
def test_a_role_may_do_what_is_allowed_and_not_denied(
    action: str, resources: tuple[str, ...], allowed: bool
) -> None:
    assert Role(HOME, "reader", READER).allows(Call(action, resources)) is allowed


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"a:b": "x"}}, {"a:b": ("x",)}, True),
        ({"StringEquals": {"A:B": ["y", "x"]}}, {"a:b": ("x",)}, True),
        ({"StringEquals": {"a:b": "x*"}}, {"a:b": ("xy",)}, False),
        ({"StringEquals": {"a:b": "x"}}, {}, False),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {}, True),
        ({"StringEqualsIfExists": {"a:b": "x"}}, {"a:b": ("y",)}, False),
        ({"StringNotEquals": {"a:b": "x"}}, {}, True),
        ({"StringNotEquals": {"a:b": ["x", "y"]}}, {"a:b": ("y",)}, False),
        ({"StringLike": {"a:b": "x?z*"}}, {"a:b": ("xyz",)}, True),
        ({"ArnLike": {"a:b": "arn:*:c"}}, {"a:b": ("arn:1:c",)}, True),
        ({"Bool": {"a:b": "true"}}, {"a:b": ("True",)}, True),
        ({"Null": {"a:b": "true"}}, {}, True),
        ({"Null": {"a:b": "false"}}, {}, False),
        ({"ForAllValues:StringEquals": {"a:b": ["x", "y"]}}, {"a:b": ("x", "z")}, False),
        ({"ForAllValues:StringEquals": {"a:b": ["x", "y"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"a:b": "x"}}, {"a:b": ("x", "z")}, True),
        ({"ForAnyValue:StringEquals": {"a:b": "x"}}, {}, False),
        ({"ForAnyValue:StringNotEquals": {"a:b": "x"}}, {}, False),
        ({"ForAnyValue:StringEqualsIfExists": {"a:b": "x"}}, {}, False),
        ({"Bool": {"a:b": True}}, {"a:b": ("true",)}, True),
        ({"StringEquals": {"a:b": "x", "c:d": "y"}}, {"a:b": ("x",)}, False),
    ],
)
def test_a_statement_applies_when_its_condition_holds(
    condition: dict[str, Any], context: dict[str, tuple[str, ...]], holds: bool
) -> None:
    role = Role(HOME, "deploy", (allow(["a:B"], when=condition),))
    assert role.allows(Call("a:B", (), context)) is holds


@pytest.mark.parametrize(
    "condition", [{"NumericEquals": {"a:b": "1"}}, {"StringEquals": {"a:b": "${aws:username}"}}]
)
def test_a_condition_that_is_not_evaluated_is_an_error(condition: dict[str, Any]) -> None:
    role = Role(HOME, "deploy", (allow(["a:B"], when=condition),))
    with pytest.raises(UnknownConditionError):
        role.allows(Call("a:B", (), {"a:b": ("1",)}))


def test_a_boundary_allows_nothing_and_limits_everything() -> None:
    everything, reading = (allow(["s3:*"]),), (allow(["s3:Get*"]),)
    assert Role(HOME, "a", everything, boundary=reading).allows(Call("s3:GetObject"))
    assert not Role(HOME, "a", everything, boundary=reading).allows(Call("s3:PutObject"))
    assert not Role(HOME, "a", (), boundary=everything).allows(Call("s3:GetObject"))


OBJECT = "arn:aws:s3:::states/dev.tfstate"


def of_bucket(principal: str, effect: str = "Allow") -> dict[str, Any]:
    return {"Effect": effect, "Action": "s3:*", "Resource": "*", "Principal": {"AWS": principal}}


@pytest.mark.parametrize(
    ("own", "of_resource", "owner", "allowed"),
    [
        (True, (), HOME, True),
        (False, (of_bucket(f"arn:aws:iam::{HOME}:role/a"),), HOME, True),
        # Naming the account leaves it to the account's own policies.
        (False, (of_bucket(f"arn:aws:iam::{HOME}:root"),), HOME, False),
        (True, (), OTHER, False),
        (True, (of_bucket(f"arn:aws:iam::{HOME}:root"),), OTHER, True),
        (True, (of_bucket(f"arn:aws:iam::{OTHER}:root"),), OTHER, False),
        (False, (of_bucket(f"arn:aws:iam::{HOME}:root"),), OTHER, False),
        (True, (of_bucket("*", "Deny"),), HOME, False),
    ],
)
def test_the_policy_of_a_resource_has_its_say(
    own: bool, of_resource: tuple[dict[str, Any], ...], owner: str, allowed: bool
) -> None:
    role = Role(HOME, "a", (allow(["s3:GetObject"]),) if own else ())
    assert role.allows(Call("s3:GetObject", (OBJECT,), owner=owner), of_resource) is allowed


def test_a_policy_may_name_roles_of_another_account_by_a_condition() -> None:
    roles = {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{HOME}:role/shop-*-task"}}
    policy = ({**of_bucket(f"arn:aws:iam::{HOME}:root"), "Condition": roles},)
    for name, allowed in (("shop-dev-task", True), ("shop-dev-execution", False)):
        role = Role(HOME, name, (allow(["s3:GetObject"]),))
        assert role.allows(Call("s3:GetObject", (OBJECT,), owner=OTHER), policy) is allowed


def test_a_boundary_limits_what_the_policy_of_a_resource_grants_to_the_role() -> None:
    policy = (of_bucket(f"arn:aws:iam::{HOME}:role/a"),)
    for boundary, allowed in (((allow(["s3:*"]),), True), ((allow(["ec2:*"]),), False)):
        role = Role(HOME, "a", (), boundary)
        assert role.allows(Call("s3:GetObject", (OBJECT,), owner=HOME), policy) is allowed


class Nothing:
    """An account with nothing in it."""

    def tags(self, *_: str) -> dict[str, str]:
        return {}

    def associated(self, *_: str) -> tuple[str, ...]:
        return ()

    def boundary(self, *_: str) -> None:
        return None

    def owner(self, arn: str) -> str:
        return arn.split(":")[4]

    def sources(self, arn: str) -> tuple[str, ...]:
        return (arn.removesuffix("-dlq"),) if arn.endswith("-dlq") else ()

    def file_system(self, *_: str) -> str:
        return "fs-1"


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "needed"),
    [
        # What a request names besides its resource is not what it is about.
        (
            "ecs",
            "UpdateService",
            {
                "cluster": "shop",
                "service": "web",
                "taskDefinition": f"arn:aws:ecs:{REGION}:{HOME}:task-definition/a:1",
            },
            [("ecs:UpdateService", "service/shop/web")],
        ),
        (
            "ecs",
            "DescribeServices",
            {"cluster": "shop", "services": ["a", "b"]},
            [("ecs:DescribeServices", "service/shop/a"), ("ecs:DescribeServices", "service/shop/b")],
        ),
        (
            "dynamodb",
            "PutItem",
            {"TableName": "a", "Item": {"pk": {"S": "arn:x"}}},
            [("dynamodb:PutItem", "table/a")],
        ),
        ("dynamodb", "Query", {"TableName": "a", "IndexName": "i"}, [("dynamodb:Query", "table/a/index/i")]),
        (
            "dynamodb",
            "BatchGetItem",
            {"RequestItems": {"a": {}, "b": {}}},
            [("dynamodb:BatchGetItem", "table/a"), ("dynamodb:BatchGetItem", "table/b")],
        ),
        (
            "dynamodb",
            "TransactGetItems",
            {"TransactItems": [{"Get": {"TableName": "a"}}]},
            [("dynamodb:GetItem", "table/a")],
        ),
        (
            "monitoring",
            "DeleteAlarms",
            {"AlarmNames.member.1": "a", "AlarmNames.member.2": "b"},
            [("cloudwatch:DeleteAlarms", "alarm:a"), ("cloudwatch:DeleteAlarms", "alarm:b")],
        ),
        # CloudWatch takes these only by a policy on every resource, but their tags by one on the alarm.
        (
            "monitoring",
            "PutCompositeAlarm",
            {"AlarmName": "a", "Tags.member.1.Key": "project", "Tags.member.1.Value": "shop"},
            [("cloudwatch:PutCompositeAlarm", ""), ("cloudwatch:TagResource", "alarm:a")],
        ),
        ("monitoring", "PutDashboard", {"DashboardName": "a"}, [("cloudwatch:PutDashboard", "dashboard/a")]),
        (
            "monitoring",
            "DeleteDashboards",
            {"DashboardNames.member.1": "a", "DashboardNames.member.2": "b"},
            [("cloudwatch:DeleteDashboards", "dashboard/a"), ("cloudwatch:DeleteDashboards", "dashboard/b")],
        ),
        ("logs", "PutQueryDefinition", {"name": "a"}, [("logs:PutQueryDefinition", "")]),
        (
            "chatbot",
            "CreateSlackChannelConfiguration",
            {
                "ConfigurationName": "a",
                "IamRoleArn": f"arn:aws:iam::{HOME}:role/shop-dev-slack",
                "Tags": [{"TagKey": "project", "TagValue": "shop"}],
            },
            [
                ("chatbot:CreateSlackChannelConfiguration", ""),
                ("iam:PassRole", "role/shop-dev-slack"),
                (
                    "iam:CreateServiceLinkedRole",
                    "role/aws-service-role/management.chatbot.amazonaws.com/AWSServiceRoleForAWSChatbot",
                ),
            ],
        ),
        (
            "chatbot",
            "DeleteSlackChannelConfiguration",
            {"ChatConfigurationArn": f"arn:aws:chatbot::{HOME}:chat-configuration/slack-channel/a"},
            [("chatbot:DeleteSlackChannelConfiguration", "chat-configuration/slack-channel/a")],
        ),
        (
            "sns",
            "Publish",
            {"TopicArn": f"arn:aws:sns:{REGION}:{HOME}:a", "Message": f"arn:aws:sns:{REGION}:{HOME}:b"},
            [("sns:Publish", "a")],
        ),
        (
            "application-autoscaling",
            "PutScalingPolicy",
            {"ResourceId": "service/shop/web"},
            [
                ("application-autoscaling:PutScalingPolicy", ""),
                ("cloudwatch:PutMetricAlarm", "alarm:TargetTracking-service/shop/web-AlarmHigh-0"),
            ],
        ),
        (
            "acm",
            "RequestCertificate",
            {"DomainName": "status.example.com", "Tags": [{"Key": "project", "Value": "shop"}]},
            [("acm:RequestCertificate", ""), ("acm:AddTagsToCertificate", "certificate/new")],
        ),
        ("ec2", "DisassociateAddress", {"AssociationId": "eipassoc-1"}, [("ec2:DisassociateAddress", "*/*")]),
        (
            "sqs",
            "CreateQueue",
            {"QueueName": "a", "tags": {"project": "shop"}},
            [("sqs:CreateQueue", "a"), ("sqs:TagQueue", "a")],
        ),
        ("sqs", "DeleteQueue", {"QueueUrl": f"http://127.0.0.1:1/{HOME}/a"}, [("sqs:DeleteQueue", "a")]),
        ("sns", "Unsubscribe", {"SubscriptionArn": "arn:x"}, [("sns:Unsubscribe", "")]),
        (
            "sqs",
            "SendMessageBatch",
            {"QueueUrl": f"http://127.0.0.1:1/{HOME}/a"},
            [("sqs:SendMessage", "a")],
        ),
        (
            "sqs",
            "StartMessageMoveTask",
            {"SourceArn": f"arn:aws:sqs:{REGION}:{HOME}:a-dlq"},
            [
                ("sqs:StartMessageMoveTask", "a-dlq"),
                ("sqs:ReceiveMessage", "a-dlq"),
                ("sqs:DeleteMessage", "a-dlq"),
                ("sqs:GetQueueAttributes", "a-dlq"),
                ("sqs:SendMessage", "a"),
            ],
        ),
        (
            "sqs",
            "CancelMessageMoveTask",
            {"TaskHandle": base64.b64encode(b'{"sourceArn": "arn:aws:sqs:r:1:a-dlq"}').decode()},
            [("sqs:CancelMessageMoveTask", "a-dlq")],
        ),
        (
            "s3",
            "PutBucketNotificationConfiguration",
            {"Bucket": "a"},
            [("s3:PutBucketNotification", "a")],
        ),
        (
            "s3",
            "CopyObject",
            {"Bucket": "a", "Key": "k", "CopySource": "/b/l?versionId=1", "Tagging": "x=y"},
            [("s3:PutObject", "a/k"), ("s3:GetObject", "b/l"), ("s3:PutObjectTagging", "a/k")],
        ),
        (
            "dynamodb",
            "RestoreTableToPointInTime",
            {"SourceTableName": "a", "TargetTableName": "b"},
            [
                ("dynamodb:RestoreTableToPointInTime", "table/a"),
                ("dynamodb:BatchWriteItem", "table/b"),
                ("dynamodb:DeleteItem", "table/b"),
                ("dynamodb:GetItem", "table/b"),
                ("dynamodb:PutItem", "table/b"),
                ("dynamodb:Query", "table/b"),
                ("dynamodb:Scan", "table/b"),
                ("dynamodb:UpdateItem", "table/b"),
            ],
        ),
        (
            "elasticache",
            "CreateReplicationGroup",
            {
                "ReplicationGroupId": "a",
                "Engine": "valkey",
                "EngineVersion": "8.0",
                "CacheSubnetGroupName": "b",
                "UserGroupIds.member.1": "c",
                "Tags.Tag.1.Key": "project",
                "Tags.Tag.1.Value": "shop",
            },
            [
                ("elasticache:CreateReplicationGroup", "subnetgroup:b"),
                ("elasticache:CreateReplicationGroup", "replicationgroup:a"),
                ("elasticache:AddTagsToResource", "replicationgroup:a"),
                ("elasticache:CreateReplicationGroup", "usergroup:c"),
                ("elasticache:CreateReplicationGroup", "parametergroup:default.valkey8"),
                (
                    "iam:CreateServiceLinkedRole",
                    "role/aws-service-role/elasticache.amazonaws.com/AWSServiceRoleForElastiCache",
                ),
            ],
        ),
        (
            "elasticfilesystem",
            "DeleteMountTarget",
            {"MountTargetId": "fsmt-1"},
            [
                ("elasticfilesystem:DeleteMountTarget", "file-system/fs-1"),
                ("ec2:DeleteNetworkInterface", "network-interface/0"),
            ],
        ),
        (
            "elasticfilesystem",
            "DescribeFileSystems",
            {"CreationToken": "a"},
            [("elasticfilesystem:DescribeFileSystems", "file-system/*")],
        ),
        (
            "elasticfilesystem",
            "ListTagsForResource",
            {"ResourceId": "fsap-1"},
            [("elasticfilesystem:ListTagsForResource", "access-point/fsap-1")],
        ),
        (
            "states",
            "CreateStateMachine",
            {"name": "a", "roleArn": f"arn:aws:iam::{HOME}:role/r", "tags": [{"key": "k", "value": "v"}]},
            [
                ("states:CreateStateMachine", "stateMachine:a"),
                ("states:TagResource", "stateMachine:a"),
                ("iam:PassRole", "role/r"),
            ],
        ),
        (
            "states",
            "ValidateStateMachineDefinition",
            {"definition": "{}"},
            [("states:ValidateStateMachineDefinition", "")],
        ),
        (
            "scheduler",
            "CreateSchedule",
            {"Name": "a", "Target": {"Arn": "arn:x", "RoleArn": f"arn:aws:iam::{HOME}:role/r"}},
            [("scheduler:CreateSchedule", "schedule/default/a"), ("iam:PassRole", "role/r")],
        ),
        (
            "ecs",
            "RunTask",
            {
                "cluster": f"arn:aws:ecs:{REGION}:{HOME}:cluster/shop",
                "taskDefinition": "a:1",
                "propagateTags": "TASK_DEFINITION",
                "taskRoleArn": f"arn:aws:iam::{HOME}:role/r",
            },
            [
                ("ecs:RunTask", "task-definition/a:1"),
                ("iam:PassRole", "role/r"),
                ("ecs:TagResource", "task/shop/new"),
            ],
        ),
        (
            "rds",
            "CreateDBInstance",
            {
                "DBInstanceIdentifier": "shop",
                "DBParameterGroupName": "p",
                "DBSubnetGroupName": "s",
                "ManageMasterUserPassword": "true",
                "Tags.Tag.1.Key": "project",
                "Tags.Tag.1.Value": "shop",
            },
            [
                ("rds:CreateDBInstance", "db:shop"),
                ("rds:AddTagsToResource", "db:shop"),
                ("rds:CreateDBInstance", "pg:p"),
                ("rds:CreateDBInstance", "subgrp:s"),
                ("rds:CreateDBInstance", "og:default:postgres"),
                ("kms:DescribeKey", "key/0"),
                ("secretsmanager:CreateSecret", "secret:rds!db-0"),
                ("secretsmanager:TagResource", "secret:rds!db-0"),
                (
                    "iam:CreateServiceLinkedRole",
                    "role/aws-service-role/rds.amazonaws.com/AWSServiceRoleForRDS",
                ),
            ],
        ),
        (
            "rds",
            "ModifyDBInstance",
            {"DBInstanceIdentifier": "shop", "RotateMasterUserPassword": "true"},
            [("rds:ModifyDBInstance", "db:shop"), ("secretsmanager:RotateSecret", "secret:rds!db-0")],
        ),
        (
            "rds",
            "CreateDBSnapshot",
            {"DBInstanceIdentifier": "shop", "DBSnapshotIdentifier": "before"},
            [("rds:CreateDBSnapshot", "snapshot:before"), ("rds:CreateDBSnapshot", "db:shop")],
        ),
        (
            "rds",
            "RestoreDBInstanceFromDBSnapshot",
            {"DBInstanceIdentifier": "shop", "DBSnapshotIdentifier": "before"},
            [
                ("rds:RestoreDBInstanceFromDBSnapshot", "db:shop"),
                ("rds:RestoreDBInstanceFromDBSnapshot", "snapshot:before"),
            ],
        ),
        (
            "rds",
            "RestoreDBInstanceToPointInTime",
            {"SourceDBInstanceIdentifier": "shop", "TargetDBInstanceIdentifier": "again"},
            [
                ("rds:RestoreDBInstanceToPointInTime", "db:again"),
                ("rds:RestoreDBInstanceToPointInTime", "db:shop"),
            ],
        ),
        (
            "rds",
            "ModifyDBParameterGroup",
            {"DBParameterGroupName": "p", "Parameters.Parameter.1.ParameterName": "rds.force_ssl"},
            [("rds:ModifyDBParameterGroup", "pg:p")],
        ),
        (
            "ecs",
            "StopTask",
            {"cluster": "shop", "task": f"arn:aws:ecs:{REGION}:{HOME}:task/shop/0123"},
            [("ecs:StopTask", "task/shop/0123")],
        ),
    ],
)
def test_a_request_takes_permission_for_what_it_is_about(
    service: str, operation: str, arguments: dict[str, Any], needed: list[tuple[str, str]]
) -> None:
    request = Request("AKIA", REGION, service, operation, arguments, "json")
    found = [
        (call.action, call.resources[0].split(":", 5)[5] if call.resources else "")
        for call in calls(request, HOME, Nothing())
    ]
    assert found == needed


def test_a_request_that_cannot_be_read_is_left_to_moto_or_refused(tmp_path: Path) -> None:
    class Known:
        def role(self, _: str) -> Role:
            return Role(HOME, "a", (allow(["*"], on="arn:aws:*"),))

    signed = f"AWS4-HMAC-SHA256 Credential={{}}/20261126/{REGION}/dynamodb/aws4_request, Signature=0"
    target = {"HTTP_X_AMZ_TARGET": "DynamoDB_20120810.TransactWriteItems", "REQUEST_METHOD": "POST"}
    authorization = Authorization(tmp_path)
    authorization._inventory = Known()  # type: ignore[assignment]  # has all that is asked
    person, role = ({**target, "HTTP_AUTHORIZATION": signed.format(key)} for key in (f"AKIA{HOME}", "ASIA1"))
    assert authorization.refusal(person, b"{") is None
    assert authorization.refusal(person, b"{}") is None
    refusal = authorization.refusal(role, b"{}")
    assert refusal
    assert b"AccessDeniedException" in refusal[2]
    authorization.close()


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    made = tmp_path_factory.mktemp("embedded")
    start_embedded(made, HOME)
    yield made
    stop_embedded(made)


@pytest.fixture(scope="module")
def embedded(directory: Path) -> Embedded:
    return start_embedded(directory, HOME)


def calls_of(directory: Path, first: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / FILE).read_text().splitlines()[first:]]


def as_role(embedded: Embedded, name: str, *statements: dict[str, Any]) -> Any:
    """What makes clients with the keys of a new role that has these statements."""
    iam = embedded.client("iam", REGION)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)
    if statements:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy)
    keys = embedded.assume(f"arn:aws:iam::{HOME}:role/{name}")
    return lambda service: isolated_client(service, REGION, embedded.endpoint, keys)


def refused(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_requests_are_written_down_by_the_names_that_policies_use(
    directory: Path, embedded: Embedded
) -> None:
    s3 = embedded.client("s3", REGION)
    s3.create_bucket(Bucket="states", CreateBucketConfiguration={"LocationConstraint": REGION})
    first = len(calls_of(directory, 0))
    s3.put_object(Bucket="states", Key="dev.tfstate", Body=b"{}")
    s3.head_object(Bucket="states", Key="dev.tfstate")
    s3.list_objects_v2(Bucket="states")
    s3.get_bucket_versioning(Bucket="states")
    s3.delete_object(Bucket="states", Key="dev.tfstate")
    embedded.client("ssm", REGION).put_parameter(Name="/shop/a", Value="1", Type="String")
    embedded.client("sns", REGION).create_topic(Name="alarms")
    embedded.client("ecr", REGION).create_repository(repositoryName="shop/web")
    zone = embedded.client("route53", REGION).create_hosted_zone(Name="example.com", CallerReference="1")
    zone_id = zone["HostedZone"]["Id"].rpartition("/")[2]
    embedded.client("route53", REGION).list_resource_record_sets(HostedZoneId=zone_id)
    found = [(each["action"], *each["resources"][:1]) for each in calls_of(directory, first)]
    arn = f"arn:aws:{{}}:{REGION}:{HOME}:{{}}"
    assert found == [
        ("s3:PutObject", OBJECT),
        ("s3:GetObject", OBJECT),
        ("s3:ListBucket", "arn:aws:s3:::states"),
        ("s3:GetBucketVersioning", "arn:aws:s3:::states"),
        ("s3:DeleteObject", OBJECT),
        ("ssm:PutParameter", arn.format("ssm", "parameter/shop/a")),
        ("sns:CreateTopic", arn.format("sns", "alarms")),
        ("ecr:CreateRepository", arn.format("ecr", "repository/shop/web")),
        ("route53:CreateHostedZone",),
        ("route53:ListResourceRecordSets", f"arn:aws:route53:::hostedzone/{zone_id}"),
    ]


def test_a_transaction_needs_the_permissions_of_its_parts(directory: Path, embedded: Embedded) -> None:
    dynamodb = embedded.client("dynamodb", REGION)
    key: dict[str, Any] = {"AttributeName": "pk", "KeyType": "HASH"}
    dynamodb.create_table(
        TableName="status",
        KeySchema=[key],
        AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    first = len(calls_of(directory, 0))
    item = {"TableName": "status", "Item": {"pk": {"S": "a"}}}
    dynamodb.transact_write_items(TransactItems=[{"Put": item}])
    (call,) = calls_of(directory, first)
    assert (call["action"], call["resources"]) == (
        "dynamodb:PutItem",
        [f"arn:aws:dynamodb:{REGION}:{HOME}:table/status"],
    )


@pytest.mark.parametrize(
    ("service", "operation", "arguments", "code"),
    [
        ("ec2", "describe_vpcs", {}, "UnauthorizedOperation"),
        ("s3", "list_buckets", {}, "AccessDenied"),
        ("s3", "head_bucket", {"Bucket": "states"}, "403"),
        ("sns", "list_topics", {}, "AccessDenied"),
        ("ecs", "list_clusters", {}, "AccessDeniedException"),
        ("ssm", "get_parameter", {"Name": "/a"}, "AccessDeniedException"),
        ("route53", "list_hosted_zones", {}, "AccessDenied"),
    ],
)
def test_a_role_without_policies_is_refused_as_each_service_refuses(
    embedded: Embedded, service: str, operation: str, arguments: dict[str, Any], code: str
) -> None:
    client = as_role(embedded, f"nothing-{service}-{operation}")(service)
    with pytest.raises(ClientError) as error:
        getattr(client, operation)(**arguments)
    assert refused(error) == code
    if code != "403":
        assert "is not authorized to perform: " in str(error.value)


def test_a_role_that_does_not_exist_may_do_nothing(embedded: Embedded) -> None:
    keys = embedded.assume(f"arn:aws:iam::{HOME}:role/never-created")
    with pytest.raises(ClientError, match="never-created is not authorized"):
        isolated_client("ecs", REGION, embedded.endpoint, keys).list_clusters()


def test_only_what_has_the_projects_tag_can_be_changed(embedded: Embedded) -> None:
    given, own = ({"StringEquals": {f"aws:{of}Tag/project": "shop"}} for of in ("Request", "Resource"))
    new = {"StringEquals": {"aws:RequestTag/project": "shop"}, "Null": {"ec2:CreateAction": "false"}}
    client = as_role(
        embedded,
        "tagged",
        allow(["ec2:CreateVpc", "ec2:CreateSubnet"], when=given),
        allow(["ec2:CreateSubnet", "ec2:DeleteVpc", "ec2:CreateTags"], when=own),
        allow(["ec2:CreateTags"], when=new),
    )("ec2")

    def tags(kind: str) -> list[dict[str, Any]]:
        return [{"ResourceType": kind, **TAGGED}]

    theirs = embedded.client("ec2", REGION).create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    ours = client.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tags("vpc"))["Vpc"]["VpcId"]
    client.create_subnet(VpcId=ours, CidrBlock="10.0.0.0/24", TagSpecifications=tags("subnet"))
    denied: list[Callable[[], object]] = [
        lambda: client.create_vpc(CidrBlock="10.0.0.0/16"),
        lambda: client.create_subnet(VpcId=ours, CidrBlock="10.0.1.0/24"),
        lambda: client.create_subnet(VpcId=theirs, CidrBlock="10.0.0.0/24", TagSpecifications=tags("subnet")),
        lambda: client.create_tags(Resources=[theirs], **TAGGED),
        lambda: client.delete_vpc(VpcId=theirs),
    ]
    for call in denied:
        with pytest.raises(ClientError) as error:
            call()
        assert refused(error) == "UnauthorizedOperation"


def test_only_file_systems_with_the_projects_tag_can_be_changed(embedded: Embedded) -> None:
    efs = embedded.client("efs", REGION)
    ours, theirs = (
        efs.create_file_system(CreationToken=each, Tags=[{"Key": "project", "Value": each}])["FileSystemId"]
        for each in ("shop", "another")
    )
    own = {"StringEquals": {"aws:ResourceTag/project": "shop"}}
    given = {"StringEquals": {"aws:RequestTag/project": "shop"}}
    client = as_role(
        embedded,
        "files",
        allow(["elasticfilesystem:CreateAccessPoint", "elasticfilesystem:PutBackupPolicy"], when=own),
        allow(["elasticfilesystem:TagResource"], when=given),
    )("efs")

    def change(file_system: str) -> None:
        client.put_backup_policy(FileSystemId=file_system, BackupPolicy={"Status": "ENABLED"})

    def open_to(file_system: str) -> None:
        client.create_access_point(FileSystemId=file_system, ClientToken=file_system, Tags=TAGGED["Tags"])

    for call in (change, open_to):
        call(ours)
        with pytest.raises(ClientError, match="AccessDenied"):
            call(theirs)


def test_addresses_are_changed_by_the_projects_tag_and_need_rights_to_hosted_zones(
    embedded: Embedded,
) -> None:
    given, own = ({"StringEquals": {f"aws:{of}Tag/project": "shop"}} for of in ("Request", "Resource"))
    statements = [
        allow(["servicediscovery:CreatePrivateDnsNamespace", "servicediscovery:TagResource"], when=given),
        allow(["servicediscovery:CreateService"], on=f"arn:aws:servicediscovery:*:{HOME}:*", when=given),
        allow(["servicediscovery:DeleteNamespace"], on=f"arn:aws:servicediscovery:*:{HOME}:*/*", when=own),
        allow(["servicediscovery:GetOperation"]),
    ]
    zones = allow(["route53:CreateHostedZone"])
    tags = TAGGED["Tags"]
    with pytest.raises(ClientError, match="route53:CreateHostedZone"):
        as_role(embedded, "without-zones", *statements)("servicediscovery").create_private_dns_namespace(
            Name="a.internal", Vpc="vpc-0", Tags=tags
        )
    client = as_role(embedded, "with-zones", *statements, zones)("servicediscovery")
    made = client.create_private_dns_namespace(Name="b.internal", Vpc="vpc-1", Tags=tags)
    targets = client.get_operation(OperationId=made["OperationId"])["Operation"]["Targets"]
    # As Terraform names the namespace.
    records = {"NamespaceId": targets["NAMESPACE"], "DnsRecords": [{"Type": "A", "TTL": 10}]}
    client.create_service(Name="prices", DnsConfig=records, Tags=tags)
    with pytest.raises(ClientError, match="route53:DeleteHostedZone"):
        client.delete_namespace(Id=targets["NAMESPACE"])
    theirs = embedded.client("servicediscovery", REGION)
    untagged = theirs.create_private_dns_namespace(Name="c.internal", Vpc="vpc-2")
    targets = theirs.get_operation(OperationId=untagged["OperationId"])["Operation"]["Targets"]
    with pytest.raises(ClientError, match="servicediscovery:DeleteNamespace on resource"):
        client.delete_namespace(Id=targets["NAMESPACE"])


def test_a_web_acl_is_changed_by_its_name(embedded: Embedded) -> None:
    acls = f"arn:aws:wafv2:*:{HOME}:regional/webacl/shop-*"
    client = as_role(embedded, "acls", allow(["wafv2:CreateWebACL"], on=acls))("wafv2")
    visible = {"SampledRequestsEnabled": False, "CloudWatchMetricsEnabled": False, "MetricName": "m"}
    settings = {"Scope": "REGIONAL", "DefaultAction": {"Allow": {}}, "VisibilityConfig": visible}
    client.create_web_acl(Name="shop-dev", **settings)
    with pytest.raises(ClientError, match="wafv2:CreateWebACL on resource"):
        client.create_web_acl(Name="another", **settings)


def test_a_task_definition_needs_the_right_to_pass_its_roles(embedded: Embedded) -> None:
    register = allow(["ecs:RegisterTaskDefinition"])
    passing = {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    tasks = f"arn:aws:iam::{HOME}:role/shop-*"
    client = as_role(embedded, "passing", register, allow(["iam:PassRole"], on=tasks, when=passing))("ecs")
    container = [{"name": "web", "image": "web", "memory": 128}]
    client.register_task_definition(
        family="f", taskRoleArn=f"arn:aws:iam::{HOME}:role/shop-web", containerDefinitions=container
    )
    with pytest.raises(ClientError, match="iam:PassRole on resource"):
        client.register_task_definition(
            family="f", taskRoleArn=f"arn:aws:iam::{HOME}:role/admin", containerDefinitions=container
        )


def test_a_roles_boundary_is_looked_at_when_the_role_is_changed(embedded: Embedded) -> None:
    iam = embedded.client("iam", REGION)
    boundary = iam.create_policy(PolicyName="boundary", PolicyDocument=of_size(200))["Policy"]["Arn"]
    for name, limits in (("bounded", {"PermissionsBoundary": boundary}), ("unbounded", {})):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument='{"Statement": []}', **limits)
    bounded = {"StringEquals": {"iam:PermissionsBoundary": boundary}}
    client = as_role(embedded, "bounding", allow(["iam:PutRolePolicy"], when=bounded))("iam")
    client.put_role_policy(RoleName="bounded", PolicyName="own", PolicyDocument=of_size(200))
    with pytest.raises(ClientError, match="is not authorized to perform: iam:PutRolePolicy"):
        client.put_role_policy(RoleName="unbounded", PolicyName="own", PolicyDocument=of_size(200))


def test_a_bucket_of_another_account_needs_its_policy_too(embedded: Embedded) -> None:
    theirs = embedded.client("s3", REGION, OTHER)
    theirs.create_bucket(Bucket="theirs", CreateBucketConfiguration={"LocationConstraint": REGION})
    theirs.put_object(Bucket="theirs", Key="a", Body=b"1")
    s3 = as_role(embedded, "guest", allow(["s3:GetObject"]))("s3")
    with pytest.raises(ClientError, match="is not authorized to perform: s3:GetObject"):
        s3.get_object(Bucket="theirs", Key="a")
    principal = {"AWS": f"arn:aws:iam::{HOME}:root"}
    statement = {**allow(["s3:GetObject"], on="arn:aws:s3:::theirs/*"), "Principal": principal}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    theirs.put_bucket_policy(Bucket="theirs", Policy=policy)
    assert s3.get_object(Bucket="theirs", Key="a")["Body"].read() == b"1"


def test_each_of_several_that_a_request_names_has_to_be_allowed(embedded: Embedded) -> None:
    admin = embedded.client("ssm", REGION)
    for name in ("/own/a", "/own/b", "/others/a"):
        admin.put_parameter(Name=name, Value="1", Type="String")
    own = allow(["ssm:GetParameters"], on=f"arn:aws:ssm:*:{HOME}:parameter/own/*")
    ssm = as_role(embedded, "several", own)("ssm")
    assert len(ssm.get_parameters(Names=["/own/a", "/own/b"])["Parameters"]) == 2
    with pytest.raises(ClientError, match="parameter/others/a"):
        ssm.get_parameters(Names=["/own/a", "/others/a"])


def test_records_of_other_names_are_refused(embedded: Embedded) -> None:
    key = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
    own = {"ForAllValues:StringLike": {key: ["status.example.com"]}}
    route53 = as_role(embedded, "names", allow(["route53:ChangeResourceRecordSets"], when=own))("route53")
    zone = embedded.client("route53", REGION).create_hosted_zone(Name="example.com", CallerReference="2")

    def change(name: str) -> None:
        record = {"Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
        batch = {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": record}]}
        route53.change_resource_record_sets(HostedZoneId=zone["HostedZone"]["Id"], ChangeBatch=batch)

    change("Status.example.com.")
    with pytest.raises(ClientError, match="is not authorized to perform: route53:ChangeResourceRecordSets"):
        change("www.example.com")


def test_what_was_refused_is_not_in_the_journal(directory: Path, embedded: Embedded) -> None:
    client = as_role(embedded, "journal")("sns")
    before = (directory / "journal.jsonl").read_bytes()
    with pytest.raises(ClientError):
        client.create_topic(Name="refused")
    assert (directory / "journal.jsonl").read_bytes() == before
    assert next(each for each in calls_of(directory, 0) if each["role"] == "journal")["allowed"] is False


def of_size(characters: int) -> str:
    """A policy document of this many characters, without white space that counts."""
    policy = {"Version": "2012-10-17", "Statement": [allow(["s3:GetObject"], on="arn:aws:s3:::")]}
    rest = characters - len(json.dumps(policy, separators=(",", ":")))
    policy["Statement"][0]["Resource"] = ["arn:aws:s3:::" + "x" * rest]  # type: ignore[index]  # a dict
    return json.dumps(policy, indent=1)


def test_iam_refuses_what_is_over_a_quota(embedded: Embedded) -> None:
    iam = embedded.client("iam", REGION)
    trust = '{"Version":"2012-10-17","Statement":[]}'
    iam.create_policy(PolicyName="fits", PolicyDocument=of_size(6144))
    iam.create_role(RoleName="full", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(RoleName="full", PolicyName="one", PolicyDocument=of_size(10240))
    iam.put_role_policy(RoleName="full", PolicyName="one", PolicyDocument=of_size(10000))
    for number in range(10):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=of_size(200))["Policy"]["Arn"]
        iam.attach_role_policy(RoleName="full", PolicyArn=arn)
    over: dict[str, Callable[[], object]] = {
        "PolicySize: 6144": lambda: iam.create_policy(PolicyName="a", PolicyDocument=of_size(6145)),
        "10240 bytes exceeded for role full": lambda: iam.put_role_policy(
            RoleName="full", PolicyName="two", PolicyDocument=of_size(241)
        ),
        "ACLSizePerRole: 2048": lambda: iam.create_role(
            RoleName="a", AssumeRolePolicyDocument=trust.replace("[]", f'[{" " * 10}"{"x" * 2048}"]')
        ),
        "PoliciesPerRole: 10": lambda: iam.attach_role_policy(
            RoleName="full", PolicyArn=f"arn:aws:iam::{HOME}:policy/fits"
        ),
    }
    for words, call in over.items():
        with pytest.raises(ClientError, match=words) as error:
            call()
        assert refused(error) == "LimitExceeded"
