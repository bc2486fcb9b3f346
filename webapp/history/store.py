"""The history in the table: a record a component and minute, its changes of state, and seconds a day."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

from pydantic import JsonValue

from webapp.history.models import SLOT, Change, Day, Record, Seconds, day_of_seconds, slot_of
from webapp.states import State
from webapp.table import (
    DAYS_KEPT,
    RECORDS_KEPT,
    change_of,
    content_of,
    day_of,
    item_of,
    minute_of,
    seconds,
)
from webapp.table_client import ConditionError, TableClient

if TYPE_CHECKING:
    from types_aiobotocore_dynamodb.type_defs import TransactWriteItemTypeDef

MOST_WRITES: Final = 25
"""Items of one transaction, of which DynamoDB allows 100. Small ones meet others less often, and the embedded
AWS takes time with the square of them. Source: Amazon DynamoDB API Reference, "TransactWriteItems"."""

_BETWEEN: Final = "pk = :pk AND sk BETWEEN :first AND :last"
_TICK: Final = timedelta(microseconds=1)
_MINUTE_SECONDS: Final = 60


async def write_slot(table: TableClient, slot: datetime, records: Mapping[str, Record]) -> int:
    """Keeps the records of a slot, their changes, and their seconds in the day of each component.

    What belongs to one component is kept whole or not at all, whichever task writes it, and once. Returns how
    many components were new. A look comes first, as a transaction costs twice what its writes would.
    """
    written = 0
    for some in _transactions(table, records):
        first, *_, last = [*some, *some]
        if await table.get(table.keys.minute(first, slot)) is None:
            if await _transact(table, *some.values()):
                written += len(some)
                continue
        elif await table.get(table.keys.minute(last, slot)) is not None:
            continue
        # Another task has written some of them, and may have stopped before the others.
        for writes in some.values():
            written += await _transact(table, writes)
    return written


async def _transact(table: TableClient, *several: "list[TransactWriteItemTypeDef]") -> bool:
    """Makes the writes of some components; false if one of them is there already."""
    try:
        await table.transact(*(write for writes in several for write in writes))
    except ConditionError:
        return False
    return True


def _transactions(
    table: TableClient, records: Mapping[str, Record]
) -> Iterator[dict[str, "list[TransactWriteItemTypeDef]"]]:
    """Yields the writes of as many components as one transaction has room for.

    Of a component with more changes than that, the record has them all.
    """
    some: dict[str, list[TransactWriteItemTypeDef]] = {}
    for component, record in records.items():
        writes = [*_writes(table, component, record)]
        if some and sum(map(len, some.values())) + len(writes) > MOST_WRITES:
            yield some
            some = {}
        some[component] = writes[:MOST_WRITES]
    if some:
        yield some


def _writes(table: TableClient, component: str, record: Record) -> Iterator["TransactWriteItemTypeDef"]:
    yield {
        "Put": {
            "TableName": table.name,
            "Item": item_of(
                table.keys.minute(component, record.at), _content(record), record.at + RECORDS_KEPT
            ),
            "ConditionExpression": "attribute_not_exists(pk)",
        }
    }
    lasted = {state: record.seconds.of(state) for state in State if record.seconds.of(state)}
    if lasted:
        added = ", ".join(f"{_counter(state)} :{state}" for state in lasted)
        values = {f":{state}": {"N": str(count)} for state, count in lasted.items()}
        midnight = record.at.replace(hour=0, minute=0)
        yield {
            "Update": {
                "TableName": table.name,
                "Key": table.keys.day(component, record.at.date()).attributes,
                "UpdateExpression": f"ADD {added} SET expires_at = :expires_at",
                "ExpressionAttributeValues": {**values, ":expires_at": seconds(midnight + DAYS_KEPT)},
            }
        }
    for change in record.changes:
        key = table.keys.change(component, change.at)
        content = change.model_dump(mode="json", by_alias=True, exclude={"at"})
        item = item_of(key, content, change.at + RECORDS_KEPT)
        yield {"Put": {"TableName": table.name, "Item": item}}


def _content(record: Record) -> dict[str, JsonValue]:
    content: dict[str, JsonValue] = record.model_dump(mode="json", by_alias=True, exclude={"at"})
    content["seconds"] = record.seconds.model_dump(exclude_defaults=True)
    if not record.changes:
        del content["changes"]
    return content


def _counter(state: State) -> str:
    return f"{state}_seconds"


async def read_records(
    table: TableClient, component: str, start: datetime, end: datetime, now: datetime, most: int | None = None
) -> tuple[Record, ...]:
    """Returns the records of the minutes that begin from `start` on and before `end`, the newest first.

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


async def read_changes(
    table: TableClient, component: str, start: datetime, end: datetime, now: datetime, most: int
) -> tuple[Change, ...]:
    """Returns the changes of state from `start` on and before `end`, the newest first.

    Where two tasks have seen the same change in different slots, it is the earlier one.
    """
    start, end = max(start, now - RECORDS_KEPT), min(end, now)
    if start >= end:
        return ()
    items = await table.query(
        _BETWEEN,
        {
            ":pk": {"S": table.keys.history(component)},
            ":first": {"S": table.keys.change(component, start).sk},
            ":last": {"S": table.keys.change(component, end - _TICK).sk},
        },
        newest_first=True,
        most=most,
    )
    changes = [Change.model_validate(content_of(item) | {"at": change_of(item)}) for item in items]
    return tuple(
        change
        for change, before in zip_longest(changes, changes[1:])
        if before is None or change.to is not before.to
    )


async def read_days(
    table: TableClient, component: str, first: date, last: date, now: datetime
) -> tuple[Day, ...]:
    """Returns every day from the first to the last, both included, up to today, as far back as days are kept.

    The oldest comes first.
    """
    today = now.date()
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
    known = {day_of(item): _seconds_of(content_of(item)) for item in items}
    dates = (first + timedelta(days=age) for age in range((last - first).days + 1))
    return tuple(day_of_seconds(date, known.get(date, Seconds()), now) for date in dates)


def _seconds_of(content: Mapping[str, JsonValue]) -> Seconds:
    """Returns the seconds of a day. Former counters, named like the states, count minutes."""

    def count(name: str) -> int:
        value = content.get(name, 0)
        return value if isinstance(value, int) else 0

    lasted = {state.value: count(_counter(state)) + _MINUTE_SECONDS * count(state) for state in State}
    return Seconds(**lasted)
