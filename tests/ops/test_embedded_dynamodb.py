"""DynamoDB on the embedded AWS: transactions, indexes, expiry, recovery, and a memory that does not fill."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded, start_embedded, stop_embedded
from tests.ops.conftest import ACCOUNT, REGION


@pytest.fixture(scope="module")
def dynamodb(embedded: Embedded) -> Any:
    """A client, and a table with two keys."""
    client = embedded.client("dynamodb", REGION)
    make_table(client)
    return client


def make_table(client: Any) -> None:
    client.create_table(
        TableName="items",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        KeySchema=[
            {"AttributeName": "pk", "KeyType": "HASH"},
            {"AttributeName": "sk", "KeyType": "RANGE"},
        ],
    )


def key(name: str) -> dict[str, dict[str, str]]:
    return {"pk": {"S": name}, "sk": {"S": "s"}}


def count(name: str) -> dict[str, Any]:
    return {
        "Update": {
            "TableName": "items",
            "Key": key(name),
            "UpdateExpression": "ADD n :one",
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def put(name: str) -> dict[str, Any]:
    condition = {"ConditionExpression": "attribute_not_exists(pk)"}
    return {"Put": {"TableName": "items", "Item": key(name), **condition}}


def put_in_vain() -> dict[str, Any]:
    """A write whose condition does not hold: the item must be there, and is not."""
    return {"Put": {"TableName": "items", "Item": key("h"), "ConditionExpression": "attribute_exists(pk)"}}


def found(dynamodb: Any, name: str) -> Any:
    return dynamodb.get_item(TableName="items", Key=key(name)).get("Item")


def test_a_transaction_is_made_once_however_often_it_is_sent(dynamodb: Any) -> None:
    token = str(uuid4())
    for _ in range(3):
        dynamodb.transact_write_items(TransactItems=[count("a"), put("b")], ClientRequestToken=token)
    assert found(dynamodb, "a")["n"] == {"N": "1"}
    with pytest.raises(dynamodb.exceptions.IdempotentParameterMismatchException):
        dynamodb.transact_write_items(TransactItems=[count("a")], ClientRequestToken=token)
    dynamodb.transact_write_items(TransactItems=[count("a")], ClientRequestToken=str(uuid4()))
    assert found(dynamodb, "a")["n"] == {"N": "2"}


def test_a_transaction_that_was_not_made_may_be_sent_again(dynamodb: Any) -> None:
    token, writes = str(uuid4()), [count("c"), put("d")]
    dynamodb.put_item(TableName="items", Item=key("d"))
    for _ in range(2):
        with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
            dynamodb.transact_write_items(TransactItems=writes, ClientRequestToken=token)
        assert found(dynamodb, "c") is None
    dynamodb.delete_item(TableName="items", Key=key("d"))
    dynamodb.transact_write_items(TransactItems=writes, ClientRequestToken=token)
    assert found(dynamodb, "c")["n"] == {"N": "1"}


def test_a_transaction_leaves_what_is_not_part_of_it(dynamodb: Any) -> None:
    dynamodb.put_item(TableName="items", Item={**key("e"), "n": {"N": "7"}})
    delete = {"Delete": {"TableName": "items", "Key": key("e")}}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[delete, put("f"), put_in_vain()])
    assert found(dynamodb, "e")["n"] == {"N": "7"}
    dynamodb.transact_write_items(TransactItems=[delete, put("f")])
    assert found(dynamodb, "e") is None
    assert found(dynamodb, "f") == key("f")


def test_items_are_not_kept_for_a_dashboard(tmp_path: Path) -> None:
    """On an embedded AWS of its own: moto keeps them after all once it was told to begin anew."""
    embedded = start_embedded(tmp_path, ACCOUNT)
    try:
        client = embedded.client("dynamodb", REGION)
        make_table(client)
        client.put_item(TableName="items", Item=key("i"))
        client.query(
            TableName="items",
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": "i"}},
        )
        models = httpx.get(f"{embedded.endpoint}/moto-api/data.json", timeout=20).json()
    finally:
        stop_embedded(tmp_path)
    assert not models["dynamodb"].get("Item")


def test_reading_a_table_does_not_grow_the_journal(dynamodb: Any, embedded_directory: Path) -> None:
    journal = embedded_directory / "journal.jsonl"
    size = journal.stat().st_size
    for number in range(20):
        assert found(dynamodb, f"never-read-{number}") is None
    dynamodb.describe_table(TableName="items")
    assert journal.stat().st_size == size
    dynamodb.put_item(TableName="items", Item=key("j"))
    assert journal.stat().st_size > size


def attributes(*names: str) -> list[dict[str, str]]:
    return [{"AttributeName": name, "AttributeType": "S"} for name in names]


def keys(*names: str) -> list[dict[str, str]]:
    kinds = ("HASH", "RANGE")
    return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(names, kinds, strict=False)]


def index(name: str, *of: str, **settings: Any) -> dict[str, Any]:
    return {"IndexName": name, "KeySchema": keys(*of), "Projection": {"ProjectionType": "ALL"}, **settings}


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
