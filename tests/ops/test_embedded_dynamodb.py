"""DynamoDB in the embedded AWS: transactions as AWS makes them, and a memory that does not fill."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

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
