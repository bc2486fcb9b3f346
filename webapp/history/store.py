"""The history in the table: one record a component and minute, and counters a component and day."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from webapp.history.models import SLOT, Day, Record, slot_of
from webapp.table import (
    DAYS_KEPT,
    RECORDS_KEPT,
    content_of,
    day_of,
    item_of,
    minute_of,
    seconds,
)
from webapp.table_client import ConditionError, TableClient

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

_BETWEEN: Final = "pk = :pk AND sk BETWEEN :first AND :last"
_TICK: Final = timedelta(microseconds=1)


async def write_slot(table: TableClient, slot: datetime, records: Mapping[str, Record]) -> bool:
    """Keeps the records of a slot, and counts them in their day; all of it or nothing.

    False when the slot was written before, by whichever task; then nothing changes. A look comes first,
    as a transaction costs twice what its writes would.
    """
    if await table.get(table.keys.minute(next(iter(records)), slot)) is not None:
        return False
    writes = [write for component, record in records.items() for write in _writes(table, component, record)]
    try:
        await table.transact(*writes)
    except ConditionError:
        return False
    return True


def _writes(table: TableClient, component: str, record: Record) -> tuple["TransactWriteItemTypeDef", ...]:
    day = record.at.date()
    midnight = record.at.replace(hour=0, minute=0)
    return (
        {
            "Put": {
                "TableName": table.name,
                "Item": item_of(
                    table.keys.minute(component, record.at),
                    record.model_dump(mode="json", exclude={"at"}),
                    record.at + RECORDS_KEPT,
                ),
                "ConditionExpression": "attribute_not_exists(pk)",
            }
        },
        {
            "Update": {
                "TableName": table.name,
                "Key": table.keys.day(component, day).attributes,
                "UpdateExpression": "ADD #state :one SET expires_at = :expires_at",
                "ExpressionAttributeNames": {"#state": record.state},
                "ExpressionAttributeValues": {
                    ":one": {"N": "1"},
                    ":expires_at": seconds(midnight + DAYS_KEPT),
                },
            }
        },
    )


async def read_records(
    table: TableClient, component: str, start: datetime, end: datetime, now: datetime, most: int
) -> tuple[Record, ...]:
    """The records of the minutes that begin from `start` on and before `end`, the newest first.

    Those that have expired are gone, whether DynamoDB has removed them yet or not.
    """
    start, end = max(start, now - RECORDS_KEPT), min(end, now)
    if start >= end:
        return ()
    # Only now is it sure that the times are near to now, where a minute can be added to them.
    first, last = slot_of(start + SLOT - _TICK), slot_of(end - _TICK)
    if first > last:
        return ()
    items = await table.query(
        _BETWEEN,
        {
            ":pk": {"S": table.keys.history(component)},
            ":first": {"S": table.keys.minute(component, first).sk},
            ":last": {"S": table.keys.minute(component, last).sk},
        },
        newest_first=True,
        most=most,
    )
    return tuple(Record.model_validate(content_of(item) | {"at": minute_of(item)}) for item in items)


async def read_days(
    table: TableClient, component: str, first: date, last: date, today: date
) -> tuple[Day, ...]:
    """Every day from the first to the last, both included, up to today and as far back as days are kept.

    The oldest comes first. A day without records has counters of zero.
    """
    first, last = max(first, today - DAYS_KEPT), min(last, today)
    if first > last:
        return ()
    items = await table.query(
        _BETWEEN,
        {
            ":pk": {"S": table.keys.history(component)},
            ":first": {"S": table.keys.day(component, first).sk},
            ":last": {"S": table.keys.day(component, last).sk},
        },
    )
    known = {day_of(item): Day.model_validate(content_of(item) | {"date": day_of(item)}) for item in items}
    dates = (first + timedelta(days=age) for age in range((last - first).days + 1))
    return tuple(known.get(date) or Day(date=date) for date in dates)
