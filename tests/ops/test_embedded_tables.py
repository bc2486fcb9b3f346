"""Tables on the embedded AWS: indexes, expiry and recovery as DynamoDB has them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)]


def index(name: str, *of: str, **settings: Any) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": keys(*of), "Projection": {"ProjectionType": "ALL"}, **settings}


@pytest.fixture(scope="module")
def dynamodb(embedded: Embedded) -> Any:
    """A client."""
    return embedded.client("dynamodb", REGION)


@pytest.fixture
def table(dynamodb: Any, request: pytest.FixtureRequest) -> str:
    """The name of a table with one key."""
    name = request.node.name[:200].replace("[", ".").replace("]", "")
    create(dynamodb, name)
    return str(name)


def create(dynamodb: Any, name: str, **settings: Any) -> None:
    """Create a table with one key, unless the settings say otherwise."""
    wanted = {"AttributeDefinitions": attributes("id"), "BillingMode": "PAY_PER_REQUEST", **settings}
    dynamodb.create_table(TableName=name, KeySchema=keys("id"), **wanted)


def by_user(**settings: Any) -> dict[str, Any]:
    return {
        "AttributeDefinitions": attributes("id", "user"),
        "GlobalSecondaryIndexes": [index("by-user", "user", **settings)],
    }


PROVISIONED = {"ProvisionedThroughput": {"ReadCapacityUnits": 1, "WriteCapacityUnits": 1}}


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"AttributeDefinitions": attributes("id", "user")}, "does not exactly match"),
        ({**by_user(), "AttributeDefinitions": attributes("id", "user", "at")}, "are not used"),
        ({**by_user(), "AttributeDefinitions": attributes("id")}, "are not defined"),
        ({"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "BOOL"}]}, "enum value set"),
        (by_user(**PROVISIONED), "should not be specified for index"),
        (by_user(Projection={"ProjectionType": "INCLUDE"}), "NonKeyAttributes"),
        (by_user(IndexName="by user"), "failed to satisfy constraint"),
        ({**by_user(), "GlobalSecondaryIndexes": [index("by-user", "user")] * 2}, "Duplicate index name"),
        (
            {**by_user(), "GlobalSecondaryIndexes": [index(f"by-{n}", "user") for n in range(21)]},
            "per-table limit of 20",
        ),
    ],
)
def test_a_table_that_dynamodb_refuses_is_refused(
    dynamodb: Any, settings: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match="ValidationException") as caught:
        create(dynamodb, "refused", **settings)
    assert reason in str(caught.value)


@pytest.mark.parametrize("name", ["ab", "a b", "x" * 256])
def test_a_name_that_dynamodb_refuses_is_refused(dynamodb: Any, name: str) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        create(dynamodb, name)


def test_indexes_come_and_go_one_at_a_time(dynamodb: Any, table: str) -> None:
    first, second = ({"Create": index(f"by-{name}", name)} for name in ("user", "at"))
    with pytest.raises(ClientError, match="Only 1 online index"):
        dynamodb.update_table(
            TableName=table,
            AttributeDefinitions=attributes("id", "user", "at"),
            GlobalSecondaryIndexUpdates=[first, second],
        )
    with pytest.raises(ClientError, match="are not defined"):
        dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=[first])
    # Terraform names the attributes of all indexes to come with each of them.
    for each in (first, second):
        dynamodb.update_table(
            TableName=table,
            AttributeDefinitions=attributes("id", "user", "at"),
            GlobalSecondaryIndexUpdates=[each],
        )
    delete = [{"Delete": {"IndexName": "by-user"}}]
    dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=delete)
    found = dynamodb.describe_table(TableName=table)["Table"]
    assert [each["IndexName"] for each in found["GlobalSecondaryIndexes"]] == ["by-at"]
    assert sorted(each["AttributeName"] for each in found["AttributeDefinitions"]) == ["at", "id"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        dynamodb.update_table(TableName=table, GlobalSecondaryIndexUpdates=delete)


def test_encryption_changes_in_place(dynamodb: Any, table: str) -> None:
    dynamodb.update_table(TableName=table, SSESpecification={"Enabled": True, "SSEType": "KMS"})
    assert dynamodb.describe_table(TableName=table)["Table"]["SSEDescription"]["SSEType"] == "KMS"
    dynamodb.update_table(TableName=table, SSESpecification={"Enabled": False})
    assert "SSEDescription" not in dynamodb.describe_table(TableName=table)["Table"]


def test_expiry_is_turned_on_and_off_once(dynamodb: Any, table: str) -> None:
    def expire(attribute: str, *, enabled: bool) -> None:
        dynamodb.update_time_to_live(
            TableName=table, TimeToLiveSpecification={"Enabled": enabled, "AttributeName": attribute}
        )

    with pytest.raises(ClientError, match="already disabled"):
        expire("expires", enabled=False)
    expire("expires", enabled=True)
    with pytest.raises(ClientError, match="already enabled"):
        expire("expires", enabled=True)
    with pytest.raises(ClientError, match="active on a different AttributeName"):
        expire("other", enabled=True)
    found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expires"}
    expire("expires", enabled=False)
    found = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert found == {"TimeToLiveStatus": "DISABLED"}


def test_a_protected_table_is_not_deleted(dynamodb: Any, table: str) -> None:
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=True)
    with pytest.raises(ClientError, match="can't be deleted"):
        dynamodb.delete_table(TableName=table)
    dynamodb.update_table(TableName=table, DeletionProtectionEnabled=False)
    dynamodb.delete_table(TableName=table)


def recoverable(dynamodb: Any, table: str, days: int = 7) -> None:
    wanted = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": days}
    dynamodb.update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)


def test_a_table_is_restored_as_another_one(dynamodb: Any) -> None:
    create(dynamodb, "source", **by_user(), Tags=[{"Key": "k", "Value": "v"}], DeletionProtectionEnabled=True)
    recoverable(dynamodb, "source")
    dynamodb.put_item(TableName="source", Item={"id": {"S": "1"}, "user": {"S": "a"}})
    dynamodb.restore_table_to_point_in_time(
        SourceTableName="source", TargetTableName="restored", UseLatestRestorableTime=True
    )
    assert dynamodb.get_item(TableName="restored", Key={"id": {"S": "1"}})["Item"]["user"] == {"S": "a"}
    found = dynamodb.describe_table(TableName="restored")["Table"]
    assert found["RestoreSummary"]["SourceTableArn"].endswith("table/source")
    assert found["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert [each["IndexName"] for each in found["GlobalSecondaryIndexes"]] == ["by-user"]
    # What a restore leaves out, and whoever restores has to set again.
    assert not found["DeletionProtectionEnabled"]
    assert dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"] == []
    backups = dynamodb.describe_continuous_backups(TableName="restored")["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"SourceTableName": "nowhere", "UseLatestRestorableTime": True}, "SourceTableNotFoundException"),
        ({"UseLatestRestorableTime": True, "TargetTableName": "other"}, "TableAlreadyExistsException"),
        ({}, "ValidationException"),
        ({"RestoreDateTime": datetime.now(UTC) - timedelta(days=2)}, "InvalidRestoreTimeException"),
        ({"RestoreDateTime": datetime.now(UTC) + timedelta(days=2)}, "InvalidRestoreTimeException"),
    ],
)
def test_a_restore_that_dynamodb_refuses_is_refused(
    dynamodb: Any, table: str, settings: dict[str, Any], code: str
) -> None:
    recoverable(dynamodb, table)
    if "other" not in dynamodb.list_tables()["TableNames"]:
        create(dynamodb, "other")
    with pytest.raises(ClientError) as caught:
        dynamodb.restore_table_to_point_in_time(
            **{"SourceTableName": table, "TargetTableName": "target", **settings}
        )
    assert caught.value.response["Error"]["Code"] == code


def test_a_table_without_recovery_is_not_restored(dynamodb: Any, table: str) -> None:
    with pytest.raises(ClientError, match="Point in time recovery is not enabled"):
        dynamodb.restore_table_to_point_in_time(
            SourceTableName=table, TargetTableName="target", UseLatestRestorableTime=True
        )
    with pytest.raises(ClientError, match="ValidationException"):
        recoverable(dynamodb, table, days=36)
