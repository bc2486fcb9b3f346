"""What requests ask for, and whether a role's policies allow it."""

from pathlib import Path
from typing import Any

import pytest

from ops.local.embedded import start_embedded, stop_embedded
from tests.e2e.calls import Call, calls, count
from tests.e2e.desk import REGION
from tests.e2e.roles import Role

pytestmark = pytest.mark.e2e

ACCOUNT = "111111111111"


def statement(effect: str, actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": effect, "Action": actions, "Resource": resources}


ROLE = Role(
    "deploy",
    3600,
    (),
    (
        statement("Allow", ["ssm:Get*", "ssm:PutParameter"], ["arn:aws:ssm:*:1:parameter/oaktree/*"]),
        statement("Allow", ["ec2:describe*"], ["*"]),
        statement("Deny", ["ssm:PutParameter"], ["arn:aws:ssm:*:1:parameter/oaktree/prod/*"]),
    ),
)
DEV, PROD, OTHER = (
    f"arn:aws:ssm:eu-central-1:1:parameter/{name}" for name in ("oaktree/dev/a", "oaktree/prod/a", "b")
)


@pytest.mark.parametrize(
    ("action", "resources", "allowed"),
    [
        ("ssm:GetParameter", (DEV,), True),
        ("ssm:GetParameter", (PROD,), True),
        ("ssm:GetParameter", (OTHER,), False),
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
    assert ROLE.allows(Call("key", action, resources)) is allowed


def test_requests_are_told_by_the_names_that_policies_use(tmp_path: Path) -> None:
    embedded = start_embedded(tmp_path, ACCOUNT)
    try:
        s3 = embedded.client("s3", REGION)
        s3.create_bucket(Bucket="oaktree", CreateBucketConfiguration={"LocationConstraint": REGION})
        first = count(tmp_path)
        s3.put_object(Bucket="oaktree", Key="dev/a.tfstate", Body=b"{}")
        s3.head_object(Bucket="oaktree", Key="dev/a.tfstate")
        s3.list_objects_v2(Bucket="oaktree")
        s3.get_bucket_versioning(Bucket="oaktree")
        s3.delete_object(Bucket="oaktree", Key="dev/a.tfstate")
        embedded.client("ssm", REGION).put_parameter(Name="/oaktree/a", Value="1", Type="String")
        embedded.client("sns", REGION).create_topic(Name="alarms")
        embedded.client("ecr", REGION).create_repository(repositoryName="oaktree/web")
        route53 = embedded.client("route53", "us-east-1")
        zone = route53.create_hosted_zone(Name="example.com", CallerReference="1")["HostedZone"]["Id"]
        route53.list_resource_record_sets(HostedZoneId=zone)
        dynamodb = embedded.client("dynamodb", REGION)
        key: dict[str, Any] = {"AttributeName": "pk", "KeyType": "HASH"}
        dynamodb.create_table(
            TableName="status",
            KeySchema=[key],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        item = {"TableName": "status", "Item": {"pk": {"S": "a"}}}
        dynamodb.transact_write_items(TransactItems=[{"Put": item}])
        found = [(call.action, call.resources[:1]) for call in calls(tmp_path, {}, first)]
    finally:
        stop_embedded(tmp_path)
    arn = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
    state = ("arn:aws:s3:::oaktree/dev/a.tfstate",)
    assert found == [
        ("s3:PutObject", state),
        ("s3:GetObject", state),
        ("s3:ListBucket", ("arn:aws:s3:::oaktree",)),
        ("s3:GetBucketVersioning", ("arn:aws:s3:::oaktree",)),
        ("s3:DeleteObject", state),
        ("ssm:PutParameter", (arn.format("ssm", "parameter/oaktree/a"),)),
        ("sns:CreateTopic", (arn.format("sns", "alarms"),)),
        ("ecr:CreateRepository", (arn.format("ecr", "repository/oaktree/web"),)),
        ("route53:CreateHostedZone", ()),
        ("route53:ListResourceRecordSets", (f"arn:aws:route53:::hostedzone/{zone.rpartition('/')[2]}",)),
        ("dynamodb:CreateTable", (arn.format("dynamodb", "table/status"),)),
        ("dynamodb:PutItem", (arn.format("dynamodb", "table/status"),)),
    ]
