"""Reads and writes the app's table, page by page and all or nothing."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Final, TypeVar, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from webapp.aws import Admission, OverloadedError
from webapp.calls import AwsError, FailureKind, call_aws, error_code, failed
from webapp.table import Key, Keys

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb import DynamoDBClient
    from types_aiobotocore_dynamodb.type_defs import (
        AttributeValueTypeDef,
        QueryInputTypeDef,
        TransactWriteItemTypeDef,
    )

    from webapp.table import Item

T = TypeVar("T")

MOST_ATTEMPTS: Final = 5
LONGEST_PAUSE: Final = 0.2
"""Seconds between two attempts at a transaction that met another."""

_CANCELLED: Final = "TransactionCanceledException"
_IN_PROGRESS: Final = "TransactionInProgressException"
_CONFLICT: Final = "TransactionConflict"
_CONDITION: Final = "ConditionalCheckFailed"
_KINDS: Final[Mapping[str, FailureKind]] = {
    _CONFLICT: FailureKind.THROTTLED,
    "ProvisionedThroughputExceeded": FailureKind.THROTTLED,
    "ThrottlingError": FailureKind.THROTTLED,
}
"""What cancels a transaction, but for conditions.

Source: Amazon DynamoDB API Reference, "TransactWriteItems: TransactionCanceledException".
"""


class ConditionError(Exception):
    """A transaction was not made, because the conditions of some of its writes do not hold.

    `found` has those writes by their position, each with the item that was there, as far as the write
    asked for it.
    """

    def __init__(self, found: Mapping[int, "Item"]) -> None:
        super().__init__(f"conditions do not hold: {', '.join(map(str, found))}")
        self.found = found


class TableClient:
    """The table, by its name, for one service of the environment, whose keys are `keys`.

    Every method raises `AwsError` when the table does not answer. With admission control, a call for
    which there is no room is not made: then what failed is the app itself, `FailureKind.OVERLOADED`.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", name: str, service: str, admission: Admission | None = None
    ) -> None:
        self.name = name
        self.keys = Keys(service)
        self._dynamodb = dynamodb
        self._admitted: Callable[[], AbstractAsyncContextManager[None]] = (
            nullcontext if admission is None else admission.admitted
        )

    async def get(self, key: Key) -> "Item | None":
        """The item as it is after every write that was answered, None when there is none."""
        answer = await self._answered(
            "dynamodb:GetItem",
            lambda: self._dynamodb.get_item(TableName=self.name, Key=key.attributes, ConsistentRead=True),
        )
        return answer.get("Item")

    async def query(
        self,
        condition: str,
        values: Mapping[str, "AttributeValueTypeDef"],
        *,
        filter: tuple[str, Mapping[str, str]] | None = None,
        newest_first: bool = False,
        most: int | None = None,
    ) -> list["Item"]:
        """The items of one partition that meet a key condition, in the order of their sort keys.

        The filter is an expression with the names it uses. Reads on until there are `most` items, or
        no more: DynamoDB answers at most 1 MB at once, counted before the filter (DynamoDB Developer
        Guide, "Paginating table query results").
        """
        found: list[Item] = []
        pages = self.pages(condition, values, filter=filter, newest_first=newest_first, most=most)
        async with aclosing(pages):
            async for page in pages:
                found += page
                if most is not None and len(found) >= most:
                    break
        return found[:most]

    async def pages(
        self,
        condition: str,
        values: Mapping[str, "AttributeValueTypeDef"],
        *,
        filter: tuple[str, Mapping[str, str]] | None = None,
        newest_first: bool = False,
        most: int | None = None,
    ) -> AsyncGenerator[Sequence["Item"], None]:
        """The same items, as many at once as DynamoDB answers: whoever has enough reads no further.

        A page has `most` items at most unless there is a filter; it may have none.
        """
        request: QueryInputTypeDef = {
            "TableName": self.name,
            "KeyConditionExpression": condition,
            "ExpressionAttributeValues": values,
            "ConsistentRead": True,
            "ScanIndexForward": not newest_first,
        }
        if filter is not None:
            request["FilterExpression"], request["ExpressionAttributeNames"] = filter
        elif most is not None:
            request["Limit"] = most
        while True:
            page = await self._answered("dynamodb:Query", lambda: self._dynamodb.query(**request))
            yield page["Items"]
            position = page.get("LastEvaluatedKey")
            if not position:
                return
            request["ExclusiveStartKey"] = position

    async def transact(self, *writes: "TransactWriteItemTypeDef") -> None:
        """Makes all the writes or none.

        Raises `ConditionError` when a condition does not hold. A transaction that meets another on the
        same item is tried again. When an answer is lost and botocore asks again, the token has DynamoDB
        know the transaction it has made already (Amazon DynamoDB API Reference, "TransactWriteItems:
        ClientRequestToken").
        """
        token = str(uuid4())
        for attempt in range(MOST_ATTEMPTS):
            if attempt:
                await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311 - it only spreads load
            try:
                await self._transact_once(writes, token)
                return
            except ClientError as error:
                if error_code(error) == _IN_PROGRESS:
                    continue
                _raise_unless_conflict(error)
                token = str(uuid4())
        raise _failure(FailureKind.THROTTLED, f"met other transactions {MOST_ATTEMPTS} times")

    async def _transact_once(self, writes: "tuple[TransactWriteItemTypeDef, ...]", token: str) -> None:
        await self._answered(
            # IAM has no action for a transaction: it takes those of its parts.
            "dynamodb:PutItem",
            lambda: self._dynamodb.transact_write_items(TransactItems=writes, ClientRequestToken=token),
            expected={_CANCELLED, _IN_PROGRESS},
        )

    async def _answered(
        self, action: str, call: Callable[[], Awaitable[T]], *, expected: Container[str] = ()
    ) -> T:
        """What a call answers once it is admitted; the wait for that is no part of its deadline."""
        try:
            async with self._admitted():
                return await call_aws(action, call(), expected=expected)
        except OverloadedError as error:
            raise failed("a call to AWS was not made", action, FailureKind.OVERLOADED, {}) from error


def _raise_unless_conflict(error: ClientError) -> None:
    reasons = error.response.get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in reasons]
    if _CONDITION in codes:
        # The stubs mistake an item for one with the attributes "key" and "value".
        found = {
            position: cast("Item", reason.get("Item", {}))
            for position, reason in enumerate(reasons)
            if codes[position] == _CONDITION
        }
        raise ConditionError(found) from error
    causes = {code for code in codes if code != "None"}
    if causes != {_CONFLICT}:
        cause = next(iter(sorted(causes - {_CONFLICT})), "")
        raise _failure(_KINDS.get(cause, FailureKind.UNEXPECTED), str(error)) from error


def _failure(kind: FailureKind, reason: str) -> AwsError:
    """The error to raise, after a line in the log: `call_aws` wrote none."""
    return failed("a transaction failed", "dynamodb:PutItem", kind, {"error": reason})
