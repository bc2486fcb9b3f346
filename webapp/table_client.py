"""Reads and writes the app's table, with paginated queries and transactions."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import TYPE_CHECKING, Final, TypeVar, cast
from uuid import uuid4

from botocore.exceptions import ClientError

from webapp.aws import Admission, OverloadedError
from webapp.calls import AwsError, FailureKind, call_aws, error_code, log_failure
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
"""Maximum of seconds between two attempts at a conflicting transaction."""

_CANCELLED: Final = "TransactionCanceledException"
_IN_PROGRESS: Final = "TransactionInProgressException"
_CONFLICT: Final = "TransactionConflict"
_CONDITION: Final = "ConditionalCheckFailed"
_KINDS: Final[Mapping[str, FailureKind]] = {
    _CONFLICT: FailureKind.THROTTLED,
    "ProvisionedThroughputExceeded": FailureKind.THROTTLED,
    "ThrottlingError": FailureKind.THROTTLED,
}
"""Causes of a cancelled transaction, other than conditions.

Source: Amazon DynamoDB API Reference, "TransactWriteItems: TransactionCanceledException".
"""


class ConditionError(Exception):
    """A transaction was cancelled because conditions of its writes do not hold.

    `found` maps the position of each such write to the existing item, if the write asked for it.
    """

    def __init__(self, found: Mapping[int, "Item"]) -> None:
        super().__init__(f"conditions do not hold: {', '.join(map(str, found))}")
        self.found = found


class TableClient:
    """The table for one service of the environment, whose keys are `keys`.

    Every method raises `AwsError` if DynamoDB does not answer. With admission control, a rejected call raises
    `AwsError` of kind `OVERLOADED`.
    """

    def __init__(
        self, dynamodb: "DynamoDBClient", name: str, service: str, admission: Admission | None = None
    ) -> None:
        self.name = name
        self.keys = Keys(service)
        self._dynamodb = dynamodb
        self._admission: AbstractAsyncContextManager[None] = nullcontext() if admission is None else admission

    async def get(self, key: Key) -> "Item | None":
        """Returns the item, read consistently; None if it does not exist."""
        answer = await self._call(
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
        """Returns the items of one partition that match a key condition, in the order of their sort keys.

        The filter is an expression and the names it uses. Reads pages until there are `most` items or no
        more: a page has at most 1 MB before the filter (DynamoDB Developer Guide, "Paginating table query
        results").
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
        """Yields the same items page by page, as DynamoDB returns them.

        A page has at most `most` items unless there is a filter; it may be empty.
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
            page = await self._call("dynamodb:Query", lambda: self._dynamodb.query(**request))
            yield page["Items"]
            position = page.get("LastEvaluatedKey")
            if not position:
                return
            request["ExclusiveStartKey"] = position

    async def transact(self, *writes: "TransactWriteItemTypeDef") -> None:
        """Makes all writes or none.

        Raises `ConditionError` if a condition does not hold. A transaction that conflicts with another is
        retried. The token makes botocore's own retries idempotent if a response is lost (Amazon DynamoDB
        API Reference, "TransactWriteItems: ClientRequestToken").
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
        await self._call(
            # IAM authorizes a transaction by the actions of its parts.
            "dynamodb:PutItem",
            lambda: self._dynamodb.transact_write_items(TransactItems=writes, ClientRequestToken=token),
            expected={_CANCELLED, _IN_PROGRESS},
        )

    async def _call(
        self, action: str, call: Callable[[], Awaitable[T]], *, expected: Container[str] = ()
    ) -> T:
        """Makes a call once it is admitted; waiting for that does not count towards its deadline."""
        try:
            async with self._admission:
                return await call_aws(action, call(), expected=expected)
        except OverloadedError as error:
            raise log_failure("a call to AWS was not made", action, FailureKind.OVERLOADED, {}) from error


def _raise_unless_conflict(error: ClientError) -> None:
    reasons = error.response.get("CancellationReasons", [])
    codes = [reason.get("Code", "None") for reason in reasons]
    if _CONDITION in codes:
        # The stubs declare an item with the attributes "key" and "value".
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
    """Logs a failed transaction, which `call_aws` does not, and returns the error to raise."""
    return log_failure("a transaction failed", "dynamodb:PutItem", kind, {"error": reason})
