"""The table, all or nothing and page by page, in good times and in bad ones."""

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.webapp.faults import Answering, answering, aws_error
from tests.webapp.proxy import proxy
from tests.webapp.tables import items, new_table, with_table
from tests.webapp.waiting import soon
from webapp.calls import AwsError, FailureKind
from webapp.table import Key, item_of
from webapp.table_client import MOST_ATTEMPTS, ConditionError, TableClient

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

KEY = Key("p", "s")


def put(table: TableClient, key: Key = KEY, value: int = 1) -> "TransactWriteItemTypeDef":
    return {
        "Put": {
            "TableName": table.name,
            "Item": item_of(key, {"value": value}),
            "ConditionExpression": "attribute_not_exists(pk)",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
    }


def count(table: TableClient, sort_key: str = "count") -> "TransactWriteItemTypeDef":
    return {
        "Update": {
            "TableName": table.name,
            "Key": Key("p", sort_key).attributes,
            "UpdateExpression": "ADD #n :one",
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {":one": {"N": "1"}},
        }
    }


def test_a_transaction_is_made_whole_or_not_at_all(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> None:
        await table.transact(count(table), put(table, value=1))
        with pytest.raises(ConditionError) as failed:
            await table.transact(count(table), put(table, value=2))
        assert failed.value.found == {1: item_of(KEY, {"value": 1})}
        assert await table.get(KEY) == item_of(KEY, {"value": 1})
        assert await table.get(Key("p", "count")) == item_of(Key("p", "count"), {"n": 1})
        assert await table.get(Key("p", "other")) is None

    with_table(serial_aws, name, use)


def test_of_transactions_at_once_each_counts_once(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> None:
        await asyncio.gather(*(table.transact(count(table), put(table, Key("p", str(n)))) for n in range(20)))

    with_table(serial_aws, name, use)
    assert len(items(serial_aws, name)) == 21
    assert item_of(Key("p", "count"), {"n": 20}) in items(serial_aws, name)


def test_a_transaction_whose_answer_is_lost_is_made_once(serial_aws: str) -> None:
    name = new_table(serial_aws)

    async def use(table: TableClient) -> None:
        await table.transact(count(table), put(table))

    with proxy(serial_aws) as between:
        between.loses = "TransactWriteItems"
        with_table(between.url, name, use)
        assert between.seen == ["TransactWriteItems"] * 2
    assert item_of(Key("p", "count"), {"n": 1}) in items(serial_aws, name)


def test_a_query_reads_all_pages_in_either_order_or_as_many_items_as_are_wanted(serial_aws: str) -> None:
    name = new_table(serial_aws)
    numbers = [f"{number:02}" for number in range(12)]
    large = "x" * 200_000

    async def use(table: TableClient) -> None:
        for number in numbers:
            write: TransactWriteItemTypeDef = {
                "Put": {"TableName": name, "Item": item_of(Key("p", number), {"n": number, "large": large})}
            }
            await table.transact(write)

        async def found(**options: Any) -> list[str]:
            return [item["n"]["S"] for item in await table.query("pk = :pk", {":pk": {"S": "p"}}, **options)]

        assert await found() == numbers
        assert await found(newest_first=True) == numbers[::-1]
        assert await found(newest_first=True, most=7) == numbers[:4:-1]
        assert await found(most=12) == await found(most=13) == numbers
        odd = ("contains(#n, :pk) OR #n <> :pk", {"#n": "n"})
        assert await found(filter=odd, most=11) == numbers[:11]

    with_table(serial_aws, name, use)


def cancelled(*codes: str) -> bytes:
    return json.dumps(
        {
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "Message": "cancelled",
            "CancellationReasons": [{"Code": code} for code in codes],
        }
    ).encode()


def transact(server: Answering) -> None:
    async def use(table: TableClient) -> None:
        await table.transact(put(table), count(table))

    with_table(server.url, "table", use)


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        (("None", "TransactionConflict"), FailureKind.THROTTLED),
        (("TransactionConflict", "ThrottlingError"), FailureKind.THROTTLED),
        (("ProvisionedThroughputExceeded", "None"), FailureKind.THROTTLED),
        (("None", "ValidationError"), FailureKind.UNEXPECTED),
        ((), FailureKind.UNEXPECTED),
    ],
)
def test_what_cancels_a_transaction_is_told_by_kind(codes: tuple[str, ...], kind: FailureKind) -> None:
    with answering(400, cancelled(*codes)) as server, pytest.raises(AwsError) as failed:
        transact(server)
    assert failed.value.kind is kind


def test_a_transaction_that_goes_on_elsewhere_is_told_as_throttling() -> None:
    with (
        answering(400, aws_error("TransactionInProgressException")) as server,
        pytest.raises(AwsError) as failed,
    ):
        transact(server)
    assert failed.value.kind is FailureKind.THROTTLED


def test_a_condition_that_does_not_hold_is_told_although_there_is_a_conflict_too() -> None:
    body = cancelled("TransactionConflict", "ConditionalCheckFailed")
    with answering(400, body) as server, pytest.raises(ConditionError) as failed:
        transact(server)
    assert failed.value.found == {1: {}}


def test_a_transaction_that_meets_another_is_tried_again_a_few_times() -> None:
    with answering(400, cancelled("TransactionConflict", "None")) as server, proxy(server.url) as between:

        async def use(table: TableClient) -> None:
            await table.transact(put(table))

        with pytest.raises(AwsError):
            with_table(between.url, "table", use)
        assert len(between.seen) == MOST_ATTEMPTS
        between.seen.clear()

        async def use_in_vain_at_first(table: TableClient) -> None:
            trying = asyncio.create_task(table.transact(put(table)))
            await asyncio.to_thread(soon, lambda: len(between.seen), lambda attempts: attempts > 1)
            server.status, server.body = 200, b"{}"
            await trying

        with_table(between.url, "table", use_in_vain_at_first)
        assert 1 < len(between.seen) <= MOST_ATTEMPTS
